//! How long a worker's turns take, weighted by time.
//!
//! Counting turns would hide one stop of two seconds among a hundred thousand short ones. So a turn weighs as much as it
//! lasts, and the quantile is over time: p99 is the turn length in longer turns than which one per cent of the *elapsed*
//! time was spent. Time spent waiting counts as turns of length zero.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::units::Quantile;

/// See the module text.
#[derive(Clone, Debug)]
pub struct TurnTimes {
    /// Value: a turn's length in microseconds; count: the microseconds spent in such turns.
    weighted: Histogram<u64>,
    longest: Duration,
    turns: u64,
    busy: Duration,
}

impl Default for TurnTimes {
    fn default() -> Self {
        let mut weighted = Histogram::new(3).expect("three digits are a valid precision");
        weighted.auto(true);
        Self { weighted, longest: Duration::ZERO, turns: 0, busy: Duration::ZERO }
    }
}

impl TurnTimes {
    /// Adds a turn: from when work was there to its end, and the time really spent working.
    pub fn record(&mut self, turn: Duration, worked: Duration) {
        self.busy += worked;
        let micros = u64::try_from(turn.as_micros()).unwrap_or(u64::MAX).clamp(1, 3_600_000_000);
        self.weighted.record_n(micros, micros).expect("an auto-resizing histogram takes any value");
        self.longest = self.longest.max(turn);
        self.turns += 1;
    }

    /// Adds another worker's, or another second's.
    pub fn merge(&mut self, other: &Self) {
        self.weighted.add(&other.weighted).expect("an auto-resizing histogram takes any value");
        self.longest = self.longest.max(other.longest);
        self.turns += other.turns;
        self.busy += other.busy;
    }

    /// The turn length of this quantile over `elapsed` (summed over workers).
    pub fn quantile(&self, quantile: Quantile, elapsed: Duration) -> Duration {
        let beyond = (elapsed.as_micros() as f64 * (1.0 - quantile.as_fraction())) as u64;
        let spent = self.weighted.len();
        if spent <= beyond {
            return Duration::ZERO;
        }
        let within = (spent - beyond) as f64 / spent as f64;
        Duration::from_micros(self.weighted.value_at_quantile(within))
    }

    /// The longest turn.
    pub const fn longest(&self) -> Duration {
        self.longest
    }

    /// How many turns.
    pub const fn count(&self) -> u64 {
        self.turns
    }

    /// Time spent working; waking up late is no work.
    pub const fn busy(&self) -> Duration {
        self.busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn one_long_stop_convicts_however_many_short_turns_there_are() {
        let mut turns = TurnTimes::default();
        (0..100_000).for_each(|_| turns.record(Duration::from_micros(20), Duration::from_micros(20)));
        assert_eq!(turns.quantile(Quantile::P99, SECOND * 20), Duration::from_micros(20));
        turns.record(SECOND * 2, SECOND * 2);
        assert!(turns.quantile(Quantile::P99, SECOND * 20) >= SECOND);
    }

    #[test]
    fn short_hiccups_within_one_per_cent_of_the_time_do_not() {
        let mut turns = TurnTimes::default();
        (0..10).for_each(|_| turns.record(Duration::from_millis(10), Duration::from_millis(10)));
        (0..10_000).for_each(|_| turns.record(Duration::from_micros(100), Duration::from_micros(100)));
        assert!(turns.quantile(Quantile::P99, SECOND * 20) < Duration::from_millis(1));
    }

    #[test]
    fn an_idle_loop_has_no_turn_time() {
        assert_eq!(TurnTimes::default().quantile(Quantile::P99, SECOND), Duration::ZERO);
    }
}
