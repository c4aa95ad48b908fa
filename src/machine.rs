//! The sans-I/O contract between what decides ([`Machine`]) and what moves bytes (the driver in `net`).
//!
//! A machine owns numbered [`Channel`]s. It is told things ([`Event`]) together with the instant they happened and
//! answers by filling an [`Outbox`]: bytes to write and [`Request`]s to carry out. It never reads a clock, opens a
//! socket or sleeps; so a user and a server can be run against each other in memory, in virtual time.
//!
//! **The drain rule.** After every `handle_*` call the caller takes everything out of the outbox, in order, before
//! it calls the machine again, and then asks [`Machine::poll_timeout`] afresh. Time given to a machine never goes
//! backwards.
//!
//! The contract is as wide as the transports to come need: a channel may be a byte stream (TCP, TLS) or carry framed
//! messages (one WebSocket element; one BOSH request and its response), and a machine may own several channels.
//!
//! Invariant: this module knows nothing of XMPP, sockets or the runtime.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use crate::units::Offset;

/// A connection as its machine numbers it. The machine chooses the numbers of the channels it opens; the driver
/// chooses those of accepted ones. A number may be used again after [`Event::Closed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channel(pub u32);

/// What moves on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A byte stream in the clear, which may be secured later by [`Request::StartTls`].
    Tcp,
    /// A byte stream secured from its first byte (XEP-0368); ALPN `xmpp-client`.
    DirectTls,
    /// RFC 7395: every write and every [`Event::Data`] is one whole WebSocket text message.
    WebSocket,
    /// XEP-0124: every write is one request body, every [`Event::Data`] one response body.
    Http,
}

/// A name to be resolved; the answer comes as [`Event::Resolved`] on the asking channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The host or domain.
    pub name: String,
    /// The port used where the answer holds none.
    pub port: u16,
    /// The SRV service to ask for (`_xmpp-client._tcp`), or none for plain addresses.
    pub service: Option<&'static str>,
}

/// A hash for key derivation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hash {
    /// SHA-1, 20 bytes.
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
}

/// A PBKDF2 derivation, too slow for a worker: it is done elsewhere and answered by [`Event::Derived`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Derivation {
    /// The pseudo-random function's hash; the key is as long as its output.
    pub hash: Hash,
    /// The secret, already prepared. Never shown, not even by `Debug`.
    pub password: Arc<str>,
    /// The salt, as the peer sent it.
    pub salt: Vec<u8>,
    /// The iteration count, bounded by the machine before it asks.
    pub iterations: u32,
}

impl std::fmt::Debug for Derivation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Derivation({:?}, {} iterations)", self.hash, self.iterations)
    }
}

/// What a machine asks of the outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Resolve a name.
    Resolve(Channel, Lookup),
    /// Open a channel to an address. Answered by [`Event::Opened`] (and [`Event::Secured`] for secured
    /// transports), or by [`Event::Closed`].
    Open(Channel, SocketAddr, Transport),
    /// Begin the TLS handshake on an open byte stream; answered by [`Event::Secured`] or [`Event::Closed`]. Bytes
    /// received in the clear and not yet given to the machine are a violation the driver reports as such.
    StartTls(Channel),
    /// Compress both directions from here on (XEP-0138).
    Compress(Channel),
    /// End a channel. Bytes written before are sent first, except with [`CloseMode::Abandon`] and
    /// [`CloseMode::Reset`]. Answered by [`Event::Closed`], always, and nothing comes after it.
    Close(Channel, CloseMode),
    /// Derive a key off the worker.
    Derive(Channel, Derivation),
}

/// How a channel is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseMode {
    /// Orderly: what is queued is sent, then TLS's `close_notify` and FIN.
    Finish,
    /// At once, with RST.
    Reset,
    /// Forgotten without a word on the wire, as when a phone loses its network.
    Abandon,
}

/// Something that happened on a channel, told to the machine that owns it.
#[derive(Debug)]
pub enum Event<'a> {
    /// A peer connected (server role).
    Accepted(SocketAddr),
    /// A look-up ended; candidates in the order in which to try them.
    Resolved(Result<Vec<SocketAddr>, String>),
    /// The transport is connected.
    Opened(Opened),
    /// The channel is encrypted from here on.
    Secured(Box<Secured>),
    /// Bytes arrived; the instant given with the event is when the read that took them returned.
    Data(&'a [u8]),
    /// All bytes up to this offset (counted per channel from its opening, as written by the machine) were taken by
    /// the kernel; the instant given with the event is when that write returned.
    Sent(u64),
    /// The channel is gone.
    Closed(CloseCause),
    /// The key asked for by [`Request::Derive`], and whether it came from the cache.
    Derived(DerivedKey),
}

/// A derived key.
#[derive(Clone, PartialEq, Eq)]
pub struct DerivedKey {
    /// The PBKDF2 output, as long as the hash's.
    pub key: Vec<u8>,
    /// Whether no derivation was needed.
    pub cached: bool,
}

impl std::fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DerivedKey(cached: {})", self.cached)
    }
}

/// Facts of a connected transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Our address.
    pub local: SocketAddr,
    /// The peer's address.
    pub peer: SocketAddr,
    /// When `connect` was called: later than the request if connects had to wait for their turn.
    pub started: Offset,
}

/// Facts of a finished TLS handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secured {
    /// When the handshake's first byte was handed over.
    pub started: Offset,
    /// `TLSv1_3` and the like.
    pub version: String,
    /// The cipher suite's name.
    pub cipher: String,
    /// Whether a session was resumed; false is a full handshake.
    pub resumed: bool,
    /// SHA-256 of the peer's leaf certificate, if it showed one.
    pub leaf_sha256: Option<[u8; 32]>,
    /// Certificates the peer showed, the leaf among them.
    pub certificates: u32,
    /// `tls-exporter` channel-binding data (RFC 9266), where the version allows it.
    pub exporter: Option<[u8; 32]>,
}

/// Why a channel ended, classed by who ended it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseCause {
    /// We asked for it.
    Asked,
    /// The peer sent FIN (after `close_notify` where there is TLS).
    Finished,
    /// The peer's TLS ended without `close_notify` (RFC 8446 section 6.1).
    Truncated,
    /// The connection was reset.
    Reset,
    /// Nobody listens there.
    Refused,
    /// Connecting took longer than the driver's limit.
    ConnectTimeout,
    /// The TLS handshake took longer than the driver's limit.
    HandshakeTimeout,
    /// The peer ended the connection during the TLS handshake.
    HandshakeCut,
    /// The TLS handshake failed; for a certificate the reason names it.
    Tls(String),
    /// The peer sent bytes in the clear after the step that secures the stream.
    InjectedBeforeTls,
    /// A limit of ours: descriptors, ports, queue.
    LocalLimit(LocalLimit),
    /// Any other error of the operating system.
    Io(String),
}

/// Limits on our side that can end or prevent a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LocalLimit {
    /// No descriptor left (EMFILE, ENFILE).
    Descriptors,
    /// No local port left for this address pair (EADDRNOTAVAIL).
    Ports,
    /// No memory for socket buffers (ENOBUFS, ENOMEM).
    Memory,
    /// The channel's queue of unsent bytes is full.
    Queue,
}

/// Decides; owns channels; does no I/O. See the module text for the drain rule.
pub trait Machine {
    /// Something happened on a channel at `now`.
    fn handle_event(&mut self, now: Offset, channel: Channel, event: Event<'_>, out: &mut Outbox);

    /// The instant asked for by [`Machine::poll_timeout`] has come (or passed).
    fn handle_timeout(&mut self, now: Offset, out: &mut Outbox);

    /// When the machine wants [`Machine::handle_timeout`] next; any `handle_*` call may change the answer.
    fn poll_timeout(&self) -> Option<Offset>;
}

/// One thing taken out of an [`Outbox`].
#[derive(Debug, PartialEq)]
pub enum Effect<'a> {
    /// Write these bytes to the channel (one framed message on framed transports).
    Write(Channel, &'a [u8]),
    /// Carry out a request.
    Request(Request),
}

/// What a machine wants done, in order. One outbox serves all channels of a worker, so that an idle user owns no
/// buffer.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    taken: usize,
}

#[derive(Debug)]
enum Entry {
    Write(Channel, Range<usize>),
    Request(Option<Request>),
}

impl Outbox {
    /// An empty outbox.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends what `fill` writes as one write to `channel`; returns its length in bytes. Nothing written is nothing
    /// queued.
    pub fn write(&mut self, channel: Channel, fill: impl FnOnce(&mut Vec<u8>)) -> u64 {
        let start = self.bytes.len();
        fill(&mut self.bytes);
        let end = self.bytes.len();
        if end > start {
            self.entries.push(Entry::Write(channel, start..end));
        }
        (end - start) as u64
    }

    /// Appends a request.
    pub fn request(&mut self, request: Request) {
        self.entries.push(Entry::Request(Some(request)));
    }

    /// Whether everything was taken.
    pub fn is_drained(&self) -> bool {
        self.taken == self.entries.len()
    }

    /// Takes the next effect; `None` when drained, and the buffers are ready for use again.
    pub fn poll(&mut self) -> Option<Effect<'_>> {
        if self.is_drained() {
            self.clear();
            return None;
        }
        let at = self.taken;
        self.taken += 1;
        match &mut self.entries[at] {
            Entry::Write(channel, range) => Some(Effect::Write(*channel, &self.bytes[range.clone()])),
            Entry::Request(request) => request.take().map(Effect::Request),
        }
    }

    fn clear(&mut self) {
        const KEEP: usize = 1 << 20;
        self.entries.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEEP);
        self.taken = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_come_out_in_the_order_they_went_in() {
        let mut out = Outbox::new();
        out.write(Channel(1), |bytes| bytes.extend_from_slice(b"<starttls/>"));
        out.request(Request::StartTls(Channel(1)));
        assert_eq!(out.write(Channel(2), |_| ()), 0);
        out.write(Channel(2), |bytes| bytes.push(b' '));

        assert_eq!(out.poll(), Some(Effect::Write(Channel(1), b"<starttls/>")));
        assert_eq!(out.poll(), Some(Effect::Request(Request::StartTls(Channel(1)))));
        assert_eq!(out.poll(), Some(Effect::Write(Channel(2), b" ")));
        assert_eq!(out.poll(), None);
        assert!(out.is_drained());
    }

    #[test]
    fn secrets_are_not_shown() {
        let job =
            Derivation { hash: Hash::Sha256, password: "hunter2".into(), salt: vec![1], iterations: 4096 };
        assert!(!format!("{job:?}").contains("hunter2"));
    }
}
