//! The versions of Kubernetes that labs of real components can run.

use serde::{Deserialize, Serialize};

/// A minor version, at the patch release that `ci/tools` pins.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Kubernetes {
    /// 1.34.
    #[serde(rename = "1.34")]
    V1_34,
    /// 1.35.
    #[serde(rename = "1.35")]
    V1_35,
    /// 1.36, which the embedded servers model.
    #[default]
    #[serde(rename = "1.36")]
    V1_36,
}

impl Kubernetes {
    /// All there are, the oldest first.
    pub const ALL: [Self; 3] = [Self::V1_34, Self::V1_35, Self::V1_36];

    /// The variable that names one for those who are told nothing else.
    pub const VARIABLE: &str = "AUTHLAB_KUBERNETES";

    /// As it is written on the command line: `1.35`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V1_34 => "1.34",
            Self::V1_35 => "1.35",
            Self::V1_36 => "1.36",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// With its patch release, without `v`: `1.35.4`. `ci/tools` says the same.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::V1_34 => "1.34.4",
            Self::V1_35 => "1.35.4",
            Self::V1_36 => "1.36.3",
        }
    }

    /// Whether it is the one that is meant where nothing is said.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The one that [`VARIABLE`](Self::VARIABLE) names, the default one where it is not set.
    ///
    /// # Errors
    /// With the words for a person, when there is none of that name.
    pub fn of_environment() -> Result<Self, String> {
        match std::env::var(Self::VARIABLE).as_deref() {
            Err(_) | Ok("") => Ok(Self::default()),
            Ok(name) => Self::named(name).ok_or_else(|| {
                let known = Self::ALL.map(Self::name).join(", ");
                format!("{} is `{name}`; there are: {known}", Self::VARIABLE)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout::Checkout;
    use crate::tools;

    #[test]
    fn it_is_the_version_of_its_tools_and_of_its_nodes() {
        let checkout = Checkout::here();
        for one in Kubernetes::ALL {
            for tool in [tools::kubernetes(one), tools::kubernetes_node(one)] {
                let pinned = tools::version(checkout.root(), &tool).unwrap();
                assert_eq!(pinned, format!("v{}", one.version()), "{}", tool.name);
            }
            assert!(one.version().starts_with(&format!("{}.", one.name())));
            assert_eq!(Kubernetes::named(one.name()), Some(one));
        }
    }
}
