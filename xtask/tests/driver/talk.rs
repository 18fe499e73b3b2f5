//! A driver that runs: what it says, line by line, and signals to it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::root::{Root, piped};

/// No wait is longer.
pub const BOUND: Duration = Duration::from_secs(20);

pub struct Talk {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Talk {
    pub fn start(root: &Root, args: &[&str]) -> Self {
        Self::run(root.command(args))
    }

    pub fn run(driver: Command) -> Self {
        let mut child = piped(driver);
        let (send, lines) = channel();
        hear(child.stdout.take().unwrap(), send.clone());
        hear(child.stderr.take().unwrap(), send);
        Self {
            child,
            lines,
            said: Vec::new(),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end, which is near, whatever its hosts do.
    pub fn forget(mut self) {
        self.child.wait().unwrap();
    }

    /// Waits for a line with `text` in it.
    pub fn until_said(&mut self, text: &str) {
        let until = Instant::now() + BOUND;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let found = line.contains(text);
                    self.said.push(line);
                    if found {
                        return;
                    }
                }
                Err(error) => panic!("{text}: {error}; said: {:#?}", self.said),
            }
        }
    }

    /// Waits until it no longer dies of `signal`.
    pub fn until_it_heeds(&self, signal: Signal) {
        let bit = 1_u64 << (signal.as_raw() - 1);
        let file = format!("/proc/{}/status", self.child.id());
        wait_until("the signal is heeded", || {
            let status = std::fs::read_to_string(&file).unwrap_or_default();
            let caught = status
                .lines()
                .find_map(|line| line.strip_prefix("SigCgt:"))
                .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
            caught.is_some_and(|mask| mask & bit != 0)
        });
    }

    pub fn signal(&self, signal: Signal) {
        send(self.child.id(), signal);
    }

    /// Waits for its end; its exit status and all that it said.
    pub fn end(self) -> (ExitStatus, String) {
        self.end_within(BOUND)
    }

    /// The same of one that may take longer.
    pub fn end_within(mut self, bound: Duration) -> (ExitStatus, String) {
        let ended = within(bound, || self.child.try_wait().unwrap().is_some());
        assert!(ended, "the driver has not ended within {bound:?}");
        // Both pipes are closed once nobody writes to them, its lab hosts included.
        while let Ok(line) = self.lines.recv_timeout(BOUND) {
            self.said.push(line);
        }
        (self.child.wait().unwrap(), self.said.join("\n"))
    }
}

fn hear(stream: impl Read + Send + 'static, send: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            // A test that has ended listens no more.
            let _ = line.map(|line| send.send(line));
        }
    });
}

/// Sends a signal to a process that may have ended.
pub fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let _ = kill_process(pid, signal);
}

/// Looks again and again.
pub fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    assert!(within(BOUND, condition), "{what}: not within {BOUND:?}");
}

/// Whether `condition` came to hold within `bound`.
pub fn within(bound: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + bound;
    while !condition() {
        if Instant::now() > until {
            return false;
        }
        // Others need the processor more.
        std::thread::park_timeout(Duration::from_millis(1));
    }
    true
}
