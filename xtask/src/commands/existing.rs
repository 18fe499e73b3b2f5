//! The cluster of the backend `existing`: looked at and told before anything is written to it.

use authlab_lab::backend::existing::{ExistingError, Found, Target, look};
use authlab_lab::state::BackendKind;
use miette::miette;

use crate::cli::ClusterArgs;
use crate::terminal;

/// Looks at the cluster that the flags name, and says which it is and as whom one comes; `None` for
/// the other backends, which have no such flags.
pub async fn cluster(kind: BackendKind, args: &ClusterArgs) -> miette::Result<Option<Found>> {
    if kind != BackendKind::Existing {
        let given = [
            ("--kubeconfig", args.kubeconfig.is_some()),
            ("--context", args.context.is_some()),
            ("--image", !args.images.is_empty()),
        ];
        if let Some((flag, _)) = given.into_iter().find(|(_, given)| *given) {
            return Err(miette!(
                help = "write `--backend existing` beside it, or leave it out",
                "`{flag}` is for the backend `existing`, and this one is `{}`",
                kind.name()
            ));
        }
        return Ok(None);
    }
    let target = Target::named(args.kubeconfig.clone(), args.context.clone());
    let mut target = target.ok_or(ExistingError::NoTarget)?;
    target.images.extend(args.images.iter().cloned());
    let found = look(&target).await?;
    terminal::note(&format!(
        "the cluster {} (Kubernetes {}), context {}, as {} ({})",
        found.server,
        found.version,
        found.context,
        found.user,
        found.groups.join(", ")
    ));
    found.allowed()?;
    Ok(Some(found))
}
