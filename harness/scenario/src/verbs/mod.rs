//! The verbs: one file each, one line each in the registry below.

mod access;
mod apply;
mod audit;
mod can;
mod client_certificate;
mod configure;
mod denial;
mod exec;
mod fault;
mod forgeries;
mod introspect;
mod job;
mod login;
mod logout;
mod mend;
mod metrics;
mod provider;
mod question;
mod request;
mod review;
mod revoke;
mod rotate_keys;
mod service_account_token;
mod token;
mod user;
mod userinfo;
mod whoami;

use std::fmt::Debug;
use std::pin::Pin;

use authlab_lab::plan::{Authentication, Plan};
use authlab_lab::source::{Source, SourceError};
use authlab_lab::state::Capability;
use secrecy::SecretString;
use serde_saphyr::Spanned;

use crate::context::Context;
use crate::fault::Fault as Broken;
use crate::format::OneOrMany;
use crate::seen::Seen;

pub(crate) use exec::Homes;

/// What a step expects, in the terms of the lint: each denial needs a success by the same verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stance {
    /// Neither: the step prepares something.
    Neutral,
    /// Somebody gets in, or may do something.
    Success,
    /// Somebody is kept out.
    Denial,
    /// Some are let in and some are kept out.
    Both,
}

/// What a verb needs in order to check itself when the file is loaded.
pub(crate) struct Loading<'a> {
    /// The scenario file.
    pub source: &'a Source,
    /// The checkout.
    pub root: &'a std::path::Path,
    /// The labs that the scenario is for.
    pub plans: &'a [Plan],
    /// The steps before this one.
    pub before: &'a [Spanned<Step>],
}

/// A boxed future, so that verbs can be told apart at run time.
pub(crate) type Task<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What every verb does. Registry: `verbs!` below.
pub(crate) trait Verb: Debug + Send + Sync {
    /// What it is about, on one line, without the verb itself.
    fn summary(&self) -> String;

    /// The name under which it keeps a credential.
    fn keeps(&self) -> Option<&Spanned<String>> {
        None
    }

    /// The names of credentials that it uses.
    fn uses(&self) -> Vec<&Spanned<String>> {
        Vec::new()
    }

    /// Secrets that the file itself holds.
    fn secrets(&self) -> Vec<&SecretString> {
        Vec::new()
    }

    /// Whether it expects a success or a denial.
    fn stance(&self) -> Stance {
        Stance::Neutral
    }

    /// Whether it works in the scenario's own namespace.
    fn needs_namespace(&self) -> bool {
        false
    }

    /// Whether it changes what other users of the lab see.
    fn needs_lab_alone(&self, _loading: &Loading<'_>) -> bool {
        false
    }

    /// The authentication with which a lab can be started so that this step, standing first, has
    /// already happened.
    fn leading(&self, _loading: &Loading<'_>) -> Result<Option<Authentication>, SourceError> {
        Ok(None)
    }

    /// Checks what can be checked without a lab.
    ///
    /// # Errors
    /// With the place in the file.
    fn check(&self, _loading: &Loading<'_>) -> Result<(), SourceError> {
        Ok(())
    }

    /// The API server that it means; the default one when none.
    fn cluster(&self) -> Option<&Spanned<String>> {
        None
    }

    /// How many ordinary steps it lasts: what lasts longest runs first.
    fn weight(&self) -> usize {
        1
    }

    /// What the lab must be able to do beyond answering on the network.
    fn needs(&self) -> Option<Capability> {
        None
    }

    /// CEL booleans over the result.
    fn checks(&self) -> Option<&Spanned<OneOrMany<String>>> {
        None
    }

    /// The command that does the same by hand.
    fn reproduce(&self, _context: &Context<'_>) -> Option<String> {
        None
    }

    /// Does it.
    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Broken>>;
}

macro_rules! verbs {
    ($($(#[$doc:meta])* $name:ident($type:ty),)*) => {
        /// One step: a map with one key, the verb.
        #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "camelCase")]
        pub(crate) enum Step {
            $($(#[$doc])* $name(Box<$type>),)*
        }

        impl Step {
            /// What the verb does.
            pub fn verb(&self) -> &dyn Verb {
                match self {
                    $(Self::$name(verb) => verb.as_ref(),)*
                }
            }

            /// The verb's name, as files write it.
            pub fn name(&self) -> String {
                let name = match self {
                    $(Self::$name(_) => stringify!($name),)*
                };
                let (first, rest) = name.split_at(1);
                first.to_lowercase() + rest
            }
        }
    };
}

verbs! {
    /// Writes Kubernetes objects from a manifest.
    Apply(apply::Apply),
    /// Logs a person, a device or a machine in at an identity provider.
    Login(login::Login),
    /// Asks a provider about the holder of a token.
    Userinfo(userinfo::Userinfo),
    /// Asks a provider what a token is worth.
    Introspect(introspect::Introspect),
    /// Has a provider take a token back.
    Revoke(revoke::Revoke),
    /// Ends a person's session at a provider.
    Logout(logout::Logout),
    /// Has a forge sign a token.
    Token(token::Token),
    /// Has a forge make several hundred forged tokens and shows them to the API server.
    Forgeries(forgeries::Forgeries),
    /// Waits for the end of a job in the cluster.
    Job(job::Job),
    /// Has the API server issue a service-account token.
    ServiceAccountToken(service_account_token::ServiceAccountToken),
    /// Has the lab's CA issue a client certificate.
    ClientCertificate(client_certificate::ClientCertificate),
    /// Asks the API server who one is.
    Whoami(whoami::Whoami),
    /// Asks the API server, as the lab's administrator, whom a token is for.
    Review(review::Review),
    /// Asks the API server whether one may do something.
    Can(can::Can),
    /// Asks the same for many subjects, verbs and resources, as a table.
    Access(access::Access),
    /// Sends one HTTP request to the API server.
    Request(request::Request),
    /// Gives the API server another authentication, or a provider another configuration.
    Configure(configure::Configure),
    /// Gives a provider a new signing key.
    RotateKeys(rotate_keys::RotateKeys),
    /// Has a provider misbehave.
    Fault(fault::Fault),
    /// Has a provider behave again.
    Mend(mend::Mend),
    /// Runs a client program, for example kubectl.
    Exec(exec::Exec),
    /// Looks for an event in the audit log.
    Audit(audit::Audit),
    /// Reads what the API server counts.
    Metrics(metrics::Metrics),
}
