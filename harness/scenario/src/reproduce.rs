//! Commands that do by hand what a step did. Secrets are variables of the shell, never values.

use std::fmt::Write as _;

use authlab_lab::state::State;

use crate::context::Context;
use crate::credential::{Credential, Kind};
use crate::format::Impersonate;

/// Quotes `text` for a POSIX shell where it needs it.
pub(crate) fn quote(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !text.is_empty() && text.chars().all(safe) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// The file of the lab's CA, as the state's placeholders name it.
pub(crate) fn ca_file(state: &State) -> String {
    state
        .values
        .get("lab.file.ca")
        .map_or_else(|| "ca.pem".to_owned(), |path| quote(path))
}

/// kubectl as `credential`, ready for a subcommand to be appended.
pub(crate) fn kubectl(context: &Context<'_>, credential: &Credential) -> String {
    let server = context.server();
    if credential.kind() == Kind::Admin {
        let file = server.kubeconfig.display().to_string();
        return format!("kubectl --kubeconfig {}", quote(&file));
    }
    let mut out = format!(
        "kubectl --kubeconfig /dev/null --server {} --certificate-authority {}",
        server.url,
        ca_file(context.state)
    );
    match credential.kind() {
        Kind::Token => out.push_str(" --token \"$TOKEN\""),
        Kind::Certificate => {
            out.push_str(" --client-certificate \"$CERTIFICATE\" --client-key \"$KEY\"");
        }
        Kind::Anonymous | Kind::Admin => {}
    }
    out
}

/// curl as `credential`, with the URL at the end.
pub(crate) fn curl(
    context: &Context<'_>,
    credential: &Credential,
    method: &str,
    path: &str,
    impersonate: Option<&Impersonate>,
) -> String {
    let mut out = format!("curl --cacert {}", ca_file(context.state));
    match credential.kind() {
        Kind::Token => out.push_str(" -H \"Authorization: Bearer $TOKEN\""),
        Kind::Certificate | Kind::Admin => {
            out.push_str(" --cert \"$CERTIFICATE\" --key \"$KEY\"");
        }
        Kind::Anonymous => {}
    }
    for (name, value) in impersonate.map(Impersonate::headers).unwrap_or_default() {
        let _ = write!(out, " -H {}", quote(&format!("{name}: {value}")));
    }
    let _ = write!(
        out,
        " -X {method} {}",
        quote(&format!("{}{path}", context.server().url))
    );
    out
}
