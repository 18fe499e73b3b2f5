//! The authorization code grant with PKCE and nonce, by the `openidconnect` crate.

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreJwsSigningAlgorithm, CoreProviderMetadata,
};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, DiscoveryError, HttpRequest,
    HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, RedirectUrl,
    RequestTokenError, Scope, TokenResponse, http,
};
use secrecy::ExposeSecret;
use url::Url;

use super::browser::{self, End, Landing, Person};
use super::{Login, Provider, Refusal, Tokens, wanted};
use crate::api::DEADLINE;
use crate::fault::Fault;

/// The redirect URI of clients that name none (RFC 8252, section 7.3). Nobody listens there: the
/// browser stops before it goes.
const LOOPBACK: &str = "http://127.0.0.1:8000/callback";

impl Provider<'_> {
    /// Logs `person` in as a browser would and exchanges the code.
    ///
    /// # Errors
    /// When no answer decides, and when the provider breaks the protocol.
    pub async fn authorization_code(
        &self,
        person: Person<'_>,
        scopes: Option<&[String]>,
    ) -> Result<Login, Fault> {
        let http = |request: HttpRequest| send(self.http.clone(), request);
        let issuer = IssuerUrl::new(self.issuer.to_owned()).map_err(other)?;
        let metadata = CoreProviderMetadata::discover_async(issuer, &http)
            .await
            .map_err(|error| self.undiscovered(error))?;
        let known: Vec<String> = metadata
            .scopes_supported()
            .map(|scopes| scopes.iter().map(|scope| scope.to_string()).collect())
            .unwrap_or_default();
        let redirect = self.client.redirect_uri.as_deref().unwrap_or(LOOPBACK);
        let redirect = RedirectUrl::new(redirect.to_owned()).map_err(other)?;
        let secret = self.client.secret.as_ref();
        let client = CoreClient::from_provider_metadata(
            metadata,
            ClientId::new(self.client.id.clone()),
            secret.map(|secret| ClientSecret::new(secret.expose_secret().to_owned())),
        )
        .set_redirect_uri(redirect.clone());

        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let asked = wanted(scopes, &known);
        let (url, state, nonce) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            // The crate adds `openid` itself.
            .add_scopes(
                asked
                    .into_iter()
                    .filter(|scope| scope != "openid")
                    .map(Scope::new),
            )
            .set_pkce_challenge(challenge)
            .url();
        let end = End::At(redirect.url());
        let code = match browser::visit(self.ca, url, end, person).await? {
            Landing::Refused(refusal) => return Ok(Login::Refused(refusal)),
            Landing::Page(_) => return Err(Fault::other("the provider does not come back")),
            Landing::Callback(url) => match callback(&url, state.secret())? {
                Ok(code) => code,
                Err(refusal) => return Ok(Login::Refused(refusal)),
            },
        };
        let answer = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(other)?
            .set_pkce_verifier(verifier)
            .request_async(&http)
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(RequestTokenError::ServerResponse(refused)) => {
                return Ok(Login::Refused(Refusal {
                    error: refused.error().as_ref().to_owned(),
                    description: refused.error_description().cloned().unwrap_or_default(),
                }));
            }
            Err(RequestTokenError::Request(error)) => {
                return Err(Fault::http(&error.0, self.issuer, DEADLINE));
            }
            // The text may hold what was received, tokens included: it is not shown.
            Err(RequestTokenError::Parse(..) | RequestTokenError::Other(_)) => {
                return Err(Fault::other(
                    "the token endpoint answered in a form that is not OAuth 2.0's",
                ));
            }
        };
        let id = answer
            .id_token()
            .ok_or_else(|| Fault::other("the token endpoint gave no ID token"))?;
        let checker = client
            .id_token_verifier()
            .set_other_audience_verifier_fn(|_| true);
        if checkable(id.signing_alg().ok()) {
            id.claims(&checker, &nonce).map_err(|error| {
                Fault::Other(format!("the ID token does not hold what it must: {error}"))
            })?;
        }
        Ok(Login::In(Tokens {
            id: Some(id.to_string().into()),
            access: answer.access_token().secret().as_str().into(),
            refresh: answer
                .refresh_token()
                .map(|token| token.secret().as_str().into()),
        }))
    }

    fn undiscovered(&self, error: DiscoveryError<HttpError>) -> Fault {
        match error {
            DiscoveryError::Request(error) => Fault::http(&error.0, self.issuer, DEADLINE),
            other => Fault::Other(format!("discovery of {}: {other}", self.issuer)),
        }
    }
}

/// The `openidconnect` crate cannot verify ES512.
fn checkable(algorithm: Option<&CoreJwsSigningAlgorithm>) -> bool {
    algorithm.is_some_and(|algorithm| *algorithm != CoreJwsSigningAlgorithm::EcdsaP521Sha512)
}

/// The code of a callback (RFC 6749, sections 4.1.2 and 4.1.2.1), or the refusal in its place.
fn callback(url: &Url, state: &str) -> Result<Result<String, Refusal>, Fault> {
    let find = |wanted: &str| {
        url.query_pairs()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.into_owned())
    };
    if let Some(error) = find("error") {
        return Ok(Err(Refusal {
            error,
            description: find("error_description").unwrap_or_default(),
        }));
    }
    if find("state").as_deref() != Some(state) {
        return Err(Fault::other("the provider came back with another `state`"));
    }
    match find("code") {
        Some(code) => Ok(Ok(code)),
        None => Err(Fault::other("the provider came back without a `code`")),
    }
}

/// `reqwest`'s error as the crate wants it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct HttpError(#[from] reqwest::Error);

async fn send(client: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let response = client.execute(request.try_into()?).await?;
    let mut out = http::Response::new(Vec::new());
    *out.status_mut() = response.status();
    *out.headers_mut() = response.headers().clone();
    *out.body_mut() = response.bytes().await?.to_vec();
    Ok(out)
}

fn other(error: impl std::fmt::Display) -> Fault {
    Fault::Other(error.to_string())
}
