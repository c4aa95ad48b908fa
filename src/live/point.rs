//! What the page draws: a point for every second, ever more coarsely for those that are long past.
//!
//! Points that become one say the same of more seconds: rates are means, levels stand as they were last. What is looked for in
//! a chart must not be lost in a mean: errors, times and open entries are the worst, and users online the fewest.

use std::time::Duration;

use serde::Serialize;

use super::Snapshot;

/// One instant of the charts. Times are in milliseconds, as they are drawn.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Point {
    t: f64,
    /// How many seconds it is made of.
    seconds: u32,
    stage: &'static str,
    phase: String,
    online: u64,
    planned: u64,
    errors: u64,
    open: u64,
    /// In the order of [`super::Facts::operations`].
    operations: Vec<OperationPoint>,
    /// Copies per second that were owed from now on; nothing as long as there are none.
    owed: Option<f64>,
    /// Copies per second that came.
    came: Option<f64>,
    lag_p90: Option<f64>,
    lag: Option<f64>,
    turn: Option<f64>,
    failed_logins: u64,
    expected: u64,
    delivered: u64,
    lost: u64,
    /// CPU of the observed server since the point before, in processors.
    cpu: Option<f64>,
    /// Memory of the observed server, MiB.
    memory: Option<f64>,
}

/// One operation at an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
struct OperationPoint {
    asked: Option<f64>,
    done: f64,
    errors: u64,
    p50: Option<f64>,
    p90: Option<f64>,
    p99: Option<f64>,
}

impl Point {
    /// The point of a snapshot; `before` is the one before it.
    pub fn of(now: &Snapshot, before: Option<&Snapshot>) -> Self {
        let (expected, delivered, lost) = copies(now);
        let (owed, came) = before.map_or((0, 0), |before| {
            let (early_expected, early_delivered, _) = copies(before);
            (expected.saturating_sub(early_expected), delivered.saturating_sub(early_delivered))
        });
        // The last one of a run may come a moment after the one before it: no rate is made of a moment.
        let span = before.map_or(1.0, |before| (now.elapsed_s - before.elapsed_s).max(1.0));
        let per_s = |count: u64| (expected > 0).then(|| tenths(count as f64 / span));
        Self {
            t: tenths(now.elapsed_s),
            seconds: 1,
            stage: now.stage,
            phase: now.phase.clone(),
            online: now.online,
            planned: now.planned,
            errors: now.errors_per_s,
            open: now.open,
            operations: now.now.iter().map(OperationPoint::of).collect(),
            owed: per_s(owed),
            came: per_s(came),
            lag_p90: ms(now.lag_p90),
            lag: ms(now.lag_p99),
            turn: ms(now.turn_p99),
            failed_logins: now.logins.1,
            expected,
            delivered,
            lost,
            cpu: before.and_then(|before| processors(before, now)),
            memory: memory(now).map(|bytes| bytes / 1_048_576.0),
        }
    }

    /// This one and the one behind it as one; see the module text.
    fn with(&self, next: &Self) -> Self {
        let seconds = self.seconds.saturating_add(next.seconds);
        let share = f64::from(self.seconds) / f64::from(seconds.max(1));
        let mean = |a: f64, b: f64| tenths(a * share + b * (1.0 - share));
        let mean_of = |a, b| both(a, b, mean);
        let operations = self.operations.iter().zip(&next.operations);
        Self {
            seconds,
            online: self.online.min(next.online),
            errors: self.errors.max(next.errors),
            open: self.open.max(next.open),
            operations: operations.map(|(a, b)| a.with(*b, mean)).collect(),
            owed: mean_of(self.owed, next.owed),
            came: mean_of(self.came, next.came),
            lag_p90: both(self.lag_p90, next.lag_p90, f64::max),
            lag: both(self.lag, next.lag, f64::max),
            turn: both(self.turn, next.turn, f64::max),
            cpu: both(self.cpu, next.cpu, |a, b| a * share + b * (1.0 - share)),
            memory: both(self.memory, next.memory, f64::max),
            ..next.clone()
        }
    }
}

impl OperationPoint {
    fn of(now: &super::OperationNow) -> Self {
        Self {
            asked: now.asked_per_s.map(tenths),
            done: now.done_per_s as f64,
            errors: now.errors_per_s,
            p50: ms(now.p50),
            p90: ms(now.p90),
            p99: ms(now.p99),
        }
    }

    fn with(&self, next: Self, mean: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            asked: both(self.asked, next.asked, &mean),
            done: mean(self.done, next.done),
            errors: self.errors.max(next.errors),
            p50: both(self.p50, next.p50, f64::max),
            p90: both(self.p90, next.p90, f64::max),
            p99: both(self.p99, next.p99, f64::max),
        }
    }
}

/// Of two seconds what they come to; the one that is there where the other is not.
fn both(a: Option<f64>, b: Option<f64>, join: impl Fn(f64, f64) -> f64) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(join(a, b)),
        (one, other) => one.or(other),
    }
}

fn ms(time: Option<Duration>) -> Option<f64> {
    time.map(|time| time.as_secs_f64() * 1e3)
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Copies expected, delivered, and lost or failed, over all accounts.
fn copies(now: &Snapshot) -> (u64, u64, u64) {
    let accounts = [now.ledger.message, now.ledger.groupchat, now.ledger.presence];
    accounts.iter().fold((0, 0, 0), |sum, counts| {
        (sum.0 + counts.expected, sum.1 + counts.delivered, sum.2 + counts.lost + counts.failed)
    })
}

/// CPU seconds per second between two snapshots, of all sources that count any.
fn processors(before: &Snapshot, now: &Snapshot) -> Option<f64> {
    let pairs = before.observed.iter().zip(&now.observed).filter(|(_, late)| late.has_cpu);
    sum(pairs.map(|(early, late)| {
        let (used, length) = (late.cpu_s? - early.cpu_s?, late.at_s - early.at_s);
        (length > 0.0 && used >= 0.0).then(|| used / length)
    }))
}

/// Memory of all sources that know any, bytes.
fn memory(now: &Snapshot) -> Option<f64> {
    sum(now.observed.iter().filter(|source| source.has_memory).map(|source| source.memory_bytes))
}

/// The sum; nothing where one is missing, for it would only look as if less were used.
fn sum(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let mut none = true;
    let sum = values.inspect(|_| none = false).sum::<Option<f64>>();
    sum.filter(|_| !none)
}

/// The points so far, in bounded memory.
#[derive(Clone, Debug, Default)]
pub struct Points(Vec<Point>);

impl Points {
    /// So many are kept; then every two become one.
    pub const KEPT_MAX: usize = 2_400;

    /// Adds one.
    pub fn push(&mut self, point: Point) {
        if self.0.len() >= Self::KEPT_MAX {
            let pairs = self.0.chunks(2);
            self.0 = pairs
                .map(|pair| match pair {
                    [one, next] => one.with(next),
                    _ => pair[0].clone(),
                })
                .collect();
        }
        self.0.push(point);
    }

    /// All of them, in order.
    pub fn all(&self) -> &[Point] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::{ObservedNow, OperationNow};
    use crate::results::Ledgers;

    #[test]
    fn a_long_run_keeps_its_beginning_and_its_end_in_bounded_memory() {
        let mut points = Points::default();
        for second in 1..=100_000 {
            points.push(Point { t: f64::from(second), seconds: 1, ..Point::default() });
        }
        let all = points.all();
        assert!(all.len() <= Points::KEPT_MAX && all.len() >= Points::KEPT_MAX / 2, "{}", all.len());
        let mut covered = 0;
        for point in all {
            covered += point.seconds;
            assert!((point.t - f64::from(covered)).abs() < 1e-9, "each ends where its seconds end");
        }
        assert_eq!(covered, 100_000, "and none is missing");
    }

    #[test]
    fn no_second_of_a_long_run_is_dropped_when_points_become_one() {
        let mut points = Points::default();
        // One second in the middle of many in which nothing came, a login was missing, and one copy took a minute.
        for second in 1..=10_000 {
            let bad = second == 3_334;
            let operation = OperationPoint {
                asked: Some(100.0),
                done: if bad { 0.0 } else { 100.0 },
                errors: if bad { 7 } else { 0 },
                p99: Some(if bad { 60_000.0 } else { 1.0 }),
                ..OperationPoint::default()
            };
            points.push(Point {
                t: f64::from(second),
                seconds: 1,
                online: if bad { 9 } else { 10 },
                operations: vec![operation],
                ..Point::default()
            });
        }
        let all = points.all();
        let of = |pick: fn(&OperationPoint) -> f64| all.iter().map(move |point| pick(&point.operations[0]));
        assert_eq!(all.iter().map(|point| point.online).min(), Some(9));
        assert!((of(|one| one.errors as f64).fold(0.0, f64::max) - 7.0).abs() < 1e-9);
        assert!((of(|one| one.p99.unwrap_or(0.0)).fold(0.0, f64::max) - 60_000.0).abs() < 1e-9);
        let done: f64 = all.iter().map(|point| point.operations[0].done * f64::from(point.seconds)).sum();
        // A mean is kept to a tenth: no more than that is lost of it, each time two become one.
        assert!((done - 999_900.0).abs() < 10.0, "{done}");
        assert!(of(|one| one.asked.unwrap_or(0.0)).all(|asked| (asked - 100.0).abs() < 1e-9));
    }

    fn observed(at_s: f64, cpu_s: Option<f64>) -> ObservedNow {
        ObservedNow {
            is_up: Some(cpu_s.is_some()),
            has_cpu: true,
            has_memory: true,
            cpu_s,
            at_s,
            memory_bytes: cpu_s.map(|_| 1_048_576.0),
            ..ObservedNow::default()
        }
    }

    fn with(observed: Vec<ObservedNow>) -> Snapshot {
        Snapshot { observed, ..Snapshot::default() }
    }

    #[test]
    fn cpu_is_what_was_used_between_two_readings_and_nothing_where_the_counter_began_anew() {
        let at = |at_s: f64, cpu_s: f64| with(vec![observed(at_s, Some(cpu_s))]);
        let point = Point::of(&at(12.0, 8.0), Some(&at(10.0, 5.0)));
        assert_eq!((point.cpu, point.memory), (Some(1.5), Some(1.0)));
        assert_eq!(Point::of(&at(12.0, 8.0), Some(&at(12.0, 8.0))).cpu, None, "the same reading");
        assert_eq!(Point::of(&at(12.0, 1.0), Some(&at(10.0, 5.0))).cpu, None, "it began anew");
        assert_eq!(Point::of(&Snapshot::default(), None).memory, None);
    }

    #[test]
    fn of_several_sources_there_is_no_sum_where_one_is_missing() {
        let page = || ObservedNow { is_up: Some(true), ..ObservedNow::default() };
        let early = with(vec![observed(10.0, Some(5.0)), observed(10.0, Some(1.0)), page()]);
        let late = with(vec![observed(11.0, Some(6.0)), observed(11.0, Some(1.5)), page()]);
        let point = Point::of(&late, Some(&early));
        assert_eq!((point.cpu, point.memory), (Some(1.5), Some(2.0)), "the page counts neither");
        let gone = with(vec![observed(12.0, Some(7.0)), observed(11.0, None), page()]);
        let point = Point::of(&gone, Some(&late));
        assert_eq!((point.cpu, point.memory), (None, None));
    }

    #[test]
    fn copies_are_owed_and_come_at_a_rate_and_operations_stand_beside_what_is_asked() {
        let at = |elapsed_s: f64, expected: u64, delivered: u64| {
            let mut ledger = Ledgers::default();
            (ledger.groupchat.expected, ledger.groupchat.delivered) = (expected, delivered);
            let now = OperationNow { asked_per_s: Some(10.0), done_per_s: 1, ..OperationNow::default() };
            Snapshot { elapsed_s, ledger, now: vec![now], ..Snapshot::default() }
        };
        let point = Point::of(&at(12.5, 1_000, 100), Some(&at(11.5, 500, 50)));
        assert_eq!((point.owed, point.came), (Some(500.0), Some(50.0)));
        assert_eq!((point.operations[0].asked, point.operations[0].done), (Some(10.0), 1.0));
        let last = Point::of(&at(12.6, 1_000, 110), Some(&at(12.5, 1_000, 100)));
        assert_eq!(last.came, Some(10.0), "no rate is made of a moment");
        assert_eq!(Point::of(&at(1.0, 0, 0), None).owed, None);
    }
}
