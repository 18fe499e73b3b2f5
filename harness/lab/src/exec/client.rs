//! Programs that people run beside a lab: kubectl, kubelogin.
//!
//! Not by `duct`, which waits in threads of its own: these end with whoever waits for them, and with
//! this process, as components do.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::{on_path, spawner};
use crate::folder::LABEL;
use crate::kubernetes::Kubernetes;
use crate::tools::{self, run::Group};

/// Where a program of that name lies: in the tool cache of the checkout at `root`, or on PATH.
#[must_use]
pub fn find(root: &Path, program: &str) -> Option<PathBuf> {
    // The newest kubectl talks to every API server of ours; an older one will do where it is alone.
    let versions = Kubernetes::ALL.into_iter().rev();
    let mut built = versions
        .flat_map(|version| tools::status(root, &tools::all(version)).unwrap_or_default())
        .filter(|one| one.program == program && one.size.is_some());
    let built = built.next().map(|one| one.path);
    built.or_else(|| on_path(program))
}

/// One run of such a program.
#[derive(Debug, Clone)]
pub struct Client {
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment, but for the label.
    pub variables: Vec<(String, OsString)>,
    /// Its working directory.
    pub folder: PathBuf,
    /// The folder of the lab that it is run beside: its label, by which it is found should it stay.
    pub lab: PathBuf,
}

/// What became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// All that it wrote to standard output.
    pub stdout: String,
    /// All that it wrote to standard error.
    pub stderr: String,
}

impl Client {
    /// Runs it to its end, tells each line that it writes, and lets it read what is typed; its input
    /// ends when nobody can type any more. Dropping the future ends it and what it has started.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn run(
        &self,
        heard: UnboundedSender<String>,
        mut typed: UnboundedReceiver<String>,
    ) -> io::Result<Ended> {
        let mut command = spawner::helper(&self.path)?;
        command
            .args(&self.args)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env(LABEL, &self.lab)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut group = Group(spawner::spawn(command).await?);
        let (out, err) = (group.0.stdout.take(), group.0.stderr.take());
        let mut input = group.0.stdin.take();
        let write = async {
            while let (Some(text), Some(input)) = (typed.recv().await, input.as_mut()) {
                // A program that has ended, or reads nothing, is no failure of this.
                let _ = input.write_all(text.as_bytes()).await;
            }
            drop(input.take());
            Ok(())
        };
        // Who listens hears the end when both streams are at theirs.
        let out = text(out, heard.clone());
        let (stdout, stderr, ()) = tokio::try_join!(out, text(err, heard), write)?;
        let status = group.0.wait().await?;
        Ok(Ended {
            code: status.code(),
            stdout,
            stderr,
        })
    }
}

async fn text(
    stream: Option<impl AsyncRead + Unpin>,
    heard: UnboundedSender<String>,
) -> io::Result<String> {
    let mut text = String::new();
    let Some(stream) = stream else {
        return Ok(text);
    };
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).await? > 0 {
        let words = String::from_utf8_lossy(&line);
        text.push_str(&words);
        // Nobody has to listen.
        let _ = heard.send(words.into_owned());
        line.clear();
    }
    Ok(text)
}
