//! Curves over time: how many users are planned online, and how fast an activity's arrivals come.
//!
//! Both are piecewise polynomials over the run's phases and both can be inverted: [`UserCurve`] says when the k-th
//! user logs in, [`RateCurve`] when the cumulative rate reaches a value. That inverse is what makes the plan a
//! function: an arrival process drawn once in "expected count" space is bent into time by it.

use crate::units::Offset;

/// A stretch of time, `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first instant in it.
    pub start: Offset,
    /// The first instant after it.
    pub end: Offset,
}

impl Window {
    /// Whether `at` lies in it.
    pub fn contains(&self, at: Offset) -> bool {
        self.start <= at && at < self.end
    }

    /// Its length in seconds.
    pub fn seconds(&self) -> f64 {
        self.end.since(self.start).as_secs_f64()
    }
}

/// The planned number of logged-in users of one group: it rises linearly within a phase and never falls.
#[derive(Clone, Debug)]
pub struct UserCurve {
    rises: Vec<Rise>,
    total: u32,
}

#[derive(Clone, Copy, Debug)]
struct Rise {
    window: Window,
    from: u32,
    to: u32,
}

impl UserCurve {
    /// From each phase's window and its number of users at the end.
    pub fn new(phases: impl IntoIterator<Item = (Window, u32)>) -> Self {
        let mut from = 0;
        let rises: Vec<Rise> = phases
            .into_iter()
            .map(|(window, to)| {
                let to = to.max(from);
                let rise = Rise { window, from, to };
                from = to;
                rise
            })
            .collect();
        Self { rises, total: from }
    }

    /// How many users log in over the whole run.
    pub const fn total(&self) -> u32 {
        self.total
    }

    /// When the user of this rank (the first is 0) logs in; `None` beyond the last. Logins of one phase stand evenly
    /// in it, each in the middle of its share of the time.
    pub fn login_at(&self, rank: u32) -> Option<Offset> {
        let rise = self.rises.get(self.rises.partition_point(|rise| rise.to <= rank))?;
        let share = (f64::from(rank - rise.from) + 0.5) / f64::from(rise.to - rise.from);
        Some(rise.window.start + rise.window.end.since(rise.window.start).mul_f64(share))
    }

    /// How many logins are due up to and including `at`; the inverse of [`UserCurve::login_at`].
    pub fn logins_due(&self, at: Offset) -> u32 {
        let index = self.rises.partition_point(|rise| rise.window.end <= at);
        let Some(rise) = self.rises.get(index) else { return self.total };
        if at < rise.window.start || rise.to == rise.from {
            return rise.from;
        }
        let passed = at.since(rise.window.start).as_secs_f64() / rise.window.seconds();
        let guess = rise.from + (passed * f64::from(rise.to - rise.from) + 0.5).floor() as u32;
        self.settle(guess.clamp(rise.from, rise.to), at)
    }

    /// Corrects a guess that rounding put off by one, so that the inverse is exact.
    fn settle(&self, mut guess: u32, at: Offset) -> u32 {
        while guess > 0 && self.login_at(guess - 1).is_some_and(|login| login > at) {
            guess -= 1;
        }
        while self.login_at(guess).is_some_and(|login| login <= at) {
            guess += 1;
        }
        guess
    }
}

/// Arrivals per second over time, and its integral, the expected count.
#[derive(Clone, Debug, Default)]
pub struct RateCurve {
    pieces: Vec<Piece>,
}

/// `rate(s) = c0 + c1·s + c2·s²` with `s` running from 0 to 1 over the window.
#[derive(Clone, Copy, Debug)]
struct Piece {
    window: Window,
    coefficients: [f64; 3],
    expected_before: f64,
}

impl RateCurve {
    /// Adds a phase in which a total rate goes linearly from `from` to `to` (arrivals per second).
    pub fn push_linear(&mut self, window: Window, from: f64, to: f64) {
        self.push(window, [from, to - from, 0.0]);
    }

    /// Adds a phase in which `users` and the rate per user (per second) both go linearly from `.0` to `.1`.
    pub fn push_per_user(&mut self, window: Window, users: (f64, f64), rate: (f64, f64)) {
        let (u, du) = (users.0, users.1 - users.0);
        let (r, dr) = (rate.0, rate.1 - rate.0);
        self.push(window, [u * r, u * dr + r * du, du * dr]);
    }

    fn push(&mut self, window: Window, coefficients: [f64; 3]) {
        let expected_before = self.expected_total();
        self.pieces.push(Piece { window, coefficients, expected_before });
    }

    /// The expected number of arrivals over the whole run.
    pub fn expected_total(&self) -> f64 {
        self.pieces.last().map_or(0.0, |piece| piece.expected_before + piece.integral(1.0))
    }

    /// The expected number of arrivals before `at`.
    pub fn expected_until(&self, at: Offset) -> f64 {
        let index = self.pieces.partition_point(|piece| piece.window.end <= at);
        match self.pieces.get(index) {
            None => self.expected_total(),
            Some(piece) if at <= piece.window.start => piece.expected_before,
            Some(piece) => {
                piece.expected_before
                    + piece.integral(at.since(piece.window.start).as_secs_f64() / piece.window.seconds())
            }
        }
    }

    /// Arrivals per second at `at`.
    pub fn rate_at(&self, at: Offset) -> f64 {
        let index = self.pieces.partition_point(|piece| piece.window.end <= at);
        self.pieces.get(index).filter(|piece| piece.window.contains(at)).map_or(0.0, |piece| {
            piece.rate(at.since(piece.window.start).as_secs_f64() / piece.window.seconds())
        })
    }

    /// When the expected count reaches `expected`; `None` if it never does.
    pub fn instant_of(&self, expected: f64) -> Option<Offset> {
        let index =
            self.pieces.partition_point(|piece| piece.expected_before + piece.integral(1.0) <= expected);
        let piece = self.pieces.get(index)?;
        let s = piece.invert((expected - piece.expected_before).max(0.0));
        Some(piece.window.start + piece.window.end.since(piece.window.start).mul_f64(s.clamp(0.0, 1.0)))
    }
}

impl Piece {
    fn rate(&self, s: f64) -> f64 {
        let [c0, c1, c2] = self.coefficients;
        c0 + s * (c1 + s * c2)
    }

    fn integral(&self, s: f64) -> f64 {
        let [c0, c1, c2] = self.coefficients;
        self.window.seconds() * s * (c0 + s * (c1 / 2.0 + s * c2 / 3.0))
    }

    /// Where in 0..=1 the integral reaches `target`: directly where the rate is constant, else Newton's steps kept
    /// inside a shrinking bracket (the integral is monotone, so the bracket never loses the root).
    fn invert(&self, target: f64) -> f64 {
        let [c0, c1, c2] = self.coefficients;
        if c1 == 0.0 && c2 == 0.0 {
            return target / (c0 * self.window.seconds());
        }
        let (mut low, mut high) = (0.0, 1.0);
        let mut s = target / self.integral(1.0);
        for _ in 0..64 {
            let error = self.integral(s) - target;
            if error > 0.0 {
                high = s;
            } else {
                low = s;
            }
            let slope = self.rate(s) * self.window.seconds();
            let step = s - error / slope;
            let next = if slope > 0.0 && step > low && step < high { step } else { f64::midpoint(low, high) };
            if (next - s).abs() < 1e-15 {
                break;
            }
            s = next;
        }
        s
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window(start_s: f64, end_s: f64) -> Window {
        Window { start: Offset::from_secs_f64(start_s), end: Offset::from_secs_f64(end_s) }
    }

    #[test]
    fn logins_stand_evenly_in_the_ramp() {
        let curve =
            UserCurve::new([(window(0.0, 10.0), 5), (window(10.0, 20.0), 5), (window(20.0, 21.0), 6)]);
        let instants: Vec<f64> =
            (0..6).map(|rank| curve.login_at(rank).expect("planned").as_secs_f64()).collect();
        assert_eq!(instants, [1.0, 3.0, 5.0, 7.0, 9.0, 20.5]);
        assert_eq!(curve.login_at(6), None);
        for (at, due) in [(0.0, 0), (0.99, 0), (1.0, 1), (8.9, 4), (9.0, 5), (15.0, 5), (20.5, 6), (99.0, 6)]
        {
            assert_eq!(curve.logins_due(Offset::from_secs_f64(at)), due, "at {at}");
        }
    }

    proptest! {
        #[test]
        fn logins_due_and_login_at_are_inverse(ends in proptest::collection::vec((1u32..60, 0u32..500), 1..5)) {
            let (mut at, mut users) = (0.0, 0);
            let phases: Vec<(Window, u32)> = ends.iter().map(|&(seconds, more)| {
                let phase = window(at, at + f64::from(seconds));
                at += f64::from(seconds);
                users += more;
                (phase, users)
            }).collect();
            let curve = UserCurve::new(phases);
            for rank in 0..curve.total() {
                let login = curve.login_at(rank).expect("rank below the total");
                prop_assert!(curve.logins_due(login) > rank);
                prop_assert!(curve.logins_due(login - std::time::Duration::from_nanos(1)) <= rank);
            }
        }

        #[test]
        fn instant_of_and_expected_until_are_inverse(rates in proptest::collection::vec((1u32..60, 0.0f64..500.0), 1..5),
                                                     share in 0.0f64..1.0, per_user: bool) {
            let (mut at, mut before) = (0.0, 0.0);
            let mut curve = RateCurve::default();
            for &(seconds, rate) in &rates {
                let phase = window(at, at + f64::from(seconds));
                if per_user {
                    curve.push_per_user(phase, (before * 3.0, rate * 3.0), (before, rate));
                } else {
                    curve.push_linear(phase, before, rate);
                }
                at += f64::from(seconds);
                before = rate;
            }
            let expected = curve.expected_total() * share;
            if let Some(instant) = curve.instant_of(expected) {
                // One nanosecond of rounding moves the count by at most the rate times a nanosecond.
                let tolerance = curve.rate_at(instant) * 4e-9 + expected * 1e-9 + 1e-9;
                prop_assert!((curve.expected_until(instant) - expected).abs() <= tolerance,
                    "{} against {expected}", curve.expected_until(instant));
            }
        }
    }
}
