//! The grant of devices without a browser (RFC 8628), its user's side driven through the pages.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use super::browser::{self, End, Landing, Person};
use super::{Login, Provider, wanted};
use crate::fault::Fault;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Seconds within which a device must get its tokens once its user has agreed.
const PATIENCE: u64 = 60;
/// Seconds between two questions where the provider names none, and what `slow_down` adds
/// (sections 3.2 and 3.5).
const INTERVAL: u64 = 5;

/// What the device is told (section 3.2).
#[derive(Debug, Deserialize)]
struct Begun {
    device_code: SecretString,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    #[serde(default = "usual")]
    interval: u64,
}

fn usual() -> u64 {
    INTERVAL
}

impl Provider<'_> {
    /// Begins a device's login, logs `person` in for it as a browser would, and asks for the tokens
    /// as often as the provider lets it. Where the person refuses, the device's answer counts, as
    /// soon as it has one.
    ///
    /// # Errors
    /// When no answer decides, or the device gets none though its user has agreed.
    pub async fn device_code(
        &self,
        person: Person<'_>,
        scopes: Option<&[String]>,
    ) -> Result<Login, Fault> {
        let discovery = self.discover().await?;
        let endpoint = discovery.device_authorization_endpoint.as_ref();
        let endpoint = self.endpoint("device_authorization_endpoint", endpoint)?;
        let scope = wanted(scopes, &discovery.scopes_supported).join(" ");
        // In the form, a secret too: Dex reads nothing else here.
        let mut form = vec![("client_id", self.client.id.as_str()), ("scope", &scope)];
        let secret = self.client.secret.as_ref();
        form.extend(secret.map(|secret| ("client_secret", secret.expose_secret())));
        let answer = self
            .send(endpoint, self.http.post(endpoint).form(&form))
            .await?;
        if answer.status != 200 {
            return answer.refusal().map(Login::Refused);
        }
        let Ok(begun) = serde_json::from_str::<Begun>(&answer.text) else {
            return Err(answer.fault());
        };
        let start = begun.page()?;
        match browser::visit(self.ca, start, End::Page, person).await? {
            Landing::Refused(page) if !person.consents => {
                let form = begun.question();
                match self.token(&discovery.token_endpoint, &form).await? {
                    Login::Refused(told) if next(&told.error, Duration::ZERO).is_some() => {
                        Ok(Login::Refused(page))
                    }
                    told => Ok(told),
                }
            }
            Landing::Refused(refusal) => Ok(Login::Refused(refusal)),
            Landing::Page(_) | Landing::Callback(_) => {
                self.poll(&discovery.token_endpoint, &begun).await
            }
        }
    }

    async fn poll(&self, url: &str, begun: &Begun) -> Result<Login, Fault> {
        let form = begun.question();
        let end = Instant::now() + Duration::from_secs(begun.expires_in.min(PATIENCE));
        let mut pause = Duration::from_secs(begun.interval);
        loop {
            let refusal = match self.token(url, &form).await? {
                Login::Refused(refusal) => refusal,
                login => return Ok(login),
            };
            pause = match next(&refusal.error, pause) {
                Some(pause) => pause,
                None => return Ok(Login::Refused(refusal)),
            };
            if Instant::now() + pause > end {
                return Err(Fault::Other(format!(
                    "the device gets no tokens though its user has agreed; the last answer was `{}`",
                    refusal.error
                )));
            }
            // The provider's own pace (section 3.3): earlier questions are refused.
            tokio::time::sleep(pause).await;
        }
    }
}

/// How long a device waits that was told `error` after `pause`; not at all when that is final
/// (section 3.5).
pub(super) fn next(error: &str, pause: Duration) -> Option<Duration> {
    match error {
        "authorization_pending" => Some(pause),
        "slow_down" => Some(pause + Duration::from_secs(INTERVAL)),
        _ => None,
    }
}

impl Begun {
    /// What the device asks the token endpoint (section 3.4).
    fn question(&self) -> [(&str, &str); 2] {
        let code = self.device_code.expose_secret();
        [("grant_type", GRANT), ("device_code", code)]
    }

    /// Where the user goes; the code is in the address where the provider puts it there.
    fn page(&self) -> Result<Url, Fault> {
        let broken = |error| Fault::Other(format!("the page for the device's user: {error}"));
        match &self.verification_uri_complete {
            Some(page) => Url::parse(page).map_err(broken),
            None => {
                let mut page = Url::parse(&self.verification_uri).map_err(broken)?;
                page.query_pairs_mut()
                    .append_pair("user_code", &self.user_code);
                Ok(page)
            }
        }
    }
}
