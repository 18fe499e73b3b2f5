//! The machine as the doctor sees it.

use std::net::{Ipv4Addr, TcpListener, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::disk;
use crate::exec::on_path;
use crate::tools::{self, ToolsError};

/// How long a program may take to answer.
const PROGRAM: Duration = Duration::from_secs(10);
/// How long a host may take to be found and to answer.
const HOST: Duration = Duration::from_secs(3);

/// What a program said.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// Whether it ended well.
    pub ok: bool,
    /// On standard output.
    pub out: String,
    /// On standard error.
    pub err: String,
}

/// What the doctor asks of a machine.
pub trait Machine: Sync {
    /// Where a program lies on PATH.
    fn program(&self, name: &str) -> Option<PathBuf>;
    /// Runs a program; an error when it cannot be run or does not end in time.
    fn run(&self, program: &str, args: &[&str]) -> Result<Output, String>;
    /// The text of a file.
    fn file(&self, path: &str) -> Option<String>;
    /// A variable that is set and not empty.
    fn variable(&self, name: &str) -> Option<String>;
    /// Bytes that are free on the disk of a folder, or of the nearest folder above it.
    fn free(&self, path: &Path) -> Option<u64>;
    /// Connects to a host and hangs up.
    fn reach(&self, host: &str, port: u16) -> Result<(), String>;
    /// Takes a free port of the loopback address, and gives it back.
    fn listen(&self) -> Result<(), String>;
    /// What the tool cache holds for a checkout.
    fn tools(&self, root: &Path) -> Result<Vec<tools::Status>, ToolsError>;
}

/// The machine that this runs on.
#[derive(Debug, Clone, Copy)]
pub struct ThisMachine;

impl Machine for ThisMachine {
    fn program(&self, name: &str) -> Option<PathBuf> {
        on_path(name)
    }

    fn run(&self, program: &str, args: &[&str]) -> Result<Output, String> {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        // Read while it runs: a full pipe would keep it from ending.
        let (out, err) = (text(child.stdout.take()), text(child.stderr.take()));
        let start = Instant::now();
        let late = || format!("no answer within {} s", PROGRAM.as_secs());
        let left = || PROGRAM.saturating_sub(start.elapsed());
        let said = out
            .recv_timeout(left())
            .and_then(|out| Ok((out, err.recv_timeout(left())?)));
        let Ok((out, err)) = said else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(late());
        };
        let status = child.wait().map_err(|error| error.to_string())?;
        let ok = status.success();
        Ok(Output { ok, out, err })
    }

    fn file(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(path).ok()
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    fn free(&self, path: &Path) -> Option<u64> {
        disk::room(path)
    }

    fn reach(&self, host: &str, port: u16) -> Result<(), String> {
        let (host, late) = (
            host.to_owned(),
            format!("no answer in {} s", HOST.as_secs()),
        );
        let (told, heard) = mpsc::channel();
        // Finding a host's address has no deadline of its own: the thread may outlive the answer.
        std::thread::spawn(move || {
            let reached = (host.as_str(), port)
                .to_socket_addrs()
                .and_then(|mut found| found.next().ok_or(std::io::ErrorKind::NotFound.into()))
                .and_then(|address| TcpStream::connect_timeout(&address, HOST));
            let _ = told.send(reached.map(drop).map_err(|error| error.to_string()));
        });
        heard.recv_timeout(HOST).unwrap_or(Err(late))
    }

    fn listen(&self) -> Result<(), String> {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        taken.map(drop).map_err(|error| error.to_string())
    }

    fn tools(&self, root: &Path) -> Result<Vec<tools::Status>, ToolsError> {
        tools::status(root, &tools::ALL)
    }
}

/// Reads a stream to its end beside this thread.
fn text(stream: Option<impl std::io::Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (told, heard) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            let _ = stream.read_to_end(&mut bytes);
        }
        let _ = told.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    heard
}
