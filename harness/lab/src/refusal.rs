//! Refusals of components, shown where they are about: at a line of the file that a person wrote.

use authlab_authn::config;
use authlab_authn::tree::{Entry, Kind};
use authlab_authn::yaml11;
use authlab_idp::dex::DexError;
use authlab_idp::keycloak::{Ground, KeycloakError, RealmError, RealmErrors};

use crate::backend::LabError;
use crate::plan::{Authentication, Plan, Text};
use crate::source::{Source, SourceError, meant};

/// A Dex's refusal at the place that it names. Filling placeholders keeps the lines of a file, but
/// not its columns: where it can, the path leads to the place.
pub(crate) fn of_dex(name: &str, file: &Text, error: &DexError) -> LabError {
    let message = format!("{name} refused to start: {error}");
    let source = file.source();
    let root = yaml11::parse_spanned(&file.text).ok();
    let at = |path: &str| Some(root.as_ref()?.at(path)?.span.start);
    let (offset, label, help) = match error {
        DexError::Config(error) => {
            let path = error.path().unwrap_or("here");
            let told = error
                .place()
                .map(|place| source.offset(place.line, place.column));
            match told {
                Some(told) if source.filled_before(told) => {
                    (at(path).unwrap_or(told), path, error.hint())
                }
                Some(told) => (told, path, error.hint()),
                None => (0, "in this file", error.hint()),
            }
        }
        DexError::Tls(_) => match &root {
            Some(root) => (root.nearest("web.tlsCert").0.start, "of these two", None),
            None => return refused(name, error),
        },
        _ => return refused(name, error),
    };
    with_help(source.error_word(offset, message, label), help).into()
}

/// The embedded Keycloak's refusal of its realm: all that it found, each at its place.
pub(crate) fn of_keycloak(name: &str, file: &Text, error: &KeycloakError) -> LabError {
    let KeycloakError::Realm(errors) = error else {
        return refused(name, error);
    };
    let told = |index: usize, error: &RealmError| match index {
        0 => of_realm(file, error, realm_refused(name, &error.message), None),
        _ => of_realm(file, error, error.message.clone(), None),
    };
    let mut errors = errors.iter().enumerate().map(|(n, error)| told(n, error));
    match errors.next() {
        Some(first) => first.and(errors).into(),
        None => refused(name, error),
    }
}

/// The real Keycloak's refusal of its realm, in its `words`: at the place that they are about, where
/// that can be told. `errors` is what the embedded one finds in the file.
pub(crate) fn of_real_keycloak(
    name: &str,
    file: &Text,
    words: &str,
    errors: Option<&RealmErrors>,
) -> LabError {
    let message = realm_refused(name, words);
    if let Some(cause) = errors.and_then(|errors| errors.meant_by(words)) {
        let says = format!("the embedded Keycloak says: {}", cause.message);
        let says = (!words.contains(&cause.message)).then_some(says);
        return of_realm(file, cause, message, says).into();
    }
    let whole = file.source().unread(format!("{message} ({})", file.name));
    let errors = errors.iter().flat_map(|errors| errors.iter());
    // What the real one lacks nothing of is not why it refuses.
    let errors = errors.filter(|error| error.ground != Ground::OnlyHere);
    let errors: Vec<String> = errors.map(|error| format!("\n{error}")).collect();
    match errors.is_empty() {
        true => whole,
        false => whole.or_help(format!(
            "it does not say where; the embedded Keycloak finds in the file{}",
            errors.concat()
        )),
    }
    .into()
}

fn realm_refused(name: &str, why: &str) -> String {
    format!("{name} refused the realm: {why}")
}

/// What is wrong in a realm, at its place; `says` is told before what to write instead.
fn of_realm(file: &Text, error: &RealmError, message: String, says: Option<String>) -> SourceError {
    let source = file.source();
    let told = error
        .place
        .map(|(line, column)| source.offset(line, column));
    let root = yaml11::parse_spanned(&file.text).ok();
    let offset = match (told, root) {
        (Some(told), Some(root)) if source.filled_before(told) => match root.nearest(&error.path) {
            (span, true) => span.start,
            (_, false) => told,
        },
        (told, _) => told.unwrap_or(0),
    };
    let label = match (told, error.path.as_str()) {
        (None, _) => "in this file",
        (_, "") => "here",
        (_, path) => path,
    };
    let placed = source.error_word(offset, message, label);
    let help: Vec<String> = says.into_iter().chain(error.help.clone()).collect();
    match help.is_empty() {
        true => placed,
        false => placed.or_help(help.join("; ")),
    }
}

/// The API server's refusal at the place in the configuration file, or among the lab file's flags,
/// that its words are about; any other error as it is.
pub(crate) fn placed(plan: &Plan, error: LabError) -> LabError {
    let (message, about, component) = match &error {
        LabError::Refused { component, message } if !plan.providers.contains_key(component) => {
            (error.to_string(), message.as_str(), component.as_str())
        }
        LabError::Flag { flag, .. } => (error.to_string(), flag.as_str(), ""),
        _ => return error,
    };
    let named = |name: &str| {
        component
            .strip_suffix('`')
            .unwrap_or(component)
            .ends_with(name)
    };
    let others = plan.api_servers.iter();
    let (flags, authentication) = others
        .filter(|(name, _)| named(name))
        .map(|(name, there)| (format!("apiServers.{name}.flags"), there))
        .next()
        .unwrap_or_else(|| ("apiServer.flags".to_owned(), &plan.authentication));
    let found = if authentication.flags.is_empty() {
        let config = authentication.config.as_ref();
        config.and_then(|file| in_file(file, about))
    } else {
        let file = plan.file.as_ref();
        file.and_then(|file| among_flags(file, &flags, about))
    };
    match found {
        Some(Found {
            source,
            offset,
            label,
            help,
        }) => {
            let help = help.unwrap_or_else(|| match file_in_force(authentication) {
                Some(file) => format!(
                    "mend it there: `cargo xtask lint {file}` says at once whether an API server takes it"
                ),
                None => "mend it there, then start the lab again".to_owned(),
            });
            source
                .error_word(offset, message, label)
                .or_help(help)
                .into()
        }
        None => error,
    }
}

/// The file that is in force, where no flags are.
fn file_in_force(authentication: &Authentication) -> Option<&str> {
    let file = authentication.config.as_ref()?;
    authentication
        .flags
        .is_empty()
        .then_some(file.name.as_str())
}

struct Found {
    source: Source,
    offset: usize,
    label: String,
    help: Option<String>,
}

fn refused(component: &str, message: impl ToString) -> LabError {
    LabError::Refused {
        component: component.to_owned(),
        message: message.to_string(),
    }
}

fn with_help(error: SourceError, help: Option<&str>) -> SourceError {
    match help {
        Some(help) => error.or_help(help),
        None => error,
    }
}

/// The place in a configuration file: by the path that the message names, else by its line.
fn in_file(file: &Text, message: &str) -> Option<Found> {
    let source = file.source();
    let at = |offset, label: &str, help| {
        Some(Found {
            source: source.clone(),
            offset,
            label: label.to_owned(),
            help,
        })
    };
    if let Some(line) = number_after(message, "line ") {
        let start = source.offset(line, 1);
        let text = &file.text[start..];
        return at(
            start + text.len() - text.trim_start_matches(' ').len(),
            "here",
            None,
        );
    }
    let root = yaml11::parse_spanned(&file.text).ok()?;
    let quoted = |before: &str| message.split_once(before)?.1.split('"').next();
    if let Some(path) = quoted("unknown field \"") {
        let (parent, key) = path.rsplit_once('.').unwrap_or(("", path));
        return at(
            root.nearest(path).0.start,
            path,
            Some(meant(key, &config::keys(parent))),
        );
    }
    if let Some(kind) = quoted("no kind \"") {
        let (path, right) = match kind {
            KIND => ("apiVersion", "apiserver.config.k8s.io/v1"),
            _ => ("kind", KIND),
        };
        return at(
            root.nearest(path).0.start,
            path,
            Some(format!("write `{right}`")),
        );
    }
    let Some(path) = path_in(message) else {
        return at(0, "in this file", None);
    };
    let (span, whole) = root.nearest(path);
    at(
        span.start,
        if whole { path } else { "belongs below this" },
        None,
    )
}

/// The kind of the file.
const KIND: &str = "AuthenticationConfiguration";

/// The path that a message is about: `jwt[0].issuer.url`, `anonymous.conditions`. Errors of the
/// JSON decoder have the Go type before it and leave indices out: `Issuer.jwt.issuer.url`.
fn path_in(message: &str) -> Option<&str> {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '[' | ']' | '.');
    ["jwt", "anonymous", "kind", "apiVersion"]
        .iter()
        .filter_map(|root| {
            let mut from = 0;
            loop {
                let start = from + message[from..].find(root)?;
                let rest = &message[start..];
                let path = &rest[..rest.find(|c| !word(c)).unwrap_or(rest.len())];
                let begins = message[..start]
                    .chars()
                    .next_back()
                    .is_none_or(|c| !c.is_alphanumeric() && c != '/');
                let ends = path[root.len()..]
                    .chars()
                    .next()
                    .is_none_or(|c| matches!(c, '.' | '['));
                if begins && ends {
                    return Some((start, path.trim_end_matches(['.', ']']).len(), path));
                }
                from = start + root.len();
            }
        })
        .min_by_key(|(start, ..)| *start)
        .map(|(_, _, path)| path.trim_end_matches('.'))
}

fn number_after(message: &str, word: &str) -> Option<usize> {
    let rest = &message[message.find(word)? + word.len()..];
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

/// Flags and what the configuration that they stand for calls their values.
const FLAGS: &[(&str, &str)] = &[
    ("oidc-issuer-url", "jwt[0].issuer.url"),
    ("oidc-client-id", "jwt[0].issuer.audiences"),
    ("oidc-ca-file", "jwt[0].issuer.certificateAuthority"),
    ("oidc-ca-file", "open "),
    ("oidc-username-claim", "jwt[0].claimMappings.username"),
    ("oidc-groups-claim", "jwt[0].claimMappings.groups"),
    ("oidc-required-claim", "jwt[0].claimValidationRules"),
    ("oidc-signing-algs", "signing alg"),
];

/// The place in the lab file: the flag that the message names or means, of those at `path`, else all
/// of them.
fn among_flags(file: &Text, path: &str, message: &str) -> Option<Found> {
    let source = file.source();
    let root = yaml11::parse_spanned(&file.text).ok()?;
    let given = root.at(path)?;
    let Kind::Map(entries) = &given.kind else {
        return None;
    };
    let said = |entry: &Entry| message.contains(entry.key.as_str());
    let means = |entry: &Entry| {
        let mut words = FLAGS.iter().filter(|(flag, _)| *flag == entry.key);
        words.any(|(_, words)| message.contains(words))
    };
    let entry = entries
        .iter()
        .find(|entry| said(entry))
        .or_else(|| entries.iter().find(|entry| means(entry)));
    let (span, label) = match entry {
        Some(entry) => (entry.key_span, "this flag"),
        None => (root.nearest(path).0, "these flags"),
    };
    Some(Found {
        source,
        offset: span.start,
        label: label.to_owned(),
        help: None,
    })
}
