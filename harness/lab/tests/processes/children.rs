//! Starting, noticing, ending: nothing outlives its parent.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use authlab_lab::exec::{Child, Program, followed};
use authlab_lab::process;
use authlab_lab::wait::{Look, until};
use libtest_mimic::Trial;

use crate::{BOUND, PARENT, gone, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_child_becomes_its_program", becomes),
        trial("a_child_that_ends_shows_its_last_lines", ends),
        trial("a_program_that_is_not_there_is_named", missing),
        trial("stop_asks_first_and_kills_after_the_grace", stops),
        trial("a_dropped_child_is_gone_at_once", drops),
        trial("a_child_outlives_the_thread_that_wanted_it", threads),
        trial("a_restart_keeps_the_earlier_log", restarts),
        trial("a_program_that_is_cut_off_tells_on_where_it_was", cut_off),
        trial("nothing_survives_a_killed_parent", killed),
    ]
}

fn shell(folder: &Path, script: &str) -> Program {
    Program {
        name: "component".to_owned(),
        path: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        folder: folder.to_owned(),
        environment: Vec::new(),
    }
}

async fn logged(child: &Child, text: &str) {
    until("a line in the log", BOUND, || async {
        let log = child.log().text();
        if log.contains(text) {
            Look::Ready(())
        } else {
            Look::NotYet(log)
        }
    })
    .await
    .unwrap();
}

async fn becomes() {
    let folder = tempfile::tempdir().unwrap();
    let script = "pwd; env | sort; echo $$; exec sleep 600";
    let child = shell(folder.path(), script).start().await.unwrap();
    let pid = child.process().pid;
    logged(&child, &format!("\n{pid}\n")).await;
    let log = child.log().text();
    let home = folder.path().display();
    assert!(log.starts_with(&format!("{home}\n")), "{log}");
    // Its own variables and those that a shell sets, nothing of this process.
    let names: Vec<&str> = log
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0))
        .filter(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name))
        .collect();
    assert_eq!(names, ["AUTHLAB_LAB", "HOME"]);
    child.stop(BOUND).await;
    assert!(!process::alive(child.process()));
}

async fn ends() {
    let folder = tempfile::tempdir().unwrap();
    let child = shell(folder.path(), "seq 1 20; echo why >&2; exit 3");
    let child = child.start().await.unwrap();
    let error = child.died().await.to_string();
    let text = "component ended: exit status: 3\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\nwhy";
    assert_eq!(error, text);
    // Asking the dead to stop is no error.
    child.stop(BOUND).await;
}

async fn missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = shell(folder.path(), "");
    program.path = folder.path().join("no-such-program");
    let error = program.start().await.unwrap().died().await.to_string();
    assert!(error.contains("exit status: 127"), "{error}");
    assert!(error.contains("cannot run"), "{error}");
    assert!(error.contains("no-such-program"), "{error}");
}

async fn stops() {
    let folder = tempfile::tempdir().unwrap();
    let polite = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    let child = shell(folder.path(), polite).start().await.unwrap();
    logged(&child, "ready").await;
    child.stop(BOUND).await;
    assert!(child.log().text().contains("bye"));
    assert_eq!(child.ended().await, "exit status: 0");

    let stubborn = "trap '' TERM; echo stubborn; while :; do sleep 0.01; done";
    let child = shell(folder.path(), stubborn).start().await.unwrap();
    logged(&child, "stubborn").await;
    child.stop(Duration::from_millis(50)).await;
    assert_eq!(child.ended().await, "signal: 9 (SIGKILL)");
}

async fn drops() {
    let folder = tempfile::tempdir().unwrap();
    let child = shell(folder.path(), "exec sleep 600");
    let child = child.start().await.unwrap();
    let process = child.process();
    assert!(process::alive(process));
    drop(child);
    assert!(!process::alive(process));
}

async fn threads() {
    let folder = tempfile::tempdir().unwrap();
    let program = shell(folder.path(), "echo up; exec sleep 600");
    // A thread of its own starts the child, sees it run, and ends; the runtime stays.
    let runtime = tokio::runtime::Handle::current();
    let thread = std::thread::spawn(move || {
        runtime.block_on(async {
            let child = program.start().await.unwrap();
            logged(&child, "up").await;
            child
        })
    });
    let child = tokio::task::spawn_blocking(|| thread.join().unwrap());
    let child = child.await.unwrap();
    // Time enough for a signal to arrive: that in which another child comes and goes.
    let other = shell(folder.path(), "exit 0").start().await.unwrap();
    other.ended().await;
    assert!(process::alive(child.process()));
}

async fn restarts() {
    let folder = tempfile::tempdir().unwrap();
    let first = shell(folder.path(), "echo one").start().await.unwrap();
    first.ended().await;
    let second = shell(folder.path(), "echo two").start().await.unwrap();
    second.ended().await;
    assert_eq!(second.log().text(), "two\n");
    let whole = std::fs::read_to_string(second.log().path()).unwrap();
    assert_eq!(whole, "one\ntwo\n");
}

async fn cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let script = "case ${AUTHLAB_TOLD-nothing} in nothing) echo one; echo two ;; \
                  8) echo three; kill -9 $$ ;; 14) echo four; exit 3 ;; esac";
    let child = followed(shell(folder.path(), script));
    let child = child.start().await.unwrap();
    assert_eq!(child.ended().await, "exit status: 3");
    assert_eq!(child.log().text(), "one\ntwo\nthree\nfour\n");
    // It goes with whoever runs it.
    let child = followed(shell(folder.path(), "echo $$; exec sleep 600"));
    let child = child.start().await.unwrap();
    logged(&child, "\n").await;
    let pid: u32 = child.log().text().trim().parse().unwrap();
    assert!(process::started(pid).is_ok());
    child.stop(BOUND).await;
    gone(pid).await;
}

/// A process of its own that owns a child, tells its number, and waits to be killed.
pub fn play_parent(folder: PathBuf) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let child = shell(&folder, "echo up; exec sleep 600");
        let child = child.start().await.unwrap();
        logged(&child, "up").await;
        let told = folder.join("new");
        std::fs::write(&told, child.process().pid.to_string()).unwrap();
        std::fs::rename(told, folder.join("pid")).unwrap();
        child.ended().await;
    });
    ExitCode::SUCCESS
}

async fn killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .arg(PARENT)
        .arg(folder.path())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let pid = until("the parent's child", BOUND, || async {
        match std::fs::read_to_string(folder.path().join("pid")) {
            Ok(pid) => Look::Ready(pid.parse::<u32>().unwrap()),
            Err(error) => Look::NotYet(error.to_string()),
        }
    })
    .await
    .unwrap();
    assert!(process::started(pid).is_ok());
    // SIGKILL: nothing in the parent gets to clean up.
    parent.kill().unwrap();
    parent.wait().unwrap();
    gone(pid).await;
}
