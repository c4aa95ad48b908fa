//! Carrying out what a machine asks.

use std::net::{SocketAddr, ToSocketAddrs};

use super::conn::{Conn, Link};
use super::core::Core;
use super::derive::Answer;
use super::setup::Waiting;
use crate::machine::{
    Channel, CloseCause, CloseMode, Derivation, DerivedKey, Effect, Event, LocalLimit, Lookup, Request,
    Transport,
};

/// Room kept for gathered writes from one drain to the next.
const KEEP_GATHERED: usize = 256 * 1024;

impl Core {
    /// Empties the outbox, in order. Writes to one channel in a row go out together, as one.
    pub(super) fn carry_out_all(&mut self) {
        if self.out.is_drained() {
            return;
        }
        let mut out = std::mem::take(&mut self.out);
        while let Some(effect) = out.poll() {
            match effect {
                Effect::Write(channel, bytes) => {
                    if self.gathered_for != Some(channel) {
                        self.write_gathered();
                        self.gathered_for = Some(channel);
                    }
                    self.gathered.extend_from_slice(bytes);
                }
                Effect::Request(request) => {
                    self.write_gathered();
                    self.carry_out(request);
                }
            }
        }
        self.write_gathered();
        self.out = out;
    }

    fn write_gathered(&mut self) {
        let Some(channel) = self.gathered_for.take() else { return };
        let mut bytes = std::mem::take(&mut self.gathered);
        self.write(channel, &bytes);
        bytes.clear();
        bytes.shrink_to(KEEP_GATHERED);
        self.gathered = bytes;
    }

    fn carry_out(&mut self, request: Request) {
        match request {
            Request::Resolve(channel, lookup) => self.resolve(channel, lookup),
            Request::Open(channel, address, transport) => self.open(channel, address, transport),
            Request::StartTls(channel) => self.start_tls(channel),
            Request::Compress(channel) => {
                self.end(channel, CloseCause::Io("compression is not available".to_owned()));
            }
            Request::Close(channel, mode) => self.close(channel, mode),
            Request::Derive(channel, job) => self.derive(channel, job),
        }
    }

    fn open(&mut self, channel: Channel, address: SocketAddr, transport: Transport) {
        let refused = match transport {
            Transport::Tcp => None,
            Transport::DirectTls if self.config.tls_client.is_some() => None,
            Transport::DirectTls => Some(CloseCause::Tls("no TLS was set up for this target".to_owned())),
            Transport::WebSocket => Some(CloseCause::Io("WebSocket is not available".to_owned())),
            Transport::Http => Some(CloseCause::Io("HTTP is not available".to_owned())),
        };
        let full = self.table.len() >= self.config.limits.channels;
        let refused = if full { Some(CloseCause::LocalLimit(LocalLimit::Descriptors)) } else { refused };
        let conn = Conn::new(Link::Waiting(address), self.ready.waker(channel.0), transport, false);
        if !self.table.may_insert(channel) {
            self.tell(channel, Event::Closed(CloseCause::Io("channel number out of range".to_owned())));
        } else if !self.table.insert(channel, conn) {
            // The number is in use: its present owner must not be told of an end.
            self.stats.ignored += 1;
        } else if let Some(cause) = refused {
            self.end(channel, cause);
        } else {
            self.queue_setup(channel);
        }
    }

    fn start_tls(&mut self, channel: Channel) {
        let Some(conn) = self.table.get(channel) else {
            self.stats.ignored += 1;
            return;
        };
        match conn.link {
            Link::Plain(_) if conn.wants_write() => conn.secure_when_flushed = true,
            Link::Plain(_) => self.begin_securing(channel),
            _ => self.end(channel, CloseCause::Tls("the channel is not a plain stream".to_owned())),
        }
    }

    /// From plain to waiting for its handshake.
    pub(super) fn begin_securing(&mut self, channel: Channel) {
        let Some(conn) = self.table.get(channel) else { return };
        conn.secure_when_flushed = false;
        conn.link = match std::mem::replace(&mut conn.link, Link::Gone) {
            Link::Plain(stream) => {
                self.stats.established -= 1;
                Link::Securing(stream)
            }
            other => other,
        };
        self.queue_setup(channel);
    }

    /// Puts a channel in line for connect or handshake work.
    pub(super) fn queue_setup(&mut self, channel: Channel) {
        if let Some(conn) = self.table.get(channel)
            && !std::mem::replace(&mut conn.in_setup, true)
        {
            self.setup.push_back(Waiting::Channel(channel));
        }
    }

    fn close(&mut self, channel: Channel, mode: CloseMode) {
        let Some(conn) = self.table.get(channel) else {
            self.stats.ignored += 1;
            return;
        };
        match mode {
            CloseMode::Finish if conn.is_established() && !conn.broken => {
                self.begin_ending(channel, CloseCause::Asked);
            }
            CloseMode::Abandon => self.abandon(channel),
            CloseMode::Reset => {
                conn.reset_on_close();
                self.end(channel, CloseCause::Asked);
            }
            CloseMode::Finish => self.end(channel, CloseCause::Asked),
        }
    }

    fn resolve(&mut self, channel: Channel, lookup: Lookup) {
        let answer = |result| Event::Resolved(result);
        if lookup.service.is_some() {
            let text = format!("SRV look-ups are not available: name a host and port for {}", lookup.name);
            self.tell(channel, answer(Err(text)));
            return;
        }
        if let Ok(address) = lookup.name.parse() {
            self.tell(channel, answer(Ok(vec![SocketAddr::new(address, lookup.port)])));
            return;
        }
        if self.lookups >= self.config.limits.pending_answers {
            self.tell(channel, answer(Err("too many look-ups are waiting".to_owned())));
            return;
        }
        // Without a channel of its own the number is kept, so that closing it can be answered.
        let place = Conn::new(Link::Resolving, self.ready.waker(channel.0), Transport::Tcp, false);
        let _ = self.table.insert(channel, place);
        let generation = self.table.generation(channel);
        self.lookups += 1;
        let answer_to = self.answer_to.clone();
        tokio::task::spawn_blocking(move || {
            let result = look_up(&lookup);
            // A worker that has ended needs no answer.
            let _ = answer_to.try_send(Answer::Resolved { channel, generation, result });
        });
    }

    fn derive(&mut self, channel: Channel, job: Derivation) {
        let Some(pool) = &self.config.derive else {
            self.end(channel, CloseCause::Io("no key derivation was set up".to_owned()));
            return;
        };
        if let Some(key) = pool.cached(&job) {
            self.tell(channel, Event::Derived(DerivedKey { key, cached: true }));
        } else if self.derivations >= self.config.limits.pending_answers {
            self.end(channel, CloseCause::LocalLimit(LocalLimit::Queue));
        } else {
            self.derivations += 1;
            let generation = self.table.generation(channel);
            pool.submit(channel, generation, job, self.answer_to.clone());
        }
    }

    /// Hands an answer to the channel that asked, if it is still the same one.
    pub(super) fn answer(&mut self, answer: Answer) {
        match answer {
            Answer::Derived { channel, generation, key } => {
                self.derivations -= 1;
                if self.table.generation(channel) == generation {
                    self.tell(channel, Event::Derived(DerivedKey { key, cached: false }));
                }
            }
            Answer::Resolved { channel, generation, result } => {
                self.lookups -= 1;
                if self.table.generation(channel) != generation {
                    return;
                }
                if self.table.get(channel).is_some_and(|conn| matches!(conn.link, Link::Resolving)) {
                    self.table.remove(channel);
                }
                self.tell(channel, Event::Resolved(result));
            }
        }
    }
}

/// Asks the system's resolver; blocks.
fn look_up(lookup: &Lookup) -> Result<Vec<SocketAddr>, String> {
    let failed = |reason: String| format!("cannot resolve {}: {reason}", lookup.name);
    let found = (lookup.name.as_str(), lookup.port).to_socket_addrs();
    let addresses: Vec<_> = found.map_err(|error| failed(error.to_string()))?.collect();
    if addresses.is_empty() { Err(failed("no address".to_owned())) } else { Ok(addresses) }
}
