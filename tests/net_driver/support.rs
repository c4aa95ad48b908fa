//! A host that does what a test tells it, and writes down everything it is told.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use xmpp_bench::clock::Epoch;
use xmpp_bench::machine::{
    Channel, CloseCause, DerivedKey, Event, Machine, Opened, Outbox, Request, Secured, Transport,
};
use xmpp_bench::net::{
    Driver, DriverConfig, DriverStats, Host, InboxSender, Listener, SocketOptions, Turn, inbox, spawn_worker,
};
use xmpp_bench::units::Offset;

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    Accepted(SocketAddr),
    Resolved(Result<Vec<SocketAddr>, String>),
    Opened(Opened),
    Secured(Box<Secured>),
    Data(Vec<u8>),
    Sent(u64),
    Closed(CloseCause),
    Derived(DerivedKey),
}

impl Told {
    fn keep(event: Event<'_>) -> Self {
        match event {
            Event::Accepted(peer) => Self::Accepted(peer),
            Event::Resolved(result) => Self::Resolved(result),
            Event::Opened(facts) => Self::Opened(facts),
            Event::Secured(facts) => Self::Secured(facts),
            Event::Data(bytes) => Self::Data(bytes.to_vec()),
            Event::Sent(offset) => Self::Sent(offset),
            Event::Closed(cause) => Self::Closed(cause),
            Event::Derived(key) => Self::Derived(key),
        }
    }
}

/// One entry of a log.
#[derive(Clone, Debug)]
pub struct Entry {
    pub at: Offset,
    pub channel: Channel,
    pub told: Told,
}

/// What a test's reaction may change.
#[derive(Default)]
pub struct Steer {
    pub timeout: Option<Offset>,
    pub finished: bool,
    pub log: Vec<Entry>,
    pub timeouts: Vec<(Offset, Offset)>,
    pub stats: DriverStats,
    pub long_turns: Vec<Turn>,
}

impl Steer {
    /// All bytes a channel received.
    pub fn received(&self, channel: Channel) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entry in self.log.iter().filter(|entry| entry.channel == channel) {
            if let Told::Data(more) = &entry.told {
                bytes.extend_from_slice(more);
            }
        }
        bytes
    }

    /// What a channel was told, in order.
    pub fn told(&self, channel: Channel) -> Vec<Told> {
        self.log.iter().filter(|entry| entry.channel == channel).map(|entry| entry.told.clone()).collect()
    }

    /// The cause of a channel's end.
    pub fn cause(&self, channel: Channel) -> Option<CloseCause> {
        self.log.iter().find_map(|entry| match &entry.told {
            Told::Closed(cause) if entry.channel == channel => Some(cause.clone()),
            _ => None,
        })
    }

    /// Holds the log against the contract: instants never go back, an end is the last thing told of a life.
    pub fn check(&self) {
        let mut ended = std::collections::HashSet::new();
        let mut last = Offset::ZERO;
        for entry in &self.log {
            assert!(entry.at >= last, "time went back at {entry:?}");
            last = entry.at;
            if matches!(entry.told, Told::Accepted(_) | Told::Opened(_)) {
                ended.remove(&entry.channel);
            }
            assert!(!ended.contains(&entry.channel), "after the end: {entry:?}");
            if matches!(entry.told, Told::Closed(_)) {
                ended.insert(entry.channel);
            }
        }
    }
}

type Reaction = Box<dyn FnMut(&mut Steer, Offset, Channel, &Event<'_>, &mut Outbox) + Send>;
/// Something to be done on the host's thread.
pub type Errand = Box<dyn FnOnce(&mut Steer, Offset, &mut Outbox) + Send>;

/// The host.
pub struct Probe {
    pub steer: Steer,
    reaction: Reaction,
}

impl Machine for Probe {
    fn handle_event(&mut self, now: Offset, channel: Channel, event: Event<'_>, out: &mut Outbox) {
        (self.reaction)(&mut self.steer, now, channel, &event, out);
        self.steer.log.push(Entry { at: now, channel, told: Told::keep(event) });
    }

    fn handle_timeout(&mut self, now: Offset, _out: &mut Outbox) {
        if let Some(intended) = self.steer.timeout.take() {
            self.steer.timeouts.push((intended, now));
        }
    }

    fn poll_timeout(&self) -> Option<Offset> {
        self.steer.timeout
    }
}

impl Host for Probe {
    type Message = Errand;

    fn handle_message(&mut self, now: Offset, errand: Errand, out: &mut Outbox) {
        errand(&mut self.steer, now, out);
    }

    fn turn_ended(&mut self, turn: Turn, stats: &DriverStats) {
        assert!(turn.due <= turn.started && turn.started <= turn.ended);
        if turn.span() > Duration::from_millis(1) {
            self.steer.long_turns.push(turn);
        }
        self.steer.stats = stats.clone();
    }

    fn is_finished(&self) -> bool {
        self.steer.finished
    }
}

/// A driver running on a thread of its own.
pub struct Running {
    errands: InboxSender<Errand>,
    thread: JoinHandle<Probe>,
}

impl Running {
    /// Does something on the host's thread.
    pub fn run(&self, errand: impl FnOnce(&mut Steer, Offset, &mut Outbox) + Send + 'static) {
        self.errands.try_send(Box::new(errand)).expect("the inbox has room");
    }

    /// Asks something of the host's thread.
    pub fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Steer, Offset, &mut Outbox) -> T + Send + 'static,
    ) -> T {
        let (answer, answered) = mpsc::channel();
        self.run(move |steer, now, out| {
            let _ = answer.send(question(steer, now, out));
        });
        answered.recv().expect("the host answers")
    }

    /// Waits until the host's state satisfies `condition`.
    pub fn until(&self, condition: impl Fn(&Steer) -> bool + Clone + Send + 'static) {
        loop {
            let condition = condition.clone();
            if self.ask(move |steer, _, _| condition(steer)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Lets the host end by itself.
    pub fn join(self) -> Steer {
        let probe = self.thread.join().expect("the driver does not panic");
        probe.steer.check();
        probe.steer
    }

    /// Ends it now.
    pub fn stop(self) -> Steer {
        self.run(|steer, _, _| steer.finished = true);
        self.join()
    }
}

/// Starts a driver with a host that reacts by `reaction`.
pub fn start(
    name: &str,
    config: DriverConfig,
    listeners: Vec<Listener>,
    reaction: impl FnMut(&mut Steer, Offset, Channel, &Event<'_>, &mut Outbox) + Send + 'static,
) -> Running {
    let (errands, inbox) = inbox(1024);
    let mut probe = Probe { steer: Steer::default(), reaction: Box::new(reaction) };
    let work = move || {
        Driver::new(config, listeners).run(&mut probe, inbox).expect("the driver runs");
        probe
    };
    Running { errands, thread: spawn_worker(name, None, work).expect("a thread starts") }
}

/// A server that sends back what it gets.
pub fn echo(_: &mut Steer, _: Offset, channel: Channel, event: &Event<'_>, out: &mut Outbox) {
    if let Event::Data(bytes) = event {
        out.write(channel, |buffer| buffer.extend_from_slice(bytes));
    }
}

/// A client that only writes down.
pub fn listen(_: &mut Steer, _: Offset, _: Channel, _: &Event<'_>, _: &mut Outbox) {}

/// A listener on a free port of the loopback.
pub fn listener(transport: Transport) -> (Vec<Listener>, SocketAddr) {
    let listener = Listener::bind(loopback(), transport, SocketOptions::default()).expect("loopback binds");
    let address = listener.address();
    (vec![listener], address)
}

/// Any port of the loopback.
pub fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// A configuration without TLS.
pub fn plain() -> DriverConfig {
    DriverConfig::new(Epoch::start())
}

/// Asks for a channel to be opened.
pub fn open(channel: u32, address: SocketAddr, transport: Transport) -> Request {
    Request::Open(Channel(channel), address, transport)
}

/// Runs a test's body, and fails it if it isn't over in 60 seconds.
pub fn in_time(body: impl FnOnce() + Send + 'static) {
    let (done, over) = mpsc::channel();
    let body = std::thread::spawn(move || {
        body();
        let _ = done.send(());
    });
    match over.recv_timeout(Duration::from_mins(1)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("not over after 60 s"),
        _ => {
            if let Err(panic) = body.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}
