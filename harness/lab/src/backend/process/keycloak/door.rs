//! A lab's own address of a server that others share: connections are passed on as they are.

use std::io;
use std::net::{SocketAddr, TcpListener};

use authlab_idp::port::Port;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};

/// A loopback port. While it was never opened, clients that come wait; once closed, they are
/// refused.
#[derive(Debug)]
pub(super) struct Door {
    port: Port,
    passing: Option<JoinHandle<()>>,
}

impl Door {
    pub(super) fn new(listener: TcpListener) -> io::Result<Self> {
        Ok(Self {
            port: Port::new(listener)?,
            passing: None,
        })
    }

    /// Passes on from now on, those who wait first.
    pub(super) fn open(&mut self, server: SocketAddr) -> io::Result<()> {
        if self.passing.is_none() {
            let listener = self.port.listener()?;
            self.passing = Some(tokio::spawn(async move {
                let mut guests = JoinSet::new();
                loop {
                    tokio::select! {
                        Some(_) = guests.join_next() => {}
                        // A client that went away while it waited is none.
                        accepted = listener.accept() => if let Ok((guest, _)) = accepted {
                            guests.spawn(pass(guest, server));
                        },
                    }
                }
            }));
        }
        Ok(())
    }

    /// Refuses connections from now on; those that are open end.
    pub(super) async fn close(&mut self) -> io::Result<()> {
        self.end().await;
        self.port.close()
    }

    async fn end(&mut self) {
        if let Some(passing) = self.passing.take() {
            passing.abort();
            let _ = passing.await;
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(passing) = &self.passing {
            passing.abort();
        }
    }
}

async fn pass(mut guest: TcpStream, server: SocketAddr) {
    if let Ok(mut there) = TcpStream::connect(server).await {
        let _ = (guest.set_nodelay(true), there.set_nodelay(true));
        // However it ends, it has ended.
        let _ = copy_bidirectional(&mut guest, &mut there).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn who_comes_early_waits_and_who_comes_late_is_refused() {
        let echo = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = echo.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut guest, _)) = echo.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = guest.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut door = Door::new(listener).unwrap();
        let mut early = TcpStream::connect(address).await.unwrap();
        early.write_all(b"hello").await.unwrap();
        for _ in 0..2 {
            door.open(server).unwrap();
            let mut guest = TcpStream::connect(address).await.unwrap();
            guest.write_all(b"again").await.unwrap();
            let mut answer = [0; 5];
            guest.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"again");
            door.close().await.unwrap();
            assert_eq!(guest.read(&mut answer).await.unwrap_or(0), 0, "it goes on");
            let late = TcpStream::connect(address).await.unwrap_err();
            assert_eq!(late.kind(), io::ErrorKind::ConnectionRefused);
        }
        let mut answer = [0; 5];
        early.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"hello");
    }
}
