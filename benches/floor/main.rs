//! The floor: what the kernel alone costs, for the ratios that `scripts/bench` prints.
//!
//! A bare epoll program with no runtime, no parsing and no record: the same bytes, connections and instants as the run
//! it stands beside (the instants come from the plan itself), `TCP_NODELAY`, one process a side. It prints one JSON line
//! with the CPU seconds (user + system) of its whole process. It is changed only with a stated reason.
//!
//! ```text
//! floor forward ADDRESS OUT IN              server: OUT bytes from connection i are IN bytes to its neighbour
//! floor reply ADDRESS OUT IN                server: OUT bytes from a connection are IN bytes back to it
//! floor messages ADDRESS OUT IN USERS RATE SECONDS
//! floor logins ADDRESS OUT IN USERS RATE STEPS
//! floor timer RATE SECONDS                  lag of a bare timerfd loop
//! floor tls-logins ADDRESS CA_FILE USERS RATE  full TLS handshakes with a server that speaks TLS at once
//! ```
//!
//! Servers print their address, serve one client and end with it, or after a minute without anything.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program of its own: stdout is its result")]

mod tls;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use xmpp_bench::plan::arrivals::{Process, ProcessCursor};
use xmpp_bench::plan::curve::{RateCurve, Window};
use xmpp_bench::seed::{Draw, Stream};
use xmpp_bench::units::Offset;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const TIMER: u64 = u64::MAX;
const LISTENER: u64 = u64::MAX - 1;
/// Connects in a row before others' answers are read.
const CONNECTS: usize = 16;

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["forward", address, out, back] => serve(address, out.parse()?, back.parse()?, true),
        ["reply", address, out, back] => serve(address, out.parse()?, back.parse()?, false),
        ["messages", address, out, back, users, rate, seconds] => {
            let sizes = (out.parse()?, back.parse()?);
            messages(address.parse()?, sizes, users.parse()?, rate.parse()?, seconds.parse()?)
        }
        ["logins", address, out, back, users, rate, steps] => {
            let sizes = (out.parse()?, back.parse()?);
            logins(address.parse()?, sizes, users.parse()?, rate.parse()?, steps.parse()?)
        }
        ["tls-logins", address, ca_file, users, rate] => {
            tls::logins(address.parse()?, ca_file, users.parse()?, rate.parse()?)
        }
        ["timer", rate, seconds] => timer_only(rate.parse()?, seconds.parse()?),
        _ => {
            eprintln!("floor: run by scripts/bench; see the head of benches/floor.rs for its words");
            Ok(())
        }
    }
}

/// An epoll with a timer, and a buffer everybody shares.
struct Loop {
    epoll: OwnedFd,
    timer: OwnedFd,
    events: Vec<epoll::Event>,
    buffer: Vec<u8>,
    epoch: u64,
    armed: Option<Offset>,
}

impl Loop {
    fn new() -> Outcome<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN | EventFlags::ET)?;
        Ok(Self {
            epoll,
            timer,
            events: Vec::with_capacity(1024),
            buffer: vec![0; 65_536],
            epoch: monotonic(),
            armed: None,
        })
    }

    fn watch(&self, connection: impl AsFd, key: u64) -> Outcome<()> {
        Ok(epoll::add(&self.epoll, connection, EventData::new_u64(key), EventFlags::IN | EventFlags::ET)?)
    }

    fn now(&self) -> Offset {
        Offset::from_nanos(monotonic() - self.epoch)
    }

    /// No system call if nothing changes.
    fn arm(&mut self, at: Offset) -> Outcome<()> {
        if self.armed.replace(at) == Some(at) {
            return Ok(());
        }
        let nanos = at.as_nanos() + self.epoch;
        let it_value =
            Timespec { tv_sec: (nanos / 1_000_000_000) as i64, tv_nsec: (nanos % 1_000_000_000) as _ };
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        timerfd_settime(
            &self.timer,
            TimerfdTimerFlags::ABSTIME,
            &Itimerspec { it_interval: zero, it_value },
        )?;
        Ok(())
    }

    /// Waits; gives how many are ready, for [`Loop::key`].
    fn wait(&mut self, timeout: Option<Duration>) -> Outcome<usize> {
        self.events.clear();
        let timeout =
            timeout.map(|t| Timespec { tv_sec: t.as_secs() as i64, tv_nsec: t.subsec_nanos().into() });
        epoll::wait(&self.epoll, spare_capacity(&mut self.events), timeout.as_ref())?;
        Ok(self.events.len())
    }

    fn key(&self, index: usize) -> u64 {
        self.events[index].data.u64()
    }

    /// One receive, as long as the buffer; zero when there is nothing.
    fn read(&mut self, connection: &TcpStream) -> Outcome<usize> {
        match (&mut &*connection).read(&mut self.buffer) {
            Ok(count) => Ok(count),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}

fn serve(address: &str, out: usize, back: usize, forward: bool) -> Outcome<()> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    // The library's own backlog overflows in a storm of logins; whoever is left out comes back a second later.
    rustix::net::listen(&listener, 4096)?;
    println!("{}", listener.local_addr()?);
    let mut turn = Loop::new()?;
    turn.watch(&listener, LISTENER)?;
    let mut peers: Vec<(TcpStream, usize)> = Vec::new();
    let answer = vec![b'x'; back];
    loop {
        for index in 0..turn.wait(Some(Duration::from_mins(1)))? {
            let key = turn.key(index);
            if key == LISTENER {
                while let Ok((peer, _)) = listener.accept() {
                    peer.set_nonblocking(true)?;
                    peer.set_nodelay(true)?;
                    turn.watch(&peer, peers.len() as u64)?;
                    peers.push((peer, 0));
                }
                continue;
            }
            let from = key as usize;
            let Ok(count) = turn.read(&peers[from].0) else { return Ok(()) };
            peers[from].1 += count;
            let to = if forward { (from + 1) % peers.len() } else { from };
            while peers[from].1 >= out {
                peers[from].1 -= out;
                (&mut &peers[to].0).write_all(&answer).ok();
            }
            if count == 0 && peers[from].0.peek(&mut [0]).is_ok_and(|left| left == 0) {
                return Ok(());
            }
        }
        if turn.events.is_empty() {
            return Ok(());
        }
    }
}

fn messages(
    address: SocketAddr,
    (out, back): (usize, usize),
    users: u32,
    rate: f64,
    seconds: f64,
) -> Outcome<()> {
    let connections = connect_all(address, users)?;
    std::thread::sleep(Duration::from_millis(200));
    let mut turn = Loop::new()?;
    for (key, connection) in connections.iter().enumerate() {
        turn.watch(connection, key as u64)?;
    }
    let message = vec![b'x'; out];
    let mut arrivals = ProcessCursor::new(process(rate, seconds, true));
    let (mut sent, mut received) = (0u64, 0u64);
    let mut lags = Vec::new();
    let cpu_before = cpu_seconds();
    let give_up = Offset::from_secs_f64(seconds + 5.0);
    while (arrivals.peek().is_some() || received < sent * back as u64) && turn.now() < give_up {
        while let Some(arrival) = arrivals.peek().filter(|arrival| arrival.at <= turn.now()) {
            let from = Draw::new(1, Stream::choices(0), arrival.number).below(users);
            lags.push(turn.now().since(arrival.at).as_nanos() as u64);
            (&mut &connections[from as usize]).write_all(&message)?;
            sent += 1;
            arrivals.advance();
        }
        turn.arm(arrivals.peek().map_or(give_up, |arrival| arrival.at))?;
        for index in 0..turn.wait(Some(Duration::from_secs(1)))? {
            let key = turn.key(index);
            if key != TIMER {
                received += turn.read(&connections[key as usize])? as u64;
            }
        }
    }
    print_result("messages", received / back as u64, cpu_seconds() - cpu_before, lags);
    Ok(())
}

fn logins(
    address: SocketAddr,
    (out, back): (usize, usize),
    users: u32,
    rate: f64,
    steps: u32,
) -> Outcome<()> {
    let mut turn = Loop::new()?;
    let message = vec![b'x'; out];
    let mut open: Vec<(TcpStream, usize, u32)> = Vec::new();
    // Evenly, as a ramp's logins are, and exactly as many.
    let mut arrivals = ProcessCursor::new(process(rate, f64::from(users) / rate, false));
    let (mut done, mut lags) = (0u64, Vec::new());
    let cpu_before = cpu_seconds();
    let give_up = Offset::from_secs_f64(f64::from(users) / rate + 5.0);
    while (arrivals.peek().is_some() || done < open.len() as u64) && turn.now() < give_up {
        for _ in 0..CONNECTS {
            let Some(arrival) = arrivals.peek().filter(|arrival| arrival.at <= turn.now()) else { break };
            lags.push(turn.now().since(arrival.at).as_nanos() as u64);
            let connection = connect(address)?;
            turn.watch(&connection, open.len() as u64)?;
            (&mut &connection).write_all(&message)?;
            open.push((connection, 0, 1));
            arrivals.advance();
        }
        turn.arm(arrivals.peek().map_or(give_up, |arrival| arrival.at))?;
        let behind = arrivals.peek().is_some_and(|arrival| arrival.at <= turn.now());
        let patience = if behind { Duration::ZERO } else { Duration::from_secs(1) };
        for index in 0..turn.wait(Some(patience))? {
            let key = turn.key(index);
            if key == TIMER {
                continue;
            }
            let (connection, received, step) = &mut open[key as usize];
            *received += turn.read(connection)?;
            while *received >= back {
                *received -= back;
                if *step < steps {
                    (&mut &*connection).write_all(&message)?;
                    *step += 1;
                } else {
                    done += 1;
                }
            }
        }
    }
    print_result("logins", done, cpu_seconds() - cpu_before, lags);
    Ok(())
}

fn timer_only(rate: f64, seconds: f64) -> Outcome<()> {
    let mut turn = Loop::new()?;
    let mut arrivals = ProcessCursor::new(process(rate, seconds, true));
    let mut lags = Vec::new();
    let cpu_before = cpu_seconds();
    while let Some(next) = arrivals.peek() {
        turn.arm(next.at)?;
        turn.wait(Some(Duration::from_secs(1)))?;
        while let Some(arrival) = arrivals.peek().filter(|arrival| arrival.at <= turn.now()) {
            lags.push(turn.now().since(arrival.at).as_nanos() as u64);
            arrivals.advance();
        }
    }
    print_result("timer", lags.len() as u64, cpu_seconds() - cpu_before, lags);
    Ok(())
}

fn process(rate: f64, seconds: f64, poisson: bool) -> Process {
    let mut curve = RateCurve::default();
    curve.push_linear(Window { start: Offset::ZERO, end: Offset::from_secs_f64(seconds) }, rate, rate);
    Process::Rate { seed: 1, activity: 0, curve, poisson }
}

fn connect_all(address: SocketAddr, users: u32) -> Outcome<Vec<TcpStream>> {
    (0..users).map(|_| connect(address)).collect()
}

fn connect(address: SocketAddr) -> Outcome<TcpStream> {
    let connection = TcpStream::connect(address)?;
    connection.set_nodelay(true)?;
    connection.set_nonblocking(true)?;
    Ok(connection)
}

fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn cpu_seconds() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}

fn print_result(what: &str, count: u64, cpu_s: f64, mut lags: Vec<u64>) {
    lags.sort_unstable();
    let lag = |q: f64| {
        lags.get(((lags.len() as f64 * q) as usize).min(lags.len().saturating_sub(1))).map_or(0, |n| n / 1000)
    };
    println!(
        "{{\"what\":\"{what}\",\"count\":{count},\"cpu_s\":{cpu_s:.6},\"lag_us\":{{\"p50\":{},\"p99\":{},\"max\":{}}}}}",
        lag(0.5),
        lag(0.99),
        lag(1.0)
    );
}
