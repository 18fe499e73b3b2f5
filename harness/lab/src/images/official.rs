//! Official images, pinned by digest in `ci/images/official.yaml`, and whether one is taken.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

use super::{Image, ImagesError, Kind, docker};
use crate::docker::CLIENT;
use crate::kubernetes::Kubernetes;
use crate::source::Source;
use crate::tools::{Progress, run};

const FILE: &str = "ci/images/official.yaml";
/// In the tag of every official image, by the name that it has here.
const MARK: &str = "-official-";
/// How long a registry may take to answer, before the image is built here.
const ANSWER: Duration = Duration::from_secs(3);
/// The registry of names that have none.
const DOCKER_HUB: &str = "registry-1.docker.io";

/// Where container images come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Built here from the tools of `ci/tools`.
    Built,
    /// The official ones, where there is one.
    Official,
    /// What Docker has; else the official ones where their registry answers soon; else built here.
    #[default]
    Auto,
}

impl Origin {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Built, Self::Official, Self::Auto];

    /// As it is written on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Official => "official",
            Self::Auto => "auto",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Whether it is the one that is meant where nothing is said.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether an image of that name, as Docker knows it here, is an official one.
pub(crate) fn is_official(reference: &str) -> bool {
    reference.contains(MARK)
}

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pins {
    /// By version of Kubernetes.
    node: BTreeMap<String, Pin>,
    dex: Pin,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pin {
    image: String,
    /// For people, and for whoever reads a version from it: the digest is what counts.
    tag: String,
    digest: String,
}

impl Pin {
    /// The pin of an image, if there is one.
    pub(super) fn of(
        root: &Path,
        kind: Kind,
        kubernetes: Kubernetes,
    ) -> Result<Option<Self>, ImagesError> {
        let mut pins: Pins = Source::read(root, Path::new(FILE))?.parse()?;
        Ok(match kind {
            Kind::Node => pins.node.remove(kubernetes.name()),
            Kind::Dex => Some(pins.dex),
            Kind::Keycloak | Kind::Client => None,
        })
    }

    /// What Docker pulls.
    fn pinned(&self) -> String {
        format!("{}@{}", self.image, self.digest)
    }

    /// What it is called here: nodes that are given an image by its digest would lose its name.
    fn reference(&self, kind: Kind) -> String {
        let digest = self.digest.trim_start_matches("sha256:");
        let short = &digest[..digest.len().min(12)];
        format!("authlab/{}:{}{MARK}{short}", kind.name(), self.tag)
    }

    /// The registry's host and port.
    fn registry(&self) -> (&str, u16) {
        let first = self.image.split('/').next().unwrap_or_default();
        match first.split_once(':') {
            Some((host, port)) => (host, port.parse().unwrap_or(443)),
            None if first.contains('.') => (first, 443),
            None => (DOCKER_HUB, 443),
        }
    }

    /// Whether the registry can be reached, and why not.
    async fn answers(&self) -> Result<(), String> {
        let (host, port) = self.registry();
        let why = match timeout(ANSWER, TcpStream::connect((host, port))).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer in {} s", ANSWER.as_secs()),
        };
        Err(format!("{host} cannot be reached ({why})"))
    }

    async fn pull(&self, reference: &str, progress: &dyn Progress) -> Result<(), String> {
        for args in [
            vec!["pull".to_owned(), "--quiet".to_owned(), self.pinned()],
            vec!["tag".to_owned(), self.pinned(), reference.to_owned()],
        ] {
            let mut command = Command::new(CLIENT);
            command.args(&args);
            let done = run::run(command, &self.image, progress).await;
            done.map_err(|lines| format!("docker {}: {}", args[0], run::last(&lines)))?;
        }
        Ok(())
    }
}

/// Whether Docker has an image that was built here, be it by an older recipe.
async fn built_before(kind: Kind, kubernetes: Kubernetes) -> Result<bool, ImagesError> {
    let tags = docker::tags(&format!("authlab/{}", kind.name())).await?;
    Ok(tags.iter().any(|tag| is_built(kind, kubernetes, tag)))
}

fn is_built(kind: Kind, kubernetes: Kubernetes, tag: &str) -> bool {
    let node = format!("v{}.", kubernetes.name());
    !is_official(tag) && (kind != Kind::Node || tag.starts_with(&node))
}

/// The official image, or why it is built here.
pub(super) async fn take(
    kind: Kind,
    kubernetes: Kubernetes,
    pin: Option<&Pin>,
    origin: Origin,
    progress: &dyn Progress,
) -> Result<Result<Image, String>, ImagesError> {
    let Some(pin) = pin.filter(|_| origin != Origin::Built) else {
        return Ok(Err(match origin {
            Origin::Built => String::new(),
            _ => ": no official one would do".to_owned(),
        }));
    };
    let reference = pin.reference(kind);
    let taken = |size, how: &str| Image {
        kind,
        origin: format!("official, {}:{}, {how}", pin.image, pin.tag),
        reference: reference.clone(),
        size,
    };
    if let Some(size) = docker::size(&reference).await? {
        return Ok(Ok(taken(size, "here already")));
    }
    // A machine that has built one goes on building: labs stay as they were, and nobody waits.
    if origin == Origin::Auto && built_before(kind, kubernetes).await? {
        return Ok(Err(", as before".to_owned()));
    }
    let pulled = async {
        if origin == Origin::Auto {
            pin.answers().await?;
        }
        pin.pull(&reference, progress).await
    };
    if let Err(why) = pulled.await {
        return match origin {
            Origin::Auto => Ok(Err(format!(": {why}"))),
            _ => Err(ImagesError::NotPulled {
                image: pin.pinned(),
                why,
            }),
        };
    }
    match docker::size(&reference).await? {
        Some(size) => Ok(Ok(taken(size, "pulled by its digest"))),
        None => Err(ImagesError::NotMade { reference }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout::Checkout;

    fn pin(image: &str) -> Pin {
        Pin {
            image: image.to_owned(),
            tag: "v1.35.0".to_owned(),
            digest: format!("sha256:{}", "0123456789abcdef".repeat(4)),
        }
    }

    #[test]
    fn every_node_has_a_pin_of_its_version_and_every_digest_is_one() {
        let checkout = Checkout::here();
        let of = |kind, version| Pin::of(checkout.root(), kind, version).unwrap();
        for version in Kubernetes::ALL {
            let pin = of(Kind::Node, version).unwrap();
            assert!(
                pin.tag.starts_with(&format!("v{}.", version.name())),
                "{pin:?}"
            );
            for pin in [pin, of(Kind::Dex, version).unwrap()] {
                let hex = pin.digest.strip_prefix("sha256:").unwrap();
                assert_eq!(hex.len(), 64, "{pin:?}");
                assert!(hex.chars().all(|c| c.is_ascii_hexdigit()), "{pin:?}");
            }
            assert_eq!(of(Kind::Keycloak, version), None);
        }
    }

    #[test]
    fn it_is_pulled_by_digest_and_called_by_its_version() {
        let pin = pin("kindest/node");
        assert!(
            pin.pinned()
                .starts_with("kindest/node@sha256:0123456789abcdef")
        );
        let reference = pin.reference(Kind::Node);
        assert_eq!(reference, "authlab/node:v1.35.0-official-0123456789ab");
        assert!(is_official(&reference));
        assert!(!is_official("authlab/node:v1.36.3-27eed016359561be"));
    }

    #[test]
    fn one_that_was_built_is_told_by_its_tag() {
        let is_node = |tag| is_built(Kind::Node, Kubernetes::V1_35, tag);
        assert!(is_node("v1.35.4-d9498ccb57770c65"));
        assert!(!is_node("v1.36.3-27eed016359561be"));
        assert!(!is_node("v1.35.0-official-0123456789ab"));
        assert!(is_built(Kind::Dex, Kubernetes::V1_35, "a2aa09737cc5bbdd"));
    }

    #[test]
    fn a_registry_stands_in_the_name_or_is_dockers_own() {
        assert_eq!(pin("kindest/node").registry(), (DOCKER_HUB, 443));
        assert_eq!(pin("ghcr.io/dexidp/dex").registry(), ("ghcr.io", 443));
        assert_eq!(pin("127.0.0.1:5000/dex").registry(), ("127.0.0.1", 5000));
    }

    #[tokio::test]
    async fn a_registry_that_answers_is_told_from_one_that_does_not() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let pin = pin(&format!("{address}/dex"));
        assert_eq!(pin.answers().await, Ok(()));
        drop(listener);
        let why = pin.answers().await.unwrap_err();
        assert!(
            why.starts_with("127.0.0.1 cannot be reached (Connection refused"),
            "{why}"
        );
    }
}
