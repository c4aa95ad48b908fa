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

/// The planned number of logged-in users of one group: within a phase it rises or falls in a straight line.
///
/// Users have ranks, and whoever came last goes first, so that those online are always the first ranks. That keeps the
/// question who is online as cheap as how many are, and whoever came early stays long.
#[derive(Clone, Debug)]
pub struct UserCurve {
    legs: Vec<Leg>,
}

/// A phase: its comings, or its goings, stand evenly in it, each in the middle of its share of the time.
#[derive(Clone, Copy, Debug)]
struct Leg {
    window: Window,
    from: u32,
    to: u32,
}

/// A stretch of the run in which a user is planned logged in: from its login to the end of that session by plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// When the login is due.
    pub login: Offset,
    /// When its logout is; none where it stays to the run's end.
    pub logout: Option<Offset>,
}

impl Stay {
    /// Whether `at` lies in it: from the login on, up to the logout.
    pub fn contains(&self, at: Offset) -> bool {
        self.login <= at && self.logout.is_none_or(|logout| at < logout)
    }
}

impl UserCurve {
    /// From each phase's window and its number of users at the end.
    pub fn new(phases: impl IntoIterator<Item = (Window, u32)>) -> Self {
        let mut from = 0;
        let legs = phases.into_iter().map(|(window, to)| {
            let leg = Leg { window, from, to };
            from = to;
            leg
        });
        Self { legs: legs.collect() }
    }

    /// The most users it has logged in at once: ranks lie below it.
    pub fn peak(&self) -> u32 {
        self.legs.iter().map(|leg| leg.to).max().unwrap_or(0)
    }

    /// The stays of the user of this rank (the first is 0), in time order.
    pub fn stays(&self, rank: u32) -> impl Iterator<Item = Stay> + '_ {
        let mut turns = self.legs.iter().filter_map(move |leg| leg.turn_of(rank));
        // From 0 on the curve passes a rank upwards first, and then by turns.
        std::iter::from_fn(move || Some(Stay { login: turns.next()?, logout: turns.next() }))
    }

    /// How many users are logged in at `at`, logins and logouts of that instant done.
    pub fn logged_in(&self, at: Offset) -> u32 {
        let leg = self.legs.get(self.leg_at(at)).or_else(|| self.legs.last());
        leg.map_or(0, |leg| leg.logged_in(at))
    }

    /// How many users are logged in from `from` to `to` without a break.
    pub fn logged_in_throughout(&self, from: Offset, to: Offset) -> u32 {
        let between = &self.legs[self.leg_at(from)..self.leg_at(to)];
        // Within a leg it goes one way, so that it is least at an end of the time or of a leg.
        let ends = between.iter().map(|leg| leg.to);
        ends.chain([self.logged_in(from), self.logged_in(to)]).min().unwrap_or(0)
    }

    fn leg_at(&self, at: Offset) -> usize {
        self.legs.partition_point(|leg| leg.window.end <= at)
    }
}

impl Leg {
    /// How many come or go in it.
    const fn count(&self) -> u32 {
        self.from.abs_diff(self.to)
    }

    /// When the curve passes a rank in it, if it does.
    fn turn_of(&self, rank: u32) -> Option<Offset> {
        if (self.from..self.to).contains(&rank) {
            Some(self.instant(rank - self.from))
        } else {
            (self.to..self.from).contains(&rank).then(|| self.instant(self.from - 1 - rank))
        }
    }

    /// The instant of its `nth` coming or going.
    fn instant(&self, nth: u32) -> Offset {
        let share = (f64::from(nth) + 0.5) / f64::from(self.count());
        self.window.start + self.window.end.since(self.window.start).mul_f64(share)
    }

    fn logged_in(&self, at: Offset) -> u32 {
        let passed = self.passed(at);
        if self.to >= self.from { self.from + passed } else { self.from - passed }
    }

    /// How many have come or gone up to and including `at`; the inverse of [`Leg::instant`].
    fn passed(&self, at: Offset) -> u32 {
        if at < self.window.start || self.count() == 0 {
            return 0;
        }
        if at >= self.window.end {
            return self.count();
        }
        let share = at.since(self.window.start).as_secs_f64() / self.window.seconds();
        let mut guess = ((share * f64::from(self.count()) + 0.5).floor() as u32).min(self.count());
        // Rounding may have put it off by one.
        while guess > 0 && self.instant(guess - 1) > at {
            guess -= 1;
        }
        while guess < self.count() && self.instant(guess) <= at {
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

    fn curve(ends: &[(u32, u32)]) -> UserCurve {
        let mut at = 0.0;
        UserCurve::new(ends.iter().map(|&(seconds, users)| {
            let phase = window(at, at + f64::from(seconds));
            at += f64::from(seconds);
            (phase, users)
        }))
    }

    fn stay(login_s: f64, logout_s: Option<f64>) -> Stay {
        Stay { login: Offset::from_secs_f64(login_s), logout: logout_s.map(Offset::from_secs_f64) }
    }

    #[test]
    fn logins_stand_evenly_in_the_ramp() {
        let curve = curve(&[(10, 5), (10, 5), (1, 6)]);
        for (rank, login) in [1.0, 3.0, 5.0, 7.0, 9.0, 20.5].into_iter().enumerate() {
            assert_eq!(curve.stays(rank as u32).collect::<Vec<_>>(), [stay(login, None)]);
        }
        assert_eq!(curve.stays(6).next(), None);
        for (at, users) in
            [(0.0, 0), (0.99, 0), (1.0, 1), (8.9, 4), (9.0, 5), (15.0, 5), (20.5, 6), (99.0, 6)]
        {
            assert_eq!(curve.logged_in(Offset::from_secs_f64(at)), users, "at {at}");
        }
    }

    #[test]
    fn who_came_last_goes_first_and_comes_back_last() {
        let curve = curve(&[(10, 5), (3, 2), (10, 2), (2, 4), (4, 0)]);
        assert_eq!(curve.peak(), 5);
        let stays: Vec<Vec<Stay>> = (0..5).map(|rank| curve.stays(rank).collect()).collect();
        assert_eq!(stays[0], [stay(1.0, Some(28.5))]);
        assert_eq!(stays[1], [stay(3.0, Some(27.5))]);
        assert_eq!(stays[2], [stay(5.0, Some(12.5)), stay(23.5, Some(26.5))]);
        assert_eq!(stays[3], [stay(7.0, Some(11.5)), stay(24.5, Some(25.5))]);
        assert_eq!(stays[4], [stay(9.0, Some(10.5))]);
        for (at, users) in [(10.4, 5), (10.5, 4), (12.5, 2), (20.0, 2), (24.5, 4), (28.4, 1), (99.0, 0)] {
            assert_eq!(curve.logged_in(Offset::from_secs_f64(at)), users, "at {at}");
        }
    }

    proptest! {
        #[test]
        fn whoever_is_counted_has_a_stay_then_and_nobody_else_has(
            ends in proptest::collection::vec((1u32..20, 0u32..60), 1..6),
            looks in proptest::collection::vec((0.0f64..1.0, 0.0f64..3.0), 40),
        ) {
            let curve = curve(&ends);
            let seconds: f64 = ends.iter().map(|end| f64::from(end.0)).sum();
            let stays: Vec<Vec<Stay>> = (0..curve.peak()).map(|rank| curve.stays(rank).collect()).collect();
            let turns = stays.iter().flatten().flat_map(|stay| [Some(stay.login), stay.logout]).flatten();
            let drawn = looks.iter().map(|(share, _)| Offset::from_secs_f64(share * (seconds + 2.0)));
            // At every turn and a nanosecond before, where an error by one would show.
            let nanosecond = std::time::Duration::from_nanos(1);
            let instants: Vec<Offset> = turns.flat_map(|at| [at - nanosecond, at]).chain(drawn).collect();
            for (at, (_, back)) in instants.into_iter().zip(looks.iter().cycle()) {
                let from = at - std::time::Duration::from_secs_f64(*back);
                for (rank, stays) in stays.iter().enumerate() {
                    let is_in = stays.iter().any(|stay| stay.contains(at));
                    prop_assert_eq!((rank as u32) < curve.logged_in(at), is_in, "rank {} at {}", rank, at);
                    let throughout = stays.iter().any(|stay| stay.contains(from) && stay.contains(at));
                    prop_assert_eq!((rank as u32) < curve.logged_in_throughout(from, at), throughout,
                        "rank {} from {} to {}", rank, from, at);
                }
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
