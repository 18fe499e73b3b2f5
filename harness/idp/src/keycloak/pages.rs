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

fn page(server: &Server, status: StatusCode, body: &str) -> Response {
    let name = match server.realm.display_name.as_str() {
        "" => &server.realm.name,
        name => name,
    };
    let page = html::page(&format!("Sign in to {name}"), STYLE, body);
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
        "<div id=\"kc-error-message\">\n<p class=\"instruction\">{}</p>\n</div>\n",
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
