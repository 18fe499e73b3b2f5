//! The objects that a lab's Dexes are made of in a cluster.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::NAME;
use crate::backend::LabError;
use crate::backend::existing::{Site, images};
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
    /// What it reads, by file name.
    files: BTreeMap<String, SecretString>,
}

impl Program {
    /// Every provider that the lab starts in the cluster, in the order in which they are started: a Dex
    /// that sends people to another provider asks for that one when it starts.
    pub fn of(site: &Site, usable: &BTreeMap<String, String>) -> Result<Vec<Self>, LabError> {
        let mut providers: Vec<(&String, &Provider)> = (site.plan.providers.iter())
            .filter(|(_, provider)| provider.kind == ProviderKind::Dex)
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
        let image = usable.get(images::DEX).cloned().ok_or_else(|| {
            missing(
                "no image of Dex is known that the cluster's nodes could run".to_owned(),
                "name one, `--image dex=IMAGE`, or load one of `cargo xtask images` into the nodes",
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
        if let Some(config) = &provider.config {
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
        Ok(Self {
            name: name.to_owned(),
            issuer,
            port,
            is_named_elsewhere: provider.issuer.is_some(),
            image,
            files,
        })
    }

    fn container(&self) -> Value {
        let name = &self.name;
        json!({
            "name": name, "image": self.image, "imagePullPolicy": "IfNotPresent",
            // Where the official image has it too.
            "command": ["/usr/local/bin/dex", "serve", format!("{FILES}/{name}.yaml")],
            "ports": [{ "containerPort": self.port }],
            "volumeMounts": [{ "name": "files", "mountPath": FILES, "readOnly": true }],
        })
    }

    /// Whether it serves.
    fn probe(&self) -> Value {
        json!({
            "tcpSocket": { "port": self.port }, "periodSeconds": 1, "failureThreshold": TRIES,
        })
    }
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
    let mut before: Vec<Value> = etcd.into_iter().collect();
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
