//! A lab: its clients at its providers, and its flags as an authenticator.

use std::collections::BTreeSet;

use authlab_authn::tree::{Entry, Kind, Node};
use authlab_idp::keycloak::redirect;
use authlab_lab::source::nearest;

use crate::{
    document::{Document, text},
    finding::Out,
    provider::{Product, Provider},
};

/// The client that the lab logs in as at a provider.
pub(crate) fn client(document: &Document, name: &str, provider: &Provider, out: &mut Out<'_>) {
    let path = format!("identityProviders.{name}.client");
    let at = |part: &str| document.tree.nearest(&format!("{path}.{part}")).0.start;
    let Some(id) = text(&document.tree, &format!("{path}.id")) else {
        return;
    };
    if let Some(clients) = &provider.clients
        && !clients.contains(id)
    {
        let message = format!("the provider `{name}` has no client `{id}`");
        match nearest(id, clients.iter().map(String::as_str)) {
            Some(near) => out.with_help(
                "unknown-client",
                at("id"),
                message,
                format!("did you mean `{near}`?"),
            ),
            None => out.add("unknown-client", at("id"), message),
        }
        return;
    }
    let Some(used) = text(&document.tree, &format!("{path}.redirectUri")) else {
        return;
    };
    let mut listed = provider
        .redirects
        .iter()
        .filter(|redirect| redirect.client == id)
        .peekable();
    if listed.peek().is_some() && !listed.any(|redirect| fits(provider, &redirect.uri, used)) {
        let message = format!("the client `{id}` may not be sent back to {used}");
        out.add("redirect-not-registered", at("redirectUri"), message);
    }
}

/// The people whom the lab knows at a provider.
pub(crate) fn people(document: &Document, name: &str, provider: &Provider, out: &mut Out<'_>) {
    let path = format!("identityProviders.{name}.users");
    let (Some(there), Some(Kind::Map(users))) = (
        &provider.people,
        document.tree.at(&path).map(|node| &node.kind),
    ) else {
        return;
    };
    for user in users {
        let Some((login, place)) = user.value.get("login").and_then(|node| match &node.kind {
            Kind::String(login) => Some((login, node.span.start)),
            _ => None,
        }) else {
            continue;
        };
        if there.contains(&login.to_lowercase()) {
            continue;
        }
        let message = format!("nobody logs in at `{name}` as `{login}`");
        match nearest(login, there.iter().map(String::as_str)) {
            Some(near) => out.with_help(
                "unknown-user",
                place,
                message,
                format!("did you mean `{near}`?"),
            ),
            None => out.add("unknown-user", place, message),
        }
    }
}

fn fits(provider: &Provider, listed: &str, used: &str) -> bool {
    match (provider.product, listed.strip_suffix('*')) {
        // Below its client's `rootUrl`, or the server's: not known here.
        (Product::Keycloak, _) if listed.starts_with('/') => true,
        (Product::Keycloak, _) => redirect::allows(listed, used),
        (_, Some(start)) => used.starts_with(start),
        (_, None) => listed == used,
    }
}

/// Where kubelogin listens, which no file says.
const KUBELOGIN: &[&str] = &[
    "http://localhost:8000",
    "http://localhost:18000",
    "http://127.0.0.1:8000",
    "http://127.0.0.1:18000",
];

/// Redirect URIs of a provider that nobody uses.
pub(crate) fn unused(provider: &Provider, used: &BTreeSet<String>, out: &mut Out<'_>) {
    for listed in &provider.redirects {
        let known = KUBELOGIN.contains(&listed.uri.trim_end_matches('/'));
        let open = match provider.product {
            Product::Keycloak => !redirect::is_exact(&listed.uri),
            _ => listed.uri.contains('*'),
        };
        if !known && !open && !used.iter().any(|used| fits(provider, &listed.uri, used)) {
            let message = format!(
                "no login of this lab ends at {} (client `{}`)",
                listed.uri, listed.client
            );
            out.add("redirect-unused", listed.offset, message);
        }
    }
}

/// Every redirect URI that a file writes down; in a Dex's, those of its connectors.
pub(crate) fn redirect_uris(node: &Node, found: &mut BTreeSet<String>) {
    match &node.kind {
        Kind::Map(entries) => {
            for entry in entries {
                if let ("redirectUri" | "redirectURI", Kind::String(uri)) =
                    (entry.key.as_str(), &entry.value.kind)
                {
                    found.insert(uri.clone());
                }
                redirect_uris(&entry.value, found);
            }
        }
        Kind::List(items) => items.iter().for_each(|item| redirect_uris(item, found)),
        _ => {}
    }
}

/// The authenticator that flags stand for, each part at the place of its flag.
pub(crate) fn of_flags(flags: &Node) -> Option<Node> {
    let Kind::Map(entries) = &flags.kind else {
        return None;
    };
    let flag = |name: &str| {
        let entry = entries
            .iter()
            .find(|entry| entry.key == format!("oidc-{name}"))?;
        matches!(entry.value.kind, Kind::String(_)).then(|| (entry.key_span, entry.value.clone()))
    };
    let map = |fields: Vec<(&str, Option<(authlab_authn::tree::Span, Node)>)>| Node {
        span: flags.span,
        kind: Kind::Map(
            fields
                .into_iter()
                .filter_map(|(key, value)| {
                    let (key_span, value) = value?;
                    Some(Entry {
                        key: key.to_owned(),
                        key_span,
                        value,
                    })
                })
                .collect(),
        ),
    };
    let (url_span, url) = flag("issuer-url")?;
    let place = |node: Node| Some((flags.span, node));
    let text_node = |text: String| Node {
        span: url_span,
        kind: Kind::String(text),
    };
    let client = flag("client-id").map(|(span, node)| {
        (
            span,
            Node {
                span: node.span,
                kind: Kind::List(vec![node]),
            },
        )
    });
    let claim = flag("username-claim").unwrap_or((url_span, text_node("sub".to_owned())));
    let prefix = match (flag("username-prefix"), &claim.1.kind, &url.kind) {
        (Some((span, node)), ..) if node.kind == Kind::String("-".to_owned()) => Some((
            span,
            Node {
                span,
                kind: Kind::String(String::new()),
            },
        )),
        (Some((span, node)), Kind::String(claim), Kind::String(url))
            if claim != "email" && node.kind == Kind::String(String::new()) =>
        {
            Some((
                span,
                Node {
                    span,
                    kind: Kind::String(format!("{url}#")),
                },
            ))
        }
        (Some(given), ..) => Some(given),
        (None, Kind::String(claim), Kind::String(url)) if claim != "email" => {
            Some((url_span, text_node(format!("{url}#"))))
        }
        (None, ..) => Some((claim.0, text_node(String::new()))),
    };
    let groups = flag("groups-claim").map(|(span, claim)| {
        let none = (
            span,
            Node {
                span,
                kind: Kind::String(String::new()),
            },
        );
        let prefix = flag("groups-prefix").unwrap_or(none);
        (
            span,
            map(vec![
                ("claim", Some((span, claim))),
                ("prefix", Some(prefix)),
            ]),
        )
    });
    let issuer = map(vec![("url", Some((url_span, url))), ("audiences", client)]);
    let mappings = map(vec![
        (
            "username",
            place(map(vec![("claim", Some(claim)), ("prefix", prefix)])),
        ),
        ("groups", groups),
    ]);
    Some(map(vec![
        ("issuer", place(issuer)),
        ("claimMappings", place(mappings)),
    ]))
}
