//! The step of discovery, keys and signature.

use super::step;
use crate::{
    explain::{Answer, Signature, Step, Token, words},
    oidc::{Found, Probe},
};

/// What is known of the signature; with it, for a refusal, the server's text and advice.
pub(in crate::explain) fn signature(
    signature: &Signature,
    token: &Token,
    root: &str,
) -> (Step, Option<(String, Vec<String>)>) {
    let path = Some(format!("{root}.issuer"));
    let (discovery, found) = match signature {
        Signature::Unchecked(why) => {
            let lines = vec![
                format!("Not checked: {why}."),
                "What follows takes the signature for good.".to_owned(),
            ];
            return (step("Signature", Answer::Open, lines, path), None);
        }
        Signature::Probed(Probe { discovery, found }) => (discovery, found),
    };
    let kid = token.header("kid");
    let not_initialized = "oidc: authenticator not initialized".to_owned();
    let (answer, lines, refused) = match found {
        Found::Unreachable(error) | Found::NotDiscovered(error) => {
            let lines = vec![
                format!("The issuer's discovery document, {discovery}, could not be used:"),
                format!("  {error}"),
                "Until it can, the API server refuses every token of this issuer.".to_owned(),
            ];
            (
                Answer::No,
                lines,
                Some((not_initialized, unreachable(error, root))),
            )
        }
        Found::Malformed(error) => (
            Answer::No,
            vec![error.clone()],
            Some((error.clone(), Vec::new())),
        ),
        Found::Keys {
            url,
            ids,
            signature,
        } => {
            let keys = format!(
                "Discovery at {discovery} leads to the keys at {url}: {}.",
                words::list(ids)
            );
            match signature {
                Ok(()) => {
                    let by = if kid.is_empty() {
                        "one of them".to_owned()
                    } else {
                        format!("the key {}", words::text_of(kid))
                    };
                    (
                        Answer::Yes,
                        vec![keys, format!("The signature is good: made with {by}.")],
                        None,
                    )
                }
                Err(error) => {
                    let known = ids.iter().any(|id| id == kid);
                    let why = match (kid.is_empty(), known) {
                        (true, _) => "None of them made the signature.".to_owned(),
                        (_, true) => format!(
                            "The key {} is there, but it did not make this signature.",
                            words::text_of(kid)
                        ),
                        (_, false) => format!(
                            "The token says that the key {} signed it, and that key is not there.",
                            words::text_of(kid)
                        ),
                    };
                    let advice = if known || kid.is_empty() {
                        "The token was changed after it was signed, or somebody else signed it: get a new one from the provider."
                    } else {
                        "The provider has other keys now (a restart without kept keys, a rotation), or another instance made the token: get a new one."
                    };
                    (
                        Answer::No,
                        vec![keys, why],
                        Some((error.clone(), vec![advice.to_owned()])),
                    )
                }
            }
        }
    };
    (step("Signature", answer, lines, path), refused)
}

fn unreachable(error: &str, root: &str) -> Vec<String> {
    let authority = format!("{root}.issuer.certificateAuthority");
    let advice = if error.contains("unknown authority") {
        format!(
            "{authority} is not the authority that signed the issuer's certificate: put that one's PEM there."
        )
    } else if error.contains("certificate is valid for") {
        "The issuer's certificate is for other names: give it one for the name in issuer.url."
            .to_owned()
    } else if error.contains("expired") {
        "The issuer's certificate is out of its time: renew it.".to_owned()
    } else if error.contains("issuer did not match") {
        format!(
            "{root}.issuer.url must be what the provider itself says, slash by slash; or give the provider the other name."
        )
    } else {
        "See that the provider runs and that the API server's machine can reach it; it tries again every 10 seconds.".to_owned()
    };
    vec![advice]
}
