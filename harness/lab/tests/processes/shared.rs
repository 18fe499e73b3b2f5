//! A component that several processes share ends with the last of them, however they end.

use std::path::Path;
use std::process::{Command, Stdio};

use authlab_lab::exec::{Shared, Start};
use authlab_lab::wait::{Look, until};
use libtest_mimic::Trial;

use crate::{BOUND, USER, gone, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_shared_component_ends_with_its_last_user", last_user),
        trial("a_shared_component_ends_with_its_keeper", keeper),
        trial("two_first_users_start_one_component", race),
    ]
}

/// The pid of the component, which writes it down.
fn component(shared: &Shared<String>) -> Option<u32> {
    shared.log().lines().next()?.parse().ok()
}

async fn join(folder: &Path) -> std::io::Result<Shared<String>> {
    Shared::join(folder, |_| {
        Ok(Start {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), "echo $$; echo $WORD; exec sleep 600".into()],
            environment: vec![("WORD", "hello".into())],
            note: "told".to_owned(),
        })
    })
    .await
}

/// What this binary does as another process: joins, says whom, and stays until it is killed.
pub fn play_user(folder: &Path) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let shared = runtime.block_on(join(folder)).unwrap();
    std::fs::write(
        folder.join(format!("user-{}", std::process::id())),
        shared.keeper().pid.to_string(),
    )
    .unwrap();
    std::thread::park();
}

/// Starts a user and waits until it has joined; the pid of the keeper that it found.
async fn user(folder: &Path) -> (std::process::Child, u32) {
    let child = Command::new("/proc/self/exe")
        .arg(USER)
        .arg(folder)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let told = folder.join(format!("user-{}", child.id()));
    let keeper = until("a user that has joined", BOUND, || async {
        match std::fs::read_to_string(&told).map(|text| text.parse()) {
            Ok(Ok(pid)) => Look::Ready(pid),
            other => Look::NotYet(format!("{other:?}")),
        }
    });
    let keeper = keeper.await.unwrap();
    (child, keeper)
}

/// The component's pid, from its log.
async fn started(folder: &Path) -> u32 {
    let log = folder.join("component.log");
    until("the component", BOUND, || async {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        match lines.as_slice() {
            [pid, "hello", ..] => Look::Ready(pid.parse().unwrap()),
            _ => Look::NotYet(text),
        }
    })
    .await
    .unwrap()
}

async fn last_user() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, keeper) = user(folder.path()).await;
    let component = started(folder.path()).await;
    let (mut two, same) = user(folder.path()).await;
    assert_eq!(keeper, same);
    one.kill().unwrap();
    one.wait().unwrap();
    let (mut three, same) = user(folder.path()).await;
    assert_eq!(keeper, same, "it ended with its first user");
    for user in [&mut two, &mut three] {
        user.kill().unwrap();
        user.wait().unwrap();
    }
    gone(component).await;
    gone(keeper).await;
    assert!(!folder.path().join("running.json").exists());
    // Whoever comes next starts another.
    let (mut four, other) = user(folder.path()).await;
    assert_ne!(keeper, other);
    four.kill().unwrap();
    four.wait().unwrap();
    gone(other).await;
}

async fn keeper() {
    let folder = tempfile::tempdir().unwrap();
    let (mut user, keeper) = user(folder.path()).await;
    let pid = started(folder.path()).await;
    let shared = join(folder.path()).await.unwrap();
    assert_eq!(shared.keeper().pid, keeper);
    assert_eq!(component(&shared), Some(pid));
    assert_eq!(shared.note, "told");
    let killed = Command::new("kill")
        .args(["-9", &keeper.to_string()])
        .status();
    assert!(killed.unwrap().success());
    gone(pid).await;
    tokio::time::timeout(BOUND, shared.ended()).await.unwrap();
    user.kill().unwrap();
    user.wait().unwrap();
}

async fn race() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = tokio::join!(user(folder.path()), user(folder.path()));
    let keeper = one.1;
    assert_eq!(keeper, two.1);
    for (mut user, _) in [one, two] {
        user.kill().unwrap();
        user.wait().unwrap();
    }
    gone(keeper).await;
}
