//! What a request's path is about.
//!
//! Source: Kubernetes docs, "Kubernetes API Concepts", section "Resource URIs".

/// Objects of the API, or one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The API group; empty for the core one.
    pub group: String,
    /// The namespace that it is in; of a namespace itself, its own name.
    pub namespace: Option<String>,
    /// The plural name of the kind.
    pub resource: String,
    /// The object.
    pub name: Option<String>,
    /// What of the object.
    pub subresource: Option<String>,
    /// The object's own path.
    pub path: String,
}

impl Place {
    /// The place that a path names; `None` where it names none of the API's objects.
    pub fn of(path: &str) -> Option<Self> {
        let mut parts = path.split('/').skip(1).filter(|part| !part.is_empty());
        let (group, version) = match parts.next()? {
            "api" => (String::new(), parts.next()?),
            "apis" => (parts.next()?.to_owned(), parts.next()?),
            _ => return None,
        };
        let rest: Vec<&str> = parts.collect();
        let root = match group.as_str() {
            "" => format!("/api/{version}"),
            group => format!("/apis/{group}/{version}"),
        };
        let (namespace, rest): (Option<&str>, &[&str]) = match rest.as_slice() {
            [] => return None,
            // `status` and `finalize` are of the namespace itself, not kinds in it.
            ["namespaces", name, "status" | "finalize"] => (Some(*name), &rest),
            ["namespaces", name, inner @ ..] if !inner.is_empty() => (Some(*name), inner),
            ["namespaces", name] => (Some(*name), &rest),
            _ => (None, &rest),
        };
        let (resource, after) = rest.split_first()?;
        let name = after.first().map(|name| (*name).to_owned());
        let in_it = namespace.filter(|_| *resource != "namespaces");
        let mut path = match in_it {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{resource}"),
            None => format!("{root}/{resource}"),
        };
        if let Some(name) = &name {
            path = format!("{path}/{name}");
        }
        Some(Self {
            group,
            namespace: namespace.map(str::to_owned),
            resource: (*resource).to_owned(),
            name,
            subresource: after.get(1).map(|part| (*part).to_owned()),
            path,
        })
    }

    /// It is a namespace, or all of them.
    pub fn is_namespace(&self) -> bool {
        self.group.is_empty() && self.resource == "namespaces"
    }

    /// A question: nothing is kept of it.
    pub fn is_question(&self) -> bool {
        ["authentication.k8s.io", "authorization.k8s.io"].contains(&self.group.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn paths_say_what_they_are_about() {
        let said = |path: &str| {
            Place::of(path).map(|at| {
                let part = |part: Option<String>| part.unwrap_or_else(|| "-".to_owned());
                let namespace = part(at.namespace.clone());
                let (name, sub) = (part(at.name.clone()), part(at.subresource.clone()));
                format!("{namespace} {} {name} {sub} {}", at.resource, at.path)
            })
        };
        for (path, wanted) in [
            ("/api/v1/namespaces", "- namespaces - - /api/v1/namespaces"),
            (
                "/api/v1/namespaces/a",
                "a namespaces a - /api/v1/namespaces/a",
            ),
            (
                "/api/v1/namespaces/a/finalize",
                "a namespaces a finalize /api/v1/namespaces/a",
            ),
            (
                "/api/v1/namespaces/a/pods",
                "a pods - - /api/v1/namespaces/a/pods",
            ),
            (
                "/api/v1//namespaces/a/pods/",
                "a pods - - /api/v1/namespaces/a/pods",
            ),
            (
                "/api/v1/namespaces/a/serviceaccounts/b/token",
                "a serviceaccounts b token /api/v1/namespaces/a/serviceaccounts/b",
            ),
            ("/api/v1/nodes/n/status", "- nodes n status /api/v1/nodes/n"),
            (
                "/apis/g/v1/clusterthings/x",
                "- clusterthings x - /apis/g/v1/clusterthings/x",
            ),
        ] {
            assert_eq!(said(path).as_deref(), Some(wanted), "{path}");
        }
        for path in ["/", "/healthz", "/api", "/apis/g/v1", "/version", "/logs/a"] {
            assert_eq!(said(path), None, "{path}");
        }
    }
}
