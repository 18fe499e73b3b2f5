//! Being told to stop: Ctrl-C and SIGTERM.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code of a program that was told to stop (128 + SIGINT).
pub const INTERRUPTED: u8 = 130;

/// SIGINT and SIGTERM, no longer deadly from now on.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes them over from the system.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// A token that the first signal cancels, after `say` was called; the second one ends the program
/// at once, with [`INTERRUPTED`]. What it leaves is removed by the next command.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn token(say: impl FnOnce() + Send + 'static) -> io::Result<CancellationToken> {
    let mut signals = Signals::listen()?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        signals.next().await;
        cancelled.cancel();
        say();
        signals.next().await;
        std::process::exit(INTERRUPTED.into());
    });
    Ok(token)
}
