//! The embedded server behind real sockets, on threads of its own.
//!
//! [`Loopback::start`] binds, makes a certificate on the spot, and runs the [`Server`] on a
//! thread named `xb-server`; its truth is written by a second one, `xb-server-truth`. What it counts and what it writes
//! down is made where bytes are handed to write, and shares nothing with what the generator records.
//!
//! A freeze is carried out by the driver: its thread does nothing at all, so the kernel's buffers fill as they do behind
//! a stopped process.
//!
//! Invariants: it binds loopback addresses only, unless told otherwise; stopping it (or dropping its handle) ends its
//! threads; a truth that could not be written is an error of [`Loopback::stop`], never silence.

mod certificate;
mod host;
pub mod truth_file;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

pub use certificate::CertificateError;
pub use truth_file::TruthFileError;

use crate::clock::{Epoch, WallTime};
use crate::loopback::host::{ServerHost, Stop};
use crate::loopback::truth_file::TruthWriter;
use crate::machine::Transport;
use crate::net::{
    DerivePool, Driver, DriverConfig, DriverError, Freeze, Frozen, InboxSender, Limits, ListenError,
    Listener, SocketOptions, TlsError, TlsServer, inbox, spawn_worker,
};
use crate::server::truth::{Header, Line, SCHEMA};
use crate::server::{Counters, Counts, Directory, Server, ServerOptions, StartTls};
use crate::units::Offset;

/// Everything the server and its sockets are told.
#[derive(Clone, Debug)]
pub struct LoopbackOptions {
    /// What the server does. Its `start` is set as it starts; its `truth` follows [`LoopbackOptions::truth_file`].
    pub server: ServerOptions,
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// Where it listens for direct TLS (XEP-0368) besides, if at all.
    pub direct_tls: Option<SocketAddr>,
    /// Whether addresses other than loopback may be bound. Anybody may log in to this server.
    pub allow_remote: bool,
    /// Where the truth is written.
    pub truth_file: Option<PathBuf>,
    /// Zero of all its instants: the run's, where it serves one.
    pub epoch: Epoch,
    /// Options of its sockets.
    pub sockets: SocketOptions,
    /// Bounds of its driver.
    pub limits: Limits,
    /// The CPU its thread is kept on.
    pub cpu: Option<usize>,
}

impl LoopbackOptions {
    /// On a free port of 127.0.0.1.
    pub fn new(server: ServerOptions, epoch: Epoch) -> Self {
        Self {
            server,
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            direct_tls: None,
            allow_remote: false,
            truth_file: None,
            epoch,
            sockets: SocketOptions::default(),
            limits: Limits::default(),
            cpu: None,
        }
    }
}

/// A server that could not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum LoopbackError {
    /// An address others could reach, not asked for explicitly.
    #[error(
        "{0} is not a loopback address: anybody may log in to this server, so say explicitly that you want this"
    )]
    NotLoopback(SocketAddr),
    /// A socket that could not listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// No certificate could be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The certificate was refused.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A thread could not be started.
    #[error("cannot start a thread of the embedded server: {0}")]
    Thread(std::io::Error),
    /// The driver failed.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The truth could not be written.
    #[error(transparent)]
    Truth(#[from] TruthFileError),
    /// The server's thread ended by a panic: a bug of ours.
    #[error("the embedded server's thread panicked; this is a bug")]
    Panicked,
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Loopback {
    address: SocketAddr,
    direct_tls_address: Option<SocketAddr>,
    ca_pem: String,
    counters: Arc<Counters>,
    freeze: Freeze,
    inbox: InboxSender<Stop>,
    thread: Option<JoinHandle<Result<(), DriverError>>>,
    truth: Option<TruthWriter>,
}

impl Loopback {
    /// Binds, and serves until stopped.
    pub fn start(options: &LoopbackOptions, directory: Box<dyn Directory>) -> Result<Self, LoopbackError> {
        let addresses = [Some(options.address), options.direct_tls];
        if let Some(remote) = addresses.into_iter().flatten().find(|address| !address.ip().is_loopback())
            && !options.allow_remote
        {
            return Err(LoopbackError::NotLoopback(remote));
        }
        let listener = Listener::bind(options.address, Transport::Tcp, options.sockets)?;
        let direct = options
            .direct_tls
            .map(|address| Listener::bind(address, Transport::DirectTls, options.sockets))
            .transpose()?;
        let certificate = certificate::make(&options.server.domain, listener.address().ip())?;
        let tls = TlsServer::from_pem(certificate.chain.as_bytes(), certificate.key.as_bytes())?;
        let start = options.epoch.now();
        let freeze = planned_freezes(&options.server, start);
        let truth = options.truth_file.as_deref().map(TruthWriter::create).transpose()?;
        let server = make_server(options, start, directory);
        let counters = server.counters();
        let config = DriverConfig {
            limits: options.limits.clone(),
            socket: options.sockets,
            tls_server: uses_tls(options).then_some(tls),
            derive: Some(DerivePool::start("xb-server-key", 1, None).map_err(LoopbackError::Thread)?),
            freeze: Some(freeze.clone()),
            ..DriverConfig::new(options.epoch)
        };
        let (address, direct_tls_address) = (listener.address(), direct.as_ref().map(Listener::address));
        let driver = Driver::new(config, std::iter::once(listener).chain(direct).collect());
        let mut host = ServerHost::new(server, freeze.clone(), truth.as_ref().map(TruthWriter::sender));
        let (inbox, receiver) = inbox(4);
        let run = move || {
            let result = driver.run(&mut host, receiver);
            host.finish();
            result
        };
        let thread = spawn_worker("xb-server", options.cpu, run).map_err(LoopbackError::Thread)?;
        Ok(Self {
            address,
            direct_tls_address,
            ca_pem: certificate.ca,
            counters,
            freeze,
            inbox,
            thread: Some(thread),
            truth,
        })
    }

    /// Where it listens, with the port really taken.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for direct TLS.
    pub const fn direct_tls_address(&self) -> Option<SocketAddr> {
        self.direct_tls_address
    }

    /// The certificate authority its certificate is verified by.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// What it has counted so far.
    pub fn counts(&self) -> Counts {
        self.counters.snapshot()
    }

    /// The freezes that have ended so far, as they really were.
    pub fn freezes(&self) -> Vec<Frozen> {
        self.freeze.history()
    }

    /// Freezes the server beyond what its faults say.
    pub fn freeze_between(&self, start: Offset, end: Offset) {
        self.freeze.between(start, end);
    }

    /// Whether its thread still runs.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Ends it, waits for its threads, and gives the final counts. The truth file is whole afterwards, or an error says
    /// why not.
    pub fn stop(mut self) -> Result<Counts, LoopbackError> {
        self.end()?;
        Ok(self.counts())
    }

    fn end(&mut self) -> Result<(), LoopbackError> {
        // A thread that is gone already takes no message, and needs none.
        let _ = self.inbox.try_send(Stop);
        self.freeze.thaw();
        if let Some(thread) = self.thread.take() {
            thread.join().map_err(|_| LoopbackError::Panicked)??;
        }
        self.truth.take().map_or(Ok(()), TruthWriter::finish)?;
        Ok(())
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        // Whoever wants to know the error calls `stop`.
        let _ = self.end();
    }
}

fn uses_tls(options: &LoopbackOptions) -> bool {
    options.direct_tls.is_some() || options.server.starttls != StartTls::Absent
}

/// The freezes the driver carries out.
fn planned_freezes(server: &ServerOptions, start: Offset) -> Freeze {
    let freeze = Freeze::new();
    for planned in &server.faults.freezes {
        freeze.between(start + planned.at, start + planned.at + planned.length);
    }
    freeze
}

/// The machine, without the freezes, and with the truth's first line.
fn make_server(options: &LoopbackOptions, start: Offset, directory: Box<dyn Directory>) -> Server {
    let mut server = options.server.clone();
    let header = Header {
        schema: SCHEMA.to_owned(),
        faults: server.faults.to_string(),
        seed: server.seed,
        start_ns: start.as_nanos(),
        epoch_monotonic_ns: options.epoch.as_monotonic_nanos(),
    };
    server.faults.freezes.clear();
    server.truth = options.truth_file.is_some();
    server.start = start;
    server.epoch_unix =
        Duration::from_secs_f64(WallTime::now().unix_seconds()).saturating_sub(start.since(Offset::ZERO));
    let mut server = Server::new(server, directory);
    server.note(Line::Header(header));
    server
}
