//! The objects that a lab's providers are made of in a cluster.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::NAME;
use crate::backend::LabError;
use crate::backend::existing::{Site, images};
use crate::backend::process::keycloak::admin::{self, Admin};
use crate::backend::process::keycloak::import::Import;
use crate::backend::process::keycloak::server;
use crate::plan::Provider;
use crate::spec::ProviderKind;

/// Where a container sees its files.
const FILES: &str = "/etc/authlab";
/// The pod's own etcd, for its Dexes.
pub(super) const ETCD: &str = "http://127.0.0.1:2379";
/// The CA's certificate among the files.
const CA: &str = "ca.pem";
/// How often, once a second, a provider is asked whether it serves before it is started again.
const TRIES: u32 = 300;

/// A provider as a container.
pub(super) struct Program {
    /// Its name in the lab file, and the container's.
    pub name: String,
    pub issuer: String,
    /// Its port in the pod.
    pub port: u16,
    /// The cluster knows its issuer already, by a port of the nodes.
    pub is_named_elsewhere: bool,
    image: String,
    kind: ProviderKind,
    /// A Keycloak's realm.
    import: Option<Import>,
    /// What it reads, by file name.
    files: BTreeMap<String, SecretString>,
}

impl Program {
    /// Every provider that the lab starts in the cluster, in the order in which they are started: a Dex
    /// that sends people to another provider asks for that one when it starts.
    pub fn of(site: &Site, usable: &BTreeMap<String, String>) -> Result<Vec<Self>, LabError> {
        let mut providers: Vec<(&String, &Provider)> = (site.plan.providers.iter())
            .filter(|(_, provider)| images::of(provider.kind).is_some())
            .collect();
        let asks = |name: &str, provider: &Provider| {
            let config = provider.config.as_ref().map(|text| text.text.as_str());
            let others = site.plan.providers.keys().filter(|other| *other != name);
            let issuers = others.map(|other| format!("${{lab.idp.{other}.issuer}}"));
            let config = config.unwrap_or_default();
            issuers.filter(|issuer| config.contains(issuer)).count()
        };
        providers.sort_by_key(|(name, provider)| asks(name, provider));
        let programs = providers.into_iter();
        programs
            .map(|(name, provider)| Self::one(site, name, provider, usable))
            .collect()
    }

    fn one(
        site: &Site,
        name: &str,
        provider: &Provider,
        usable: &BTreeMap<String, String>,
    ) -> Result<Self, LabError> {
        let missing = |what: String, help: &str| LabError::Missing {
            what,
            help: help.to_owned(),
        };
        let of = images::of(provider.kind).unwrap_or_default();
        let image = usable.get(of).cloned().ok_or_else(|| {
            missing(
                format!("no image of {of} is known that the cluster's nodes could run"),
                "name one, `--image NAME=IMAGE`, or load one of `cargo xtask images` into the nodes",
            )
        })?;
        let issuer = site.values.get(&format!("lab.idp.{name}.issuer"));
        let issuer = issuer.cloned().unwrap_or_default();
        let url = reqwest::Url::parse(&issuer).ok();
        let port = url.as_ref().and_then(reqwest::Url::port);
        let (Some(host), Some(port)) = (url.as_ref().and_then(reqwest::Url::host_str), port) else {
            let what = format!("the issuer {issuer} of `{name}` names no port");
            return Err(missing(what, "write one of the cluster's node ports"));
        };
        let mut hosts = vec![host, "127.0.0.1", "localhost"];
        hosts.dedup();
        let certificate = site.authority.server_certificate(&hosts)?;
        let mut files = BTreeMap::from([
            (format!("{name}.crt"), certificate.pem.into()),
            (format!("{name}.key"), certificate.key_pem),
        ]);
        if let (ProviderKind::Dex, Some(config)) = (provider.kind, &provider.config) {
            let mut inside = site.values.clone();
            let at = |file: String| format!("{FILES}/{file}");
            inside.extend([
                ("lab.file.ca".to_owned(), at(CA.to_owned())),
                (format!("lab.file.{name}.cert"), at(format!("{name}.crt"))),
                (format!("lab.file.{name}.key"), at(format!("{name}.key"))),
                (format!("lab.idp.{name}.listen"), format!("0.0.0.0:{port}")),
            ]);
            let text = crate::render::file(&config.source(), &inside)?;
            files.insert(format!("{name}.yaml"), text.into());
        }
        let mut import = None;
        if let (ProviderKind::Keycloak, Some(file)) = (provider.kind, &provider.config) {
            import = Some(Import::of(site, name, provider, file.clone())?);
            let password = server::password().map_err(|cause| LabError::System {
                what: "no random password for a Keycloak's administrator".to_owned(),
                cause,
            })?;
            files.insert(password_file(name), password);
        }
        Ok(Self {
            name: name.to_owned(),
            import,
            issuer,
            port,
            is_named_elsewhere: provider.issuer.is_some(),
            image,
            kind: provider.kind,
            files,
        })
    }

    fn container(&self) -> Value {
        let name = &self.name;
        let mut container = json!({
            "name": name, "image": self.image, "imagePullPolicy": "IfNotPresent",
            "ports": [{ "containerPort": self.port }],
            "volumeMounts": [{ "name": "files", "mountPath": FILES, "readOnly": true }],
        });
        match self.kind {
            ProviderKind::Dex => {
                // Where the official image has it too.
                let program = "/usr/local/bin/dex";
                container["command"] = json!([program, "serve", format!("{FILES}/{name}.yaml")]);
            }
            ProviderKind::Keycloak => {
                let home = Path::new("/opt/keycloak");
                let file = |ending: &str| PathBuf::from(format!("{FILES}/{name}.{ending}"));
                let files = (&*file("crt"), &*file("key"));
                let args = server::command(home, Path::new("/tmp"), self.port, files);
                let args = args.iter().map(|word| word.to_string_lossy());
                // One URL, by whichever way it is asked.
                let url = self.issuer.split("/realms/").next().unwrap_or_default();
                let mut command: Vec<_> = std::iter::once("java".into()).chain(args).collect();
                command.push(format!("--hostname={url}").into());
                container["command"] = json!(command);
                let secret = json!({ "name": NAME, "key": password_file(name) });
                container["env"] = json!([
                    { "name": "KC_BOOTSTRAP_ADMIN_USERNAME", "value": admin::USER },
                    { "name": "KC_BOOTSTRAP_ADMIN_PASSWORD",
                      "valueFrom": { "secretKeyRef": secret } },
                ]);
            }
            ProviderKind::Forge => {}
        }
        container
    }

    /// Whether it serves.
    fn probe(&self) -> Value {
        let mut probe = json!({ "periodSeconds": 1, "failureThreshold": TRIES });
        match &self.import {
            // Whoever asks it wants its realm, which comes later than the server.
            Some(import) => {
                let path = format!("/realms/{}/.well-known/openid-configuration", import.name);
                probe["httpGet"] = json!({ "scheme": "HTTPS", "port": self.port, "path": path });
                probe["timeoutSeconds"] = json!(5);
            }
            None => probe["tcpSocket"] = json!({ "port": self.port }),
        }
        probe
    }

    /// The realm that a Keycloak is to have; its administrator comes by the lab's own way.
    ///
    /// # Errors
    /// When the CA's certificate is none.
    pub fn realm(&self, site: &Site) -> Result<Option<Realm<'_>>, LabError> {
        let Some(import) = &self.import else {
            return Ok(None);
        };
        let port = site.values.get(&format!("lab.idp.{}.port", self.name));
        let port = port.and_then(|port| port.parse().ok()).unwrap_or(self.port);
        let password = self.files[&password_file(&self.name)].clone();
        let admin = Admin::new(site.authority.certificate_pem(), port, password)?;
        Ok(Some(Realm {
            program: self,
            import,
            admin,
            port,
        }))
    }
}

/// A realm that is to be imported to a Keycloak in the cluster.
pub(super) struct Realm<'a> {
    program: &'a Program,
    import: &'a Import,
    pub admin: Admin,
    /// Of the way to it.
    port: u16,
}

impl Realm<'_> {
    /// The import and the administrator, to keep where people may be locked out.
    pub fn kept(self) -> (Import, Admin) {
        (self.import.clone(), self.admin)
    }

    /// Imports it to the server, which serves already.
    pub async fn import(&self, site: &Site) -> Result<(), LabError> {
        // Its log stays in the cluster.
        let unknown = || None;
        self.import
            .create(&self.program.name, &self.admin, unknown)
            .await?;
        let url = format!(
            "https://127.0.0.1:{}/realms/{}",
            self.port, self.import.name
        );
        let ca = site.authority.certificate_pem();
        let said = || "its log is that of its container in the cluster".to_owned();
        let who = (self.program.name.as_str(), said);
        self.import.is_there(who, &self.admin, &url, ca).await
    }
}

/// The password of a Keycloak's administrator among the files.
fn password_file(name: &str) -> String {
    format!("{name}.password")
}

/// The files of all of them.
pub(super) fn secret(programs: &[Program], labels: &Value, site: &Site) -> Value {
    let files = programs.iter().flat_map(|program| &program.files);
    let files = files.map(|(name, text)| (name.clone(), STANDARD.encode(text.expose_secret())));
    let ca = STANDARD.encode(site.authority.certificate_pem());
    let all: BTreeMap<String, String> = files.chain([(CA.to_owned(), ca)]).collect();
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": NAME, "labels": labels }, "data": all,
    })
}

/// The pod: each container is started when the one before it serves.
///
/// Source: Kubernetes docs, "Sidecar Containers": init containers that are always started again.
pub(super) fn pod(programs: &[Program], etcd: Option<&String>, labels: &Value) -> Value {
    let etcd = etcd.map(|image| {
        json!({
            "name": "etcd", "image": image, "imagePullPolicy": "IfNotPresent",
            "restartPolicy": "Always",
            "command": [
                "etcd", "--data-dir=/state/etcd", "--unsafe-no-fsync",
                format!("--listen-client-urls={ETCD}"),
                format!("--advertise-client-urls={ETCD}"),
                "--listen-peer-urls=http://127.0.0.1:2380",
            ],
            "volumeMounts": [{ "name": "state", "mountPath": "/state" }],
        })
    });
    let needs_it = programs.iter().any(|it| it.kind == ProviderKind::Dex);
    let mut before: Vec<Value> = etcd.filter(|_| needs_it).into_iter().collect();
    let mut last = None;
    for program in programs {
        let mut container = program.container();
        container["readinessProbe"] = program.probe();
        if let Some(mut earlier) = last.replace((container, program.probe())) {
            earlier.0["restartPolicy"] = json!("Always");
            earlier.0["startupProbe"] = earlier.1;
            before.push(earlier.0);
        }
    }
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": NAME, "labels": both(labels) },
        "spec": {
            // It has nothing to ask of the cluster.
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "terminationGracePeriodSeconds": 1,
            "initContainers": before,
            "containers": last.map(|(container, _)| vec![container]),
            "volumes": [
                { "name": "files", "secret": { "secretName": NAME } },
                { "name": "state", "emptyDir": {} },
            ],
        },
    })
}

/// What makes the nodes answer for a provider, at the port that its issuer has.
pub(super) fn service(program: &Program, labels: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": program.name, "labels": labels },
        "spec": {
            "type": "NodePort", "selector": { "app": NAME },
            // An API server asks for its issuer while a Dex that asks another is not ready.
            "publishNotReadyAddresses": true,
            "ports": [{ "port": program.port, "nodePort": program.port }],
        },
    })
}

/// The labels of a pod that services find.
fn both(labels: &Value) -> Value {
    let mut labels = labels.clone();
    labels["app"] = json!(NAME);
    labels
}
