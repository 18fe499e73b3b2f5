//! What a newcomer waits for: the compilation of the driver.

use std::time::Instant;

use authlab_lab::checkout::Checkout;
use miette::{IntoDiagnostic, WrapErr, miette};
use tokio::process::Command;

use super::series::Series;

/// Compiles what `cargo xtask e2e` needs, from nothing; crates are downloaded already.
pub async fn measure(checkout: &Checkout) -> miette::Result<Series> {
    let mut series = Series::new("`cargo xtask e2e` until it runs", "under 8 min").unit("s");
    let target = tempfile::tempdir_in(checkout.root().join("target"))
        .into_diagnostic()
        .wrap_err("no folder for the artifacts")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let begun = Instant::now();
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "xtask"])
        .current_dir(checkout.root())
        .env("CARGO_TARGET_DIR", target.path())
        .kill_on_drop(true)
        .status()
        .await
        .into_diagnostic()?;
    if !status.success() {
        return Err(miette!("the driver does not compile"));
    }
    series.push(begun.elapsed().as_secs_f64());
    Ok(series)
}
