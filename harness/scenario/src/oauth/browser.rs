//! A browser without a window: follows redirects by hand, keeps cookies, fills the forms it finds.

use authlab_lab::spec::UserSpec;
use reqwest::header::LOCATION;
use secrecy::ExposeSecret;
use url::Url;

use super::forms::{self, Form, Page};
use super::{Refusal, client_for, shorten};
use crate::api::DEADLINE;
use crate::fault::Fault;

/// Pages and redirects of one login, at most.
const HOPS: usize = 20;

/// Where a login ended.
#[derive(Debug)]
pub(super) enum Landing {
    /// At the client's redirect URI, which is not visited.
    Callback(Url),
    /// At a page that refuses.
    Refused(Refusal),
}

/// Goes to `start` and on until `redirect_uri`, logging in as `user` where a page asks for it.
///
/// # Errors
/// When a page is neither a form nor a refusal, and when no answer comes.
pub(super) async fn visit(
    ca: &str,
    start: Url,
    redirect_uri: &Url,
    user: &UserSpec,
) -> Result<Landing, Fault> {
    let client = client_for(ca, true)?;
    let mut url = start;
    let mut request = client.get(url.clone());
    let mut logged_in = false;
    for _ in 0..HOPS {
        let fault = |error: reqwest::Error| Fault::http(&error, address(&url).as_str(), DEADLINE);
        let response = request.send().await.map_err(fault)?;
        let status = response.status();
        if status.is_redirection() {
            let location = response
                .headers()
                .get(LOCATION)
                .and_then(|value| value.to_str().ok())
                .and_then(|value| url.join(value).ok())
                .ok_or_else(|| broken(&url, status.as_u16(), "a redirect that leads nowhere"))?;
            if address(&location) == address(redirect_uri) {
                return Ok(Landing::Callback(location));
            }
            url = location;
            request = client.get(url.clone());
            continue;
        }
        let page = response.text().await.map_err(fault)?;
        if status.is_server_error() || status.as_u16() == 429 {
            return Err(broken(&url, status.as_u16(), &forms::complaint(&page)));
        }
        let form = match forms::read(&page) {
            Page::Login(_) if logged_in => return Ok(refused(&forms::complaint(&page))),
            Page::Login(mut form) => {
                logged_in = true;
                fill(&mut form, user);
                form
            }
            Page::Approval(form) => form,
            Page::Text(text) if status.is_client_error() => return Ok(refused(&text)),
            Page::Text(text) => return Err(broken(&url, status.as_u16(), &text)),
        };
        url = target(&form, &url)?;
        request = if form.post {
            client.post(url.clone()).form(&form.given)
        } else {
            url.query_pairs_mut().extend_pairs(&form.given);
            client.get(url.clone())
        };
    }
    Err(broken(&url, 0, "the login does not come to an end"))
}

fn refused(description: &str) -> Landing {
    Landing::Refused(Refusal {
        error: String::new(),
        description: shorten(description),
    })
}

fn fill(form: &mut Form, user: &UserSpec) {
    if let Some(name) = form.login.take() {
        form.given.push((name, user.login.clone()));
    }
    if let Some(name) = &form.password {
        form.given
            .push((name.clone(), user.password.expose_secret().to_owned()));
    }
}

fn target(form: &Form, page: &Url) -> Result<Url, Fault> {
    match &form.action {
        Some(action) => page.join(action).map_err(|error| {
            Fault::Other(format!(
                "a form of {} goes to {action}: {error}",
                address(page)
            ))
        }),
        None => Ok(page.clone()),
    }
}

/// The URL without its query, which may hold codes.
fn address(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url
}

fn broken(url: &Url, status: u16, text: &str) -> Fault {
    Fault::Answer {
        what: address(url).to_string(),
        status,
        message: shorten(text),
    }
}
