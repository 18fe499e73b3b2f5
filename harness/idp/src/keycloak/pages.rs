//! Pages, with the forms and fields of Keycloak's own theme.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};

use super::server::Server;
use crate::oidc::html;

/// Not to be kept, so that a browser's way back leads to no stale form.
pub(super) const NEVER_BACK: &str = "no-store, must-revalidate, max-age=0";

const STYLE: &str = "data:text/css,body{font:16px sans-serif;max-width:26rem;margin:12vh auto}\
    input,button{display:block;width:100%25;margin:.25rem 0 1rem}";

/// The realm as people read it.
fn name(server: &Server) -> &str {
    match server.realm.display_name.as_str() {
        "" => &server.realm.name,
        name => name,
    }
}

fn page(server: &Server, status: StatusCode, body: &str) -> Response {
    let page = html::page(&format!("Sign in to {}", name(server)), STYLE, body);
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html;charset=utf-8"),
        ),
        (
            header::X_FRAME_OPTIONS,
            HeaderValue::from_static("SAMEORIGIN"),
        ),
    ];
    (status, headers, page).into_response()
}

/// The page that says what is wrong.
pub(super) fn error(server: &Server, status: StatusCode, message: &str) -> Response {
    let body = format!(
        "<div id=\"kc-header-wrapper\">{}</div>\n<h1 id=\"kc-page-title\">We are sorry...</h1>\n\
         <div id=\"kc-error-message\">\n<p class=\"instruction\">{}</p>\n</div>\n",
        html::escape(name(server)),
        html::escape(message)
    );
    page(server, status, &body)
}

/// What the form for name and password says besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said<'a> {
    Nothing,
    /// Name or password is wrong; the name is in its field again.
    Wrong(&'a str),
    Disabled(&'a str),
    /// Somebody is logged in, and has to give the password again.
    Again,
}

/// The form for name and password.
pub(super) fn login(server: &Server, action: &str, said: Said) -> Response {
    let action = html::escape(action);
    let (name, error) = match said {
        Said::Nothing | Said::Again => ("", None),
        Said::Wrong(name) => (name, Some("Invalid username or password.")),
        Said::Disabled(name) => (
            name,
            Some("Account is disabled, contact your administrator."),
        ),
    };
    let error = error.map_or(String::new(), |error| {
        format!("<div id=\"input-error-username\"><span class=\"kc-feedback-text\">{error}</span></div>\n")
    });
    let (note, field) = match said {
        Said::Again => (
            "<span class=\"kc-feedback-text\">Please re-authenticate to continue</span>\n",
            String::new(),
        ),
        _ => (
            "",
            format!(
                "<label for=\"username\">Username or email</label>\n\
             <input id=\"username\" name=\"username\" value=\"{}\" type=\"text\" autocomplete=\"username\" autofocus>\n",
                html::escape(name),
            ),
        ),
    };
    let body = format!(
        "{note}<form id=\"kc-form-login\" action=\"{action}\" method=\"post\" novalidate>\n{field}{error}\
         <label for=\"password\">Password</label>\n\
         <input id=\"password\" name=\"password\" value=\"\" type=\"password\" autocomplete=\"current-password\">\n\
         <button id=\"password-show-password\" type=\"button\" aria-label=\"Show password\"></button>\n\
         <input type=\"hidden\" id=\"id-hidden-input\" name=\"credentialId\">\n\
         <button name=\"login\" id=\"kc-login\" type=\"submit\">Sign In</button>\n</form>\n",
    );
    let mut response = page(server, StatusCode::OK, &body);
    never_back(&mut response);
    response
}

/// The form for a device's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CodeForm {
    Empty,
    /// There is no such code, or it was used.
    Invalid,
}

/// The page where the user types what the device shows.
pub(super) fn user_code(server: &Server, form: CodeForm) -> Response {
    let said = match form {
        CodeForm::Empty => "",
        CodeForm::Invalid => {
            "<span class=\"kc-feedback-text\">Invalid code, please try again.</span>\n"
        }
    };
    let body = format!(
        "<h1>Device Login</h1>\n{said}\
         <form id=\"kc-user-verify-device-user-code-form\" action=\"/realms/{}/device\" method=\"post\">\n\
         <label for=\"device-user-code\">Enter the code provided by your device and click Submit</label>\n\
         <input id=\"device-user-code\" name=\"device_user_code\" autocomplete=\"off\" type=\"text\" autofocus>\n\
         <input type=\"submit\" value=\"Submit\">\n</form>\n",
        html::escape(&server.realm.name),
    );
    let mut response = page(server, StatusCode::OK, &body);
    never_back(&mut response);
    response
}

/// The page after a login for a device.
pub(super) fn device_ready(server: &Server) -> Response {
    let body = "<h1>Device Login Successful</h1>\n\
        <p class=\"instruction\">You may close this browser window and go back to your device.</p>\n";
    page(server, StatusCode::OK, body)
}

/// The page after a login for a device that its user refused: no error to a browser.
pub(super) fn device_denied(server: &Server) -> Response {
    let again = format!("{}/device", server.issuer);
    let body = format!(
        "<h1>Device Login Failed</h1>\n<div id=\"kc-info-message\">Consent denied for connecting the device.\n\
         <a href=\"{}\">&raquo; Click here to proceed</a></div>\n",
        html::escape(&again)
    );
    page(server, StatusCode::OK, &body)
}

/// The question whether a client may have the session.
pub(super) fn consent(server: &Server, action: &str, code: &str, client: &str) -> Response {
    let body = format!(
        "<p>Grant Access to {}</p>\n<form action=\"{}\" method=\"POST\">\n\
         <input type=\"hidden\" name=\"code\" value=\"{}\">\n\
         <button name=\"accept\" id=\"kc-login\" type=\"submit\">Yes</button>\n\
         <button name=\"cancel\" id=\"kc-cancel\" type=\"submit\">No</button>\n</form>\n",
        html::escape(client),
        html::escape(action),
        html::escape(code),
    );
    let mut response = page(server, StatusCode::OK, &body);
    never_back(&mut response);
    response
}

/// The question whether to log out.
pub(super) fn logout(server: &Server, action: &str, code: &str) -> Response {
    let body = format!(
        "<p class=\"instruction\">Do you want to log out?</p>\n\
         <form class=\"form-actions\" action=\"{}\" method=\"POST\">\n\
         <input type=\"hidden\" name=\"session_code\" value=\"{}\">\n\
         <input tabindex=\"4\" name=\"confirmLogout\" id=\"kc-logout\" type=\"submit\" value=\"Logout\">\n</form>\n",
        html::escape(action),
        html::escape(code),
    );
    page(server, StatusCode::OK, &body)
}

/// The page after a logout that leads nowhere.
pub(super) fn logged_out(server: &Server) -> Response {
    page(
        server,
        StatusCode::OK,
        "<p class=\"instruction\">You are logged out</p>\n",
    )
}

pub(super) fn never_back(response: &mut Response) {
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static(NEVER_BACK));
}

/// Sends the browser elsewhere.
pub(super) fn redirect(address: &str) -> Response {
    match HeaderValue::from_str(address) {
        Ok(address) => (StatusCode::FOUND, [(header::LOCATION, address)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// The cookies of a browser that has a login before it.
pub(super) fn auth_cookies(server: &Server, response: &mut Response, browser: &str) {
    cookie(server, response, "AUTH_SESSION_ID", browser, ";HttpOnly");
    cookie(
        server,
        response,
        "KC_AUTH_SESSION_HASH",
        "\"x\"",
        ";Max-Age=60",
    );
}

/// A cookie for the realm's pages; an empty value removes it.
pub(super) fn cookie(
    server: &Server,
    response: &mut Response,
    name: &str,
    value: &str,
    more: &str,
) {
    let path = format!("/realms/{}/", server.realm.name);
    let text = match value {
        "" => format!("{name}=;Version=1;Path={path};Max-Age=0"),
        value => format!("{name}={value};Version=1;Path={path}{more};Secure;SameSite=None"),
    };
    if let Ok(text) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, text);
    }
}
