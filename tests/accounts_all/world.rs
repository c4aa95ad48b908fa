//! A worker against the scripted peer: in memory, in virtual time, over a link of fixed latency.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use xmpp_bench::accounts::known::Known;
use xmpp_bench::accounts::worker::{Message, Report, Stage, Worker};
use xmpp_bench::accounts::{People, Task};
use xmpp_bench::activity::{Activity, Features};
use xmpp_bench::machine::{
    Channel, CloseCause, CloseMode, DerivedKey, Effect, Event, Machine, Opened, Outbox, Request, Transport,
};
use xmpp_bench::net::Host;
use xmpp_bench::net::derive::derive;
use xmpp_bench::profile::{Files, Input, Profile};
use xmpp_bench::units::{Offset, Rate};

use crate::peer::Peer;

/// One way.
const LATENCY: Duration = Duration::from_millis(1);

/// A profile of so many users, each with so many contacts.
pub fn profile_text(users: u32, contacts: u32) -> String {
    format!(
        r#"
[target]
url = "xmpp://127.0.0.1:5222"
domain = "localhost"
tls = "off"
[[users]]
count = {users}
jid = "u{{n}}@{{domain}}"
password = "secret-{{n}}"
plain_without_tls = true
contacts = {contacts}
[[phase]]
name = "steady"
duration = "1s"
users = "100%"
measure = true
[[activity]]
kind = "ping"
every = "5s"
"#
    )
}

pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &Path) -> Result<String, String> {
        Err(format!("no file {} here", path.display()))
    }
}

pub fn profile(text: &str) -> Profile<Activity> {
    let input = Input { name: "test.toml".to_owned(), text: text.to_owned(), ..Input::default() };
    Profile::read(&input, &Features, &NoFiles).unwrap_or_else(|problems| panic!("{problems}"))
}

pub fn people(users: u32, contacts: u32) -> Arc<People> {
    let profile = profile(&profile_text(users, contacts));
    Arc::new(People::new(profile.target, profile.groups, vec![(address(), Transport::Tcp)]))
}

fn address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 5222))
}

/// See the module text.
pub struct World {
    pub now: Offset,
    pub peer: Peer,
    /// Nobody listens.
    pub refuses: bool,
    pub worker: Worker,
    /// When each connection was opened.
    pub opened: Vec<Offset>,
    reports: Receiver<Report>,
    queue: BinaryHeap<Reverse<(Offset, u64)>>,
    payloads: BTreeMap<u64, Payload>,
    next_payload: u64,
    /// The peer's connection on each of the worker's channels.
    links: BTreeMap<u32, u32>,
    written: BTreeMap<u32, u64>,
}

enum Payload {
    ToPeer(u32, Vec<u8>),
    GoneForPeer(u32),
    /// To a channel, if it still is that connection.
    ToWorker(u32, u32, Told),
}

enum Told {
    Opened,
    Data(Vec<u8>),
    Derived(Vec<u8>),
    Closed(CloseCause),
}

impl World {
    pub fn new(
        people: &Arc<People>,
        peer: Peer,
        task: Task,
        known: Known,
        rate: f64,
        connections: u16,
    ) -> Self {
        let stage = Stage {
            keep_going: false,
            people: Arc::clone(people),
            task,
            users: people.with_account().collect(),
            known,
            rate: Rate::per_second(rate).unwrap(),
            connections,
        };
        Self::of(stage, peer)
    }

    pub fn of(stage: Stage, mut peer: Peer) -> Self {
        peer.all_gone();
        let (outlet, reports) = channel();
        Self {
            now: Offset::ZERO,
            peer,
            refuses: false,
            worker: Worker::new(stage, outlet),
            opened: Vec::new(),
            reports,
            queue: BinaryHeap::new(),
            payloads: BTreeMap::new(),
            next_payload: 0,
            links: BTreeMap::new(),
            written: BTreeMap::new(),
        }
    }

    /// Until the worker is finished, at most so long; what it said.
    pub fn run(&mut self, at_most: Duration) -> Vec<Report> {
        self.run_until(self.now + at_most);
        assert!(self.worker.is_finished(), "the worker is not finished after {at_most:?}");
        self.reports.try_iter().collect()
    }

    pub fn run_until(&mut self, until: Offset) {
        while !self.worker.is_finished() {
            let queued = self.queue.peek().map(|Reverse((at, _))| *at);
            let Some(at) = [queued, self.worker.poll_timeout()].into_iter().flatten().min() else { break };
            if at > until {
                break;
            }
            self.now = self.now.max(at);
            self.step();
        }
        self.now = self.now.max(until);
    }

    pub fn tell(&mut self, message: Message) {
        let mut out = Outbox::new();
        self.worker.handle_message(self.now, message, &mut out);
        self.carry_out(out);
    }

    fn step(&mut self) {
        let mut out = Outbox::new();
        if self.worker.poll_timeout().is_some_and(|at| at <= self.now) {
            self.worker.handle_timeout(self.now, &mut out);
        } else if let Some(Reverse((_, number))) = self.queue.pop() {
            match self.payloads.remove(&number).expect("queued with its payload") {
                Payload::ToPeer(connection, bytes) => self.peer_reads(connection, &bytes),
                Payload::GoneForPeer(connection) => self.peer.gone(connection),
                Payload::ToWorker(channel, connection, told) => {
                    if self.links.get(&channel) == Some(&connection) {
                        self.worker_hears(channel, told, &mut out);
                    }
                }
            }
        }
        self.carry_out(out);
    }

    fn worker_hears(&mut self, channel: u32, told: Told, out: &mut Outbox) {
        let event = match &told {
            Told::Opened => Event::Opened(Opened { local: address(), peer: address(), started: self.now }),
            Told::Data(bytes) => Event::Data(bytes),
            Told::Derived(key) => Event::Derived(DerivedKey { key: key.clone(), cached: false }),
            Told::Closed(cause) => {
                self.links.remove(&channel);
                Event::Closed(cause.clone())
            }
        };
        self.worker.handle_event(self.now, Channel(channel), event, out);
    }

    fn peer_reads(&mut self, connection: u32, bytes: &[u8]) {
        for (connection, bytes) in self.peer.read(connection, bytes) {
            let found = self.links.iter().find(|(_, link)| **link == connection);
            let Some(channel) = found.map(|(channel, _)| *channel) else { continue };
            let told = bytes.map_or(Told::Closed(CloseCause::Finished), Told::Data);
            self.queue_up(self.now + LATENCY, Payload::ToWorker(channel, connection, told));
        }
    }

    fn carry_out(&mut self, mut out: Outbox) {
        let mut sent = Vec::new();
        while let Some(effect) = out.poll() {
            match effect {
                Effect::Write(channel, bytes) => {
                    let Some(connection) = self.links.get(&channel.0).copied() else { continue };
                    let bytes = bytes.to_vec();
                    let written = self.written.entry(connection).or_default();
                    *written += bytes.len() as u64;
                    sent.push((channel, *written));
                    self.queue_up(self.now + LATENCY, Payload::ToPeer(connection, bytes));
                }
                Effect::Request(request) => self.request(request),
            }
        }
        for (channel, offset) in sent {
            let mut out = Outbox::new();
            self.worker.handle_event(self.now, channel, Event::Sent(offset), &mut out);
            self.carry_out(out);
        }
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Open(Channel(channel), ..) => {
                let connection = self.opened.len() as u32;
                self.opened.push(self.now);
                self.links.insert(channel, connection);
                let told = if self.refuses { Told::Closed(CloseCause::Refused) } else { Told::Opened };
                self.queue_up(self.now + LATENCY * 2, Payload::ToWorker(channel, connection, told));
            }
            Request::Derive(Channel(channel), job) => {
                let connection = self.links[&channel];
                self.queue_up(self.now, Payload::ToWorker(channel, connection, Told::Derived(derive(&job))));
            }
            Request::Close(Channel(channel), mode) => {
                let Some(connection) = self.links.get(&channel).copied() else { return };
                assert!(matches!(mode, CloseMode::Finish | CloseMode::Reset), "{mode:?}");
                let closed = Told::Closed(CloseCause::Asked);
                self.queue_up(self.now, Payload::ToWorker(channel, connection, closed));
                self.queue_up(self.now + LATENCY, Payload::GoneForPeer(connection));
            }
            other => panic!("{other:?} has no place in this world"),
        }
    }

    fn queue_up(&mut self, at: Offset, payload: Payload) {
        self.next_payload += 1;
        self.payloads.insert(self.next_payload, payload);
        self.queue.push(Reverse((at, self.next_payload)));
    }
}
