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

/// See the module text. Users are numbered within the shard.
pub(super) struct Logins {
    planned: VecDeque<(Offset, u32)>,
    /// Retries and logins put off by the ceiling: when, who, and the instant they were intended.
    waiting: BinaryHeap<Reverse<(Offset, u32, Offset)>>,
    limits: BinaryHeap<Reverse<(Offset, u32, u32)>>,
    attempts: Vec<Attempt>,
    caps: Vec<Option<RateCap>>,
    group_of: Vec<u16>,
    under_way: u32,
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
        let caps = run.login_rates.iter().enumerate().map(|(group, rate)| {
            let own = group_of.iter().filter(|&&of| usize::from(of) == group).count();
            rate.and_then(|rate| cap_for(rate, own, run.group_size(group)))
        });
        Self {
            planned,
            waiting: BinaryHeap::new(),
            limits: BinaryHeap::new(),
            attempts: vec![Attempt::default(); range.len()],
            caps: caps.collect(),
            group_of,
            under_way: 0,
        }
    }

    /// A user whose login may begin now, and the instant it was intended.
    pub(super) fn take_due(&mut self, now: Offset) -> Option<(u32, Offset)> {
        let (local, intended) = self.pop_due(now)?;
        if let Some(cap) = &mut self.caps[usize::from(self.group_of[local as usize])]
            && let Err(later) = cap.check(now)
        {
            self.waiting.push(Reverse((later, local, intended)));
            return None;
        }
        Some((local, intended))
    }

    fn pop_due(&mut self, now: Offset) -> Option<(u32, Offset)> {
        if self.waiting.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
            return self.waiting.pop().map(|Reverse((_, local, intended))| (local, intended));
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
            self.waiting.push(Reverse((at, local, at)));
        }
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
        let waiting = self.waiting.peek().map(|Reverse((at, ..))| *at);
        let limit = self.limits.peek().map(|Reverse((at, ..))| *at);
        [planned, waiting, limit].into_iter().flatten().min()
    }

    /// Whether a login has begun and not ended.
    pub(super) const fn any_under_way(&self) -> bool {
        self.under_way > 0
    }

    /// No login begins any more; what is under way goes on.
    pub(super) fn cancel_planned(&mut self) {
        self.planned.clear();
        self.waiting.clear();
    }
}

/// A shard's part of a group's ceiling: by its share of the group's users, at least one a second.
fn cap_for(rate: f64, own: usize, all: u32) -> Option<RateCap> {
    let share = rate * own as f64 / f64::from(all.max(1));
    let per_second = NonZeroU32::new(share.ceil() as u32)?;
    // A burst of a tenth of a second: the ramp is even, and only what was delayed comes closer together.
    let burst = NonZeroU32::new((share / 10.0).ceil() as u32)?;
    Some(RateCap::new(per_second, burst))
}

fn backoff(local: u32, attempt: u32, failures: u8) -> Duration {
    let doubled = RETRY_FIRST * 2u32.pow(u32::from(failures.saturating_sub(1).min(5)));
    let jitter = Draw::new(u64::from(local), Stream::login_order(u16::MAX), u64::from(attempt)).unit();
    doubled.min(RETRY_MAX).mul_f64(0.5 + jitter)
}

/// Unpredictable bytes for SCRAM (RFC 5802 §5.1), from the operating system.
pub(super) fn nonce() -> [u8; 18] {
    use rand::TryRng as _;
    let mut bytes = [0; 18];
    // The operating system's generator fails on no system we run on; a nonce of zeros would only weaken a test login.
    let _ = rand::rngs::SysRng.try_fill_bytes(&mut bytes);
    bytes
}
