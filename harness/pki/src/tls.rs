//! A TLS listener for `axum::serve`, and who is at the other end of a connection.

mod clients;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, LazyLock},
    time::Duration,
};

use axum::{extract::connect_info::Connected, serve::IncomingStream};
use rustls::{ServerConfig, crypto::CryptoProvider};
use rustls_pki_types::CertificateDer;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

pub use clients::ClientAuthority;

/// A client that has not finished its handshake after this time is cut off.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The provider of all TLS here: aws-lc-rs.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}

/// Makes [`provider`] the one of this process, for libraries that ask rustls for its default. Harmless when repeated.
pub fn install_provider() {
    // Refused when there is one already, which then is the same.
    let _ = (*provider()).clone().install_default();
}

/// Accepts TLS connections. Handshakes run side by side, so a client that sends nothing holds nobody up, and one that
/// fails is dropped.
pub struct Listener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl Listener {
    /// A listener on a bound socket.
    #[must_use]
    pub fn new(tcp: TcpListener, config: Arc<ServerConfig>) -> Self {
        Self {
            tcp,
            acceptor: TlsAcceptor::from(config),
            handshakes: JoinSet::new(),
        }
    }
}

impl axum::serve::Listener for Listener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            tokio::select! {
                // axum's own accept outlasts errors such as too many open files.
                (stream, address) = axum::serve::Listener::accept(&mut self.tcp) => {
                    let acceptor = self.acceptor.clone();
                    self.handshakes.spawn(async move {
                        // Small requests and answers: waiting to fill packets only costs time.
                        let _ = stream.set_nodelay(true);
                        let stream = timeout(HANDSHAKE, acceptor.accept(stream)).await.ok()?.ok()?;
                        Some((stream, address))
                    });
                }
                Some(handshake) = self.handshakes.join_next() => {
                    if let Ok(Some(connection)) = handshake {
                        return connection;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// The client of a connection, for `axum::extract::ConnectInfo<Peer>` under
/// `into_make_service_with_connect_info::<Peer>()`.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Where it comes from.
    pub addr: SocketAddr,
    /// The chain it showed, its own certificate first; empty when it showed none. Verified, unless the server was made
    /// by [`Certificate::server_config_unverified`](crate::Certificate::server_config_unverified).
    pub certificates: Vec<CertificateDer<'static>>,
}

impl Connected<IncomingStream<'_, Listener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        let (_, connection) = stream.io().get_ref();
        Self {
            addr: *stream.remote_addr(),
            certificates: connection
                .peer_certificates()
                .map(|chain| {
                    chain
                        .iter()
                        .cloned()
                        .map(CertificateDer::into_owned)
                        .collect()
                })
                .unwrap_or_default(),
        }
    }
}
