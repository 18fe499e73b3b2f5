//! What Dex and Keycloak make of their own files.

use authlab_idp::{dex, keycloak};

use crate::{
    document::{Document, Form},
    finding::Out,
    provider::{Product, Provider},
    run::filled,
};

/// What the product refuses or ignores.
pub(crate) fn own(document: &Document, out: &mut Out<'_>) {
    if !document.whole {
        return;
    }
    let text = filled(&document.text);
    let at = |path: &str| document.tree.nearest(path).0.start;
    match document.form {
        Form::Dex => match dex::Config::read(&text, document.source.name()) {
            Ok(config) => {
                for warning in config.warnings() {
                    let (message, help) = match warning.message.split_once("; did you mean ") {
                        Some((message, near)) => (message, format!("did you mean {near}")),
                        None => (warning.message.as_str(), String::new()),
                    };
                    if help.is_empty() {
                        out.add("ignored-key", at(&warning.path), message);
                    } else {
                        out.with_help("ignored-key", at(&warning.path), message, help);
                    }
                }
            }
            Err(error) => {
                let place = error.path().map_or(0, at);
                match error.hint() {
                    Some(hint) => out.with_help("refused", place, error.to_string(), hint),
                    None => out.add("refused", place, error.to_string()),
                }
            }
        },
        Form::Realm => {
            let errors = keycloak::check(&text).err();
            for error in errors.iter().flat_map(|errors| errors.iter()) {
                let place = match error.place {
                    Some((line, _)) if error.path.is_empty() => document.line(line),
                    _ => at(&error.path),
                };
                match &error.help {
                    Some(help) => out.with_help("refused", place, &error.message, help),
                    None => out.add("refused", place, &error.message),
                }
            }
        }
        _ => {}
    }
}

/// Redirect URIs that no program can use.
pub(crate) fn redirects(provider: &Provider, out: &mut Out<'_>) {
    for redirect in &provider.redirects {
        let rest = redirect.uri.strip_prefix("http://").unwrap_or_default();
        let host = rest.split('/').next().unwrap_or_default();
        if provider.product == Product::Dex && matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
            let message = format!(
                "the client `{}` cannot use an address without a port",
                redirect.client
            );
            out.add("redirect-without-port", redirect.offset, message);
        }
    }
}
