//! Which addresses a client may be sent back to (`RedirectUtils` of Keycloak).

use url::Url;

use super::{realm::Client, server::Server};

/// Hosts of the machine itself: there, a program's port is not known beforehand (RFC 8252 section 7.3).
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Whether a client with `listed` among its `redirectUris` may be sent back to `address`: a `*` at the
/// end stands for anything, and on the machine itself an address without a port for any.
#[must_use]
pub fn allows(listed: &str, address: &str) -> bool {
    let wildcards = !has_user(address) && !climbs(address);
    let fits = |address: &str| fits(listed, address, wildcards);
    fits(address) || without_port(address).is_some_and(|address| fits(&address))
}

/// Whether an entry of `redirectUris` allows one address alone: it does not end with `*`, is no path below
/// the client's root, and no address of the machine itself without a port, where any will do.
#[must_use]
pub fn is_exact(listed: &str) -> bool {
    let http = listed.strip_prefix("http://");
    let any_port = http.is_some_and(|rest| LOOPBACK.contains(&authority(rest)));
    let absolute = http.is_some() || listed.starts_with("https://");
    absolute && !any_port && !listed.contains('*')
}

/// Whether an address is among those of the client's `redirectUris`.
pub(super) fn is_valid(server: &Server, client: &Client, address: &str) -> bool {
    matches(
        server,
        client,
        client.redirect_uris.iter().map(String::as_str),
        address,
    )
}

/// The same for addresses after a logout, `+` standing for those after a login.
pub(super) fn is_valid_after_logout(server: &Server, client: &Client, address: &str) -> bool {
    let listed = client.attribute("post.logout.redirect.uris").unwrap_or("+");
    listed.split("##").any(|entry| match entry {
        "+" => is_valid(server, client, address),
        "-" => false,
        entry => matches(server, client, std::iter::once(entry), address),
    })
}

fn matches<'v>(
    server: &Server,
    client: &Client,
    mut valid: impl Iterator<Item = &'v str>,
    address: &str,
) -> bool {
    let Some((scheme, _)) = address.split_once(':') else {
        return false;
    };
    if address.contains(char::is_whitespace) || Url::parse(address).is_err() {
        return false;
    }
    let usual = ["http", "https"]
        .iter()
        .any(|usual| usual.eq_ignore_ascii_case(scheme));
    let root = match client.root_url.as_str() {
        "" => server.base.clone(),
        root => root
            .replace("${authBaseUrl}", &server.base)
            .replace("${authAdminUrl}", &server.base),
    };
    valid.any(|pattern| {
        let absolute = match pattern.starts_with('/') {
            true => format!("{root}{pattern}"),
            false => pattern.to_owned(),
        };
        let own_scheme = absolute.starts_with(&format!("{scheme}:"));
        (own_scheme || usual) && allows(&absolute, address)
    })
}

/// Whether an address is the pattern's. A `*` at the end of a pattern without a query stands for anything.
fn fits(pattern: &str, address: &str, wildcards: bool) -> bool {
    if pattern == "*" {
        return true;
    }
    match pattern.strip_suffix('*') {
        Some(start) if wildcards && !pattern.contains('?') => {
            let end = address
                .find('?')
                .or_else(|| address.find('#'))
                .unwrap_or(address.len());
            let address = &address[..end];
            address.starts_with(start) || address == start.strip_suffix('/').unwrap_or(start)
        }
        _ => pattern == address,
    }
}

/// A loopback address over http without its port.
fn without_port(address: &str) -> Option<String> {
    let rest = address.strip_prefix("http://")?;
    let (authority, rest) = rest.split_at(authority(rest).len());
    let host = LOOPBACK.iter().find(|host| {
        let port = authority
            .strip_prefix(**host)
            .and_then(|rest| rest.strip_prefix(':'));
        port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
    })?;
    Some(format!("http://{host}{rest}"))
}

fn has_user(address: &str) -> bool {
    let rest = address.split("://").nth(1);
    rest.is_some_and(|rest| authority(rest).contains('@'))
}

/// What comes before the path, of an address without its scheme.
fn authority(rest: &str) -> &str {
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// Whether the path leads to a folder above, in whatever encoding.
fn climbs(address: &str) -> bool {
    let path = address
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let path = path
        .replace("%2f", "/")
        .replace("%5c", "/")
        .replace('\\', "/")
        .replace("%2e", ".");
    path.contains("/../") || path.ends_with("/..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_the_rest_of_a_path() {
        for (pattern, address, fit) in [
            ("https://a/*", "https://a/b?c", true),
            ("https://a/*", "https://a", true),
            ("https://a/*", "https://ab/", false),
            ("https://a/b*", "https://a/bc", true),
            ("https://a/*?x", "https://a/b", false),
            ("*", "https://a", true),
        ] {
            assert_eq!(fits(pattern, address, true), fit, "{pattern} {address}");
        }
        assert!(!fits("https://a/*", "https://a/b", false));
    }

    #[test]
    fn only_loopback_ports_are_free() {
        let without = |address| without_port(address);
        assert_eq!(
            without("http://localhost:1/a?b").as_deref(),
            Some("http://localhost/a?b")
        );
        assert_eq!(without("https://localhost:1/a"), None);
        assert_eq!(without("http://localhost.example:1/a"), None);
        assert_eq!(without("http://localhost:1@evil/a"), None);
        assert!(
            climbs("https://a/b/%2E%2e%5Cc")
                && climbs("https://a/..")
                && !climbs("https://a/b..c/")
        );
    }
}
