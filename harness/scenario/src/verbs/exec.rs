//! `exec`: a client program, run as a person runs it.

mod home;
mod person;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use authlab_lab::exec::{Client, Ended, find};
use authlab_lab::source::SourceError;
use authlab_lab::state::Capability;
use regex::Regex;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use serde_saphyr::Spanned;
use tokio::sync::mpsc;
use tokio::time::timeout;

use self::person::Person;
use super::{Loading, Stance, Task, Verb};
use crate::context::Context;
use crate::credential::{ANONYMOUS, Credential};
use crate::fault::Fault;
use crate::format::{OneOrMany, TextMatch};
use crate::objects::manifest::{self, Manifest};
use crate::reproduce;
use crate::seen::Seen;

pub(crate) use home::Homes;

/// How long a program may take, a login in between included.
const PATIENCE: Duration = Duration::from_secs(60);
/// kubelogin as kubectl knows it.
const PLUGIN: &str = "oidc-login";
/// How many of its last lines a program shows that does not do as expected.
const LAST_LINES: usize = 8;

/// Runs a client program by its name and arguments (never a shell), in a home of its own: nothing of
/// the user's environment reaches it but `PATH`. Steps with the same `as` share a home, with its
/// kubeconfig and its caches.
///
/// ```yaml
/// - exec: { program: kubectl, args: [auth, whoami, -o, json], as: jane, expect: { json: { /status/userInfo/username: "dex:jane@example.com" } } }
/// - exec: { program: kubectl, args: [get, nodes], as: jane, expect: { exit: 1, stderr: { contains: Forbidden } } }
/// - exec: { program: kubectl, args: [apply, "--namespace=${lab.namespace}", -f, "-"], manifest: manifests/web.yaml, as: admin }
/// - exec:
///     program: kubelogin
///     args: [get-token, "--oidc-issuer-url=${lab.idp.dex.issuer}", --oidc-client-id=kube, --skip-open-browser, "--listen-address=127.0.0.1:0", "--certificate-authority=${lab.file.ca}"]
///     browser: { idp: dex, user: jane }
///     keep: { token: /status/token, as: jane }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Exec {
    /// The program: `kubectl` or `kubelogin`, from the tool cache (`cargo xtask tools`) or from
    /// `PATH`. Where it is in neither, the scenario is left out.
    program: Program,
    /// Its arguments.
    #[serde(default)]
    args: Vec<String>,
    /// A manifest that it reads from standard input, a path below `fixtures/`: for `-f -`. Objects
    /// that are not in the scenario's own namespace have to be removed by a later step.
    #[serde(default)]
    #[schemars(with = "Option<PathBuf>")]
    manifest: Option<Spanned<PathBuf>>,
    /// The credential that the kubeconfig has (`KUBECONFIG`), as it is when a step first uses it;
    /// `anonymous` when left out. A program may change the file for later steps.
    #[serde(default, rename = "as")]
    #[schemars(with = "Option<String>")]
    as_: Option<Spanned<String>>,
    /// Who goes to the address that the program prints for a browser: one that leads to this
    /// machine, or to the identity provider.
    #[serde(default)]
    browser: Option<Person>,
    /// A token in the program's output that is kept as a credential.
    #[serde(default)]
    keep: Option<Keep>,
    /// The API server, by its name in the lab file; `default` when left out.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    cluster: Option<Spanned<String>>,
    /// What must come of it; an exit code of 0 when left out.
    #[serde(default)]
    expect: Expect,
    /// CEL booleans over `seen`: `exit` (number), and `json` where standard output is JSON.
    #[serde(default)]
    #[schemars(with = "Option<OneOrMany<String>>")]
    check: Option<Spanned<OneOrMany<String>>>,
}

/// A client program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Program {
    /// Kubernetes' own.
    Kubectl,
    /// `kubectl oidc-login`, the credential plugin; kubectl finds it under that name, too.
    Kubelogin,
}

impl Program {
    fn capability(self) -> Capability {
        match self {
            Self::Kubectl => Capability::Kubectl,
            Self::Kubelogin => Capability::Kubelogin,
        }
    }

    fn name(self) -> &'static str {
        self.capability().program().unwrap_or_default()
    }
}

/// A token to keep.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Keep {
    /// Where it is in the JSON on standard output, as a JSON pointer (RFC 6901); all of standard
    /// output when left out.
    #[serde(default)]
    token: Option<String>,
    /// The name under which it is kept.
    #[serde(rename = "as")]
    #[schemars(with = "String")]
    as_: Spanned<String>,
}

/// How a program ends; fields left out may be anything.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Expect {
    /// Its exit code; 0 when left out.
    #[serde(default)]
    exit: i32,
    /// Standard output, without blanks at its end.
    #[serde(default)]
    stdout: Option<TextMatch>,
    /// Standard error, without blanks at its end.
    #[serde(default)]
    stderr: Option<TextMatch>,
    /// Values in the JSON on standard output, by JSON pointer (RFC 6901).
    #[serde(default)]
    json: BTreeMap<String, Value>,
}

impl Exec {
    fn name(&self) -> &str {
        self.as_
            .as_ref()
            .map_or(ANONYMOUS, |as_| as_.value.as_str())
    }

    async fn ended(&self, context: &mut Context<'_>) -> Result<Ended, Fault> {
        let name = self.program.name();
        let path = find(context.root, name)
            .ok_or_else(|| Fault::other(self.program.capability().lacking()))?;
        let variables = home::variables(context, self.name())?;
        let client = Client {
            path,
            args: self.args.iter().map(Into::into).collect(),
            folder: home::folder(&variables),
            variables,
            lab: context.state.folder().to_owned(),
        };
        let (tell, heard) = mpsc::unbounded_channel();
        let (write, typed) = mpsc::unbounded_channel();
        if let Some(path) = &self.manifest {
            // Nobody has ended yet who could read it.
            let _ = write.send(Manifest::text(context.root, &path.value, &context.values)?);
        }
        let run = async {
            let ended = client.run(tell, typed).await;
            ended.map_err(|error| Fault::Other(format!("{name}: {error}")))
        };
        let visit = person::visit(self.browser.as_ref(), context, heard, write);
        match timeout(PATIENCE, async { tokio::try_join!(run, visit) }).await {
            Ok(ended) => Ok(ended?.0),
            Err(_) => Err(Fault::Late {
                url: name.to_owned(),
                seconds: PATIENCE.as_secs(),
            }),
        }
    }

    fn compare(&self, ended: &Ended, seen: &mut Seen) {
        let expect = &self.expect;
        seen.equal("exit", &json!(expect.exit), &json!(ended.code));
        for (what, expected, text) in [
            ("stdout", &expect.stdout, &ended.stdout),
            ("stderr", &expect.stderr, &ended.stderr),
        ] {
            if let Some(expected) = expected {
                let text = text.trim_end();
                seen.row(what, expected.describe(), text, expected.holds(text));
            }
        }
        for (pointer, expected) in &expect.json {
            let json = &seen.data["json"];
            let found = json.pointer(pointer).unwrap_or(&Value::Null).clone();
            seen.equal(pointer, expected, &found);
        }
        let words = match ended.stderr.trim() {
            "" => ended.stdout.trim(),
            words => words,
        };
        if ended.code != Some(0) || !seen.holds() {
            let lines: Vec<&str> = words.lines().collect();
            seen.because(lines[lines.len().saturating_sub(LAST_LINES)..].join("\n"));
        }
    }
}

/// What looks like a token, whoever has made it.
static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*";
    Regex::new(pattern).expect("a constant pattern compiles")
});

impl Verb for Exec {
    fn summary(&self) -> String {
        let args = self.args.iter().map(|arg| reproduce::quote(arg));
        let words: Vec<String> = args.collect();
        format!("{} {}", self.program.name(), words.join(" "))
    }

    fn keeps(&self) -> Option<&Spanned<String>> {
        self.keep.as_ref().map(|keep| &keep.as_)
    }

    fn uses(&self) -> Vec<&Spanned<String>> {
        self.as_.iter().collect()
    }

    fn stance(&self) -> Stance {
        match self.expect.exit {
            0 => Stance::Success,
            _ => Stance::Denial,
        }
    }

    /// A program that somebody at a browser logs in asks every 5 s whether that is done, where it is
    /// a device (RFC 8628, section 3.5).
    fn weight(&self) -> usize {
        if self.browser.is_some() { 50 } else { 5 }
    }

    fn needs(&self) -> Option<Capability> {
        Some(self.program.capability())
    }

    fn needs_lab_alone(&self, loading: &Loading<'_>) -> bool {
        let reaches = |path: &Spanned<PathBuf>| manifest::reaches_others(loading.root, &path.value);
        self.manifest
            .as_ref()
            .is_some_and(|path| reaches(path).unwrap_or(true))
    }

    fn check(&self, loading: &Loading<'_>) -> Result<(), SourceError> {
        if let Some(path) = &self.manifest {
            manifest::check_named(loading, path)?;
        }
        match &self.browser {
            Some(person) => person.check(loading),
            None => Ok(()),
        }
    }

    fn checks(&self) -> Option<&Spanned<OneOrMany<String>>> {
        self.check.as_ref()
    }

    fn cluster(&self) -> Option<&Spanned<String>> {
        self.cluster.as_ref()
    }

    fn reproduce(&self, context: &Context<'_>) -> Option<String> {
        let program = match self.program {
            // A plugin takes no flags before its name.
            Program::Kubectl if self.args.first().is_none_or(|first| first != PLUGIN) => {
                reproduce::kubectl(context, context.credential(self.name()).ok()?)
            }
            program => program.name().to_owned(),
        };
        let args = self.args.iter().map(|arg| reproduce::quote(arg));
        let run = format!("{program} {}", args.collect::<Vec<_>>().join(" "));
        Some(match &self.manifest {
            None => run,
            Some(path) => format!("cargo xtask render {} | {run}", path.value.display()),
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let ended = self.ended(context).await?;
            for found in TOKEN.find_iter(&format!("{}\n{}", ended.stdout, ended.stderr)) {
                context.learn(&SecretString::from(found.as_str()));
            }
            // Not the texts, which have ports and random numbers: `diff` compares this.
            let mut seen = Seen::new(json!({ "exit": ended.code }));
            if let Ok(parsed) = serde_json::from_str(&ended.stdout) {
                seen.data["json"] = parsed;
            }
            self.compare(&ended, &mut seen);
            if let Some(keep) = self.keep.as_ref().filter(|_| seen.holds()) {
                let token = match &keep.token {
                    None => Some(ended.stdout.trim()),
                    Some(pointer) => seen.data["json"].pointer(pointer).and_then(Value::as_str),
                };
                let token = token.filter(|text| !text.is_empty()).ok_or_else(|| {
                    Fault::other("its output has no token in the place that `keep` names")
                })?;
                let token = SecretString::from(token);
                context.keep(&keep.as_.value, Credential::bearer(token));
            }
            Ok(seen)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::TOKEN;

    #[test]
    fn tokens_in_any_output_are_found() {
        let found = |text: &str| TOKEN.find(text).map(|found| found.as_str().to_owned());
        let token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJqYW5lIn0.c2ln_-bmF0dXJl";
        let said = format!("{{\"status\":{{\"token\":\"{token}\"}}}}");
        assert_eq!(found(&said).as_deref(), Some(token));
        assert_eq!(found(&format!("token: {token}\n")).as_deref(), Some(token));
        assert_eq!(found("eyJ is how JSON begins in base64."), None);
    }
}
