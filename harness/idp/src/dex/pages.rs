//! What people see in a browser. The fields of the forms are Dex's, the pages are not.

use axum::{
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};

use crate::oidc::html::{escape, page};

/// The pages of one provider.
pub(crate) struct Pages {
    title: String,
    style: String,
}

impl Pages {
    /// Pages under a title, with the style sheet at this address.
    pub(crate) fn new(title: &str, style: String) -> Self {
        Self {
            title: title.to_owned(),
            style,
        }
    }

    fn show(&self, status: StatusCode, body: &str) -> Response {
        (status, Html(page(&self.title, &self.style, body))).into_response()
    }

    /// Why a login ends here.
    pub(crate) fn error(&self, status: StatusCode, message: &str) -> Response {
        let reason = status.canonical_reason().unwrap_or_default();
        self.show(
            status,
            &format!("<h1>{reason}</h1>\n<p>{}</p>\n", escape(message)),
        )
    }

    /// The choice among connectors, each by name and address.
    pub(crate) fn choice(&self, connectors: &[(&str, String)]) -> Response {
        let links: String = connectors
            .iter()
            .map(|(name, address)| {
                format!(
                    "<li><a href=\"{}\">Log in with {}</a></li>\n",
                    escape(address),
                    escape(name)
                )
            })
            .collect();
        let body = format!(
            "<h1>Log in to {}</h1>\n<ul>\n{links}</ul>\n",
            escape(&self.title)
        );
        self.show(StatusCode::OK, &body)
    }

    /// The form for a name (asked for as `prompt`) and a password, sent to `action`; `failed` is the name that was not
    /// let in.
    pub(crate) fn password(
        &self,
        action: &str,
        prompt: &str,
        failed: Option<&str>,
        back: &str,
    ) -> Response {
        let (status, name, error) = match failed {
            None => (StatusCode::OK, String::new(), String::new()),
            Some(name) => (
                StatusCode::UNAUTHORIZED,
                format!(" value=\"{}\"", escape(name)),
                format!(
                    "<p id=\"login-error\" class=\"error\">Invalid {prompt} and password.</p>\n"
                ),
            ),
        };
        let back = match back {
            "" => String::new(),
            back => format!(
                "<p><a href=\"{}\">Use another way to log in</a></p>\n",
                escape(back)
            ),
        };
        let body = format!(
            "<h1>Log in to {}</h1>\n<form method=\"post\" action=\"{}\">\n\
             <label for=\"login\">{prompt}</label>\n\
             <input type=\"text\" id=\"login\" name=\"login\"{name} required>\n\
             <label for=\"password\">Password</label>\n\
             <input type=\"password\" id=\"password\" name=\"password\" required>\n{error}\
             <button type=\"submit\" id=\"submit-login\">Login</button>\n</form>\n{back}",
            escape(&self.title),
            escape(action),
        );
        self.show(status, &body)
    }

    /// The question whether a client may have what it asks for. Both forms go back to the page's own address.
    pub(crate) fn approval(
        &self,
        request: &str,
        user: &str,
        client: &str,
        wishes: &[&str],
    ) -> Response {
        let (user, client) = (escape(user), escape(client));
        let wishes = match wishes {
            [] => format!("<p>{client} asks for nothing about you.</p>\n"),
            wishes => {
                let items: String = wishes
                    .iter()
                    .map(|wish| format!("<li>{}</li>\n", escape(wish)))
                    .collect();
                format!("<p>{client} asks for:</p>\n<ul>\n{items}</ul>\n")
            }
        };
        let form = |answer: &str, label: &str| {
            format!(
                "<form method=\"post\">\n<input type=\"hidden\" name=\"req\" value=\"{}\">\n\
                 <input type=\"hidden\" name=\"approval\" value=\"{answer}\">\n\
                 <button type=\"submit\">{label}</button>\n</form>\n",
                escape(request)
            )
        };
        let (yes, no) = (form("approve", "Grant access"), form("rejected", "Cancel"));
        self.show(
            StatusCode::OK,
            &format!(
                "<h1>Grant access</h1>\n<p>You are logged in as {user}.</p>\n{wishes}{yes}{no}"
            ),
        )
    }

    /// The form for a device's code, sent to `action`; `invalid` says that this one was not known.
    pub(crate) fn device(&self, action: &str, code: &str, invalid: bool) -> Response {
        let (status, error) = match invalid {
            false => (StatusCode::OK, ""),
            true => (
                StatusCode::BAD_REQUEST,
                "<p id=\"login-error\" class=\"error\">Invalid or Expired User Code</p>\n",
            ),
        };
        let value = match code {
            "" => String::new(),
            code => format!(" value=\"{}\"", escape(code)),
        };
        let body = format!(
            "<h1>Enter User Code</h1>\n<form method=\"post\" action=\"{}\">\n\
             <input type=\"text\" id=\"user_code\" name=\"user_code\" autocomplete=\"off\"{value} required>\n{error}\
             <button type=\"submit\" id=\"submit-login\">Submit</button>\n</form>\n",
            escape(action)
        );
        self.show(status, &body)
    }

    /// The end of a device's login.
    pub(crate) fn device_done(&self, client: &str) -> Response {
        let body = format!(
            "<h1>Login Successful for {}</h1>\n<p>Return to your device to continue</p>\n",
            escape(client)
        );
        self.show(StatusCode::OK, &body)
    }

    /// The code, for a client that cannot be redirected to.
    pub(crate) fn code(&self, code: &str) -> Response {
        let body = format!(
            "<h1>Login successful</h1>\n<p>Copy this code into the application that asked for it.</p>\n\
             <input type=\"text\" value=\"{}\" readonly>\n",
            escape(code)
        );
        self.show(StatusCode::OK, &body)
    }

    /// The page at the issuer's own address.
    pub(crate) fn home(&self, discovery: &str) -> Response {
        let body = format!(
            "<h1>Dex, embedded</h1>\n<p><a href=\"{}\">Discovery</a></p>\n",
            escape(discovery)
        );
        self.show(StatusCode::OK, &body)
    }
}

/// What a scope lets a client see, in the words of the page; nothing for a technical one.
pub(crate) fn wish(scope: &str) -> Option<&'static str> {
    match scope {
        "offline_access" => Some("access while you are away"),
        "profile" => Some("your name"),
        "email" => Some("your e-mail address"),
        "groups" => Some("your groups"),
        _ => None,
    }
}

/// The style sheet of all pages.
pub(crate) fn style() -> Response {
    const STYLE: &str = "body{font:16px/1.5 sans-serif;margin:0;background:#f4f5f7;color:#1c1e21}\
        main{max-width:26rem;margin:12vh auto;padding:2rem;background:#fff;border-radius:.5rem}\
        h1{font-size:1.25rem;margin-top:0}label,input,button{display:block;width:100%;box-sizing:border-box}\
        input,button{margin:.25rem 0 1rem;padding:.5rem;font:inherit}.error{color:#b00020}";
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}
