//! The one timer of a worker, and the driver's own coarse deadlines.
//!
//! The runtime's timers round up to the next millisecond; a timerfd in its reactor is microseconds late. One of them,
//! armed to the earliest instant anybody waits for, serves a whole worker.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::clock::Epoch;
use crate::machine::Channel;
use crate::units::Offset;

/// A timerfd on the monotonic clock, set to absolute instants.
pub(super) struct Timer {
    fd: AsyncFd<OwnedFd>,
    epoch: Epoch,
    armed: Option<Offset>,
}

impl Timer {
    /// Must be made inside the runtime.
    #[expect(
        deprecated,
        reason = "its successor is unsafe, which this crate forbids; what it demands holds: the descriptor is owned, \
                  stays the same and lives as long as its registration"
    )]
    pub(super) fn new(epoch: Epoch) -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self { fd: AsyncFd::with_interest(fd, Interest::READABLE)?, epoch, armed: None })
    }

    /// Arms to `deadline`, or disarms; no system call if nothing changes.
    pub(super) fn arm(&mut self, deadline: Option<Offset>) -> io::Result<()> {
        if self.armed == deadline {
            return Ok(());
        }
        let value = deadline.map_or(0, |at| self.epoch.to_monotonic_nanos(at).max(1));
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        // The clock's whole range fits: its nanoseconds are a u64.
        let it_value = Timespec {
            tv_sec: (value / 1_000_000_000).cast_signed(),
            tv_nsec: (value % 1_000_000_000).cast_signed(),
        };
        let setting = Itimerspec { it_interval: zero, it_value };
        timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::ABSTIME, &setting)?;
        self.armed = deadline;
        Ok(())
    }

    /// Whether the timer went off since it was armed; registers the loop otherwise. The expiry count isn't read: arming
    /// anew resets it, and the reactor is edge-triggered.
    pub(super) fn poll_fired(&mut self, cx: &mut Context<'_>) -> bool {
        match self.fd.poll_read_ready(cx) {
            Poll::Ready(Ok(mut guard)) => {
                guard.clear_ready();
                drop(guard);
                self.armed = None;
                // Registers for the next edge; if one came meanwhile it is a wake-up too many, not one too few.
                let _ = self.fd.poll_read_ready(cx);
                true
            }
            Poll::Ready(Err(_)) | Poll::Pending => false,
        }
    }
}

/// Which wait a deadline bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Connect,
    Handshake,
    Linger,
}

/// A deadline of one life of one channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    pub at: Offset,
    pub channel: Channel,
    pub generation: u32,
    pub wait: Wait,
}

/// The driver's deadlines. Each kind of wait has one span for all channels, so each queue is in order by itself, and
/// nothing is removed before its time: a deadline whose channel moved on is stale and means nothing.
#[derive(Debug)]
pub(super) struct Deadlines {
    spans: [Duration; 3],
    queues: [VecDeque<Deadline>; 3],
}

impl Deadlines {
    pub(super) fn new(connect: Duration, handshake: Duration, linger: Duration) -> Self {
        Self { spans: [connect, handshake, linger], queues: Default::default() }
    }

    pub(super) fn push(&mut self, now: Offset, wait: Wait, channel: Channel, generation: u32) {
        let kind = wait as usize;
        let at = now + self.spans[kind];
        self.queues[kind].push_back(Deadline { at, channel, generation, wait });
    }

    /// The earliest deadline that isn't `stale`; stale ones before it are forgotten.
    pub(super) fn next(&mut self, mut stale: impl FnMut(&Deadline) -> bool) -> Option<Offset> {
        for queue in &mut self.queues {
            while queue.front().is_some_and(&mut stale) {
                queue.pop_front();
            }
        }
        self.queues.iter().filter_map(|queue| queue.front()).map(|deadline| deadline.at).min()
    }

    /// Takes one deadline that has come.
    pub(super) fn pop_due(&mut self, now: Offset) -> Option<Deadline> {
        let due = |queue: &&mut VecDeque<Deadline>| queue.front().is_some_and(|first| first.at <= now);
        self.queues.iter_mut().find(due)?.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Offset {
        Offset::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn deadlines_come_when_due_and_stale_ones_are_forgotten() {
        let spans = [30, 20, 10].map(Duration::from_millis);
        let mut deadlines = Deadlines::new(spans[0], spans[1], spans[2]);
        deadlines.push(at(0), Wait::Connect, Channel(1), 0);
        deadlines.push(at(0), Wait::Linger, Channel(2), 0);
        deadlines.push(at(1), Wait::Connect, Channel(3), 0);

        assert_eq!(deadlines.next(|deadline| deadline.channel == Channel(2)), Some(at(30)));
        assert!(deadlines.pop_due(at(29)).is_none());
        assert_eq!(deadlines.pop_due(at(31)).map(|due| due.channel), Some(Channel(1)));
        assert_eq!(deadlines.pop_due(at(31)).map(|due| due.channel), Some(Channel(3)));
        assert_eq!(deadlines.next(|_| false), None);
    }
}
