//! What else can be done about a refusal, beside a change of the configuration.

use serde_json::Value as Json;

use crate::{
    explain::{
        Subject, candidates,
        mend::{self, Case, Where},
        words,
    },
    token::{self, Now, Stage},
};

pub(in crate::explain) fn advice_of_nobody(subject: &Subject, case: Case<'_>) -> Vec<String> {
    let issuer = token::untrusted_issuer(case.payload).unwrap_or_default();
    let mut advice = vec![
        "The API server then tries its other authenticators (service accounts, webhook) and answers 401 when none of \
         them knows the token."
            .to_owned(),
    ];
    if issuer.starts_with("http://") {
        advice.push("No file can name this issuer: issuer.url must begin with https://. Give the provider TLS and the https address as its issuer.".to_owned());
    }
    if subject
        .config()
        .jwt
        .iter()
        .any(|jwt| candidates::nearly_same_issuer(&jwt.issuer.url, &issuer))
    {
        advice.push("The `iss` of the token and the issuer.url must be equal letter by letter, and equal to `issuer` in the provider's discovery document.".to_owned());
    }
    advice
}

/// What else can be done about a refusal.
pub(in crate::explain) fn advice(
    stage: Stage,
    subject: &Subject,
    here: Where,
    case: Case<'_>,
) -> Vec<String> {
    let mut advice = Vec::new();
    let mut say = |text: &str| advice.push(text.to_owned());
    let jwt = match here {
        Where::At(index, _) => subject.config().jwt.get(index),
        Where::Nobody => None,
    };
    match stage {
        Stage::Algorithm => {
            say("Or let the provider sign with RS256, which every API server takes.");
        }
        Stage::Audience => {
            let wanted = jwt.map_or(String::new(), |jwt| words::list(&jwt.issuer.audiences));
            advice.push(format!("Or leave the configuration alone and ask the provider for a token for {wanted}: the audience is usually the client id that was logged in with."));
            let account = case.claims.get("aud").is_some_and(|aud| {
                aud == "account"
                    || aud
                        .as_array()
                        .is_some_and(|all| all.contains(&Json::from("account")))
            });
            if account {
                advice.push("\"account\" is in the access tokens of every Keycloak client: do not take it as an audience. Give the client an audience mapper, or use its ID token.".to_owned());
            }
        }
        Stage::Expiry => {
            say("The token is too old: get a new one.");
            if let Some(expiry) = case.claims.get("exp").and_then(Json::as_i64) {
                advice.push(then(subject, case, expiry));
            }
        }
        Stage::NotBefore => {
            say(
                "The token is not good yet: wait, or set the clocks of the provider and of the API server right.",
            );
            if let Some(start) = case.claims.get("nbf").and_then(Json::as_i64) {
                advice.push(then(subject, case, start));
            }
        }
        Stage::Payload => say("The provider has to issue the claim as a standard token has it."),
        Stage::DistributedGroups => say(
            "The groups were too many for the token, so the provider left them out (Entra ID does so above 200): let it send fewer, such as those assigned to the application.",
        ),
        Stage::Username
            if jwt.is_some_and(|jwt| jwt.claim_mappings.username.claim == "email")
                && case.claims.contains_key("email")
                && case.claims.contains_key("email_verified") =>
        {
            say(
                "Better: have the address verified at the provider, so that `email_verified` is true.",
            );
        }
        Stage::Username | Stage::Groups | Stage::Uid | Stage::Extra(_) => say(
            "Or let the provider put the claim into the token (a scope that was not asked for, a mapper that is missing).",
        ),
        Stage::RequiredClaim(_) | Stage::ClaimRule(_) | Stage::UserRule(_) => say(
            "The change opens the door for every token like this one: see first that this is wanted.",
        ),
    }
    advice
}

/// What the verdict would be at another time.
fn then(subject: &Subject, case: Case<'_>, seconds: i64) -> String {
    let now = Now { seconds, nanos: 0 };
    let date = words::moment(seconds, seconds).replace(", now", "");
    match mend::judge(subject, Case { now, ..case }) {
        Ok(user) => format!(
            "At {date} its time is right, and it is let in as {}.",
            words::text_of(&user.username)
        ),
        Err(Where::At(_, stage)) => format!(
            "At {date} its time is right, and it is refused by {}.",
            named(stage)
        ),
        Err(Where::Nobody) => format!("At {date} nobody takes it."),
    }
}

fn named(stage: Stage) -> String {
    match stage {
        Stage::Algorithm => "its algorithm".to_owned(),
        Stage::Payload => "its claims".to_owned(),
        Stage::Audience => "its audience".to_owned(),
        Stage::Expiry => "its expiry".to_owned(),
        Stage::NotBefore => "its start".to_owned(),
        Stage::DistributedGroups | Stage::Groups => "the mapping of its groups".to_owned(),
        Stage::Username => "the mapping of its user name".to_owned(),
        Stage::Uid => "the mapping of its uid".to_owned(),
        Stage::Extra(_) => "the mapping of its extra attributes".to_owned(),
        Stage::RequiredClaim(index) | Stage::ClaimRule(index) => format!("claim rule {index}"),
        Stage::UserRule(index) => format!("user rule {index}"),
    }
}
