//! Who of a shard's users logs in when: the plan's logins, retries, ceilings and time limits.
//!
//! A failed login is counted and may be tried again, as a new operation, after a wait that doubles from a second to half a
//! minute with jitter (RFC 6120 §3.3): a server that comes back is not met by everybody at once.
//!
//! The ceiling (`login_rate`) delays; the delay is login lag. It is a cap and not the schedule.
//!
//! A login begins only while its user is planned logged in, and when the user's last session is gone; until then it waits for
//! that end, and takes nothing of the ceiling.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::num::NonZeroU32;
use std::ops::Range;
use std::time::Duration;

use crate::clock::RateCap;
use crate::engine::run::Run;
use crate::sample::Unsent;
use crate::seed::{Draw, Stream};
use crate::units::Offset;

const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// See the module text. Users are numbered within the shard.
pub(super) struct Logins {
    planned: VecDeque<(Offset, u32)>,
    /// Retries and returns: not before, who, and when intended.
    retries: BinaryHeap<Reverse<(Offset, u32, Offset)>>,
    /// Whose login is due and waits for the end of its user's last session, and when it was intended.
    waiting: HashMap<u32, Offset>,
    ceilings: Vec<Ceiling>,
    limits: BinaryHeap<Reverse<(Offset, u32, u32)>>,
    attempts: Vec<Attempt>,
    group_of: Vec<u16>,
    under_way: u32,
}

/// Whether a login that is due may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    /// It may.
    Ready,
    /// Its user's last session is ending.
    Ending,
    /// Its user is logged in, or about to be.
    Busy,
    /// Its user's logout was due meanwhile.
    TooLate,
}

/// A login whose time has come: who, and when it was intended.
pub(super) enum Due {
    /// It begins.
    Begin(u32, Offset),
    /// It never will.
    Missed(u32, Offset, Unsent),
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
            waiting: HashMap::new(),
            ceilings: ceilings.collect(),
            limits: BinaryHeap::new(),
            attempts: vec![Attempt::default(); range.len()],
            group_of,
            under_way: 0,
        }
    }

    /// Looks at one login that is due; `readiness` says what of its user. Whoever waits below a ceiling goes first.
    pub(super) fn take_due(
        &mut self,
        now: Offset,
        readiness: impl Fn(u32, Offset) -> Readiness,
    ) -> Option<Due> {
        let held = self.ceilings.iter().position(|one| !one.held.is_empty() && one.open_at <= now);
        let (local, intended, held) = match held {
            Some(group) => {
                let (local, intended) = *self.ceilings[group].held.front()?;
                (local, intended, Some(group))
            }
            None => {
                let (local, intended) = self.pop_due(now)?;
                (local, intended, None)
            }
        };
        let ready = readiness(local, intended);
        let group = usize::from(self.group_of[local as usize]);
        let ceiling = &mut self.ceilings[group];
        if ready == Readiness::Ready {
            let first_in_line = held.is_some() || ceiling.held.is_empty();
            if !first_in_line || !ceiling.grants(now) {
                if held.is_none() {
                    ceiling.held.push_back((local, intended));
                }
                return None;
            }
        }
        if held.is_some() {
            ceiling.held.pop_front();
        }
        match ready {
            Readiness::Ready => Some(Due::Begin(local, intended)),
            Readiness::TooLate => Some(Due::Missed(local, intended, Unsent::LoggedOut)),
            Readiness::Ending => {
                self.waiting.entry(local).or_insert(intended);
                None
            }
            Readiness::Busy => None,
        }
    }

    fn pop_due(&mut self, now: Offset) -> Option<(u32, Offset)> {
        if self.retries.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
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

    /// A stream ended unasked; a new login is planned if it would begin before `retry_until`, unless one waits already.
    pub(super) fn ended(&mut self, now: Offset, local: u32, retry_until: Option<Offset>) {
        self.close(local);
        if self.wait_no_more(now, local) {
            return;
        }
        let attempt = &mut self.attempts[local as usize];
        attempt.failures = attempt.failures.saturating_add(1);
        let at = now + backoff(local, attempt.number, attempt.failures);
        if retry_until.is_some_and(|until| at < until) {
            self.retries.push(Reverse((at, local, at)));
        }
    }

    /// A stream ended as planned.
    pub(super) fn left(&mut self, now: Offset, local: u32) {
        self.close(local);
        self.wait_no_more(now, local);
    }

    /// A login that waited for its user's last session is due now, if there is one.
    fn wait_no_more(&mut self, now: Offset, local: u32) -> bool {
        let intended = self.waiting.remove(&local);
        self.retries.extend(intended.map(|intended| Reverse((now, local, intended))));
        intended.is_some()
    }

    /// A user logs out: a login that still waits will not begin. Gives when it was intended.
    pub(super) fn log_out(&mut self, local: u32) -> Option<Offset> {
        self.waiting.remove(&local)
    }

    /// A user that goes away is to log in again at `at`.
    pub(super) fn come_back(&mut self, at: Offset, local: u32) {
        self.retries.push(Reverse((at, local, at)));
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
    /// begin, and why.
    pub(super) fn stop(&mut self, until: Offset) -> Vec<(u32, Offset, Unsent)> {
        let held = self.ceilings.iter_mut().flat_map(|ceiling| ceiling.held.drain(..));
        let due = held.chain(self.planned.drain(..).map(|(at, local)| (local, at)));
        let again = self.retries.drain().map(|Reverse((_, local, intended))| (local, intended));
        let late = due.chain(again).map(|(local, intended)| (local, intended, Unsent::Stopped));
        let waiting = self.waiting.drain();
        let waiting = waiting.map(|(local, intended)| (local, intended, Unsent::LastSession));
        late.chain(waiting).filter(|(_, intended, _)| *intended < until).collect()
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
