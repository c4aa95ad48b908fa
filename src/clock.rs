//! The only reader of the clock.
//!
//! Two clocks, never mixed: the system's monotonic clock says *how long* and is what every [`Offset`] comes from;
//! wall time says *when* and is only written into results. The monotonic clock is shared by all processes of a host,
//! so a run's [`Epoch`] travels between them as one number and their offsets may be compared.
//!
//! The kernel serves both without a system call (vDSO) where its clock source is `tsc`; [`crate::net::facts`] names
//! the source, because elsewhere one reading may cost a microsecond.
//!
//! This module refuses to sleep and to schedule: that is `net`'s timer.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use rustix::time::{ClockId, clock_gettime};

use crate::units::Offset;

/// The instant a run calls zero: a reading of the system's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(u64);

impl Epoch {
    /// The epoch is now.
    pub fn start() -> Self {
        Self(monotonic_nanos())
    }

    /// The epoch another process of this host announced: nanoseconds of `CLOCK_MONOTONIC`.
    pub const fn from_monotonic_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The number to hand to another process of this host.
    pub const fn as_monotonic_nanos(self) -> u64 {
        self.0
    }

    /// The instant it is; an instant before the epoch is the epoch.
    pub fn now(self) -> Offset {
        Offset::from_nanos(monotonic_nanos().saturating_sub(self.0))
    }

    /// An offset as the monotonic clock's own nanoseconds, for absolute timers.
    pub const fn to_monotonic_nanos(self, offset: Offset) -> u64 {
        self.0.saturating_add(offset.as_nanos())
    }
}

/// Nanoseconds of `CLOCK_MONOTONIC`.
fn monotonic_nanos() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    // Neither part is ever negative on this clock.
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// When something happened, for a person or a result file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WallTime(SystemTime);

impl WallTime {
    /// The wall time it is.
    #[expect(clippy::disallowed_methods, reason = "this module is where clocks are read")]
    pub fn now() -> Self {
        Self(SystemTime::now())
    }

    /// From seconds since 1970-01-01T00:00:00Z.
    pub fn from_unix_seconds(seconds: u64) -> Self {
        Self(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// Seconds since 1970-01-01T00:00:00Z; zero for earlier times.
    pub fn unix_seconds(self) -> f64 {
        self.0.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
    }

    /// RFC 3339 in UTC with milliseconds: `2026-11-22T10:00:00.000Z`.
    pub fn rfc3339(self) -> String {
        humantime::format_rfc3339_millis(self.0).to_string()
    }
}

/// A ceiling on a rate (logins, registrations), fed with instants instead of reading a clock itself.
///
/// It caps, it never schedules: an operation refused now is tried again at the instant named, and what it waited is
/// part of what is measured.
#[derive(Debug)]
pub struct RateCap {
    limiter: RateLimiter<NotKeyed, InMemoryState, FedClock, NoOpMiddleware<Nanos>>,
    clock: FedClock,
}

impl RateCap {
    /// One per `period`, of which `burst` may come at once; none for a period of zero, which is no ceiling.
    pub fn new(period: Duration, burst: NonZeroU32) -> Option<Self> {
        let clock = FedClock::default();
        let quota = Quota::with_period(period)?.allow_burst(burst);
        Some(Self { limiter: RateLimiter::direct_with_clock(quota, clock.clone()), clock })
    }

    /// Takes one permit at `now`, or says when the next will be there.
    pub fn check(&mut self, now: Offset) -> Result<(), Offset> {
        self.clock.set(now);
        self.limiter.check().map_err(|refused| now + refused.wait_time_from(Nanos::from(now.as_nanos())))
    }
}

/// Shows the limiter the instant it was last fed.
#[derive(Clone, Debug, Default)]
struct FedClock(Arc<AtomicU64>);

impl FedClock {
    fn set(&self, now: Offset) {
        self.0.store(now.as_nanos(), Ordering::Relaxed);
    }
}

impl Clock for FedClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_given_to_another_process_names_the_same_instants() {
        let epoch = Epoch::start();
        let other = Epoch::from_monotonic_nanos(epoch.as_monotonic_nanos());
        let (first, second, third) = (epoch.now(), other.now(), epoch.now());
        assert!(first <= second && second <= third);
        assert_eq!(epoch.to_monotonic_nanos(Offset::from_nanos(5)), epoch.as_monotonic_nanos() + 5);
    }

    #[test]
    fn before_the_epoch_is_the_epoch() {
        let later = Epoch::from_monotonic_nanos(u64::MAX);
        assert_eq!(later.now(), Offset::ZERO);
    }

    #[test]
    fn wall_time_is_written_in_utc() {
        let time = WallTime::from_unix_seconds(1_795_341_600);
        assert_eq!(time.rfc3339(), "2026-11-22T10:00:00.000Z");
        assert!((time.unix_seconds() - 1_795_341_600.0).abs() < 1e-6);
        assert!(WallTime::now() > time);
    }

    #[test]
    fn a_cap_refuses_with_the_instant_of_the_next_permit() {
        let mut cap = RateCap::new(Duration::from_millis(100), NonZeroU32::MIN).expect("a period");
        let start = Offset::from_nanos(7_000_000_000);
        assert_eq!(cap.check(start), Ok(()));
        let next = cap.check(start).expect_err("the burst is one");
        assert_eq!(next, start + Duration::from_millis(100));
        assert!(cap.check(next - Duration::from_nanos(1)).is_err());
        assert_eq!(cap.check(next), Ok(()));
    }
}
