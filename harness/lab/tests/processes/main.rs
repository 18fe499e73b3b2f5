//! Child processes of a lab, started for real. This binary is its own helper, so it has a `main`.

#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at what it did not expect"
)]

mod backend;
mod bundle;
mod children;
mod clients;
mod keycloak;
mod shared;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use authlab_lab::wait::{Look, until};
use authlab_lab::{exec, process};
use libtest_mimic::{Arguments, Failed, Trial};

/// The hidden command of this binary that plays a lab host; see [`children`].
const PARENT: &str = "__parent";
/// The hidden command of this binary that uses a shared component; see [`shared`].
const USER: &str = "__user";
/// No wait is longer.
const BOUND: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    if let Some(code) = exec::helper_main(std::env::args_os()) {
        return code;
    }
    let mut args = std::env::args_os().skip(1);
    let first = args.next();
    if first.as_ref().is_some_and(|first| first == PARENT) {
        return children::play_parent(args.next().expect("a folder").into());
    }
    if first.is_some_and(|first| first == USER) {
        shared::play_user(Path::new(&args.next().expect("a folder")));
        return ExitCode::SUCCESS;
    }
    let mut trials = children::trials();
    trials.extend(clients::trials());
    trials.extend(shared::trials());
    trials.extend(backend::trials());
    trials.extend(bundle::trials());
    trials.extend(keycloak::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Waits until no process has that number.
async fn gone(pid: u32) {
    until("the end of a process", BOUND, || async {
        match process::started(pid) {
            Ok(_) => Look::NotYet("it runs".to_owned()),
            Err(_) => Look::Ready(()),
        }
    })
    .await
    .unwrap();
}

/// A test that runs on a runtime of its own; a panic in it is a failure.
fn trial<F>(name: &str, test: fn() -> F) -> Trial
where
    F: Future<Output = ()> + 'static,
{
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(Failed::from)?;
        runtime.block_on(test());
        Ok(())
    })
}
