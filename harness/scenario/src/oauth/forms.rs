//! Reading a login page as a browser would: its forms, and what it says when it refuses.

use scraper::{ElementRef, Html, Selector};

/// A form of a page, filled with what the page itself gives.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    /// Where it goes, relative to the page; the page itself when absent.
    pub action: Option<String>,
    /// Whether it is sent with POST.
    pub post: bool,
    /// Names and values that the page gives: hidden fields, checked boxes, the button pressed.
    pub given: Vec<(String, String)>,
    /// The field for the user name.
    pub login: Option<String>,
    /// The field for the password.
    pub password: Option<String>,
    /// Whether pressing its button says no.
    refuses: bool,
}

/// What a page wants next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// A user name, a password, or both.
    Login(Form),
    /// A yes.
    Approval(Form),
    /// Nothing that can be filled in; the text is what the page says.
    Text(String),
}

/// Reads a page.
pub(super) fn read(html: &str) -> Page {
    let page = Html::parse_document(html);
    let mut approval = None;
    for element in page.select(&selector("form")) {
        let form = form(element, Answer::Yes);
        if form.password.is_some() || form.login.is_some() {
            return Page::Login(form);
        }
        if !form.refuses && approval.is_none() {
            approval = Some(form);
        }
    }
    match approval {
        Some(form) => Page::Approval(form),
        None => Page::Text(text(page.root_element())),
    }
}

/// The form by which one says no to what a page asks, where it has one.
pub(super) fn refusal(html: &str) -> Option<Form> {
    let page = Html::parse_document(html);
    let all = selector("form");
    let mut forms = page.select(&all).map(|element| form(element, Answer::No));
    forms.find(|form| form.refuses)
}

/// Which button is pressed where a form has several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
}

/// The link of a page that leads to a login by `connector`: the last part of its path.
pub(super) fn way(html: &str, connector: Option<&str>) -> Option<String> {
    let connector = connector?;
    let page = Html::parse_document(html);
    page.select(&selector("a[href]"))
        .filter_map(|link| link.attr("href"))
        .find(|to| {
            let path = to.split(['?', '#']).next().unwrap_or_default();
            path.rsplit('/').next() == Some(connector)
        })
        .map(str::to_owned)
}

/// What a page gives a person to be typed elsewhere: the value of a field that no form has.
pub(super) fn given(html: &str) -> Option<String> {
    let page = Html::parse_document(html);
    let of_form = |field: &ElementRef<'_>| {
        let mut above = field.ancestors().filter_map(ElementRef::wrap);
        above.any(|element| element.value().name() == "form")
    };
    let text = selector("input[type=text][value]");
    let field = page.select(&text).find(|field| !of_form(field))?;
    field.attr("value").map(str::to_owned)
}

/// What a page says about a login that it refused: the text of whatever is marked as an error, the
/// innermost where the whole page is, without the links that lead on from there.
pub(super) fn complaint(html: &str) -> String {
    let page = Html::parse_document(html);
    let marked = selector("[id*=error], [class*=error], [role=alert]");
    let innermost = |part: &ElementRef<'_>| part.select(&marked).next().is_none();
    let told = |part| words(part, &["a"]);
    page.select(&marked)
        .filter(innermost)
        .map(told)
        .find(|text| !text.is_empty())
        .unwrap_or_else(|| text(page.root_element()))
}

fn selector(css: &str) -> Selector {
    Selector::parse(css).expect("a constant selector parses")
}

fn form(form: ElementRef<'_>, answer: Answer) -> Form {
    let mut out = Form {
        action: form
            .attr("action")
            .filter(|action| !action.is_empty())
            .map(str::to_owned),
        post: form
            .attr("method")
            .is_some_and(|method| method.eq_ignore_ascii_case("post")),
        ..Form::default()
    };
    let mut button = None;
    let mut typed = String::new();
    for field in form.select(&selector("input, button, select, textarea")) {
        let kind = match (field.value().name(), field.attr("type")) {
            ("button", kind) => kind.unwrap_or("submit"),
            (_, kind) => kind.unwrap_or("text"),
        };
        let name = field.attr("name").unwrap_or_default().to_owned();
        let value = field.attr("value").unwrap_or_default().to_owned();
        match kind {
            "submit" | "image" => {
                let words = format!("{value} {}", text(field));
                // The first button that says so is pressed.
                let says = says_no(&words);
                if says != (answer == Answer::No) {
                    out.refuses |= says && button.is_none();
                } else if button.is_none() {
                    out.refuses = says;
                    button = Some((name, value));
                }
            }
            "button" | "reset" | "file" => {}
            _ if name.is_empty() => {}
            "password" => out.password = Some(name),
            "hidden" => {
                out.refuses |= says_no(&value);
                out.given.push((name, value));
            }
            "checkbox" | "radio" => {
                if field.attr("checked").is_some() {
                    let value = if value.is_empty() {
                        "on".to_owned()
                    } else {
                        value
                    };
                    out.given.push((name, value));
                }
            }
            "text" | "email" | "tel" if out.login.is_none() => {
                out.login = Some(name);
                typed = value;
            }
            _ => out.given.push((name, value)),
        }
    }
    if out.password.is_none() && out.login.as_deref() != Some("username") {
        // Not a user name: what the page has filled in stands, a device's code for example.
        out.given.extend(out.login.take().map(|name| (name, typed)));
    }
    out.given
        .extend(button.filter(|(name, _)| !name.is_empty()));
    out
}

/// Whether the words on a button, or in the field that it sends, refuse.
fn says_no(words: &str) -> bool {
    words.split(|c: char| !c.is_alphanumeric()).any(|word| {
        let word = word.to_lowercase();
        [
            "no", "cancel", "deny", "denied", "reject", "rejected", "decline",
        ]
        .contains(&word.as_str())
    })
}

/// The words that a reader sees, on one line.
fn text(element: ElementRef<'_>) -> String {
    words(element, &[])
}

/// The same without what stands in elements of these names. What can be chosen, a page's language
/// for example, says nothing.
fn words(element: ElementRef<'_>, without: &[&str]) -> String {
    let body = element.select(&selector("body")).next().unwrap_or(element);
    let hidden = |node: ElementRef<'_>| {
        let name = node.value().name();
        matches!(name, "script" | "style" | "select") || without.contains(&name)
    };
    let mut words = Vec::new();
    for node in body.descendants() {
        let Some(text) = node.value().as_text() else {
            continue;
        };
        if node.ancestors().filter_map(ElementRef::wrap).any(hidden) {
            continue;
        }
        words.extend(text.split_whitespace());
    }
    words.join(" ")
}
