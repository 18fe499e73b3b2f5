//! Pages as real providers write them, by their shape.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use super::about::challenge;
use super::device::next;
use super::forms::{Form, Page, complaint, read, refusal, way};

const LOGIN: &str = r#"<html><head><title>dex</title></head><body>
  <form method="post" action="/dex/auth/local/login?back=&amp;state=abc">
    <label for="login">Email Address</label>
    <input required id="login" name="login" type="text" placeholder="email address" autofocus/>
    <input required id="password" name="password" type="password"/>
    COMPLAINT
    <input type="checkbox" name="remember_me"/>
    <button id="submit-login" type="submit">Login</button>
  </form>
  <a href="/dex/auth">Select another login method.</a>
  <script>document.querySelector('form').onsubmit = function() {};</script>
</body></html>"#;

#[test]
fn a_login_form_is_known_by_its_password_field() {
    let Page::Login(form) = read(LOGIN) else {
        panic!("no login form");
    };
    assert_eq!(
        form.action.as_deref(),
        Some("/dex/auth/local/login?back=&state=abc")
    );
    assert!(form.post);
    assert_eq!(form.login.as_deref(), Some("login"));
    assert_eq!(form.password.as_deref(), Some("password"));
    assert!(
        form.given.is_empty(),
        "an unchecked box is not sent: {form:?}"
    );
}

#[test]
fn the_button_that_refuses_is_pressed_where_somebody_refuses() {
    let page = r#"<form action="/consent" method="POST"><input type="hidden" name="code" value="7">
        <input name="accept" type="submit" value="Yes"><input name="cancel" type="submit" value="No"></form>"#;
    let pressed = |form: &Form| form.given.last().map(|(name, _)| name.clone());
    let Page::Approval(yes) = read(page) else {
        panic!("no approval form");
    };
    assert_eq!(pressed(&yes).as_deref(), Some("accept"));
    let no = refusal(page).unwrap();
    assert_eq!(pressed(&no).as_deref(), Some("cancel"));
    // A page that leaves no choice.
    let page =
        r#"<form method="post"><input name="user_code" value="AB"><button>Submit</button></form>"#;
    assert_eq!(refusal(page), None);
}

#[test]
fn a_page_may_ask_for_the_name_alone() {
    let page = r#"<form action="/auth" method="post"><input name="username" type="text" autofocus>
        <input type="submit" value="Sign In"></form>"#;
    let Page::Login(form) = read(page) else {
        panic!("no login form");
    };
    assert_eq!(form.login.as_deref(), Some("username"));
    assert_eq!(form.password, None);
}

#[test]
fn other_field_names_and_hidden_fields_are_taken_from_the_form() {
    let page = r#"<form id="kc-form-login" action="https://kc/login" method="POST">
        <input name="username" type="email"><input name="password" type="password">
        <input type="hidden" name="credentialId" value="7"/>
        <input type="checkbox" name="rememberMe" checked>
        <input name="login" type="submit" value="Sign In"/></form>"#;
    let Page::Login(form) = read(page) else {
        panic!("no login form");
    };
    assert_eq!(form.login.as_deref(), Some("username"));
    let given = [
        ("credentialId", "7"),
        ("rememberMe", "on"),
        ("login", "Sign In"),
    ];
    let given: Vec<_> = given.map(|(n, v)| (n.to_owned(), v.to_owned())).into();
    assert_eq!(form.given, given);
}

#[test]
fn the_form_that_grants_is_chosen_wherever_it_stands() {
    let form = |value: &str, words: &str| {
        format!(
            r#"<form method="post"><input type="hidden" name="req" value="r1"/>
            <input type="hidden" name="approval" value="{value}"><button type="submit">
            <span>{words}</span></button></form>"#
        )
    };
    let (yes, no) = (form("approve", "Grant Access"), form("rejected", "Cancel"));
    for page in [format!("{yes}{no}"), format!("{no}{yes}")] {
        let Page::Approval(form) = read(&page) else {
            panic!("no approval form");
        };
        assert!(
            form.given
                .contains(&("approval".to_owned(), "approve".to_owned()))
        );
        assert_eq!(form.action, None);
        let no = refusal(&page).unwrap();
        let rejected = ("approval".to_owned(), "rejected".to_owned());
        assert!(no.given.contains(&rejected), "{no:?}");
    }
    // One form, two buttons.
    let page = r#"<form method="post"><input type="submit" name="deny" value="No"/>
        <button name="approval" value="approve">Yes</button></form>"#;
    let Page::Approval(form) = read(page) else {
        panic!("no approval form");
    };
    assert_eq!(form.given, [("approval".to_owned(), "approve".to_owned())]);
}

#[test]
fn a_refusal_is_read_from_the_page() {
    let page = LOGIN.replace(
        "COMPLAINT",
        r#"<div id="login-error" class="dex-error-box">
        Invalid Email Address and password.
      </div>"#,
    );
    assert_eq!(complaint(&page), "Invalid Email Address and password.");
    let page =
        "<body><h2>Bad Request</h2><p>Unregistered redirect_uri.</p><script>x</script></body>";
    assert_eq!(
        read(page),
        Page::Text("Bad Request Unregistered redirect_uri.".to_owned())
    );
}

/// Pages of a Keycloak 26.4 with internationalization: they offer their languages.
#[test]
fn of_a_page_in_many_languages_the_error_is_read() {
    let page = |id: &str, main: &str| {
        format!(
            r#"<html><body data-page-id="login-{id}"><div class="pf-v5-c-login"><header><div id="kc-header-wrapper">acme</div></header>
            <main><h1 id="kc-page-title">We are sorry...</h1><div class="pf-v5-c-form-control">
            <select aria-label="languages" onchange="go()"><option value="/a?kc_locale=en" selected>English</option>
            <option value="/a?kc_locale=de">German (Deutsch)</option></select></div>{main}</main></div></body></html>"#
        )
    };
    let error = page(
        "error",
        r#"<div id="kc-error-message"><p class="instruction">Invalid parameter: redirect_uri</p>
        <p><a id="backToApplication" href="https://app">&laquo; Back to Application</a></p></div>"#,
    );
    assert_eq!(complaint(&error), "Invalid parameter: redirect_uri");
    let info = page(
        "info",
        r#"<div id="kc-info-message"><p class="instruction">You are logged out</p></div>"#,
    );
    let Page::Text(words) = read(&info) else {
        panic!("a page without a form");
    };
    assert_eq!(words, "acme We are sorry... You are logged out");
    let wrong = page(
        "login",
        r#"<form id="kc-form-login" method="post"><span class="pf-v5-c-form-control pf-m-error"><input name="username" value="jane">
        <i class="fas" aria-hidden="true"></i></span><div id="input-error-container-username"><div aria-live="polite">
        <div class="pf-m-error" id="input-error-username"><span class="pf-m-error kc-feedback-text">
        Invalid username or password.</span></div></div></div><input name="password" type="password"></form>"#,
    );
    assert_eq!(complaint(&wrong), "Invalid username or password.");
    assert!(matches!(read(&wrong), Page::Login(_)));
}

#[test]
fn a_code_that_the_page_has_filled_in_stands() {
    let page = r#"<form action="/dex/device/auth/verify_code" method="post">
        <input type="text" name="user_code" value="ABCD-EFGH" required autofocus/>
        <button type="submit">Submit</button></form>"#;
    let Page::Approval(form) = read(page) else {
        panic!("no form to send");
    };
    let code = ("user_code".to_owned(), "ABCD-EFGH".to_owned());
    assert_eq!(form.given, [code]);
}

#[test]
fn a_connector_is_chosen_by_its_link() {
    let page = r#"<a href="/dex/auth/local?client_id=x"><button>Email</button></a>
        <a href="/dex/auth/cluster?client_id=x">Cluster</a>"#;
    let found = way(page, Some("cluster"));
    assert_eq!(found.as_deref(), Some("/dex/auth/cluster?client_id=x"));
    assert_eq!(way(page, Some("clust")), None);
    assert_eq!(way(page, None), None);
}

#[test]
fn a_device_waits_as_long_as_it_is_told() {
    let five = Duration::from_secs(5);
    assert_eq!(next("authorization_pending", five), Some(five));
    assert_eq!(next("slow_down", five), Some(five * 2));
    for end in ["access_denied", "expired_token", "invalid_grant"] {
        assert_eq!(next(end, five), None);
    }
}

#[test]
fn a_challenge_tells_why_a_bearer_is_refused() {
    let of = |text: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(text));
        challenge(&headers).map(|refusal| (refusal.error, refusal.description))
    };
    let told = of(
        r#"Bearer realm="lab", error="invalid_token", error_description="Token verification failed""#,
    );
    let words = ("invalid_token", "Token verification failed");
    assert_eq!(told, Some((words.0.to_owned(), words.1.to_owned())));
    assert_eq!(of(r#"Bearer realm="lab""#), None);
}
