//! Every scenario file is a test of its own: `<lab>::<folder>::<stem>`.
//!
//! Listing reads only files, `AUTHLAB_BACKEND` and `AUTHLAB_KUBERNETES`. Each test starts a lab of its
//! own, unless `AUTHLAB_STATE` names the state file of one that runs.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use authlab_lab::checkout::Checkout;
use authlab_lab::images::Origin;
use authlab_lab::kubernetes::Kubernetes;
use authlab_lab::state::BackendKind;
use authlab_scenario::report::style::Style;
use authlab_scenario::report::{Outcome, ScenarioReport, terminal};
use authlab_scenario::{Case, Silent, list, run, suite};
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    // The components of a `process` lab are started through this very program.
    if let Some(code) = authlab_lab::exec::helper_main(std::env::args_os()) {
        return code;
    }
    let arguments = Arguments::from_args();
    let checkout = Checkout::here();
    let backend = backend();
    let kubernetes = Kubernetes::of_environment().unwrap_or_else(|why| panic!("{why}"));
    let trials = list(checkout.root())
        .into_iter()
        .map(|case| {
            let ignored = case.unfit_for(backend, kubernetes, None).is_some();
            let (checkout, id) = (checkout.clone(), case.id().to_owned());
            let test = move || test(&checkout, case, backend, kubernetes);
            Trial::test(id, test).with_ignored_flag(ignored)
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn backend() -> BackendKind {
    match std::env::var("AUTHLAB_BACKEND").as_deref() {
        Ok("process") => BackendKind::Process,
        Ok("kind") => BackendKind::Kind,
        Err(_) | Ok("" | "embedded") => BackendKind::Embedded,
        Ok(other) => panic!("AUTHLAB_BACKEND is `{other}`; embedded, process and kind are known"),
    }
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a runtime starts"))
}

fn test(
    checkout: &Checkout,
    case: Case,
    backend: BackendKind,
    kubernetes: Kubernetes,
) -> Result<(), Failed> {
    let cancel = CancellationToken::new();
    let report = runtime().block_on(async {
        if let Some(state) = std::env::var_os("AUTHLAB_STATE") {
            return run(&case, &PathBuf::from(state), &Silent, &cancel).await;
        }
        let options = suite::Options {
            backend,
            kubernetes,
            images: Origin::default(),
            existing: None,
            jobs: 1,
            keep: false,
        };
        let cases = [case];
        let mut report = suite::all(checkout, &cases, options, Arc::new(Silent), &cancel).await;
        report.scenarios.remove(0)
    });
    verdict(&report)
}

#[expect(clippy::print_stdout, reason = "a test that did not apply says why")]
fn verdict(report: &ScenarioReport) -> Result<(), Failed> {
    match report.outcome {
        Outcome::Passed => Ok(()),
        Outcome::NotRun => {
            let why = report.skipped.as_deref().unwrap_or("not run");
            println!("{}: {why}", report.id);
            Ok(())
        }
        Outcome::Failed | Outcome::Broken => Err(terminal::failure(report, Style::PLAIN).into()),
    }
}
