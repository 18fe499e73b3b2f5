//! Paths, methods and queries as requests.

use http::{Method, Uri};
use proptest::prelude::*;

use super::{Query, RequestInfo};

/// Verb, then group/version, namespace, resource/subresource and name as far as there are any.
fn read(method: Method, uri: &str) -> String {
    let uri: Uri = uri.parse().unwrap();
    let info = RequestInfo::new(&method, &uri, &Query::new(&uri));
    let Some(target) = info.resource else {
        return format!("{} {}", info.verb, info.path);
    };
    let resource = match target.subresource.as_str() {
        "" => target.resource,
        below => format!("{}/{below}", target.resource),
    };
    let parts = [
        info.verb,
        format!("{}/{}", target.group, target.version),
        target.namespace,
        resource,
        target.name,
    ];
    parts
        .iter()
        .filter(|part| !part.is_empty())
        .cloned()
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn paths_and_methods_make_verbs() {
    let read = [
        read(Method::GET, "/api/v1/namespaces"),
        read(Method::GET, "/api/v1/namespaces/dev"),
        read(Method::PUT, "/api/v1/namespaces/dev/finalize"),
        read(Method::GET, "/api/v1/namespaces/dev/pods"),
        read(Method::GET, "/api/v1/namespaces/dev/pods?watch=1"),
        read(Method::GET, "/api/v1/namespaces/dev/pods?watch=false"),
        read(
            Method::GET,
            "/api/v1/pods?fieldSelector=metadata.name%3Dweb",
        ),
        read(Method::GET, "/api/v1/watch/namespaces/dev/pods"),
        read(
            Method::POST,
            "/api/v1/namespaces/dev/serviceaccounts/bot/token",
        ),
        read(
            Method::DELETE,
            "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        ),
        read(
            Method::DELETE,
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:basic%2Duser",
        ),
        read(
            Method::PATCH,
            "/apis/rbac.authorization.k8s.io/v1/namespaces/dev/roles/r",
        ),
        read(Method::GET, "/apis/rbac.authorization.k8s.io/v1"),
        read(Method::GET, "/api/v1"),
        read(Method::POST, "/healthz/"),
    ];
    insta::assert_snapshot!(read.join("\n"));
}

proptest! {
    #[test]
    fn any_path_is_read(path in "(/(api|apis|v1|watch|namespaces|[a-z]{1,3}|)){0,8}") {
        let path = if path.is_empty() { "/".to_owned() } else { path };
        read(Method::GET, &path);
        read(Method::DELETE, &path);
    }
}
