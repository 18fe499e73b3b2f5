//! A token explained against what is in force in a running lab, whose API server is asked as well.

use authlab_authn::explain::Walk;
use authlab_authn::token::Verdict;
use authlab_authn::yaml11;
use authlab_lab::control::{self, Request, Response};
use authlab_lab::plan::{Authentication, Text};
use authlab_lab::render;
use authlab_lab::source::Source;
use authlab_lab::state::{ApiServer, DEFAULT_CLUSTER, State};
use authlab_scenario::ask;
use miette::miette;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{Against, Said, file, flags};
use crate::cli::ExplainArgs;
use crate::commands::{labs, runtime, unknown};

/// An API server of a running lab.
pub(super) struct Lab {
    state: State,
    cluster: String,
    server: ApiServer,
}

impl Lab {
    pub(super) fn find(lab: &str, cluster: Option<&str>) -> miette::Result<Self> {
        let state = labs::running(Some(lab))?;
        let cluster = cluster.unwrap_or(DEFAULT_CLUSTER);
        let Some(server) = state.cluster(Some(cluster)).cloned() else {
            let known = state.api_servers.keys().map(String::as_str);
            let message = format!("the lab {} has no API server `{cluster}`", state.id);
            return Err(unknown(message, cluster, known.chain([DEFAULT_CLUSTER])));
        };
        Ok(Self {
            cluster: cluster.to_owned(),
            server,
            state,
        })
    }

    /// What the API server goes by now.
    pub(super) fn in_force(&self) -> miette::Result<Against> {
        let request = Request::Authentication {
            cluster: Some(self.cluster.clone()),
        };
        let answer = runtime()?.block_on(control::call(&self.state.socket, &request));
        let (authentication, lab_file) = match answer {
            Ok(Response::Authentication {
                authentication,
                file,
            }) => (authentication, file),
            Ok(_) => return Err(miette!("the lab host answered to another question")),
            Err(error) => return Err(miette!("the lab {}: {error}", self.state.id)),
        };
        let filled = self.filled(authentication)?;
        let (subject, place) = match &filled.config {
            Some(text) => (file(&text.source())?, Place::Configuration(text.source())),
            None => (flags(&filled.flags)?, Place::flags(lab_file, &self.cluster)),
        };
        Ok(Against {
            subject,
            place,
            live: true,
        })
    }

    fn filled(&self, authentication: Authentication) -> miette::Result<Authentication> {
        let values = &self.state.values;
        let config = match authentication.config {
            Some(text) => Some(Text {
                text: render::file(&text.source(), values)?,
                name: text.name,
            }),
            None => None,
        };
        let mut flags = authentication.flags;
        for value in flags.values_mut().flatten() {
            *value = render::value(value, values)
                .map_err(|error| miette!("{error}"))?
                .into_owned();
        }
        Ok(Authentication { config, flags })
    }

    /// What the API server itself says.
    pub(super) fn ask(
        &self,
        walk: &Walk,
        token: String,
        args: &ExplainArgs,
    ) -> miette::Result<Said> {
        let told = |why: String| miette!("the lab's API server cannot be asked: {why}");
        runtime()?.block_on(async {
            let review = match args.now {
                Some(_) => Value::Null,
                None => ask::token(&self.state, &self.server, &SecretString::from(token))
                    .await
                    .map_err(told)?,
            };
            let access = match (&args.can, &walk.verdict) {
                (Some(request), Verdict::Authenticated(user)) => {
                    let mut user = json!(user);
                    user["groups"] = walk.to_json()["verdict"]["authenticated"]["groups"].take();
                    let access = ask::access(&self.state, &self.server, &user, request);
                    Some(access.await.map_err(told)?)
                }
                _ => None,
            };
            Ok(Said { review, access })
        })
    }
}

/// Where a person reads what a token is explained against.
pub(super) enum Place {
    /// On the command line.
    Nowhere,
    /// In an `AuthenticationConfiguration`.
    Configuration(Source),
    /// In a lab file, below this path.
    Flags(Source, String),
}

impl Place {
    fn flags(lab_file: Option<Text>, cluster: &str) -> Self {
        let path = match cluster {
            DEFAULT_CLUSTER => "apiServer.flags".to_owned(),
            name => format!("apiServers.{name}.flags"),
        };
        match lab_file {
            Some(text) => Self::Flags(text.source(), path),
            None => Self::Nowhere,
        }
    }

    /// The place of a rule: what stands at `path` of the configuration, or the flag that says it.
    pub(super) fn of(&self, against: &Against, path: &str) -> Option<(&Source, usize)> {
        match self {
            Self::Nowhere => None,
            Self::Configuration(source) => Some((source, against.subject.place(path)?.start)),
            Self::Flags(source, flags) => {
                let flag = against.subject.flag(path)?.trim_start_matches('-');
                let tree = yaml11::parse_spanned(source.text()).ok()?;
                Some((source, tree.nearest(&format!("{flags}.{flag}")).0.start))
            }
        }
    }
}
