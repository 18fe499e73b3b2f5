//! One running component.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::Log;
use crate::backend::LabError;
use crate::process;
use crate::state::Process;

/// How many lines of its log a dead component shows.
const LAST_LINES: usize = 12;

/// A running component. Dropping it kills the process and waits for its end.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: Process,
    /// The process by descriptor: a number may come to mean another one, this does not.
    handle: Arc<OwnedFd>,
    log: Log,
    stop: mpsc::Sender<Duration>,
    ended: watch::Receiver<Option<String>>,
}

impl Child {
    pub(super) fn supervise(
        name: String,
        child: tokio::process::Child,
        log: Log,
    ) -> io::Result<Self> {
        let pid = child.id().ok_or(io::ErrorKind::NotFound)?;
        // It has not been waited for yet, so the number is its own.
        let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let raw = raw.ok_or(io::ErrorKind::NotFound)?;
        let handle = Arc::new(pidfd_open(raw, PidfdFlags::empty())?);
        let process = Process {
            pid,
            // One that has ended already is found so below.
            started: process::started(pid).unwrap_or_default(),
        };
        let (stop, asked) = mpsc::channel(1);
        let (tell, ended) = watch::channel(None);
        tokio::spawn(watch_over(child, Arc::clone(&handle), asked, tell));
        Ok(Self {
            name,
            process,
            handle,
            log,
            stop,
            ended,
        })
    }

    /// The component's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process: that of the helper first, then, under the same number, of the program.
    #[must_use]
    pub fn process(&self) -> Process {
        self.process
    }

    /// What it writes to standard output and standard error.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Waits for its end, for whatever reason, and tells how it ended: `exit status: 1`,
    /// `signal: 9 (SIGKILL)`.
    pub async fn ended(&self) -> String {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(how) => how.clone().unwrap_or_default(),
            Err(_) => "its runtime is gone".to_owned(),
        }
    }

    /// Waits for its end as a failure of the lab, with its last lines.
    pub async fn died(&self) -> LabError {
        let how = self.ended().await;
        self.failure(&format!("ended: {how}"))
    }

    /// A failure of this component, with its last lines.
    #[must_use]
    pub fn failure(&self, what: &str) -> LabError {
        LabError::Component {
            component: self.name.clone(),
            what: what.to_owned(),
            lines: self.log.last_lines(LAST_LINES),
        }
    }

    /// Asks it to end (SIGTERM), kills it after `grace`, and returns when it is gone.
    pub async fn stop(&self, grace: Duration) {
        // It may have ended already, or been asked already.
        let _ = self.stop.try_send(grace);
        self.ended().await;
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended.borrow().is_none() {
            // Errors mean that it has ended in the meantime.
            let _ = pidfd_send_signal(&self.handle, Signal::KILL);
            // Left unreaped for the task that watches over it.
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            let _ = waitid(WaitId::PidFd(self.handle.as_fd()), options);
        }
    }
}

async fn watch_over(
    mut child: tokio::process::Child,
    handle: Arc<OwnedFd>,
    mut asked: mpsc::Receiver<Duration>,
    tell: watch::Sender<Option<String>>,
) {
    let status = tokio::select! {
        status = child.wait() => status,
        grace = asked.recv() => end(&mut child, &handle, grace.unwrap_or_default()).await,
    };
    let how = match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    tell.send_replace(Some(how));
}

async fn end(
    child: &mut tokio::process::Child,
    handle: &OwnedFd,
    grace: Duration,
) -> io::Result<ExitStatus> {
    // It may have ended in the meantime.
    let _ = pidfd_send_signal(handle, Signal::TERM);
    match timeout(grace, child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            child.start_kill()?;
            child.wait().await
        }
    }
}
