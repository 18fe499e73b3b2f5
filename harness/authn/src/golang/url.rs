//! `url.Parse`: what it takes for a URL, and what it says about the rest.

use super::{ip, quote::quote};

/// The parts of a URL that configuration rules and expressions ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Url {
    /// In lower case; empty when there is none.
    pub(crate) scheme: String,
    /// Whether a user name stands before an `@`, be it empty.
    pub(crate) user: bool,
    /// Host and port, unescaped.
    pub(crate) host: String,
    /// The path as it was written.
    pub(crate) path: String,
    /// What follows the first `?`.
    pub(crate) query: String,
    /// What follows the first `#`, unescaped.
    pub(crate) fragment: String,
}

/// Parses a URL or a reference to one.
///
/// # Errors
/// The whole text of `url.Error`, `parse "...": ...`.
pub(crate) fn parse(text: &str) -> Result<Url, String> {
    let (base, fragment) = text.split_once('#').unwrap_or((text, ""));
    let mut url =
        parse_base(base).map_err(|problem| format!("parse {}: {problem}", quote(base)))?;
    check(fragment, Part::Other).map_err(|problem| format!("parse {}: {problem}", quote(text)))?;
    fragment.clone_into(&mut url.fragment);
    Ok(url)
}

/// `url.ParseRequestURI`: an absolute URL or path, in which `#` has no meaning.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_request(text: &str) -> Result<Url, String> {
    let fail = |problem: String| format!("parse {}: {problem}", quote(text));
    if text.is_empty() {
        return Err(fail("empty url".to_owned()));
    }
    let relative = |text: &str| {
        let rest = scheme(text).map_or(
            "",
            |(scheme, rest)| if scheme.is_empty() { rest } else { "/" },
        );
        !rest.starts_with('/')
    };
    let control = text.bytes().any(|byte| byte < b' ' || byte == 0x7f);
    if text != "*" && !control && scheme(text).is_ok() && relative(text) {
        return Err(fail("invalid URI for request".to_owned()));
    }
    parse_base(text).map_err(fail)
}

fn parse_base(text: &str) -> Result<Url, String> {
    if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let (scheme, rest) = scheme(text)?;
    let mut url = Url {
        scheme: scheme.to_ascii_lowercase(),
        ..Url::default()
    };
    let mut path = rest;
    if let Some((before, query)) = rest.split_once('?') {
        (path, url.query) = (before, query.to_owned());
    }
    if !path.starts_with('/') {
        if !scheme.is_empty() {
            return Ok(url);
        }
        if path
            .split('/')
            .next()
            .is_some_and(|first| first.contains(':'))
        {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    if path.starts_with("//") && (!scheme.is_empty() || !path.starts_with("///")) {
        let authority = &path[2..];
        let end = authority.find('/').unwrap_or(authority.len());
        let authority_text = &authority[..end];
        url.user = check_authority(&url.scheme, authority_text)?;
        let host = authority_text
            .rsplit_once('@')
            .map_or(authority_text, |(_, host)| host);
        url.host = unescape(host);
        path = &authority[end..];
    }
    check(path, Part::Other)?;
    path.clone_into(&mut url.path);
    Ok(url)
}

fn scheme(text: &str) -> Result<(&str, &str), String> {
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if index > 0 => {}
            b':' if index == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok((&text[..index], &text[index + 1..])),
            _ => break,
        }
    }
    Ok(("", text))
}

fn check_authority(scheme: &str, authority: &str) -> Result<bool, String> {
    let Some((user, host)) = authority.rsplit_once('@') else {
        return check_host(scheme, authority).map(|()| false);
    };
    check_host(scheme, host)?;
    let allowed = |character: char| {
        character.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(character)
    };
    if !user.chars().all(allowed) {
        return Err("net/url: invalid userinfo".to_owned());
    }
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    check(name, Part::Other)?;
    check(password, Part::Other)?;
    Ok(true)
}

fn check_host(scheme: &str, host: &str) -> Result<(), String> {
    match (host.rfind('['), host.find(':')) {
        (Some(0), _) => {
            let Some(end) = host.rfind(']') else {
                return Err("missing ']' in host".to_owned());
            };
            check_port(&host[end + 1..])?;
            let name = &host[1..end];
            let zone = name.find("%25").unwrap_or(name.len());
            check(&name[..zone], Part::Host)?;
            check(&name[zone..], Part::Zone)?;
            return ip::check_v6(&unescape(name)).map_err(|error| match error {
                Some(error) => format!("invalid host: {error}"),
                None => "invalid IP-literal".to_owned(),
            });
        }
        (Some(_), _) => return Err("invalid IP-literal".to_owned()),
        (None, Some(first)) => {
            // Hosts of databases may be lists with ports, those of the web may not.
            let strict = scheme == "http" || scheme == "https";
            let colon = if strict {
                first
            } else {
                host.rfind(':').unwrap_or(first)
            };
            check_port(&host[colon..])?;
        }
        (None, None) => {}
    }
    check(host, Part::Host)
}

fn check_port(port: &str) -> Result<(), String> {
    let digits = port.strip_prefix(':').unwrap_or(port);
    let marked = port.is_empty() || port.starts_with(':');
    if marked && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(format!("invalid port {} after host", quote(port)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Host,
    Zone,
    Other,
}

/// Checks `%` escapes, and in a host its characters.
fn check(text: &str, part: Part) -> Result<(), String> {
    let bytes = text.as_bytes();
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        if byte != b'%' {
            if part != Part::Other && byte < 0x80 && !host_byte(byte) {
                let character = quote(&char::from(byte).to_string());
                return Err(format!("invalid character {character} in host name"));
            }
            index += 1;
            continue;
        }
        let end = (index + 3).min(bytes.len());
        let escape = String::from_utf8_lossy(&bytes[index..end]);
        let refused = || Err(format!("invalid URL escape {}", quote(&escape)));
        let Some(value) = escaped(bytes, index) else {
            return refused();
        };
        let percent = value == b'%';
        match part {
            // Only what is not ASCII may be escaped in a host, and a zone must not smuggle in what a host lacks.
            Part::Host if value < 0x80 && !percent => return refused(),
            Part::Zone if !percent && value != b' ' && value < 0x80 && !host_byte(value) => {
                return refused();
            }
            Part::Zone if value >= 0x80 => return refused(),
            _ => {}
        }
        index += 3;
    }
    Ok(())
}

fn escaped(bytes: &[u8], index: usize) -> Option<u8> {
    let digits = std::str::from_utf8(bytes.get(index + 1..index + 3)?).ok()?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u8::from_str_radix(digits, 16).ok()
}

/// The text with its `%` escapes resolved; wrong ones stay.
pub(crate) fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut index) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(index) {
        match escaped(bytes, index).filter(|_| byte == b'%') {
            Some(value) => {
                out.push(value);
                index += 3;
            }
            None => {
                out.push(byte);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"".contains(&byte)
}
