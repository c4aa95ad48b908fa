//! Connecting, accepting, securing: work that is bounded per turn, and waits in one line.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
use tokio::net::{TcpListener, TcpStream};

use super::cause;
use super::config::Listener;
use super::conn::{Conn, Link};
use super::core::Core;
use super::host::Host;
use super::table::LISTENERS;
use super::timer::Wait;
use super::tls::{Handshake, secured};
use super::wake::{Key, ReadyList};
use crate::machine::{Channel, CloseCause, Event, Opened, Transport};
use crate::units::Offset;

/// How long a listener rests after an accept failed for want of descriptors or memory.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Who waits for set-up work.
#[derive(Clone, Copy, Debug)]
pub(super) enum Waiting {
    Channel(Channel),
    Listener(usize),
}

/// A listener watched by the runtime.
pub(super) struct ActiveListener {
    socket: TcpListener,
    transport: Transport,
    waker: Waker,
    in_setup: bool,
    rests_until: Option<Offset>,
}

/// Hands listeners to the runtime; more than there are keys for is an error.
pub(super) fn activate(listeners: Vec<Listener>, ready: &Arc<ReadyList>) -> io::Result<Vec<ActiveListener>> {
    if listeners.len() > (u32::MAX - LISTENERS) as usize {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many listeners for one worker"));
    }
    let activate = |(index, listener): (usize, Listener)| {
        let waker = ready.waker(LISTENERS + index as u32);
        // Looked at once at the start: that is what registers it.
        waker.wake_by_ref();
        let socket = TcpListener::from_std(listener.socket)?;
        Ok(ActiveListener {
            socket,
            transport: listener.transport,
            waker,
            in_setup: false,
            rests_until: None,
        })
    };
    listeners.into_iter().enumerate().map(activate).collect()
}

/// Local addresses, taken in turn.
#[derive(Debug)]
pub(super) struct Sources {
    v4: Vec<IpAddr>,
    v6: Vec<IpAddr>,
    /// Per destination: ports run out per pair of addresses, so every pair must have its turn.
    next: HashMap<SocketAddr, usize>,
}

impl Sources {
    pub(super) fn new(addresses: &[IpAddr]) -> Self {
        let (v4, v6) = addresses.iter().partition(|address| address.is_ipv4());
        Self { v4, v6, next: HashMap::new() }
    }

    fn next_for(&mut self, peer: SocketAddr) -> Option<SocketAddr> {
        let list = if peer.is_ipv4() { &self.v4 } else { &self.v6 };
        let next = self.next.entry(peer).or_default();
        let address = *list.get(*next % list.len().max(1))?;
        *next = next.wrapping_add(1);
        Some(SocketAddr::new(address, 0))
    }
}

impl Core {
    /// Does set-up work until the budget is spent; at least one step.
    pub(super) fn set_up<H: Host>(&mut self, host: &mut H) {
        if self.setup.is_empty() {
            return;
        }
        let begun = self.touch();
        while let Some(waiting) = self.setup.pop_front() {
            let established = match waiting {
                Waiting::Channel(channel) => self.step(channel).then_some(channel),
                Waiting::Listener(index) => self.accept(index),
            };
            self.settle(host);
            if let Some(channel) = established {
                self.read(host, channel);
            }
            let spent = self.touch().since(begun);
            self.run_due(host);
            if spent >= self.config.limits.setup_budget {
                break;
            }
        }
    }

    /// A channel's next step; true if bytes may flow from now on.
    fn step(&mut self, channel: Channel) -> bool {
        let Some(conn) = self.table.get(channel) else { return false };
        conn.in_setup = false;
        match conn.link {
            Link::Waiting(address) => self.connect(channel, address) && self.poll_connect(channel),
            Link::Connecting(_) => self.poll_connect(channel),
            Link::Securing(_) => self.begin_handshake(channel) && self.poll_handshake(channel),
            Link::Handshake(_) => self.poll_handshake(channel),
            Link::Resolving | Link::Plain(_) | Link::Secure(_) | Link::Gone => false,
        }
    }

    fn connect(&mut self, channel: Channel, address: SocketAddr) -> bool {
        let started = self.touch();
        self.stats.connects += 1;
        let generation = self.table.generation(channel);
        match self.dial(address) {
            Ok(stream) => {
                let Some(conn) = self.table.get(channel) else { return false };
                conn.link = Link::Connecting(stream);
                conn.started = started;
                self.deadlines.push(started, Wait::Connect, channel, generation);
                true
            }
            Err(error) => {
                self.end(channel, cause::of_connect(&error));
                false
            }
        }
    }

    fn dial(&mut self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = self.config.socket.socket(address)?;
        if let Some(source) = self.sources.next_for(address) {
            bind_source(&socket, source)?;
        }
        match rustix::net::connect(&socket, &address) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => TcpStream::from_std(socket.into()),
            Err(error) => Err(error.into()),
        }
    }

    fn poll_connect(&mut self, channel: Channel) -> bool {
        let Some(conn) = self.table.get(channel) else { return false };
        match conn.poll_connected() {
            Poll::Pending => false,
            Poll::Ready(Err(error)) => {
                self.end(channel, cause::of_connect(&error));
                false
            }
            Poll::Ready(Ok(())) => self.connected(channel),
        }
    }

    fn connected(&mut self, channel: Channel) -> bool {
        self.touch();
        let Some(conn) = self.table.get(channel) else { return false };
        let Link::Connecting(stream) = std::mem::replace(&mut conn.link, Link::Gone) else { return false };
        let addresses = stream.local_addr().and_then(|local| Ok((local, stream.peer_addr()?)));
        let started = conn.started;
        conn.link = Link::Plain(stream);
        self.stats.established += 1;
        match addresses {
            Ok((local, peer)) => self.tell(channel, Event::Opened(Opened { local, peer, started })),
            Err(error) => {
                // Connected and gone again before it could be asked.
                self.end(channel, cause::of_io(&error));
                return false;
            }
        }
        self.established(channel)
    }

    /// Goes on with a fresh byte stream: secures it or sends what was written early.
    fn established(&mut self, channel: Channel) -> bool {
        let Some(conn) = self.table.get(channel) else { return false };
        if conn.transport == Transport::DirectTls && matches!(conn.link, Link::Plain(_)) {
            self.begin_securing(channel);
            return false;
        }
        if conn.queued() > 0 {
            self.write_queued(channel);
        }
        true
    }

    fn begin_handshake(&mut self, channel: Channel) -> bool {
        let started = self.touch();
        let buffer = self.config.limits.tls_buffer;
        let generation = self.table.generation(channel);
        let Some(conn) = self.table.get(channel) else { return false };
        // A server has nothing to say before the client's first TLS byte; a client may have sent that already.
        if !conn.accepted && conn.unread() > 0 {
            self.end(channel, CloseCause::InjectedBeforeTls);
            return false;
        }
        let direct = conn.transport == Transport::DirectTls;
        let Link::Securing(stream) = std::mem::replace(&mut conn.link, Link::Gone) else { return false };
        let handshake: Option<Handshake> = if conn.accepted {
            self.config.tls_server.as_ref().map(|tls| tls.begin(stream, direct, buffer))
        } else {
            self.config.tls_client.as_ref().map(|tls| tls.begin(stream, direct, buffer))
        };
        let Some(handshake) = handshake else {
            self.end(channel, CloseCause::Tls("no TLS was set up on this side".to_owned()));
            return false;
        };
        conn.started = started;
        conn.link = Link::Handshake(Box::new(handshake));
        self.deadlines.push(started, Wait::Handshake, channel, generation);
        true
    }

    fn poll_handshake(&mut self, channel: Channel) -> bool {
        let Some(conn) = self.table.get(channel) else { return false };
        let Link::Handshake(handshake) = &mut conn.link else { return false };
        match handshake.poll(&mut Context::from_waker(&conn.waker)) {
            Poll::Pending => false,
            Poll::Ready(Err(error)) => {
                self.end(channel, cause::of_handshake(&error));
                false
            }
            Poll::Ready(Ok(stream)) => {
                let facts = secured(&stream, conn.started);
                conn.link = Link::Secure(Box::new(stream));
                self.stats.handshakes += 1;
                self.stats.established += 1;
                self.touch();
                self.tell(channel, Event::Secured(Box::new(facts)));
                self.established(channel)
            }
        }
    }

    /// A listener's waker was called.
    pub(super) fn listener_ready(&mut self, key: Key) {
        let index = (key - LISTENERS) as usize;
        if let Some(listener) = self.listeners.get_mut(index)
            && listener.rests_until.is_none()
            && !std::mem::replace(&mut listener.in_setup, true)
        {
            self.setup.push_back(Waiting::Listener(index));
        }
    }

    /// Accepts one connection; the listener stays in line until there are no more.
    fn accept(&mut self, index: usize) -> Option<Channel> {
        let listener = &mut self.listeners[index];
        match listener.socket.poll_accept(&mut Context::from_waker(&listener.waker)) {
            Poll::Pending => {
                listener.in_setup = false;
                None
            }
            Poll::Ready(Ok((stream, peer))) => {
                self.setup.push_back(Waiting::Listener(index));
                self.accepted(stream, peer, self.listeners[index].transport)
            }
            Poll::Ready(Err(error)) => {
                self.accept_failed(index, &error);
                None
            }
        }
    }

    fn accepted(&mut self, stream: TcpStream, peer: SocketAddr, transport: Transport) -> Option<Channel> {
        if self.table.len() >= self.config.limits.channels {
            self.stats.accept_failures += 1;
            return None;
        }
        self.touch();
        let channel = self.table.next_accepted();
        // Socket options, TCP_NODELAY among them, are inherited from the listener.
        let conn = Conn::new(Link::Plain(stream), self.ready.waker(channel.0), transport, true);
        self.table.insert_accepted(conn);
        self.stats.accepts += 1;
        self.stats.established += 1;
        self.tell(channel, Event::Accepted(peer));
        self.established(channel).then_some(channel)
    }

    fn accept_failed(&mut self, index: usize, error: &io::Error) {
        self.stats.accept_failures += 1;
        let exhausted = matches!(cause::of_io(error), CloseCause::LocalLimit(_));
        let rests_until = self.now() + ACCEPT_REST;
        if exhausted {
            // The reactor would report it ready for ever.
            self.listeners[index].rests_until = Some(rests_until);
            self.listeners[index].in_setup = false;
        } else {
            // A connection that was gone before it was accepted: the next one may be good.
            self.setup.push_back(Waiting::Listener(index));
        }
    }

    /// When the first resting listener goes on.
    pub(super) fn next_listener(&self) -> Option<Offset> {
        self.listeners.iter().filter_map(|listener| listener.rests_until).min()
    }

    /// Puts listeners that have rested in line again.
    pub(super) fn wake_listeners(&mut self) {
        let now = self.now();
        for (index, listener) in self.listeners.iter_mut().enumerate() {
            if listener.rests_until.take_if(|until| *until <= now).is_some() {
                listener.in_setup = true;
                self.setup.push_back(Waiting::Listener(index));
            }
        }
    }
}

/// Binds to a local address and leaves the port to `connect`, which can then use one port for many peers.
fn bind_source(socket: &OwnedFd, source: SocketAddr) -> io::Result<()> {
    // Without it there are fewer ports, not wrong ones: older kernels and other families may not know the option.
    let _ = setsockopt(socket, IpBindAddressNoPort, &true);
    Ok(rustix::net::bind(socket, &source)?)
}
