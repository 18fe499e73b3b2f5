//! A browser without a window: follows redirects by hand, keeps cookies, fills the forms it finds.

use authlab_lab::spec::UserSpec;
use reqwest::header::{ACCEPT_LANGUAGE, LOCATION};
use secrecy::ExposeSecret;
use url::Url;

use super::forms::{self, Form, Page};
use super::{Refusal, client_for, shorten};
use crate::api::DEADLINE;
use crate::fault::Fault;

/// Pages and redirects of one login, at most.
const HOPS: usize = 20;

/// What a scenario reads is written in this, whatever language a provider begins with.
const LANGUAGE: &str = "en";

/// Who sits before the browser.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Person<'a> {
    /// Their name and password.
    pub user: &'a UserSpec,
    /// The way in that they choose where a page offers several.
    pub connector: Option<&'a str>,
    /// Whether they agree where a page asks.
    pub consents: bool,
}

/// Where a login is to end.
#[derive(Debug, Clone, Copy)]
pub(super) enum End<'a> {
    /// At the client's redirect URI.
    At(&'a Url),
    /// At a page that has no more questions, after at least one that had.
    Page,
}

/// Where a login ended.
#[derive(Debug)]
pub(super) enum Landing {
    /// At the client's redirect URI, which is not visited.
    Callback(Url),
    /// At a page that has no more questions; this is its text as HTML.
    Page(String),
    /// At a page that refuses.
    Refused(Refusal),
}

/// Goes to `start` and on until `end` as `person` does: logs in where a page asks for it, and agrees or
/// refuses.
///
/// # Errors
/// When a page is neither a form nor a refusal, and when no answer comes.
pub(super) async fn visit(
    ca: &str,
    start: Url,
    end: End<'_>,
    person: Person<'_>,
) -> Result<Landing, Fault> {
    let client = client_for(ca, true)?;
    let get = |url: &Url| client.get(url.clone()).header(ACCEPT_LANGUAGE, LANGUAGE);
    let mut url = start;
    let mut request = get(&url);
    let (mut asked, mut named, mut logged_in, mut said_no) = (false, false, false, false);
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
            if let End::At(redirect_uri) = end
                && address(&location) == address(redirect_uri)
            {
                return Ok(Landing::Callback(location));
            }
            url = location;
            request = get(&url);
            continue;
        }
        let page = response.text().await.map_err(fault)?;
        // Dex answers a refusal with an error of its own.
        if said_no && !status.is_success() {
            let refusal = Refusal::page(&forms::complaint(&page));
            return Ok(Landing::Refused(refusal));
        }
        if status.is_server_error() || status.as_u16() == 429 {
            return Err(broken(&url, status.as_u16(), &forms::complaint(&page)));
        }
        let form = match forms::read(&page) {
            // Some ask for the name first, and for the password on a page of its own.
            Page::Login(form) if logged_in || named && form.password.is_none() => {
                let refusal = Refusal::page(&forms::complaint(&page));
                return Ok(Landing::Refused(refusal));
            }
            Page::Login(mut form) => {
                named = true;
                logged_in = form.password.is_some();
                fill(&mut form, person.user);
                form
            }
            Page::Approval(form) => match forms::refusal(&page) {
                Some(no) if !person.consents => {
                    said_no = true;
                    no
                }
                _ => form,
            },
            Page::Text(_) if status.is_client_error() => {
                let refusal = Refusal::of_json(&page);
                let refusal = refusal.unwrap_or_else(|| Refusal::page(&forms::complaint(&page)));
                return Ok(Landing::Refused(refusal));
            }
            Page::Text(text) => match (forms::way(&page, person.connector), end) {
                (Some(way), _) => {
                    url = url
                        .join(&way)
                        .map_err(|error| leads_astray(&url, &way, &error))?;
                    request = get(&url);
                    continue;
                }
                (None, End::Page) if asked => return Ok(Landing::Page(page)),
                (None, _) => return Err(broken(&url, status.as_u16(), &text)),
            },
        };
        asked = true;
        url = target(&form, &url)?;
        request = if form.post {
            let post = client.post(url.clone()).form(&form.given);
            post.header(ACCEPT_LANGUAGE, LANGUAGE)
        } else {
            url.query_pairs_mut().extend_pairs(&form.given);
            get(&url)
        };
    }
    Err(broken(
        &url,
        0,
        "the login does not come to an end: one page leads to another",
    ))
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
        Some(action) => page
            .join(action)
            .map_err(|error| leads_astray(page, action, &error)),
        None => Ok(page.clone()),
    }
}

fn leads_astray(page: &Url, to: &str, error: &url::ParseError) -> Fault {
    Fault::Other(format!("{} leads to {to}: {error}", address(page)))
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
