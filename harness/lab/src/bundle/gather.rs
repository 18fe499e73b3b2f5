//! What is gathered of a lab: from its folder, dead or alive, and from itself where it still
//! answers.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::config::Kubeconfig;
use reqwest::{Client, Identity};
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::time::timeout;

use super::archive::Bundle;
use super::scrub::Scrubber;
use super::secrets::Secrets;
use crate::backend::{self, REALM};
use crate::control::{self, Request, Response};
use crate::exec;
use crate::folder;
use crate::plan::{Plan, Text};
use crate::render;
use crate::spec::ProviderKind;
use crate::state::{DEFAULT_CLUSTER, STATE_FILE, State};

/// Folders of a lab that tell people nothing: stores and caches.
pub(super) const OPAQUE: [&str; 4] = ["etcd", "kubectl", "kubelogin", "home"];
/// How long a lab may take to answer a question.
const PATIENCE: Duration = Duration::from_secs(1);
/// Of a file that is longer, so much of the beginning and so much of the end is kept.
const HEAD: u64 = 1 << 20;
/// See [`HEAD`].
const TAIL: u64 = 7 << 20;
/// What is asked of each API server: a file's name, a path, what it is about.
const ASKED: [(&str, &str, &str); 4] = [
    (
        "events.json",
        "/api/v1/events",
        "events, as the API server keeps them",
    ),
    (
        "rolebindings.json",
        "/apis/rbac.authorization.k8s.io/v1/rolebindings",
        "who has which role in which namespace",
    ),
    (
        "clusterrolebindings.json",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        "who has which role everywhere",
    ),
    (
        "readyz.txt",
        "/readyz?verbose",
        "how the API server says that it is",
    ),
];

/// A lab that is to be told of.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The lab's folder, which exists.
    pub folder: PathBuf,
    /// What it was started from; of a lab with a host of its own that is known without.
    pub plan: Option<Plan>,
    /// Why it is told of.
    pub why: String,
}

/// Gathers everything about a lab. Never fails: what is not there is told.
pub async fn lab(subject: Subject) -> Bundle {
    let spool = spool(&subject.folder);
    // Beside whatever else this task does: it is a lot of work for a processor.
    let gathered = tokio::spawn(gather(subject)).await;
    gathered.unwrap_or_else(|error| {
        let mut bundle = Bundle::new(spool);
        bundle.miss(&format!("a lab: {error}"));
        bundle
    })
}

/// The folder of all labs, where everybody who may read secrets reads them already.
fn spool(folder: &Path) -> PathBuf {
    folder.parent().unwrap_or(folder).to_owned()
}

async fn gather(Subject { folder, plan, why }: Subject) -> Bundle {
    let folder = folder.as_path();
    let mut bundle = Bundle::new(spool(folder));
    let id = folder.file_name().unwrap_or_default().to_string_lossy();
    let top = format!("labs/{id}");
    let state = State::read(&folder.join(STATE_FILE)).ok();
    let kept = plan.or_else(|| folder::plan(folder));
    let texts = kept.as_ref().map(|plan| rendered(plan, state.as_ref()));
    let texts = texts.unwrap_or_default();
    let scrub = scrubber(folder, state.as_ref(), &texts);

    let mut about = format!("{id}: {why}\n");
    if let Some(plan) = &kept {
        about.push_str(&format!("\n{}: {}\n", plan.lab, plan.description));
    }
    let end = format!("{top}/why.txt");
    bundle.text(&end, "why this lab is here", &about, &scrub);
    if let Some(state) = &state {
        let public = serde_json::to_string_pretty(&state.public()).unwrap_or_default();
        let path = format!("{top}/state.json");
        bundle.text(&path, "addresses, issuers, users, backend", &public, &scrub);
    }
    for (name, text) in &texts {
        let path = format!("{top}/configuration/{name}");
        let filled = match state {
            Some(_) => "the file at the lab's start, placeholders filled",
            None => "the file, placeholders unfilled: the lab never ran",
        };
        bundle.text(&path, filled, text, &scrub);
    }
    for (path, kind) in files(folder) {
        let name = path
            .strip_prefix(folder)
            .unwrap_or(&path)
            .display()
            .to_string();
        file(&mut bundle, &path, &format!("{top}/{name}"), kind, &scrub);
    }
    if kept
        .as_ref()
        .is_some_and(|plan| plan.has(ProviderKind::Keycloak))
    {
        let log = backend::process::keycloak_folder(folder).join(exec::LOG);
        let path = format!("{top}/logs/keycloak.log");
        let what = "log of the Keycloak that all labs of this checkout share";
        file(&mut bundle, &log, &path, what, &scrub);
    }
    match &state {
        Some(state) if folder::owned(folder) => ask(&mut bundle, state, &top, &scrub).await,
        _ => bundle.miss(&format!("{top}: events and roles: the lab does not run")),
    }
    bundle
}

/// What takes out every secret of a lab: of its files, of those that it was made from, and of the
/// checkout's own.
pub(super) fn scrubber(
    folder: &Path,
    state: Option<&State>,
    texts: &[(String, String)],
) -> Scrubber {
    let private = folder.ancestors().nth(2).unwrap_or(folder);
    let keycloak = backend::process::keycloak_folder(folder);
    let mut secrets = Secrets::default();
    state.into_iter().for_each(|state| secrets.state(state));
    texts.iter().for_each(|(_, text)| secrets.text(text));
    for place in [
        folder,
        &private.join("pki"),
        &private.join("keys"),
        &keycloak,
    ] {
        secrets.folder(place);
    }
    secrets.scrubber()
}

/// The files of a plan, as a lab has them.
pub(super) fn rendered(plan: &Plan, state: Option<&State>) -> Vec<(String, String)> {
    let fill = |text: &Text, realm: Option<String>| {
        let filled = state.and_then(|state| {
            let mut values = state.values.clone();
            values.extend(realm.map(|realm| (REALM.to_owned(), realm)));
            render::file(&text.source(), &values).ok()
        });
        let name = text.name.trim_start_matches("fixtures/").to_owned();
        (name, filled.unwrap_or_else(|| text.text.clone()))
    };
    let realm = |name: &str| {
        let name = format!("lab.idp.{name}.realm");
        state.and_then(|state| state.values.get(&name).cloned())
    };
    let providers = plan.providers.iter();
    let providers = providers.filter_map(|(name, provider)| {
        let config = provider.config.as_ref()?;
        Some(fill(config, realm(name)))
    });
    let servers = std::iter::once(&plan.authentication).chain(plan.api_servers.values());
    let servers = servers.filter_map(|one| Some(fill(one.config.as_ref()?, None)));
    let lab = plan.file.iter().map(|file| fill(file, None));
    let mut all: Vec<_> = providers.chain(servers).chain(lab).collect();
    all.sort();
    all.dedup();
    all
}

/// The files of a lab's folder that tell something, and what each is: logs, and what configures
/// something. Keys, stores and caches are left where they are.
fn files(folder: &Path) -> Vec<(PathBuf, &'static str)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() {
                if !OPAQUE.contains(&&*name) {
                    folders.push(path);
                }
            } else if let (true, Some(about)) = (kind.is_file(), about(&name)) {
                found.push((path, about));
            }
        }
    }
    found.sort();
    found
}

fn about(name: &str) -> Option<&'static str> {
    match name {
        "host.log" => Some("log of the lab's host"),
        _ if name.starts_with("audit") && name.ends_with(".log") => {
            Some("audit log of the API server, an event a line")
        }
        _ if name.ends_with(".log") => Some("log of the component"),
        _ if name.starts_with("kubeconfig") => Some("how clients reach the API server"),
        _ if name.contains("key") || name == STATE_FILE => None,
        "ca.pem" => Some("the lab's authority"),
        _ if name.ends_with(".yaml") || name.ends_with(".yml") => Some("as the component reads it"),
        _ => None,
    }
}

/// Adds a file, of a long one its beginning and its end.
fn file(bundle: &mut Bundle, from: &Path, path: &str, about: &str, scrub: &Scrubber) {
    match open(from) {
        Ok((content, whole)) => {
            let about = match whole {
                true => about.to_owned(),
                false => format!("{about} (its beginning and its end)"),
            };
            bundle.add(path, &about, content, scrub);
        }
        Err(error) => bundle.miss(&format!("{path}: {error}")),
    }
}

fn open(from: &Path) -> io::Result<(Box<dyn io::BufRead>, bool)> {
    let mut file = File::open(from)?;
    let size = file.metadata()?.len();
    if size <= HEAD + TAIL {
        return Ok((Box::new(BufReader::new(file)), true));
    }
    let head = File::open(from)?.take(HEAD);
    file.seek(SeekFrom::Start(size - TAIL))?;
    let note = format!("\n[... {} bytes are left out ...]\n", size - HEAD - TAIL);
    // What a cut has left of a line says nothing, and could be a part of a secret.
    let mut tail = BufReader::new(file);
    io::BufRead::skip_until(&mut tail, b'\n')?;
    let mut begin = Vec::new();
    BufReader::new(head).read_to_end(&mut begin)?;
    begin.truncate(
        begin
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1),
    );
    let begin = io::Cursor::new(begin).chain(io::Cursor::new(note));
    Ok((Box::new(begin.chain(tail)), false))
}

/// What only a lab that runs can tell.
async fn ask(bundle: &mut Bundle, state: &State, top: &str, scrub: &Scrubber) {
    let servers = std::iter::once((DEFAULT_CLUSTER, &state.api_server));
    let others = state.api_servers.iter();
    for (name, server) in servers.chain(others.map(|(name, server)| (name.as_str(), server))) {
        let place = match name {
            DEFAULT_CLUSTER => format!("{top}/apiserver"),
            other => format!("{top}/apiserver-{other}"),
        };
        let component = match name {
            DEFAULT_CLUSTER => "kube-apiserver".to_owned(),
            other => format!("kube-apiserver-{other}"),
        };
        if !bundle.has(&format!("{top}/{component}/audit.log")) {
            audit(bundle, state, name, &place, scrub).await;
        }
        let client = match client(state, &server.kubeconfig) {
            Ok(client) => client,
            Err(why) => {
                bundle.miss(&format!("{place}: {why}"));
                continue;
            }
        };
        for (file, path, about) in ASKED {
            let file = format!("{place}/{file}");
            let answer = async {
                let answer = client.get(format!("{}{path}", server.url)).send().await?;
                answer.text().await
            };
            match answer.await {
                Ok(text) => bundle.text(&file, about, &plain(text), scrub),
                Err(error) => {
                    bundle.miss(&format!("{file}: {error}"));
                    break;
                }
            }
        }
    }
}

/// JSON with a line for each member, so that it can be read and searched.
fn plain(text: String) -> String {
    let Ok(value) = serde_json::from_str::<Value>(&text) else {
        return text;
    };
    serde_json::to_string_pretty(&value).unwrap_or(text)
}

/// The administrator, who waits for no answer longer than [`PATIENCE`].
fn client(state: &State, kubeconfig: &Path) -> Result<Client, String> {
    let words = |error: &dyn std::error::Error| error.to_string();
    let read = Kubeconfig::read_from(kubeconfig).map_err(|error| words(&error))?;
    let user = read.auth_infos.into_iter().find_map(|user| user.auth_info);
    let user = user.unwrap_or_default();
    let decoded = |data: &str| {
        let bytes = STANDARD.decode(data).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let certificate = user.client_certificate_data.as_deref().map(decoded);
    let key = user.client_key_data.as_ref();
    let key = key.map(|key| decoded(key.expose_secret()));
    let pem = certificate.unwrap_or_default() + &key.unwrap_or_default();
    let identity = Identity::from_pem(pem.as_bytes()).map_err(|error| words(&error))?;
    let builder = authlab_pki::http::builder(&state.certificate_authority);
    let builder = builder.map_err(|error| words(&error))?;
    let client = builder.identity(identity).timeout(PATIENCE).build();
    client.map_err(|error| words(&error))
}

async fn audit(bundle: &mut Bundle, state: &State, cluster: &str, place: &str, scrub: &Scrubber) {
    let request = Request::AuditLog {
        cluster: Some(cluster.to_owned()),
    };
    let path = format!("{place}/audit.log");
    match timeout(PATIENCE, control::call(&state.socket, &request)).await {
        Ok(Ok(Response::AuditLog { events })) => {
            let lines = events.iter().map(|event| format!("{event}\n"));
            let text: String = lines.collect();
            let about = "audit log of the API server, an event a line";
            bundle.text(&path, about, &text, scrub);
        }
        Ok(Ok(_)) => {}
        Ok(Err(error)) => bundle.miss(&format!("{path}: {error}")),
        Err(_) => bundle.miss(&format!("{path}: no answer within a second")),
    }
}
