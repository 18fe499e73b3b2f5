//! `cargo xtask images`: the container images of labs in containers.

use std::process::ExitCode;

use authlab_lab::checkout::Checkout;
use authlab_lab::images::{self, Kind};
use authlab_lab::source::nearest;
use authlab_lab::tools::Terminal;
use miette::miette;

use super::{Ended, interrupted, interruptible};
use crate::cli::ImagesArgs;
use crate::terminal;

/// `cargo xtask images`
pub fn run(args: &ImagesArgs) -> Ended {
    let wanted = select(&args.images)?;
    let built = interruptible(async |cancel| {
        let (checkout, progress) = (Checkout::here(), Terminal::stderr());
        tokio::select! {
            built = images::ensure(checkout.root(), &wanted, &progress) => Ok(Some(built?)),
            () = cancel.cancelled() => Ok(None),
        }
    })?;
    let Some(built) = built else {
        return Ok(interrupted());
    };
    for image in built {
        terminal::line(format_args!(
            "{:<6} {:<44} {:>5} MB  built here from ci/tools",
            image.kind.name(),
            image.reference,
            image.size / 1_000_000
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn select(names: &[String]) -> miette::Result<Vec<Kind>> {
    if names.is_empty() {
        return Ok(images::ALL.to_vec());
    }
    let known = || images::ALL.iter().map(|kind| kind.name());
    names
        .iter()
        .map(|name| {
            let found = images::ALL.into_iter().find(|kind| kind.name() == name);
            found.ok_or_else(|| {
                let help = match nearest(name, known()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("images: {}", known().collect::<Vec<_>>().join(", ")),
                };
                miette!(help = help, "no image `{name}`")
            })
        })
        .collect()
}
