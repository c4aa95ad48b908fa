//! A server and scripted clients in memory, in virtual time. A kernel that takes every byte at once is played here, and
//! so are TLS and the derivation of keys.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use xmpp_bench::machine::{
    Channel, CloseCause, CloseMode, DerivedKey, Effect, Event, Machine, Outbox, Request, Secured,
};
use xmpp_bench::server::{Line, Population, Server, ServerOptions};
use xmpp_bench::units::Offset;
use xmpp_bench::xmpp::sasl::scram::salted_password;

/// What a client has seen of its connection.
#[derive(Debug, Default)]
pub struct Wire {
    /// Bytes received and not yet looked at.
    pub unread: String,
    /// Everything received, with its instant.
    pub received: Vec<(Offset, String)>,
    pub closed: Option<CloseMode>,
    written: u64,
}

pub struct World {
    pub server: Server,
    pub now: Offset,
    pub wires: BTreeMap<Channel, Wire>,
    /// Whether the kernel takes what is written.
    pub takes: bool,
    out: Outbox,
}

pub fn options() -> ServerOptions {
    ServerOptions { truth: true, ..ServerOptions::new("localhost") }
}

pub fn faulty(faults: &str, seed: u64) -> ServerOptions {
    ServerOptions { faults: faults.parse().unwrap(), seed, ..options() }
}

impl World {
    /// 100 users `u0` to `u99` with passwords `p0` to `p99`; each knows its neighbours.
    pub fn new(options: ServerOptions) -> Self {
        let people = Population::counted("u{n}", "p{n}", 100, 2);
        Self {
            server: Server::new(options, Box::new(people)),
            now: Offset::ZERO,
            wires: BTreeMap::new(),
            takes: true,
            out: Outbox::new(),
        }
    }

    /// A connection in the clear.
    pub fn connect(&mut self) -> Channel {
        let channel = Channel(self.wires.len() as u32);
        self.wires.insert(channel, Wire::default());
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        self.event(channel, Event::Accepted(peer));
        channel
    }

    /// A connection by direct TLS.
    pub fn connect_secured(&mut self) -> Channel {
        let channel = self.connect();
        self.event(channel, Event::Secured(Box::new(secured())));
        channel
    }

    /// A user online by direct TLS and PLAIN, its login's transcript read and forgotten.
    pub fn online(&mut self, user: &str, resource: &str) -> Channel {
        let channel = self.bound(user, resource);
        self.send(channel, "<presence/>");
        self.take(channel);
        channel
    }

    /// The same without initial presence.
    pub fn bound(&mut self, user: &str, resource: &str) -> Channel {
        use base64::Engine;
        let channel = self.connect_secured();
        let plain = format!("\0{user}\0{}", user.replace('u', "p"));
        let plain = base64::engine::general_purpose::STANDARD.encode(plain);
        self.send(channel, HEADER);
        self.send(channel, &format!("<auth xmlns='{SASL}' mechanism='PLAIN'>{plain}</auth>"));
        self.send(channel, HEADER);
        self.send(
            channel,
            &format!(
                "<iq type='set' id='b'><bind xmlns='{BIND}'><resource>{resource}</resource></bind></iq>"
            ),
        );
        let seen = self.take(channel);
        assert!(seen.contains(&format!("<jid>{user}@localhost/{resource}</jid>")), "{seen}");
        channel
    }

    pub fn send(&mut self, channel: Channel, text: &str) {
        self.event(channel, Event::Data(text.as_bytes()));
    }

    /// What a client has received since it looked last.
    pub fn take(&mut self, channel: Channel) -> String {
        std::mem::take(&mut self.wires.get_mut(&channel).unwrap().unread)
    }

    pub fn event(&mut self, channel: Channel, event: Event<'_>) {
        self.server.handle_event(self.now, channel, event, &mut self.out);
        self.drain();
    }

    /// Lets time pass, with every timeout on the way.
    pub fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(due) = self.server.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.server.handle_timeout(self.now, &mut self.out);
            self.drain();
        }
        self.now = until;
    }

    /// Stops the server; its truth.
    pub fn truth(mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        self.server.finish();
        self.server.take_truth(&mut lines);
        lines
    }

    /// Plays a transcript: `C:` lines are sent, and what comes in return must be the `S:` lines that follow, in which
    /// `…` stands for anything; `S:` lines in a row are one answer.
    pub fn play(&mut self, channel: Channel, script: &str) {
        let mut expected: Option<String> = None;
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line.split_once(':').map_or((line, ""), |(who, text)| (who, text.trim_start())) {
                ("C", text) => {
                    self.check(channel, expected.take());
                    self.send(channel, text);
                    expected = Some(String::new());
                }
                ("S", text) => expected.get_or_insert_default().push_str(text),
                _ => panic!("neither C: nor S: in {line:?}"),
            }
        }
        self.check(channel, expected);
    }

    fn check(&mut self, channel: Channel, expected: Option<String>) {
        if let Some(expected) = expected {
            let seen = self.take(channel);
            assert!(matches(&expected, &seen), "expected: {expected}\nreceived: {seen}");
        }
    }

    fn drain(&mut self) {
        let mut answers: Vec<(Channel, Answer)> = Vec::new();
        while let Some(effect) = self.out.poll() {
            match effect {
                Effect::Write(channel, bytes) => {
                    let wire = self.wires.get_mut(&channel).unwrap();
                    assert!(wire.closed.is_none(), "a write after the close");
                    let text = std::str::from_utf8(bytes).expect("the server writes UTF-8");
                    wire.unread.push_str(text);
                    wire.received.push((self.now, text.to_owned()));
                    wire.written += bytes.len() as u64;
                    if self.takes {
                        answers.push((channel, Answer::Sent(wire.written)));
                    }
                }
                Effect::Request(Request::StartTls(channel)) => answers.push((channel, Answer::Secured)),
                Effect::Request(Request::Derive(channel, job)) => {
                    answers.push((channel, Answer::Derived(salted_password(&job))));
                }
                Effect::Request(Request::Close(channel, mode)) => {
                    let wire = self.wires.get_mut(&channel).unwrap();
                    assert!(wire.closed.replace(mode).is_none(), "closed twice");
                    answers.push((channel, Answer::Closed));
                }
                Effect::Request(other) => panic!("a server does not ask for {other:?}"),
            }
        }
        for (channel, answer) in answers {
            self.event(
                channel,
                match answer {
                    Answer::Sent(offset) => Event::Sent(offset),
                    Answer::Secured => Event::Secured(Box::new(secured())),
                    Answer::Derived(key) => Event::Derived(DerivedKey { key, cached: false }),
                    Answer::Closed => Event::Closed(CloseCause::Asked),
                },
            );
        }
    }
}

enum Answer {
    Sent(u64),
    Secured,
    Derived(Vec<u8>),
    Closed,
}

pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
pub const HEADER: &str = "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' \
                          xmlns:stream='http://etherx.jabber.org/streams'>";

fn secured() -> Secured {
    Secured {
        started: Offset::ZERO,
        version: "TLSv1_3".to_owned(),
        cipher: String::new(),
        resumed: false,
        leaf_sha256: None,
        certificates: 0,
        exporter: None,
    }
}

/// Whether `text` is `pattern`, in which `…` stands for anything.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('…');
    let Some(mut rest) = text.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    let mut last = None;
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
        last = Some(piece);
    }
    match last {
        None => rest.is_empty(),
        Some(piece) => rest.is_empty() || piece.is_empty(),
    }
}
