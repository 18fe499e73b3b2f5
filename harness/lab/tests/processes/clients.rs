//! Programs that people run beside a lab: what they see, what is heard of them, and their end.

use std::path::Path;

use authlab_lab::exec::{Client, Ended};
use libtest_mimic::Trial;
use tokio::sync::mpsc::unbounded_channel;

use crate::{gone, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_client_has_its_own_environment_and_streams", sees),
        trial("a_client_reads_what_is_typed_when_it_asks", reads),
        trial(
            "a_client_that_is_given_up_is_gone_with_its_children",
            given_up,
        ),
    ]
}

fn shell(folder: &Path, script: &str) -> Client {
    Client {
        path: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        variables: vec![("HOME".to_owned(), folder.into())],
        folder: folder.to_owned(),
        lab: folder.to_owned(),
    }
}

async fn sees() {
    let folder = tempfile::tempdir().unwrap();
    let (tell, mut heard) = unbounded_channel();
    let (_, typed) = unbounded_channel();
    let script = "env | grep -v '^PWD=' | cut -d= -f1 | sort; cat; echo why >&2; exit 3";
    let ended = shell(folder.path(), script).run(tell, typed).await;
    let expected = Ended {
        code: Some(3),
        stdout: "AUTHLAB_LAB\nHOME\n".to_owned(),
        stderr: "why\n".to_owned(),
    };
    let mut ended = ended.unwrap();
    // What some shells add.
    ended.stdout = ended
        .stdout
        .replace("OLDPWD\n", "")
        .replace("SHLVL\n", "")
        .replace("_\n", "");
    assert_eq!(ended, expected);
    let mut lines = Vec::new();
    while let Some(line) = heard.recv().await {
        lines.push(line);
    }
    assert!(lines.contains(&"why\n".to_owned()), "{lines:?}");
}

async fn reads() {
    let folder = tempfile::tempdir().unwrap();
    let (tell, mut heard) = unbounded_channel();
    let (write, typed) = unbounded_channel();
    let script = "echo open http://localhost:1; read code; echo \"got $code\"";
    let client = shell(folder.path(), script);
    let person = async {
        let line = heard.recv().await.unwrap();
        assert_eq!(line, "open http://localhost:1\n");
        write.send("abc\n".to_owned()).unwrap();
        drop(write);
    };
    let (ended, ()) = tokio::join!(client.run(tell, typed), person);
    assert!(ended.unwrap().stdout.ends_with("got abc\n"));
}

async fn given_up() {
    let folder = tempfile::tempdir().unwrap();
    let (tell, mut heard) = unbounded_channel();
    let (_write, typed) = unbounded_channel();
    let client = shell(folder.path(), "sleep 600 & echo $!; wait");
    let child: u32 = tokio::select! {
        ended = client.run(tell, typed) => panic!("{ended:?}"),
        line = heard.recv() => line.unwrap().trim().parse().unwrap(),
    };
    gone(child).await;
}
