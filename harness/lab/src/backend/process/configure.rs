//! Another authentication for a running API server: by its file, or by a new start.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use super::apiserver::{ApiServer, ControlPlane, Unready, issuers};
use super::{LabError, Site, klog, outlived, write};
use crate::control::{By, Configure, Response};
use crate::exec::Child;
use crate::plan::{Authentication, Text};
use crate::wait::{Look, until};

/// The API server gives the issuers of a new file a minute to answer, may be busy with an earlier
/// file for as long, and looks at the file once a minute should it miss the change.
const RELOAD: Duration = Duration::from_secs(180);

/// How long the API server trusts a token that it has seen, whatever the configuration says since
/// (`TokenSuccessCacheTTL` in its authentication options; no flag changes it).
const TOKENS_CACHED: Duration = Duration::from_secs(10);

/// How often a start finds its own port taken before that counts as a failure: between two starts
/// anybody may get it for a moment.
const STARTS: usize = 5;

/// The authentication in force, placeholders filled.
#[derive(Debug)]
struct Current {
    authentication: Authentication,
    /// The file that the API server refused last, and its words. It reads the same file only
    /// once: put there again, it would be met by silence.
    refused: Option<(Text, String)>,
}

impl Current {
    fn new(authentication: Authentication) -> Self {
        Self {
            authentication,
            refused: None,
        }
    }
}

/// An API server of the lab, what is in force there, and what serves it.
pub(super) struct Cluster {
    pub(super) api: ApiServer,
    /// What is in force, placeholders filled; held while it changes.
    current: Mutex<Current>,
    /// What should live; `None` while it is replaced on purpose.
    serving: watch::Sender<Option<Arc<ControlPlane>>>,
}

impl Cluster {
    /// What serves already, with the authentication that it was started with.
    pub(super) fn new(api: ApiServer, authentication: Authentication, plane: ControlPlane) -> Self {
        Self {
            api,
            current: Mutex::new(Current::new(authentication)),
            serving: watch::Sender::new(Some(plane.into())),
        }
    }

    /// Ends only when one of its components has ended that should live.
    pub(super) async fn died(&self) -> LabError {
        outlived(&self.serving, ControlPlane::died).await
    }

    pub(super) async fn stop(self) {
        if let Some(plane) = self.serving.send_replace(None) {
            plane.stop().await;
        }
    }

    /// Whether the authentication in force trusts an issuer.
    pub(super) async fn trusts(&self, issuer: &str) -> bool {
        let trusted = issuers(&self.current.lock().await.authentication);
        trusted.iter().any(|known| known == issuer)
    }

    /// Brings an authentication back. A new start takes 4 seconds, a changed file 10 to 19.
    pub(super) async fn bring_back(
        &self,
        site: &Site,
        wanted: &Configure,
    ) -> Result<Response, LabError> {
        let next = site.authentication(&wanted.authentication)?;
        let in_force = self.current.lock().await.authentication == next;
        match wanted.by {
            By::Auto if in_force => Ok(Response::InForce),
            _ => {
                let wanted = Configure {
                    by: By::Restart,
                    ..wanted.clone()
                };
                self.change(site, &wanted).await
            }
        }
    }

    pub(super) async fn change(
        &self,
        site: &Site,
        wanted: &Configure,
    ) -> Result<Response, LabError> {
        let next = site.authentication(&wanted.authentication)?;
        let mut current = self.current.lock().await;
        let there = &current.authentication;
        let files = match (&there.config, &next.config) {
            (Some(old), Some(new)) if there.flags == next.flags => Some((old, new)),
            _ => None,
        };
        let (response, refused) = match (wanted.by, files) {
            (By::Auto, Some((old, new))) if old.text == new.text => return Ok(Response::InForce),
            (By::Auto, Some((old, new))) => {
                if let Some((text, message)) = &current.refused
                    && text.text == new.text
                {
                    let message = message.clone();
                    return Ok(Response::Refused { message });
                }
                match self.reload(old, new).await? {
                    klog::Reload::Done => (Response::InForce, None),
                    klog::Reload::Refused(message) => {
                        let refused = Some((new.clone(), message.clone()));
                        (Response::Refused { message }, refused)
                    }
                    klog::Reload::Unreachable(message) => (Response::Refused { message }, None),
                }
            }
            // Whatever comes of it, the API server reads its file anew.
            _ => (self.restart(there, &next).await?, None),
        };
        current.refused = refused;
        if matches!(response, Response::InForce) {
            current.authentication = next;
        }
        Ok(response)
    }

    /// Replaces the file under the running API server.
    async fn reload(&self, old: &Text, new: &Text) -> Result<klog::Reload, LabError> {
        let plane = self.serving.borrow().clone();
        let plane = plane.ok_or_else(|| LabError::Api {
            what: "another authentication".to_owned(),
            why: "the API server does not run".to_owned(),
        })?;
        let changed = Instant::now();
        let mark = plane.server.log().mark();
        write(self.api.config.clone(), new.text.as_bytes())?;
        let outcome = tokio::select! {
            outcome = self.outcome(&plane.server, mark, &new.text) => outcome?,
            error = plane.died() => return Err(error),
        };
        match outcome {
            // No issuer, no wait: only then may tokens that it has seen still be good.
            klog::Reload::Done => tokio::time::sleep_until(changed + TOKENS_CACHED).await,
            // A wrong file stays where it is: the API server has done with it, and to put the old
            // one back would only make it busy.
            klog::Reload::Refused(_) => {}
            // This one it would try again, and perhaps take, a minute later.
            klog::Reload::Unreachable(_) => {
                write(self.api.config.clone(), old.text.as_bytes())?;
            }
        }
        Ok(outcome)
    }

    /// What the API server made of the file. Its log says when to look, its metric says which
    /// content is in force.
    async fn outcome(
        &self,
        server: &Child,
        mark: u64,
        text: &str,
    ) -> Result<klog::Reload, LabError> {
        let sum = sum(text);
        let sum = sum.as_str();
        let seen = AtomicUsize::new(0);
        let what = "the changed authentication file is in force";
        let outcome = until(what, RELOAD, || async {
            for outcome in klog::reloads(&server.log().since(mark))
                .into_iter()
                .skip(seen.load(Relaxed))
            {
                match outcome {
                    klog::Reload::Done => match self.api.admin.config_in_force().await {
                        Ok(Some(hash)) if hash == sum => return Look::Ready(outcome),
                        // An earlier file.
                        Ok(_) => {}
                        Err(error) => return Look::NotYet(error.to_string()),
                    },
                    other => return Look::Ready(other),
                }
                seen.fetch_add(1, Relaxed);
            }
            Look::NotYet("the API server has not read it".to_owned())
        });
        Ok(outcome.await?)
    }

    /// Ends the API server and starts it with the new authentication; when it refuses that, with
    /// the old one.
    async fn restart(
        &self,
        old: &Authentication,
        new: &Authentication,
    ) -> Result<Response, LabError> {
        // Its end is not a death from here on.
        if let Some(plane) = self.serving.send_replace(None) {
            plane.stop().await;
        }
        let refusal = match self.replacement(new).await {
            Ok(plane) => {
                self.serving.send_replace(Some(plane.into()));
                return Ok(Response::InForce);
            }
            Err(unready) => unready.why,
        };
        let (plane, back) = match self.replacement(old).await {
            Ok(plane) => (Some(plane), Ok(())),
            Err(unready) => (unready.plane, Err(unready.why)),
        };
        // Also when it is dead: then the lab hears of it.
        self.serving.send_replace(plane.map(Arc::new));
        back?;
        match refusal {
            LabError::Refused { message, .. } => Ok(Response::Refused { message }),
            other => Err(other),
        }
    }

    /// The control plane with the given authentication, on the port that it had.
    async fn replacement(&self, wanted: &Authentication) -> Result<ControlPlane, Unready> {
        for _ in 1..STARTS {
            match self.api.start(wanted).await {
                Err(Unready {
                    why: LabError::AddressInUse { .. },
                    ..
                }) => {}
                done => return done,
            }
        }
        self.api.start(wanted).await
    }
}

/// The sum under which the API server's metric names a file's content.
fn sum(text: &str) -> String {
    let digest = Sha256::digest(text);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
