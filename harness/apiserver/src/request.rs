//! What a request asks for: its path, method and query read as the API server reads them.
//!
//! The grammar is that of k8s.io/apiserver `endpoints/request` (RequestInfoFactory).

use http::{Method, Uri};
use percent_encoding::percent_decode_str;

/// A request's target and verb, before anything is known about the resources served.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RequestInfo {
    /// Decoded path.
    pub(crate) path: String,
    /// `get`, `list`, `watch`, `create`, ... for resources; the lower-case method otherwise.
    pub(crate) verb: String,
    /// Set when the path names a resource.
    pub(crate) resource: Option<ResourceInfo>,
}

/// The parts of a resource path.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ResourceInfo {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) namespace: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) name: String,
    /// The path itself carries a name (a field selector may also set `name`).
    pub(crate) named: bool,
    /// Segments beyond the subresource; nothing that is served here has any.
    pub(crate) excess: bool,
}

impl RequestInfo {
    pub(crate) fn new(method: &Method, uri: &Uri, query: &Query) -> Self {
        let path = percent_decode_str(uri.path())
            .decode_utf8_lossy()
            .into_owned();
        let mut info = Self {
            verb: method.as_str().to_ascii_lowercase(),
            resource: None,
            path: path.clone(),
        };
        let trimmed = path.trim_matches('/');
        let parts: Vec<&str> = if trimmed.is_empty() {
            Vec::new()
        } else {
            trimmed.split('/').collect()
        };
        let (group, rest) = match parts.as_slice() {
            ["api", rest @ ..] if rest.len() >= 2 => ("", rest),
            ["apis", group, rest @ ..] if rest.len() >= 2 => (*group, rest),
            _ => return info,
        };
        let (version, mut rest) = (rest[0], &rest[1..]);
        let watch_prefix = rest[0] == "watch" && rest.len() >= 2;
        if watch_prefix {
            rest = &rest[1..];
            info.verb = "watch".to_owned();
        } else {
            info.verb = match *method {
                Method::POST => "create",
                Method::GET | Method::HEAD => "get",
                Method::PUT => "update",
                Method::PATCH => "patch",
                Method::DELETE => "delete",
                _ => "",
            }
            .to_owned();
        }
        let mut target = ResourceInfo {
            group: group.to_owned(),
            version: version.to_owned(),
            ..ResourceInfo::default()
        };
        if let ["namespaces", namespace, deeper @ ..] = rest {
            target.namespace = (*namespace).to_owned();
            if let Some(first) = deeper.first()
                && !matches!(*first, "status" | "finalize")
            {
                rest = deeper;
            }
        }
        target.resource = rest[0].to_owned();
        if let Some(name) = rest.get(1) {
            target.name = (*name).to_owned();
            target.named = true;
        }
        if let Some(subresource) = rest.get(2) {
            target.subresource = (*subresource).to_owned();
        }
        target.excess = rest.len() > 3;
        if target.name.is_empty() && info.verb == "get" {
            info.verb = if query.flag("watch") { "watch" } else { "list" }.to_owned();
        }
        if target.name.is_empty()
            && matches!(info.verb.as_str(), "list" | "watch")
            && let Some(name) = query.get("fieldSelector").and_then(exact_name)
        {
            target.name = name;
        }
        if target.name.is_empty() && info.verb == "delete" {
            info.verb = "deletecollection".to_owned();
        }
        info.resource = Some(target);
        info
    }
}

/// The name that a field selector demands, if it demands exactly one.
fn exact_name(selector: &str) -> Option<String> {
    selector.split(',').find_map(|term| {
        let value = term.strip_prefix("metadata.name=")?;
        let value = value.strip_prefix('=').unwrap_or(value);
        (!value.is_empty() && !value.contains('/')).then(|| value.to_owned())
    })
}

/// Query parameters, decoded, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn new(uri: &Uri) -> Self {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
        Self(pairs.map(|pairs| pairs.0).unwrap_or_default())
    }

    /// The first value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// All values of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A boolean parameter: present and neither `false` nor `0`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| !value.eq_ignore_ascii_case("false") && value != "0")
    }
}

#[cfg(test)]
mod tests;
