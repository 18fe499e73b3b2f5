//! Calls by scripts of other sites (<https://fetch.spec.whatwg.org/#http-cors-protocol>), as Dex answers them by the
//! package `gorilla/handlers`.

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{config::Cors, go::form::Call};

/// What the rules make of a call.
pub(crate) struct Outcome {
    /// The answer, when the endpoint is not to be asked.
    pub answer: Option<Response>,
    pub headers: Headers,
}

/// Headers for whatever is answered.
#[derive(Default)]
pub(crate) struct Headers(HeaderMap);

impl Headers {
    pub(crate) fn apply(self, mut response: Response) -> Response {
        for (name, value) in self.0.iter() {
            response.headers_mut().insert(name, value.clone());
        }
        response
    }

    fn set(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.insert(name, value);
        }
    }
}

pub(crate) fn check(cors: &Cors, call: &Call) -> Outcome {
    let mut headers = Headers::default();
    let mut end = None;
    if !cors.origins.is_empty() {
        end = apply(cors, call, &mut headers).err();
    }
    Outcome {
        answer: end.map(IntoResponse::into_response),
        headers,
    }
}

/// Adds the headers of an allowed call; the status of one that ends here.
fn apply(cors: &Cors, call: &Call, headers: &mut Headers) -> Result<(), StatusCode> {
    let text = |name: HeaderName| call.headers.get(name).and_then(|value| value.to_str().ok());
    let preflight = call.method == Method::OPTIONS;
    let origin = text(header::ORIGIN).unwrap_or_default();
    let any = cors.origins.iter().any(|allowed| allowed == "*");
    if origin.is_empty() || !(any || cors.origins.iter().any(|allowed| allowed == origin)) {
        return if preflight {
            Err(StatusCode::OK)
        } else {
            Ok(())
        };
    }
    if preflight {
        let method = text(header::ACCESS_CONTROL_REQUEST_METHOD).ok_or(StatusCode::BAD_REQUEST)?;
        if !matches!(method, "GET" | "HEAD" | "POST") {
            return Err(StatusCode::METHOD_NOT_ALLOWED);
        }
        let asked = text(header::ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
        let mut allowed = Vec::new();
        for name in asked
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            let is = |known: &&str| known.eq_ignore_ascii_case(name);
            if ["Accept", "Accept-Language", "Content-Language", "Origin"]
                .iter()
                .any(is)
            {
                continue;
            }
            if !cors
                .headers
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
            {
                return Err(StatusCode::FORBIDDEN);
            }
            allowed.push(canonical(name));
        }
        if !allowed.is_empty() {
            headers.set(header::ACCESS_CONTROL_ALLOW_HEADERS, &allowed.join(","));
        }
    }
    if cors.origins.len() > 1 {
        headers.set(header::VARY, "Origin");
    }
    headers.set(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        if any { "*" } else { origin },
    );
    if preflight {
        Err(StatusCode::OK)
    } else {
        Ok(())
    }
}

/// A header's name as Go writes it: `content-type` as `Content-Type`.
fn canonical(name: &str) -> String {
    let mut upper = true;
    name.chars()
        .map(|c| {
            let out = if upper {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            };
            upper = c == '-';
            out
        })
        .collect()
}
