//! `cargo xtask images`: the container images of labs in containers.

use std::process::ExitCode;

use authlab_lab::checkout::Checkout;
use authlab_lab::images::{self, Kind};
use authlab_lab::tools::Terminal;
use serde_json::{Value, json};

use super::{Ended, interrupted, interruptible, unknown};
use crate::cli::ImagesArgs;
use crate::terminal;

/// `cargo xtask images`
pub fn run(args: &ImagesArgs) -> Ended {
    let wanted = select(&args.images)?;
    let kubernetes = args.kubernetes.wanted()?;
    let built = interruptible(async |cancel| {
        let (checkout, progress) = (Checkout::here(), Terminal::stderr());
        tokio::select! {
            built = images::ensure(checkout.root(), &wanted, kubernetes, args.from.unwrap_or_default(), &progress) => Ok(Some(built?)),
            () = cancel.cancelled() => Ok(None),
        }
    })?;
    let Some(built) = built else {
        return Ok(interrupted());
    };
    if args.json {
        let images = built.iter().map(|image| {
            json!({
                "name": image.kind.name(), "reference": image.reference, "bytes": image.size,
                "origin": image.origin,
            })
        });
        terminal::json(&images.collect::<Value>())?;
        return Ok(ExitCode::SUCCESS);
    }
    for image in built {
        terminal::line(format_args!(
            "{:<8} {:<44} {:>5} MB  {}",
            image.kind.name(),
            image.reference,
            image.size / 1_000_000,
            image.origin
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
            found.ok_or_else(|| unknown(format!("no image `{name}`"), name, known()))
        })
        .collect()
}
