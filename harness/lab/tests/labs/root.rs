//! Checkouts of a few files, and what is said of them.

use std::path::Path;

use authlab_lab::checkout::Checkout;
use authlab_lab::host::Host;
use authlab_lab::plan::Plan;
use authlab_lab::state::{BackendKind, State};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use tempfile::TempDir;

/// A Dex that starts.
pub const DEX: &str = include_str!("dex.yaml");

/// A checkout with these files below `fixtures/`.
pub fn root<'f>(files: impl IntoIterator<Item = &'f (&'f str, &'f str)>) -> (TempDir, Checkout) {
    let root = tempfile::tempdir().unwrap();
    // Keys are slow to make: every root shares them.
    let keys = Path::new(env!("CARGO_TARGET_TMPDIR")).join("keys");
    std::fs::create_dir_all(&keys).unwrap();
    std::fs::create_dir(root.path().join(".authlab")).unwrap();
    std::os::unix::fs::symlink(keys, root.path().join(".authlab/keys")).unwrap();
    for (path, text) in files {
        let path = root.path().join("fixtures").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let checkout = Checkout::at(root.path());
    (root, checkout)
}

/// An error as a person reads it, without what differs from run to run.
pub fn shown(error: &dyn Diagnostic, checkout: &Checkout) -> String {
    let mut out = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(100)
        .render_report(&mut out, error)
        .unwrap();
    let lab = checkout.labs().join("lab");
    out.replace(&lab.display().to_string(), "[lab]")
        .replace(&checkout.root().display().to_string(), "[root]")
}

/// What starting the lab `lab` says; `well` is told of one that starts. Whatever that is, nothing is
/// left of it.
pub async fn starting(checkout: &Checkout, well: impl Fn(&State) -> String) -> String {
    let plan = match Plan::load(checkout.root(), "lab") {
        Ok(plan) => plan,
        Err(error) => return shown(&error, checkout),
    };
    let said = match Host::start(checkout, BackendKind::Embedded, plan, "lab").await {
        Ok(host) => {
            let said = well(host.state());
            host.stop().await;
            said
        }
        Err(error) => shown(&error, checkout),
    };
    let left = std::fs::read_dir(checkout.labs()).unwrap().count();
    assert_eq!(left, 0, "something is left after: {said}");
    said
}
