//! Waiting on a condition, with its last state in the error. Nothing here waits on time alone.

use std::future::Future;
use std::time::{Duration, Instant};

use thiserror::Error;

/// What one look at a condition found.
#[derive(Debug)]
pub enum Look<T> {
    /// The condition holds.
    Ready(T),
    /// Not yet; the text is its present state, shown when time runs out.
    NotYet(String),
    /// It can never hold any more.
    Failed(String),
}

/// A condition that did not come to hold.
#[derive(Debug, Error, Clone)]
pub enum WaitError {
    /// Time ran out.
    #[error("{what}: not within {seconds} s; last seen: {last}")]
    Late {
        /// What was waited for.
        what: String,
        /// The bound in seconds.
        seconds: u64,
        /// The last state seen.
        last: String,
    },
    /// It can never hold any more.
    #[error("{what}: {why}")]
    Failed {
        /// What was waited for.
        what: String,
        /// Why it cannot hold.
        why: String,
    },
}

/// Looks again and again, a little less often each time (2 ms to 100 ms), until the condition holds.
///
/// # Errors
/// [`WaitError::Late`] after `bound`, [`WaitError::Failed`] as soon as a look says so.
pub async fn until<T, F, Fut>(what: &str, bound: Duration, mut look: F) -> Result<T, WaitError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Look<T>>,
{
    let start = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        match look().await {
            Look::Ready(value) => return Ok(value),
            Look::Failed(why) => {
                return Err(WaitError::Failed {
                    what: what.to_owned(),
                    why,
                });
            }
            Look::NotYet(last) if start.elapsed() >= bound => {
                return Err(WaitError::Late {
                    what: what.to_owned(),
                    seconds: bound.as_secs(),
                    last,
                });
            }
            Look::NotYet(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 3 / 2).min(Duration::from_millis(100));
    }
}
