//! Who plays the user's part of a login that a program begins: the browser without a window.

use authlab_lab::source::SourceError;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use url::Url;

use crate::context::Context;
use crate::fault::Fault;
use crate::oauth;
use crate::verbs::{Loading, provider};

/// A person at a browser.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Person {
    /// The identity provider, by its name in the lab file.
    #[schemars(with = "String")]
    idp: Spanned<String>,
    /// Who, by the short name in the lab file.
    #[schemars(with = "String")]
    user: Spanned<String>,
    /// The connector of a Dex that is chosen where a page offers several.
    #[serde(default)]
    connector: Option<String>,
}

impl Person {
    pub(super) fn check(&self, loading: &Loading<'_>) -> Result<(), SourceError> {
        for (plan, provider) in provider::named(loading, &self.idp)? {
            if !provider.users.contains_key(&self.user.value) {
                let message = format!(
                    "`{}` of the lab `{}` has no user `{}`",
                    self.idp.value, plan.lab, self.user.value
                );
                let known = provider.users.keys().map(String::as_str).collect();
                return Err(provider::unknown(
                    loading.source,
                    &self.user,
                    message,
                    known,
                ));
            }
        }
        Ok(())
    }
}

/// Goes to the first address among the lines heard that is meant for a browser, and types into the
/// program what the last page gives; goes nowhere when nobody is there to go, or none is printed.
///
/// # Errors
/// When the provider keeps the person out, or the login does not come to an end.
pub(super) async fn visit(
    person: Option<&Person>,
    context: &Context<'_>,
    mut heard: UnboundedReceiver<String>,
    typed: UnboundedSender<String>,
) -> Result<(), Fault> {
    let Some(person) = person else { return Ok(()) };
    let provider = provider::running(context, &person.idp.value)?;
    let user = provider
        .users
        .get(&person.user.value)
        .ok_or_else(|| Fault::Other(format!("the provider has no user `{}`", person.user.value)))?;
    while let Some(line) = heard.recv().await {
        if let Some(address) = address(&line, &provider.issuer) {
            let ca = &context.state.certificate_authority;
            let connector = person.connector.as_deref();
            if let Some(code) = oauth::browse(ca, address, user, connector).await? {
                // A program that has ended reads no more.
                let _ = typed.send(format!("{code}\n"));
            }
            return Ok(());
        }
    }
    Ok(())
}

/// The address in a line that a browser is to open: on this machine without TLS, where a program
/// waits for it, or a page of the issuer that is told something.
fn address(line: &str, issuer: &str) -> Option<Url> {
    let word = |word: &str| Url::parse(word.trim_matches(['"', '\'', '<', '>', '(', ')'])).ok();
    line.split_whitespace().filter_map(word).find(|url| {
        let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1"));
        let page = url.as_str().starts_with(issuer) && url.query().is_some();
        (url.scheme() == "http" && here) || page
    })
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn an_address_for_a_browser_is_told_from_others() {
        let issuer = "https://127.0.0.1:5556/dex";
        let found = |line: &str| address(line, issuer).map(String::from);
        let said = "Please visit the following URL in your browser: http://localhost:8000";
        assert_eq!(found(said).as_deref(), Some("http://localhost:8000/"));
        let page = format!("Please visit {issuer}/device?user_code=ABCD-EFGH");
        assert_eq!(
            found(&page),
            Some(format!("{issuer}/device?user_code=ABCD-EFGH"))
        );
        assert_eq!(found(&format!("issuer: {issuer}")), None);
        assert_eq!(found("https://127.0.0.1:1/?to=nobody"), None);
        assert_eq!(found("no address"), None);
    }
}
