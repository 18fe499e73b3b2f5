//! A loopback port that stays a provider's own while the provider is down.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use rustix::net::{Shutdown, shutdown};
use tokio::net::TcpSocket;

/// How many clients may wait to be taken in.
const BACKLOG: u32 = 1024;

/// Binds a port without listening on it: connections are refused, and nobody else is given the port. A server that
/// sets `SO_REUSEADDR`, as Go's and Java's do, can listen there meanwhile (`socket(7)`: two sockets may share an
/// address as long as only one listens).
///
/// # Errors
/// When somebody listens there, or the port is another's.
pub fn reserve(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// The port of a server of this process: it listens, or it keeps others from doing so.
#[derive(Debug)]
pub struct Port {
    address: SocketAddr,
    held: Held,
}

#[derive(Debug)]
enum Held {
    Listening(TcpListener),
    Reserved(TcpSocket),
    /// A change went wrong half-way.
    Lost,
}

impl Port {
    /// Of a listener that is bound.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn new(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            address: listener.local_addr()?,
            held: Held::Listening(listener),
        })
    }

    /// Another handle of the socket, which listens from now on if it did not. Until all of them are gone, clients
    /// that nobody takes in wait.
    ///
    /// # Errors
    /// When the port was lost to somebody else.
    pub fn listener(&mut self) -> io::Result<tokio::net::TcpListener> {
        let listener = match std::mem::replace(&mut self.held, Held::Lost) {
            Held::Listening(listener) => listener,
            Held::Reserved(socket) => socket.listen(BACKLOG)?.into_std()?,
            Held::Lost => reserve(self.address)?.listen(BACKLOG)?.into_std()?,
        };
        let handle = listener.try_clone()?;
        self.held = Held::Listening(listener);
        tokio::net::TcpListener::from_std(handle)
    }

    /// Refuses connections from now on. Every handle must be gone already.
    ///
    /// # Errors
    /// When the port was lost to somebody else in between.
    pub fn close(&mut self) -> io::Result<()> {
        if let Held::Reserved(_) = self.held {
            return Ok(());
        }
        // Gone first: an address is not shared with a socket that listens. This one would listen on while a child
        // that was being started has it, too, were that not ended by hand (Linux; elsewhere it is no more than refused).
        if let Held::Listening(listener) = std::mem::replace(&mut self.held, Held::Lost) {
            let _ = shutdown(&listener, Shutdown::Read);
        }
        self.held = Held::Reserved(reserve(self.address)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_closed_port_refuses_everybody_and_opens_again() {
        let mut port = Port::new(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
        let address = port.address;
        for _ in 0..3 {
            drop(port.listener().unwrap());
            TcpStream::connect(address).await.unwrap();
            port.close().unwrap();
            port.close().unwrap();
            let refused = TcpStream::connect(address).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            // What a stranger would do.
            let stranger = TcpSocket::new_v4().unwrap();
            assert!(stranger.bind(address).is_err());
        }
    }

    #[tokio::test]
    async fn what_a_child_has_of_a_port_does_not_keep_it_open() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // As between fork and exec.
        let mut inherited = vec![listener.try_clone().unwrap()];
        let mut port = Port::new(listener).unwrap();
        for _ in 0..2 {
            port.close().unwrap();
            let refused = TcpStream::connect(port.address).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            let handle = port.listener().unwrap().into_std().unwrap();
            inherited.push(handle);
            TcpStream::connect(port.address).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_reserved_port_can_be_listened_on_by_who_shares_addresses() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        assert!(reserve(address).is_err(), "somebody listens there");
        drop(free);
        let _reserved = reserve(address).unwrap();
        let child = TcpListener::bind(address).unwrap();
        TcpStream::connect(address).await.unwrap();
        drop(child);
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
