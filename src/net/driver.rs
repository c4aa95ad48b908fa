//! The loop of one worker.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::runtime::{Builder, LocalOptions};

use super::config::{DriverConfig, Listener};
use super::core::Core;
use super::derive::Answer;
use super::freeze::Watch;
use super::host::{Host, Turn};
use super::inbox::{InboxReceiver, inbox};
use super::table::LISTENERS;
use super::timer::Timer;
use super::wake::Key;
use crate::units::Offset;

/// A driver that could not begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The runtime, the timer or a listener could not be set up.
    #[error("cannot start a worker: {0}")]
    Setup(#[source] io::Error),
    /// The timer, once running, could not be set.
    #[error("a worker's timer failed: {0}")]
    Timer(#[source] io::Error),
}

/// One worker's I/O. See [`crate::net`] for what a turn is.
pub struct Driver {
    config: DriverConfig,
    listeners: Vec<Listener>,
}

impl Driver {
    /// Opens nothing yet: sockets and timer are made in [`Driver::run`], on the thread that runs.
    pub fn new(config: DriverConfig, listeners: Vec<Listener>) -> Self {
        Self { config, listeners }
    }

    /// Runs on this thread until the host is finished.
    pub fn run<H: Host>(self, host: &mut H, inbox: InboxReceiver<H::Message>) -> Result<(), DriverError> {
        // Only the reactor: this worker's timer is its own. A few threads for look-ups, made when first needed.
        let runtime = Builder::new_current_thread()
            .enable_io()
            .max_blocking_threads(4)
            .build_local(LocalOptions::default())
            .map_err(DriverError::Setup)?;
        // The whole worker is one future; the runtime's fairness budget between futures must not stop it half-way.
        let result = runtime.block_on(tokio::task::unconstrained(async {
            let mut worker = Worker::start(self, inbox).await.map_err(DriverError::Setup)?;
            worker.run(host).await
        }));
        // A look-up may hang for seconds; nobody waits for it any more.
        runtime.shutdown_background();
        result
    }
}

/// A driver that runs.
struct Worker<M> {
    core: Core,
    timer: Timer,
    freeze: Option<Watch>,
    inbox: InboxReceiver<M>,
    answers: InboxReceiver<Answer>,
    /// When the next turn ought to begin at the latest.
    due: Option<Offset>,
    /// Scratch, empty between turns.
    messages: VecDeque<M>,
    answered: VecDeque<Answer>,
    batch: Vec<Key>,
}

impl<M: Send> Worker<M> {
    async fn start(driver: Driver, inbox_of_host: InboxReceiver<M>) -> io::Result<Self> {
        let Driver { config, listeners } = driver;
        // Each request for an answer is counted, so its answer always finds room.
        let (answer, answers) = inbox(config.limits.pending_answers.saturating_mul(2));
        let timer = Timer::new(config.epoch)?;
        let freeze = config.freeze.clone();
        let epoch = config.epoch;
        let core = Core::new(config, listeners, answer)?;
        let main = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        core.ready.register(&main);
        inbox_of_host.register(&main);
        answers.register(&main);
        Ok(Self {
            core,
            timer,
            freeze: freeze.map(|freeze| Watch::new(freeze, epoch, &main)),
            inbox: inbox_of_host,
            answers,
            due: None,
            messages: VecDeque::new(),
            answered: VecDeque::new(),
            batch: Vec::new(),
        })
    }

    async fn run<H: Host<Message = M>>(&mut self, host: &mut H) -> Result<(), DriverError> {
        loop {
            self.turn(host);
            if host.is_finished() {
                return Ok(());
            }
            if self.core.has_carry() || self.core.is_due(host) {
                // Lets the reactor look for what is ready, without waiting.
                self.due = Some(self.core.now());
                tokio::task::yield_now().await;
                continue;
            }
            let deadline = self.next_deadline(host);
            self.timer.arm(deadline).map_err(DriverError::Timer)?;
            self.due = deadline;
            poll_fn(|cx| self.poll_wake(cx)).await;
        }
    }

    fn turn<H: Host<Message = M>>(&mut self, host: &mut H) {
        let (due, started) = self.begin_turn();
        self.core.run_due(host);
        self.take_messages(host);
        self.core.run_due(host);
        self.move_bytes(host);
        self.core.expire(host);
        self.core.set_up(host);
        let ended = self.core.touch();
        let turn = Turn { due, started, ended };
        self.core.stats.turns += 1;
        self.core.stats.busy += turn.busy();
        self.core.count();
        host.turn_ended(turn, &self.core.stats);
    }

    /// When the turn ought to have begun, and when it did. What a freeze holds up counts as neither.
    fn begin_turn(&mut self) -> (Offset, Offset) {
        let woken = self.core.touch();
        let due = self.due.take().map_or(woken, |due| due.min(woken));
        let Some(freeze) = &mut self.freeze else { return (due, woken) };
        if !freeze.hold(woken) {
            return (due, woken);
        }
        let thawed = self.core.touch();
        (thawed, thawed)
    }

    /// What other threads sent: messages for the host, answers for its channels.
    fn take_messages<H: Host<Message = M>>(&mut self, host: &mut H) {
        self.inbox.take(&mut self.messages);
        while let Some(message) = self.messages.pop_front() {
            let now = self.core.now();
            host.handle_message(now, message, self.core.outbox());
            self.core.settle(host);
            // However many messages came, what is due goes first.
            self.core.run_due(host);
        }
        self.answers.take(&mut self.answered);
        while let Some(answer) = self.answered.pop_front() {
            self.core.answer(answer);
            self.core.settle(host);
        }
    }

    /// Reads and writes what is ready; sorts out what is set-up work.
    fn move_bytes<H: Host<Message = M>>(&mut self, host: &mut H) {
        self.core.ready.take(&mut self.batch);
        self.batch.append(&mut self.core.again);
        let mut batch = std::mem::take(&mut self.batch);
        for key in batch.drain(..) {
            if key >= LISTENERS {
                self.core.listener_ready(key);
            } else {
                self.core.channel_ready(host, key);
            }
            self.core.run_due(host);
        }
        self.batch = batch;
    }

    fn next_deadline<H: Host<Message = M>>(&mut self, host: &H) -> Option<Offset> {
        let freeze = self.freeze.as_ref().and_then(Watch::next_start);
        [host.poll_timeout(), self.core.next_deadline(), freeze].into_iter().flatten().min()
    }

    fn poll_wake(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let news = self.freeze.as_ref().is_some_and(Watch::has_news);
        let woken = self.timer.poll_fired(cx)
            || !self.core.ready.is_empty()
            || !self.inbox.is_empty()
            || !self.answers.is_empty();
        if woken || news { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Starts a named thread, on one CPU if asked, and runs `work` on it. The kernel shows 15 bytes of the name.
pub fn spawn_worker<T: Send + 'static>(
    name: &str,
    cpu: Option<usize>,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<std::thread::JoinHandle<T>> {
    let cpus = cpu.map(only).transpose()?;
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        if let Some(cpus) = cpus {
            // It was allowed a moment ago; where it no longer is, the scheduler places the thread.
            let _ = sched_setaffinity(None, &cpus);
        }
        work()
    })
}

/// The set of one CPU, if this process may use it.
fn only(cpu: usize) -> io::Result<CpuSet> {
    if cpu >= CpuSet::MAX_CPU || !sched_getaffinity(None)?.is_set(cpu) {
        let text = format!("CPU {cpu} is not among those this process may use");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let mut cpus = CpuSet::new();
    cpus.set(cpu);
    Ok(cpus)
}
