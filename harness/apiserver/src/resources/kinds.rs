//! The kinds served at the moment: the built-in ones and those that definitions add.

use std::sync::Arc;

use super::{Resource, builtin};

/// All kinds, by group and then by plural name.
#[derive(Clone)]
pub(crate) struct Kinds(Vec<Arc<Resource>>);

impl Kinds {
    /// The built-in kinds and these.
    pub(crate) fn with(custom: impl IntoIterator<Item = Resource>) -> Self {
        let mut all = builtin().to_vec();
        all.extend(custom.into_iter().map(Arc::new));
        all.sort_by(|a, b| (&a.group, &a.plural).cmp(&(&b.group, &b.plural)));
        Self(all)
    }

    pub(crate) fn all(&self) -> &[Arc<Resource>] {
        &self.0
    }

    /// The kind served under a path's group, version and plural name.
    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.in_version(group, version)
            .find(|one| one.plural == plural)
    }

    /// The kinds of one version of a group.
    pub(crate) fn in_version(
        &self,
        group: &str,
        version: &str,
    ) -> impl Iterator<Item = &Arc<Resource>> {
        self.0
            .iter()
            .filter(move |one| one.group == group && one.version == version)
    }

    /// Every group's name, the core group's empty one left out.
    pub(crate) fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = self
            .0
            .iter()
            .map(|one| one.group.as_str())
            .filter(|group| !group.is_empty())
            .collect();
        groups.dedup();
        groups
    }

    /// The versions of a group, the preferred one first.
    pub(crate) fn versions(&self, group: &str) -> Vec<&str> {
        let of_group = self.0.iter().filter(|one| one.group == group);
        let mut versions: Vec<&str> = of_group.map(|one| one.version.as_str()).collect();
        versions.sort_by(|a, b| priority(b).cmp(&priority(a)).then(a.cmp(b)));
        versions.dedup();
        versions
    }
}

/// How much a version is preferred: `v10`, `v2`, `v1`, `v3beta1`, `v1alpha2`, then all else
/// (Kubernetes docs, "Versions in CustomResourceDefinitions", section "Version priority").
pub(crate) fn priority(version: &str) -> (u8, u64, u64) {
    let parse = || {
        let rest = version.strip_prefix('v')?;
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let major: u64 = rest[..end].parse().ok()?;
        let (stability, minor) = match &rest[end..] {
            "" => return Some((3, major, 0)),
            rest => match (rest.strip_prefix("beta"), rest.strip_prefix("alpha")) {
                (Some(minor), _) => (2, minor),
                (_, Some(minor)) => (1, minor),
                _ => return None,
            },
        };
        Some((stability, major, minor.parse().ok()?))
    };
    parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    //! The order of versions.

    use super::priority;

    #[test]
    fn stable_versions_come_before_beta_before_alpha_before_others() {
        let mut versions = ["foo1", "v1alpha1", "v2", "v3beta1", "v10", "v11beta2", "v1"];
        versions.sort_by_key(|version| std::cmp::Reverse(priority(version)));
        let wanted = ["v10", "v2", "v1", "v11beta2", "v3beta1", "v1alpha1", "foo1"];
        assert_eq!(versions, wanted);
    }
}
