//! Who may use a lab when: those who only look share it, those who change it have it alone.

use std::fs::File;
use std::path::Path;

use authlab_lab::host::USERS_LOCK;
use authlab_lab::state::lock_file;
use tokio::sync::oneshot;

use crate::fault::Fault;

/// Held as long as a scenario runs; the system frees it with the file.
#[derive(Debug)]
pub(crate) struct Hold(#[expect(dead_code, reason = "open as long as it is held")] File);

/// Waits for the lab whose state file lies in `folder`.
///
/// # Errors
/// When the lock file cannot be used.
pub(crate) async fn take(folder: &Path, alone: bool) -> Result<Hold, Fault> {
    let path = folder.join(USERS_LOCK);
    let broken =
        |error: std::io::Error| Fault::Other(format!("cannot lock {}: {error}", path.display()));
    let file = lock_file(&path).map_err(broken)?;
    let (send, taken) = oneshot::channel();
    // A thread of its own: unlike a blocking task it does not keep the program from ending.
    std::thread::spawn(move || {
        let locked = if alone {
            file.lock()
        } else {
            file.lock_shared()
        };
        let _ = send.send(locked.map(|()| file));
    });
    match taken.await {
        Ok(locked) => locked.map(Hold).map_err(broken),
        Err(_) => Err(Fault::other("the thread that waits for the lab has died")),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Waker};

    use super::take;

    fn waits<F: Future>(future: &mut Pin<Box<F>>) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        future.as_mut().poll(&mut context).is_pending()
    }

    #[tokio::test]
    async fn those_who_look_share_a_lab_and_those_who_change_it_wait_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let one = take(folder.path(), false).await.unwrap();
        let other = take(folder.path(), false).await.unwrap();
        let mut alone = Box::pin(take(folder.path(), true));
        assert!(waits(&mut alone));
        drop(one);
        assert!(waits(&mut alone));
        drop(other);
        let alone = alone.await.unwrap();
        let mut late = Box::pin(take(folder.path(), false));
        assert!(waits(&mut late));
        drop(alone);
        late.await.unwrap();
    }
}
