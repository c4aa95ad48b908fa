//! A shard of simulated users against the embedded server: in memory, in virtual time, over a link of fixed latency.
//!
//! Bytes move in order, the kernel takes every write at once, keys are derived in no time, and nothing else happens. So every
//! latency follows from the link and from what the server says it did.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use xmpp_bench::activity::{Activity, Features};
use xmpp_bench::engine::aggregate::{self, Aggregator};
use xmpp_bench::engine::run::Run;
use xmpp_bench::engine::shard::{Message, Peers, Shard, ShardReport};
use xmpp_bench::engine::whereabouts::Whereabouts;
use xmpp_bench::machine::{
    Channel, CloseCause, CloseMode, DerivedKey, Effect, Event, Machine, Opened, Outbox, Request, Transport,
};
use xmpp_bench::net::{DriverStats, Host, Turn};
use xmpp_bench::plan::Plan;
use xmpp_bench::profile::{Files, Input, Profile};
use xmpp_bench::results::Totals;
use xmpp_bench::sample::{Fault, LedgerCounts, LedgerKind, OperationId, Outcome, Sample};
use xmpp_bench::server::truth::Line;
use xmpp_bench::server::{Population, Server, ServerOptions};
use xmpp_bench::units::Offset;
use xmpp_bench::xmpp::{Offered, Software};

/// One way.
pub const LATENCY: Duration = Duration::from_micros(100);
/// What the run's tokens say.
pub const RUN: u32 = 77;

/// See the module text.
pub struct World {
    pub now: Offset,
    shard: Shard,
    server: Server,
    links: Links,
    queue: BinaryHeap<Reverse<(Offset, u64, Side, u32)>>,
    payloads: HashMap<u64, Payload>,
    next_payload: u64,
    reports: Receiver<ShardReport>,
    pub samples: Vec<Sample>,
    pub faults: Vec<Fault>,
    /// On which channels users asked what the server is, and every time a report said so.
    pub questions: Vec<u32>,
    /// Stanzas the users wrote once they were bound.
    pub stanzas: u64,
    pub software: Vec<Software>,
    /// What the server offered those who looked.
    pub offered: Vec<Offered>,
    pub last: Option<ShardReport>,
    /// What a run makes of the reports.
    pub folded: Aggregator,
    pub truth: Vec<Line>,
    keys: HashMap<Vec<u8>, Vec<u8>>,
    operations: Vec<&'static str>,
    plan: Arc<Plan>,
    /// From now on the server closes neither its streams nor its connections.
    pub never_closes: bool,
    /// From now on nothing the server writes arrives.
    pub is_mute: bool,
    /// Users whom nothing the server writes reaches.
    pub cut_off: HashSet<u32>,
    /// How long the users' turns are said to last; nothing waits for it.
    pub turn_length: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Side {
    Users,
    Server,
}

#[derive(Debug)]
enum Payload {
    Accepted,
    Opened(Opened),
    Data(Vec<u8>),
    Sent(u64),
    Closed(CloseCause),
    Derived(Vec<u8>),
}

/// Which channel of one side is which of the other's, and how much each has written.
#[derive(Default)]
struct Links {
    of_users: BTreeMap<u32, u32>,
    of_server: BTreeMap<u32, u32>,
    written: HashMap<(Side, u32), u64>,
    next: u32,
}

pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &Path) -> Result<String, String> {
        Err(format!("no file {} here", path.display()))
    }
}

pub fn profile(text: &str) -> Arc<Profile<Activity>> {
    let input = Input { name: "test.toml".to_owned(), text: text.to_owned(), ..Input::default() };
    Arc::new(Profile::read(&input, &Features, &NoFiles).unwrap_or_else(|problems| panic!("{problems}")))
}

pub fn address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 5222))
}

impl World {
    /// All users of a profile on one shard, and a server with these options.
    pub fn new(text: &str, configure: impl FnOnce(&mut ServerOptions)) -> Self {
        let profile = profile(text);
        let run = Arc::new(Run::new(Arc::clone(&profile), 1, RUN, vec![(address(), Transport::Tcp)]));
        let mut options = ServerOptions::new(&profile.target.domain);
        options.starttls = xmpp_bench::server::options::StartTls::Absent;
        options.plain_without_tls = true;
        options.truth = true;
        configure(&mut options);
        let server = Server::new(options, Box::new(Population::new(profile.groups.clone())));
        let (outlet, reports) = channel();
        let users = run.users();
        let operations = run.operations.iter().map(|operation| operation.name).collect();
        let plan = Arc::clone(&run.plan);
        let groups = profile.groups.iter().map(|group| group.name.clone()).collect();
        let totals = Totals::new(aggregate::layout(&run, groups)).expect("a layout");
        let folded = Aggregator::new(Arc::clone(&run), totals, None, 1);
        let whole = 0..users;
        let peers = Peers::new(Vec::new(), vec![whole]);
        let whereabouts = Arc::new(Whereabouts::nobody(&run));
        let shard = Shard::new(run, 0, peers, whereabouts, 1 << 20, outlet);
        Self {
            now: Offset::ZERO,
            shard,
            server,
            links: Links::default(),
            queue: BinaryHeap::new(),
            payloads: HashMap::new(),
            next_payload: 0,
            reports,
            samples: Vec::new(),
            faults: Vec::new(),
            questions: Vec::new(),
            stanzas: 0,
            software: Vec::new(),
            offered: Vec::new(),
            last: None,
            folded,
            truth: Vec::new(),
            keys: HashMap::new(),
            operations,
            plan,
            never_closes: false,
            is_mute: false,
            cut_off: HashSet::new(),
            turn_length: Duration::ZERO,
        }
    }

    /// The plan the users follow.
    pub fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan)
    }

    /// The id of an operation.
    pub fn operation(&self, name: &str) -> OperationId {
        let index = self.operations.iter().position(|operation| *operation == name);
        OperationId(index.unwrap_or_else(|| panic!("no operation {name}")) as u16)
    }

    /// How many attempts at an operation ended so.
    pub fn ended(&self, name: &str, outcome: Outcome) -> usize {
        let operation = self.operation(name);
        self.samples
            .iter()
            .filter(|sample| sample.operation == operation && sample.outcome == outcome)
            .count()
    }

    /// Everything up to and including `until`.
    pub fn run_until(&mut self, until: Offset) {
        let mut steps = 0u64;
        while let Some(at) = self.next_instant().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.step();
            steps += 1;
            assert!(steps < 50_000_000, "the simulation does not come to rest");
        }
        self.now = self.now.max(until);
        self.collect();
    }

    /// Has the server's side of a user's connection say this, though no server did; it arrives at once.
    pub fn say_to(&mut self, user: u32, bytes: &str) {
        self.queue_up(self.now, Side::Users, user, Payload::Data(bytes.as_bytes().to_vec()));
    }

    /// Stops, drains, settles and leaves, as the coordinator does; the ledger's columns then.
    pub fn finish(&mut self, drain: Duration) -> LedgerCounts {
        self.tell(Message::Stop(self.now));
        let until = self.now + drain;
        while self.now < until && !self.last.as_ref().is_some_and(|report| report.drained) {
            self.run_until(self.now + Duration::from_millis(10));
        }
        self.tell(Message::Settle(false));
        self.run_until(self.now + Duration::from_secs(6));
        assert!(self.shard.is_finished(), "a shard that was told to leave is gone after its time limit");
        self.server.finish();
        self.server.take_truth(&mut self.truth);
        self.ledger(LedgerKind::Message)
    }

    /// An account's columns over all phases, by the last report.
    pub fn ledger(&self, kind: LedgerKind) -> LedgerCounts {
        let mut sum = LedgerCounts::default();
        for phase in &self.last.as_ref().expect("a report").ledger {
            sum.add(&phase[kind as usize]);
        }
        sum
    }

    fn tell(&mut self, message: Message) {
        let mut out = Outbox::new();
        self.shard.handle_message(self.now, message, &mut out);
        self.carry_out(Side::Users, out);
        self.end_turn();
    }

    fn next_instant(&self) -> Option<Offset> {
        let queued = self.queue.peek().map(|Reverse((at, ..))| *at);
        let shard = self.shard.poll_timeout().filter(|_| !self.shard.is_finished());
        [queued, shard, self.server.poll_timeout()].into_iter().flatten().min()
    }

    /// The one thing that is due first; users before the server before what is on the wire.
    fn step(&mut self) {
        let mut out = Outbox::new();
        if self.shard.poll_timeout().is_some_and(|at| at <= self.now) && !self.shard.is_finished() {
            self.shard.handle_timeout(self.now, &mut out);
            self.carry_out(Side::Users, out);
        } else if self.server.poll_timeout().is_some_and(|at| at <= self.now) {
            self.server.handle_timeout(self.now, &mut out);
            self.carry_out(Side::Server, out);
        } else if let Some(Reverse((_, payload, side, channel))) = self.queue.pop() {
            let payload = self.payloads.remove(&payload).expect("queued with its payload");
            self.deliver(side, Channel(channel), payload, &mut out);
            self.carry_out(side, out);
        }
        self.end_turn();
    }

    fn deliver(&mut self, side: Side, channel: Channel, payload: Payload, out: &mut Outbox) {
        let event = match &payload {
            Payload::Accepted => Event::Accepted(address()),
            Payload::Opened(opened) => Event::Opened(*opened),
            Payload::Data(bytes) => Event::Data(bytes),
            Payload::Sent(offset) => Event::Sent(*offset),
            Payload::Closed(cause) => Event::Closed(cause.clone()),
            Payload::Derived(key) => Event::Derived(DerivedKey { key: key.clone(), cached: false }),
        };
        match side {
            Side::Users => self.shard.handle_event(self.now, channel, event, out),
            Side::Server => self.server.handle_event(self.now, channel, event, out),
        }
    }

    fn end_turn(&mut self) {
        let turn = Turn { due: self.now, started: self.now, ended: self.now + self.turn_length };
        self.shard.turn_ended(turn, &DriverStats::default());
        self.server.take_truth(&mut self.truth);
    }

    fn collect(&mut self) {
        while let Ok(report) = self.reports.try_recv() {
            self.samples.extend_from_slice(&report.log.samples);
            self.faults.extend_from_slice(&report.log.faults);
            self.offered.extend(report.offered.iter().map(|offered| (**offered).clone()));
            self.software.extend(report.software.iter().map(|software| (**software).clone()));
            self.folded.take(report.clone());
            if report.ticked || report.finished {
                self.folded.close_second(report.at);
            }
            let drained = self.last.as_ref().is_some_and(|last| last.drained);
            self.last = Some(ShardReport { drained: report.drained || drained, ..report });
        }
    }

    fn carry_out(&mut self, side: Side, mut out: Outbox) {
        let mut sent = Vec::new();
        while let Some(effect) = out.poll() {
            match effect {
                Effect::Write(channel, bytes) => {
                    let bytes = bytes.to_vec();
                    let written = self.links.written.entry((side, channel.0)).or_default();
                    *written += bytes.len() as u64;
                    sent.push((channel, *written));
                    self.stanzas += if side == Side::Users { stanzas_in(&bytes) } else { 0 };
                    let asks = b"jabber:iq:version";
                    let is_question =
                        side == Side::Users && bytes.windows(asks.len()).any(|part| part == asks);
                    self.questions.extend(is_question.then_some(channel.0));
                    let closes = bytes.ends_with(b"</stream:stream>");
                    let is_withheld = side == Side::Server && (self.is_mute || self.never_closes && closes);
                    let is_reached = |other: &u32| side == Side::Users || !self.cut_off.contains(other);
                    let other = self.links.other(side, channel.0).filter(is_reached);
                    if let Some(other) = other.filter(|_| !is_withheld) {
                        self.queue_up(self.now + LATENCY, side.opposite(), other, Payload::Data(bytes));
                    }
                }
                Effect::Request(request) => self.request(side, request),
            }
        }
        // As with a driver, `Sent` comes before anything else of that channel: at once.
        for (channel, offset) in sent {
            let mut out = Outbox::new();
            self.deliver(side, channel, Payload::Sent(offset), &mut out);
            self.carry_out(side, out);
        }
    }

    fn request(&mut self, side: Side, request: Request) {
        match request {
            Request::Open(channel, ..) => {
                let server_channel = self.links.connect(channel.0);
                let opened = Opened { local: address(), peer: address(), started: self.now };
                self.queue_up(self.now + LATENCY, Side::Server, server_channel, Payload::Accepted);
                self.queue_up(self.now + LATENCY * 2, side, channel.0, Payload::Opened(opened));
            }
            Request::Derive(channel, job) => {
                let id = [job.salt.clone(), job.password.as_bytes().to_vec()].concat();
                let key =
                    self.keys.entry(id).or_insert_with(|| xmpp_bench::net::derive::derive(&job)).clone();
                self.queue_up(self.now, side, channel.0, Payload::Derived(key));
            }
            Request::Close(..) if self.never_closes && side == Side::Server => {}
            Request::Close(channel, mode) => {
                let other = self.links.other(side, channel.0);
                self.queue_up(self.now, side, channel.0, Payload::Closed(CloseCause::Asked));
                if let Some(other) = other {
                    let cause =
                        if mode == CloseMode::Finish { CloseCause::Finished } else { CloseCause::Reset };
                    self.queue_up(self.now + LATENCY, side.opposite(), other, Payload::Closed(cause));
                    self.links.disconnect(side, channel.0);
                }
            }
            Request::Resolve(..) | Request::StartTls(_) | Request::Compress(_) => {
                panic!("{request:?} has no place in this world")
            }
        }
    }

    fn queue_up(&mut self, at: Offset, side: Side, channel: u32, payload: Payload) {
        self.next_payload += 1;
        self.payloads.insert(self.next_payload, payload);
        self.queue.push(Reverse((at, self.next_payload, side, channel)));
    }
}

impl Side {
    const fn opposite(self) -> Self {
        match self {
            Self::Users => Self::Server,
            Self::Server => Self::Users,
        }
    }
}

impl Links {
    fn connect(&mut self, users: u32) -> u32 {
        self.next += 1;
        self.of_users.insert(users, self.next);
        self.of_server.insert(self.next, users);
        self.written.remove(&(Side::Users, users));
        self.next
    }

    fn other(&self, side: Side, channel: u32) -> Option<u32> {
        match side {
            Side::Users => self.of_users.get(&channel).copied(),
            Side::Server => self.of_server.get(&channel).copied(),
        }
    }

    fn disconnect(&mut self, side: Side, channel: u32) {
        let other = self.other(side, channel).expect("connected");
        let (users, server) = if side == Side::Users { (channel, other) } else { (other, channel) };
        self.of_users.remove(&users);
        self.of_server.remove(&server);
    }
}

/// Stanzas in what a user wrote at once; binding itself is negotiation.
fn stanzas_in(bytes: &[u8]) -> u64 {
    let count = |what: &str| bytes.windows(what.len()).filter(|part| *part == what.as_bytes()).count() as u64;
    let negotiation =
        count("urn:ietf:params:xml:ns:xmpp-bind") + count("urn:ietf:params:xml:ns:xmpp-session");
    count("<iq ") + count("<message ") + count("<presence") - negotiation
}
