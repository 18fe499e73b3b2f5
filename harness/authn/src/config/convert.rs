//! From the `--oidc-*` flags to the file that says the same.
//!
//! Source: the reference of kube-apiserver's flags and that of `apiserver.config.k8s.io/v1`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value as Json;

use super::{
    ConfigError, JwtAuthenticator, OidcFlags, PrefixedClaimOrExpression, from_flags,
    types::SIGNING_ALGORITHMS,
};
use crate::yaml11;

/// A file, and what it cannot say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// An `AuthenticationConfiguration`, with a line break at its end.
    pub text: String,
    /// What is different with the file, a sentence each.
    pub warnings: Vec<String>,
}

/// Writes the file that stands for flags. Defaults of the flags are written out.
///
/// # Errors
/// When the API server would refuse the flags.
pub fn convert(flags: &OidcFlags) -> Result<Converted, ConfigError> {
    let config = from_flags(flags)?;
    let Some(jwt) = config.jwt.first() else {
        let text = "none of the --oidc-* flags was given".to_owned();
        return Err(ConfigError::Flags(vec![text]));
    };
    let mut allowed = config.signing_algs.clone();
    allowed.sort();
    allowed.dedup();
    let mut warnings = Vec::new();
    if allowed != SIGNING_ALGORITHMS {
        let given = if flags.signing_algs.is_empty() {
            "without --oidc-signing-algs the flags take RS256 only".to_owned()
        } else {
            format!("--oidc-signing-algs takes {} only", allowed.join(", "))
        };
        warnings.push(format!(
            "a file has no place for signing algorithms and takes all of {}; {given}. No rule can say the same: rules \
             do not see a token's header. Which algorithms are used is then for the provider to decide",
            SIGNING_ALGORITHMS.join(", ")
        ));
    }
    Ok(Converted {
        text: write(jwt, flags),
        warnings,
    })
}

fn write(jwt: &JwtAuthenticator, flags: &OidcFlags) -> String {
    let mut out = String::from(
        "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt:\n  - issuer:\n",
    );
    let issuer = &jwt.issuer;
    // Writing to a String cannot fail.
    let _ = writeln!(out, "      url: {}", quoted(&issuer.url));
    let _ = writeln!(
        out,
        "      audiences: {}",
        Json::from(issuer.audiences.clone())
    );
    if !issuer.certificate_authority.is_empty() {
        out.push_str("      certificateAuthority: ");
        out.push_str(&block(&issuer.certificate_authority));
    }
    out.push_str("    claimMappings:\n");
    let implied = flags
        .username_prefix
        .as_deref()
        .unwrap_or_default()
        .is_empty();
    let comment = match (implied, jwt.claim_mappings.username.claim.as_str()) {
        (true, "email") => " # what the flags do for the claim email when no prefix is given",
        (true, _) => " # what the flags do when no prefix is given",
        (false, _) => "",
    };
    mapping(&mut out, "username", &jwt.claim_mappings.username, comment);
    if !jwt.claim_mappings.groups.claim.is_empty() {
        mapping(&mut out, "groups", &jwt.claim_mappings.groups, "");
    }
    if !jwt.claim_validation_rules.is_empty() {
        out.push_str("    claimValidationRules:\n");
    }
    for rule in &jwt.claim_validation_rules {
        let _ = writeln!(out, "      - claim: {}", quoted(&rule.claim));
        let _ = writeln!(
            out,
            "        requiredValue: {}",
            quoted(&rule.required_value)
        );
    }
    out
}

fn mapping(out: &mut String, name: &str, mapping: &PrefixedClaimOrExpression, comment: &str) {
    let prefix = mapping.prefix.as_deref().unwrap_or_default();
    let _ = writeln!(out, "      {name}:");
    let _ = writeln!(out, "        claim: {}", quoted(&mapping.claim));
    let _ = writeln!(out, "        prefix: {}{comment}", quoted(prefix));
}

/// A JSON string, which is a YAML string too. What YAML does not take as it stands is escaped.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    for character in Json::from(text).to_string().chars() {
        if character.is_control() || matches!(character, '\u{feff}' | '\u{2028}' | '\u{2029}') {
            let _ = write!(out, "\\u{:04x}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    out
}

/// A text of several lines as a block, where a block says the same.
fn block(text: &str) -> String {
    let plain = |line: &str| {
        let printable = line.chars().all(|c| c == ' ' || c.is_ascii_graphic());
        printable && !line.starts_with(' ') && !line.is_empty()
    };
    match text.strip_suffix('\n') {
        Some(body) if body.split('\n').all(plain) => {
            let lines = body.split('\n').map(|line| format!("        {line}\n"));
            format!("|\n{}", lines.collect::<String>())
        }
        _ => format!("{}\n", quoted(text)),
    }
}

/// The flags of a kube-apiserver as its Pod manifest gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Every flag by its name without dashes, with its values.
    pub flags: BTreeMap<String, Vec<String>>,
    /// Folders and files of the container, and which those of the host are.
    mounts: Vec<(String, String)>,
}

impl Manifest {
    /// Reads a Pod manifest, such as `/etc/kubernetes/manifests/kube-apiserver.yaml`.
    ///
    /// # Errors
    /// When it is no YAML, or no container in it is a kube-apiserver.
    pub fn read(text: &str) -> Result<Self, String> {
        let pod = yaml11::parse(text).map_err(|error| error.to_string())?;
        let containers = pod["spec"]["containers"].as_array();
        let words = |container: &Json| -> Vec<String> {
            let lists = ["command", "args"]
                .iter()
                .filter_map(|key| container[key].as_array());
            let words = lists.flatten().filter_map(Json::as_str);
            words.map(str::to_owned).collect()
        };
        let of_server = |container: &&Json| {
            container["name"] == "kube-apiserver"
                || words(container)
                    .first()
                    .is_some_and(|word| word.ends_with("kube-apiserver"))
        };
        let container = containers
            .and_then(|containers| containers.iter().find(of_server))
            .ok_or("no container of this manifest runs kube-apiserver")?;
        let volumes = pod["spec"]["volumes"].as_array();
        let host = |name: &Json| {
            let volume = volumes?.iter().find(|volume| volume["name"] == *name)?;
            volume["hostPath"]["path"].as_str()
        };
        let mounts = container["volumeMounts"].as_array().into_iter().flatten();
        Ok(Self {
            flags: named(&words(container)),
            mounts: mounts
                .filter_map(|mount| {
                    let inside = mount["mountPath"].as_str()?.trim_end_matches('/');
                    Some((inside.to_owned(), host(&mount["name"])?.to_owned()))
                })
                .collect(),
        })
    }

    /// A path of the container as the host has it.
    #[must_use]
    pub fn on_host(&self, path: &str) -> String {
        let mounts = self.mounts.iter().filter_map(|(inside, host)| {
            let rest = path.strip_prefix(inside)?;
            let whole = rest.is_empty() || rest.starts_with('/');
            whole.then(|| {
                (
                    inside.len(),
                    format!("{}{rest}", host.trim_end_matches('/')),
                )
            })
        });
        mounts
            .max_by_key(|(length, _)| *length)
            .map_or_else(|| path.to_owned(), |(_, path)| path)
    }
}

/// Words of a command line as flags: `--name=value`, or `--name` and `value`.
fn named(words: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut flags = BTreeMap::<String, Vec<String>>::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--") else {
            continue;
        };
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => {
                let value = words.next_if(|next| !next.starts_with("--"));
                (flag, value.cloned().unwrap_or_default())
            }
        };
        flags.entry(name.to_owned()).or_default().push(value);
    }
    flags
}

#[cfg(test)]
mod tests;
