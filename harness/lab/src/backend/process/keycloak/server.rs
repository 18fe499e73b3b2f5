//! The server that all labs of a checkout share: `kc.sh start`, without the shell.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::admin::Admin;
use crate::backend::kind::{self, Workshop};
use crate::backend::{LabError, Site};
use crate::checkout::Checkout;
use crate::exec::{Shared, Start, last_words};
use crate::state::write_private;
use crate::tools::{self, Distribution, JAR, Terminal};
use crate::wait::{Look, until};

const NAME: &str = "keycloak";
/// How long it may take to boot where every processor is busy.
const BOOT: Duration = Duration::from_secs(300);
/// How many lines of its log a dead one shows.
const LAST_LINES: usize = 12;

/// What `bin/kc.sh` tells Java, and what shortens the boot: the quick compiler alone, and no
/// second look at classes whose sum has been checked. 18 s of CPU instead of 47.
const JAVA: &[&str] = &[
    "-Xms64m",
    "-Xmx512m",
    "-XX:MetaspaceSize=96M",
    "-XX:MaxMetaspaceSize=256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-BytecodeVerificationRemote",
    "-XX:+ExitOnOutOfMemoryError",
    "-Dfile.encoding=UTF-8",
    "-Duser.language=en",
    "-Duser.country=US",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/java.security=ALL-UNNAMED",
    "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
    "-Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
    "-Dpicocli.disable.closures=true",
    "-Dquarkus-log-max-startup-records=10000",
];

/// Java and the distribution in an image of it.
const IN_ITS_IMAGE: (&str, &str) = ("java", "/opt/keycloak");

/// The parts of a distribution. They are only read; what is written lies beside them.
const PARTS: [&str; 4] = ["lib", "conf", "providers", "themes"];

/// The shared server, which may still boot.
#[derive(Debug)]
pub(super) struct Server {
    shared: Shared<Note>,
    pub(super) admin: Admin,
}

/// What whoever started it tells the others, in a file of mode 0600.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Note {
    port: u16,
    #[serde(serialize_with = "crate::spec::expose")]
    password: SecretString,
}

impl Server {
    /// Uses the server of the checkout that the lab belongs to: a process, or a container of a
    /// workshop. Labs reach it at the address of `site`'s providers.
    pub(super) async fn join(site: &Site, workshop: Option<&Workshop>) -> Result<Self, LabError> {
        let distribution = match workshop {
            Some(_) => Distribution {
                java: IN_ITS_IMAGE.0.into(),
                home: IN_ITS_IMAGE.1.into(),
                version: String::new(),
            },
            None => tools::keycloak(Checkout::here().root(), &Terminal::stderr()).await?,
        };
        let addresses = site
            .listeners
            .values()
            .filter_map(|it| it.local_addr().ok());
        let mut hosts: Vec<String> = addresses.map(|address| address.ip().to_string()).collect();
        hosts.extend(["127.0.0.1".to_owned(), "localhost".to_owned()]);
        hosts.sort();
        hosts.dedup();
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let certificate = site.authority.server_certificate(&hosts)?;
        let folder = folder(&site.folder);
        let start = |folder: &Path| {
            let file = |name: &str, content: &str| {
                let path = folder.join(name);
                write_private(&path, content.as_bytes()).map(|()| path)
            };
            let cert = file("tls.pem", &certificate.pem)?;
            let key = file("tls-key.pem", certificate.key_pem.expose_secret())?;
            start(folder, &distribution, &cert, &key)
        };
        let joined = match workshop {
            Some(workshop) => {
                let start = || async { workshop.keycloak(&folder, start(&folder)?).await };
                Shared::join_with(&folder, start).await
            }
            None => Shared::join(&folder, start).await,
        };
        let shared = joined.map_err(|cause| LabError::System {
            what: "cannot start keycloak".to_owned(),
            cause,
        })?;
        let admin = Admin::new(
            site.authority.certificate_pem(),
            shared.note.port,
            shared.note.password.clone(),
        )?;
        Ok(Self { shared, admin })
    }

    pub(super) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.shared.note.port).into()
    }

    /// Waits until its discovery answers, or it has ended.
    pub(super) async fn ready(&self) -> Result<(), LabError> {
        let answers = until("keycloak answers", BOOT, || async {
            match self.admin.answers().await {
                Ok(()) => Look::Ready(()),
                Err(why) => Look::NotYet(why),
            }
        });
        tokio::select! {
            answers = answers => Ok(answers?),
            () = self.shared.ended() => {
                if self.shared.log().contains("Address already in use") {
                    return Err(LabError::AddressInUse {
                        component: NAME.to_owned(),
                        port: self.shared.note.port,
                    });
                }
                Err(self.failure())
            }
        }
    }

    /// Ends only when it has died.
    pub(super) async fn died(&self) -> LabError {
        self.shared.ended().await;
        self.failure()
    }

    fn failure(&self) -> LabError {
        LabError::Component {
            component: NAME.to_owned(),
            what: "ended".to_owned(),
            lines: last_words(&self.shared.log(), LAST_LINES),
        }
    }

    /// How much it has written to its log, in bytes.
    pub(super) fn mark(&self) -> usize {
        self.shared.log().len()
    }

    /// The last of what it has written since.
    pub(super) fn said_since(&self, mark: usize) -> String {
        last_words(
            self.shared.log().get(mark..).unwrap_or_default(),
            LAST_LINES,
        )
    }

    /// Why it has answered with an error since: its answers seldom say.
    pub(super) fn cause_since(&self, mark: usize) -> Option<String> {
        let log = self.shared.log();
        cause(log.get(mark..)?)
    }
}

/// The last cause that a log tells.
fn cause(log: &str) -> Option<String> {
    let told = |line: &str| {
        let (_, words) = line.split_once("Caused by: ").or_else(|| {
            let (_, error) = line.split_once(" ERROR ")?;
            error.split_once("server error: ")
        })?;
        // The class of an exception says little to a person.
        let words = words
            .split_once("Exception: ")
            .map_or(words, |(_, words)| words);
        Some(words.trim().to_owned())
    };
    log.lines().rev().find_map(told)
}

/// `.authlab/keycloak`, beside the folder of all labs, for the lab in `folder`; that of a container
/// has another.
pub(crate) fn folder(lab: &Path) -> PathBuf {
    let labs = lab.parent().unwrap_or(lab);
    labs.with_file_name(match kind::uses_docker(lab) {
        true => "keycloak-container",
        false => NAME,
    })
}

fn start(
    folder: &Path,
    distribution: &Distribution,
    certificate: &Path,
    key: &Path,
) -> io::Result<Start<Note>> {
    let home = folder.join("home");
    if home.exists() {
        std::fs::remove_dir_all(&home)?;
    }
    std::fs::create_dir_all(home.join("data"))?;
    for part in PARTS {
        symlink(distribution.home.join(part), home.join(part))?;
    }
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let password = password()?;
    let mut args = command(&home, &home.join("data"), port, (certificate, key));
    args.push("--http-host=127.0.0.1".into());
    Ok(Start {
        program: distribution.java.clone(),
        args,
        environment: vec![
            ("KC_BOOTSTRAP_ADMIN_USERNAME", super::admin::USER.into()),
            (
                "KC_BOOTSTRAP_ADMIN_PASSWORD",
                password.expose_secret().into(),
            ),
        ],
        note: Note { port, password },
    })
}

/// What Java is told: the server of the distribution `home`, at `port` with TLS, whose labs each have an
/// address of their own.
pub(in crate::backend) fn command(
    home: &Path,
    temporary: &Path,
    port: u16,
    (certificate, key): (&Path, &Path),
) -> Vec<OsString> {
    let set = |name: &str, value: &Path| {
        let mut option = OsString::from(name);
        option.push("=");
        option.push(value);
        option
    };
    let mut args: Vec<OsString> = JAVA.iter().map(OsString::from).collect();
    args.extend([
        set("-Dkc.home.dir", home),
        set("-Djboss.server.config.dir", &home.join("conf")),
        set("-Djava.io.tmpdir", temporary),
        "-cp".into(),
        home.join(JAR).into(),
        "io.quarkus.bootstrap.runner.QuarkusEntryPoint".into(),
        "start".into(),
        "--optimized".into(),
        "--cache=local".into(),
        "--http-enabled=false".into(),
        format!("--https-port={port}").into(),
        // Every lab has an address of its own.
        "--hostname-strict=false".into(),
        // Passwords of a lab are worth nothing to anybody, and each of its people has one to hash.
        "--spi-password-hashing--argon2--iterations=1".into(),
        "--spi-password-hashing--argon2--memory=1024".into(),
        set("--https-certificate-file", certificate),
        set("--https-certificate-key-file", key),
    ]);
    args
}

/// A password that nobody knows.
pub(in crate::backend) fn password() -> io::Result<SecretString> {
    let mut secret = [0; 24];
    File::open("/dev/urandom")?.read_exact(&mut secret)?;
    Ok(URL_SAFE_NO_PAD.encode(secret).into())
}
