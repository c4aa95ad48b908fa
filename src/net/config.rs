//! What a driver is told before it runs: limits, socket options, where to listen.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::derive::DerivePool;
use super::freeze::Freeze;
use super::tls::{TlsClient, TlsServer};
use crate::clock::Epoch;
use crate::machine::Transport;

/// Everything one driver needs to know. Cheap to clone: what is large is shared.
#[derive(Clone)]
pub struct DriverConfig {
    /// The run's epoch: every offset counts from here.
    pub epoch: Epoch,
    /// Bounds on memory and on time.
    pub limits: Limits,
    /// Options of the sockets that connect.
    pub socket: SocketOptions,
    /// Local addresses to connect from, taken in turn; empty lets the system choose.
    pub source_addresses: Vec<IpAddr>,
    /// How channels this driver opens are secured; none makes securing them an error of that channel.
    pub tls_client: Option<TlsClient>,
    /// How accepted channels are secured.
    pub tls_server: Option<TlsServer>,
    /// Where keys are derived; none makes asking for one an error of that channel.
    pub derive: Option<Arc<DerivePool>>,
    /// Stops the driver from outside, as a fault.
    pub freeze: Option<Freeze>,
}

impl DriverConfig {
    /// Plain TCP, default limits, nothing else.
    pub fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            limits: Limits::default(),
            socket: SocketOptions::default(),
            source_addresses: Vec::new(),
            tls_client: None,
            tls_server: None,
            derive: None,
            freeze: None,
        }
    }
}

/// Bounds on what a driver holds and on how long it waits. All are per driver.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Time per turn for accepting, connecting and TLS handshakes together. At least one step is made each turn.
    pub setup_budget: Duration,
    /// Bytes taken from one channel per turn before others have theirs; also the size of the shared read buffer.
    pub read_bytes: usize,
    /// Bytes a channel may have written that the kernel did not take; more ends it with `LocalLimit::Queue`.
    pub queue_bytes: usize,
    /// From `connect` to established.
    pub connect_timeout: Duration,
    /// From the handshake's first byte to its end.
    pub handshake_timeout: Duration,
    /// From a request to finish a channel to the peer's own end; then it is closed without it.
    pub linger: Duration,
    /// Abandoned sockets kept open; past it the oldest is reset.
    pub abandoned: usize,
    /// Channels at one time, accepted ones among them. Numbers of opened channels must lie below this; memory grows with
    /// the highest number used (16 bytes each).
    pub channels: usize,
    /// Key derivations and look-ups waiting for their answer, each.
    pub pending_answers: usize,
    /// Plaintext that rustls holds per channel beside [`Limits::queue_bytes`].
    pub tls_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            setup_budget: Duration::from_micros(200),
            read_bytes: 64 * 1024,
            queue_bytes: 1024 * 1024,
            connect_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(30),
            linger: Duration::from_secs(2),
            abandoned: 10_000,
            channels: 1_000_000,
            pending_answers: 65_536,
            tls_buffer: 16 * 1024,
        }
    }
}

/// Options of a socket. `TCP_NODELAY` is always on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketOptions {
    /// `SO_SNDBUF` in bytes, as asked of the kernel (which doubles it); none leaves the kernel's own tuning.
    pub send_buffer: Option<usize>,
    /// `SO_RCVBUF` in bytes, likewise.
    pub receive_buffer: Option<usize>,
    /// `SO_REUSEPORT`, for several drivers that listen on one address.
    pub reuse_port: bool,
}

impl SocketOptions {
    /// A non-blocking TCP socket with these options.
    pub(super) fn socket(self, address: SocketAddr) -> io::Result<std::os::fd::OwnedFd> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        if let Some(bytes) = self.send_buffer {
            sockopt::set_socket_send_buffer_size(&socket, bytes)?;
        }
        if let Some(bytes) = self.receive_buffer {
            sockopt::set_socket_recv_buffer_size(&socket, bytes)?;
        }
        if self.reuse_port {
            sockopt::set_socket_reuseport(&socket, true)?;
        }
        Ok(socket)
    }
}

/// A bound and listening socket, to be handed to a driver.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: TcpListener,
    pub(super) transport: Transport,
    address: SocketAddr,
}

/// A socket that could not listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ListenError {
    address: SocketAddr,
    source: io::Error,
}

impl Listener {
    /// Connections the kernel holds until the driver accepts them.
    const BACKLOG: i32 = 4096;

    /// Binds and listens; port 0 takes a free one. `transport` is [`Transport::Tcp`] or [`Transport::DirectTls`].
    pub fn bind(
        address: SocketAddr,
        transport: Transport,
        options: SocketOptions,
    ) -> Result<Self, ListenError> {
        Self::open(address, transport, options).map_err(|source| ListenError { address, source })
    }

    /// As many listeners on one address as there are drivers; the kernel shares out the connections by their hash.
    pub fn bind_group(
        address: SocketAddr,
        transport: Transport,
        options: SocketOptions,
        count: usize,
    ) -> Result<Vec<Self>, ListenError> {
        let options = SocketOptions { reuse_port: true, ..options };
        let mut listeners: Vec<Self> = Vec::with_capacity(count);
        for _ in 0..count {
            let bound = listeners.first().map_or(address, Self::address);
            listeners.push(Self::bind(bound, transport, options)?);
        }
        Ok(listeners)
    }

    /// Where it listens, with the port really taken.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    fn open(address: SocketAddr, transport: Transport, options: SocketOptions) -> io::Result<Self> {
        let socket = options.socket(address)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        rustix::net::bind(&socket, &address)?;
        rustix::net::listen(&socket, Self::BACKLOG)?;
        let socket = TcpListener::from(socket);
        let address = socket.local_addr()?;
        Ok(Self { socket, transport, address })
    }
}
