//! Dex, from the very file that the embedded one reads.

use super::{LabError, READY, Site, release, taken_port, write};
use crate::exec::{Child, Program};
use crate::spec::ProviderKind;
use crate::tools::Tools;
use crate::wait::{Look, until};

/// One Dex on its way up.
struct Starting {
    child: Child,
    issuer: String,
    /// The file's name in the checkout and in the lab.
    names: (String, String),
}

/// Starts every Dex of the plan and waits until each answers.
pub(super) async fn start_all(site: &mut Site, tools: &Tools) -> Result<Vec<Child>, LabError> {
    let mut starting = Vec::new();
    for (name, provider) in site.plan.providers.clone() {
        let (ProviderKind::Dex, Some(config)) = (provider.kind, &provider.config) else {
            continue;
        };
        let text = site.render(config)?;
        let file = write(site.folder.join(format!("{name}.yaml")), text.as_bytes())?;
        let issuer = site.values.get(&format!("lab.idp.{name}.issuer"));
        let issuer = issuer.cloned().unwrap_or_default();
        release(site, &name)?;
        let child = Program {
            name,
            path: tools.path("dex")?.to_owned(),
            args: vec!["serve".into(), file.clone().into()],
            folder: site.folder.clone(),
        }
        .start()
        .await?;
        starting.push(Starting {
            child,
            issuer,
            names: (config.name.clone(), file.display().to_string()),
        });
    }
    let mut running = Vec::new();
    for dex in starting {
        dex.answers(site.authority.certificate_pem()).await?;
        running.push(dex.child);
    }
    Ok(running)
}

impl Starting {
    /// Waits for health and discovery, or for its end.
    async fn answers(&self, ca: &str) -> Result<(), LabError> {
        let http = authlab_pki::http::client(ca)?;
        let what = format!("{} answers", self.child.name());
        let paths = ["/healthz", "/.well-known/openid-configuration"];
        let answers = until(&what, READY, || async {
            for path in paths {
                match http.get(format!("{}{path}", self.issuer)).send().await {
                    Ok(answer) if answer.status().is_success() => {}
                    Ok(answer) => return Look::NotYet(format!("{path}: {}", answer.status())),
                    Err(error) => return Look::NotYet(format!("{path}: {error}")),
                }
            }
            Look::Ready(())
        });
        tokio::select! {
            answers = answers => Ok(answers?),
            how = self.child.ended() => Err(self.refusal(&how)),
        }
    }

    /// Why it ended: its last word, which is the one line that is not of its logger.
    fn refusal(&self, how: &str) -> LabError {
        let log = self.child.log().text();
        let component = self.child.name().to_owned();
        if let Some(port) = taken_port(&log) {
            return LabError::AddressInUse { component, port };
        }
        let (name, path) = &self.names;
        match log.lines().rev().find(|line| !line.starts_with("time=")) {
            Some(word) => LabError::Refused {
                component,
                message: word.replace(path.as_str(), name),
            },
            None => self.child.failure(&format!("ended: {how}")),
        }
    }
}
