//! Who of a shard's users logs in when: the plan's logins, retries, ceilings and time limits.
//!
//! A failed login is counted and may be tried again, as a new operation, after a wait that doubles from a second to half a
//! minute with jitter (RFC 6120 §3.3): a server that comes back is not met by everybody at once.
//!
//! The ceiling (`login_rate`) delays, it never drops; the delay is login lag. It is a cap and not the schedule.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::num::NonZeroU32;
use std::ops::Range;
use std::time::Duration;

use crate::clock::RateCap;
use crate::engine::run::Run;
use crate::seed::{Draw, Stream};
use crate::units::Offset;

const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// How soon it is looked again whether a user's last session is gone.
const STILL_GOING: Duration = Duration::from_millis(10);

/// See the module text. Users are numbered within the shard.
pub(super) struct Logins {
    planned: VecDeque<(Offset, u32)>,
    /// Retries and returns: not before, who, and when intended.
    retries: BinaryHeap<Reverse<(Offset, u32, Offset)>>,
    ceilings: Vec<Ceiling>,
    limits: BinaryHeap<Reverse<(Offset, u32, u32)>>,
    attempts: Vec<Attempt>,
    group_of: Vec<u16>,
    under_way: u32,
}

/// A group's ceiling, and who waits below it, in order.
struct Ceiling {
    cap: Option<RateCap>,
    held: VecDeque<(u32, Offset)>,
    /// When the cap grants the next.
    open_at: Offset,
}

impl Ceiling {
    /// Whether one more may begin now; if not, when to ask again is kept.
    fn grants(&mut self, now: Offset) -> bool {
        match self.cap.as_mut().map(|cap| cap.check(now)) {
            None | Some(Ok(())) => true,
            Some(Err(later)) => {
                self.open_at = later;
                false
            }
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Attempt {
    /// Which attempt it is, over the whole run: tells a limit of an old one apart.
    number: u32,
    /// Failures in a row.
    failures: u8,
    under_way: bool,
}

impl Logins {
    pub(super) fn new(run: &Run, range: &Range<u32>) -> Self {
        let local = |(at, user): (Offset, u32)| (at, user - range.start);
        let planned =
            run.plan.population().logins_of(range.start, range.end).into_iter().map(local).collect();
        let group_of: Vec<u16> = range.clone().map(|user| run.group_of(user).id.0).collect();
        let ceilings = run.login_rates.iter().enumerate().map(|(group, rate)| {
            let own = group_of.iter().filter(|&&of| usize::from(of) == group).count();
            let cap = rate.and_then(|rate| cap_for(rate, own, run.group_size(group)));
            Ceiling { cap, held: VecDeque::new(), open_at: Offset::ZERO }
        });
        Self {
            planned,
            retries: BinaryHeap::new(),
            ceilings: ceilings.collect(),
            limits: BinaryHeap::new(),
            attempts: vec![Attempt::default(); range.len()],
            group_of,
            under_way: 0,
        }
    }

    /// A user whose login may begin now, and the instant it was intended. Whoever waits below a ceiling goes first.
    pub(super) fn take_due(&mut self, now: Offset) -> Option<(u32, Offset)> {
        for ceiling in &mut self.ceilings {
            if !ceiling.held.is_empty() && ceiling.open_at <= now && ceiling.grants(now) {
                return ceiling.held.pop_front();
            }
        }
        let (local, intended) = self.pop_due(now)?;
        let ceiling = &mut self.ceilings[usize::from(self.group_of[local as usize])];
        if !ceiling.held.is_empty() || !ceiling.grants(now) {
            ceiling.held.push_back((local, intended));
            return None;
        }
        Some((local, intended))
    }

    fn pop_due(&mut self, now: Offset) -> Option<(u32, Offset)> {
        if self.retries.peek().is_some_and(|Reverse((at, _, _))| *at <= now) {
            return self.retries.pop().map(|Reverse((_, local, intended))| (local, intended));
        }
        self.planned.pop_front_if(|(at, _)| *at <= now).map(|(at, local)| (local, at))
    }

    /// A login began; it is given up at `limit`.
    pub(super) fn began(&mut self, local: u32, limit: Offset) {
        let attempt = &mut self.attempts[local as usize];
        attempt.number += 1;
        attempt.under_way = true;
        self.under_way += 1;
        self.limits.push(Reverse((limit, local, attempt.number)));
    }

    /// A login succeeded.
    pub(super) fn succeeded(&mut self, local: u32) {
        self.close(local);
        self.attempts[local as usize].failures = 0;
    }

    /// A stream ended; a new login is planned if it would begin before `retry_until`.
    pub(super) fn ended(&mut self, now: Offset, local: u32, retry_until: Option<Offset>) {
        self.close(local);
        let attempt = &mut self.attempts[local as usize];
        attempt.failures = attempt.failures.saturating_add(1);
        let at = now + backoff(local, attempt.number, attempt.failures);
        if retry_until.is_some_and(|until| at < until) {
            self.retries.push(Reverse((at, local, at)));
        }
    }

    /// A stream ended as planned.
    pub(super) fn left(&mut self, local: u32) {
        self.close(local);
    }

    /// A user that goes away is to log in again at `at`.
    pub(super) fn come_back(&mut self, at: Offset, local: u32) {
        self.retries.push(Reverse((at, local, at)));
    }

    /// A login that is due cannot begin yet: its user's last session is not quite gone.
    pub(super) fn put_off(&mut self, now: Offset, local: u32, intended: Offset) {
        self.retries.push(Reverse((now + STILL_GOING, local, intended)));
    }

    /// Which of its logins a user is at.
    pub(super) fn attempt(&self, local: u32) -> u32 {
        self.attempts[local as usize].number
    }

    fn close(&mut self, local: u32) {
        if std::mem::take(&mut self.attempts[local as usize].under_way) {
            self.under_way -= 1;
        }
    }

    /// A user whose login has taken too long.
    pub(super) fn take_overdue(&mut self, now: Offset) -> Option<u32> {
        while let Some(Reverse((at, local, number))) = self.limits.peek().copied() {
            if at > now {
                return None;
            }
            self.limits.pop();
            let attempt = self.attempts[local as usize];
            if attempt.under_way && attempt.number == number {
                return Some(local);
            }
        }
        None
    }

    /// When something is due next.
    pub(super) fn next(&self) -> Option<Offset> {
        let planned = self.planned.front().map(|(at, _)| *at);
        let retry = self.retries.peek().map(|Reverse((at, ..))| *at);
        let limit = self.limits.peek().map(|Reverse((at, ..))| *at);
        let held = self.ceilings.iter().filter(|c| !c.held.is_empty()).map(|ceiling| ceiling.open_at);
        [planned, retry, limit].into_iter().flatten().chain(held).min()
    }

    /// Whether a login has begun and not ended.
    pub(super) const fn any_under_way(&self) -> bool {
        self.under_way > 0
    }

    /// No login begins any more; what is under way goes on. Gives those that were intended before `until` and did not
    /// begin.
    pub(super) fn stop(&mut self, until: Offset) -> Vec<(u32, Offset)> {
        let held = self.ceilings.iter_mut().flat_map(|ceiling| ceiling.held.drain(..));
        let mut missed: Vec<(u32, Offset)> = held.collect();
        missed.extend(self.planned.drain(..).map(|(at, local)| (local, at)));
        missed.extend(self.retries.drain().map(|Reverse((_, local, intended))| (local, intended)));
        missed.retain(|(_, intended)| *intended < until);
        missed
    }
}

/// A shard's part of a group's ceiling: by its share of the group's users, so that all parts together keep it.
fn cap_for(rate: f64, own: usize, all: u32) -> Option<RateCap> {
    let share = rate * own as f64 / f64::from(all.max(1));
    let period = Duration::try_from_secs_f64(1.0 / share).ok()?;
    // A burst of a tenth of a second: the ramp is even, and only what was delayed comes closer together.
    let burst = NonZeroU32::new((share / 10.0).floor() as u32).unwrap_or(NonZeroU32::MIN);
    RateCap::new(period, burst)
}

fn backoff(local: u32, attempt: u32, failures: u8) -> Duration {
    let doubled = RETRY_FIRST * 2u32.pow(u32::from(failures.saturating_sub(1).min(5)));
    let jitter = Draw::new(u64::from(local), Stream::login_order(u16::MAX), u64::from(attempt)).unit();
    doubled.min(RETRY_MAX).mul_f64(0.5 + jitter)
}
