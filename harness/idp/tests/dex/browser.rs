//! A browser without a screen: follows redirects and sends the forms it finds.

use reqwest::{Response, Url, header::LOCATION};
use scraper::{Html, Selector};

use crate::bench::Bench;

/// A page that has been loaded.
pub struct Page {
    pub url: Url,
    pub status: u16,
    pub body: String,
}

/// Where a sequence of redirects ends.
pub enum Stop {
    /// At a page of the server.
    Page(Page),
    /// At an address elsewhere, which is not opened: the client's.
    Away(Url),
}

impl Stop {
    pub fn page(self) -> Page {
        match self {
            Self::Page(page) => page,
            Self::Away(url) => panic!("a page was expected, not a redirect to {url}"),
        }
    }

    pub fn away(self) -> Url {
        match self {
            Self::Away(url) => url,
            Self::Page(page) => panic!(
                "a redirect away was expected, not {} {}",
                page.status, page.body
            ),
        }
    }
}

/// Opens an address of the server and follows where it leads.
pub async fn open(bench: &Bench, url: &str) -> Stop {
    follow(bench, bench.client.get(url).send().await.unwrap()).await
}

/// Fills the page's first form, or the one that has this field and value, and sends it.
pub async fn submit(bench: &Bench, page: &Page, fill: &[(&str, &str)]) -> Stop {
    let (method, action, fields) = form(page, fill);
    assert_eq!(method, "post");
    let request = bench.client.post(action).form(&fields);
    follow(bench, request.send().await.unwrap()).await
}

/// jane, as she fills the login form.
pub const JANE: [(&str, &str); 2] = [("login", "jane@example.com"), ("password", "password")];

/// Fills the login form, agrees, and follows: to the client, unless something is wrong.
pub async fn log_in(bench: &Bench, login: &Page, who: &[(&str, &str)]) -> Stop {
    let approval = submit(bench, login, who).await.page();
    approve(bench, &approval).await
}

/// Agrees to what a client asks for.
pub async fn approve(bench: &Bench, approval: &Page) -> Stop {
    submit(bench, approval, &[("approval", "approve")]).await
}

fn form(page: &Page, fill: &[(&str, &str)]) -> (String, Url, Vec<(String, String)>) {
    let document = Html::parse_document(&page.body);
    let inputs = Selector::parse("input[name]").unwrap();
    for form in document.select(&Selector::parse("form").unwrap()) {
        let mut fields = Vec::new();
        let mut missing: Vec<_> = fill.iter().map(|(name, _)| *name).collect();
        for input in form.select(&inputs) {
            let name = input.value().attr("name").unwrap();
            let preset = input.value().attr("value").unwrap_or_default();
            let hidden = input.value().attr("type") == Some("hidden");
            let value = fill
                .iter()
                .find(|(filled, _)| *filled == name)
                .map(|(_, value)| *value);
            if value.is_some_and(|value| !hidden || value == preset) {
                missing.retain(|missing| *missing != name);
            }
            let value = value.filter(|_| !hidden).unwrap_or(preset);
            fields.push((name.to_owned(), value.to_owned()));
        }
        if missing.is_empty() {
            let attribute = |name| form.value().attr(name);
            let action =
                attribute("action").map_or(page.url.clone(), |to| page.url.join(to).unwrap());
            return (
                attribute("method").unwrap_or("get").to_lowercase(),
                action,
                fields,
            );
        }
    }
    panic!("no form with {fill:?} in {}", page.body);
}

async fn follow(bench: &Bench, mut response: Response) -> Stop {
    for _ in 0..10 {
        let url = response.url().clone();
        let Some(location) = response.headers().get(LOCATION) else {
            let status = response.status().as_u16();
            let body = response.text().await.unwrap();
            return Stop::Page(Page { url, status, body });
        };
        let next = url.join(location.to_str().unwrap()).unwrap();
        let known = [Some(&bench.issuer), bench.upstream.as_ref()];
        let stays = known.into_iter().flatten().any(|issuer| {
            let issuer: Url = issuer.parse().unwrap();
            issuer.origin() == next.origin()
        });
        if !stays {
            return Stop::Away(next);
        }
        response = bench.client.get(next).send().await.unwrap();
    }
    panic!("redirected in circles");
}

/// A value of an address's query.
pub fn query(url: &Url, name: &str) -> Option<String> {
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned())
}
