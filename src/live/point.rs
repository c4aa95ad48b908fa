//! What the page draws: a point for every second, ever more coarsely for those that are long past.

use serde::Serialize;

use super::Snapshot;

/// One instant of the charts. Times are in milliseconds, as they are drawn.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Point {
    t: f64,
    stage: &'static str,
    phase: String,
    online: u64,
    planned: u64,
    asked: f64,
    done: u64,
    errors: u64,
    open: u64,
    p50: Option<f64>,
    p90: Option<f64>,
    p99: Option<f64>,
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

impl Point {
    /// The point of a snapshot; `before` is the one before it.
    pub fn of(now: &Snapshot, before: Option<&Snapshot>) -> Self {
        let ms = |time: Option<std::time::Duration>| time.map(|time| time.as_secs_f64() * 1e3);
        let accounts = [now.ledger.message, now.ledger.groupchat, now.ledger.presence];
        Self {
            t: (now.elapsed_s * 10.0).round() / 10.0,
            stage: now.stage,
            phase: now.phase.clone(),
            online: now.online,
            planned: now.planned,
            asked: now.asked_per_s,
            done: now.done_per_s,
            errors: now.errors_per_s,
            open: now.open,
            p50: ms(now.response_p50),
            p90: ms(now.response_p90),
            p99: ms(now.response_p99),
            lag_p90: ms(now.lag_p90),
            lag: ms(now.lag_p99),
            turn: ms(now.turn_p99),
            failed_logins: now.logins.1,
            expected: accounts.iter().map(|counts| counts.expected).sum(),
            delivered: accounts.iter().map(|counts| counts.delivered).sum(),
            lost: accounts.iter().map(|counts| counts.lost + counts.failed).sum(),
            cpu: before.and_then(|before| processors(before, now)),
            memory: sum(now.observed.iter().map(|source| source.memory_bytes))
                .map(|bytes| bytes / 1_048_576.0),
        }
    }
}

/// CPU seconds per second of all sources between two snapshots.
fn processors(before: &Snapshot, now: &Snapshot) -> Option<f64> {
    let pairs = before.observed.iter().zip(&now.observed);
    sum(pairs.map(|(early, late)| {
        let (used, length) = (late.cpu_s? - early.cpu_s?, late.at_s - early.at_s);
        (length > 0.0 && used >= 0.0).then(|| used / length)
    }))
}

/// The sum of what is there; nothing where nothing is.
fn sum(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    values.flatten().fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}

/// The points so far, in bounded memory.
#[derive(Clone, Debug, Default)]
pub struct Points(Vec<Point>);

impl Points {
    /// So many are kept; then every other one goes.
    pub const KEPT_MAX: usize = 2_400;

    /// Adds one.
    pub fn push(&mut self, point: Point) {
        if self.0.len() >= Self::KEPT_MAX {
            let mut number = 0;
            self.0.retain(|_| {
                number += 1;
                number % 2 == 1
            });
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
    use crate::live::ObservedNow;

    #[test]
    fn a_long_run_keeps_its_beginning_and_its_end_in_bounded_memory() {
        let mut points = Points::default();
        for second in 0..100_000 {
            points.push(Point { t: f64::from(second), ..Point::default() });
        }
        let all = points.all();
        assert!(all.len() <= Points::KEPT_MAX && all.len() >= Points::KEPT_MAX / 2, "{}", all.len());
        assert!(all[0].t < 0.5 && all[all.len() - 1].t > 99_998.5);
        assert!(all.windows(2).all(|pair| pair[0].t < pair[1].t));
    }

    #[test]
    fn cpu_is_what_was_used_between_two_readings_and_nothing_where_the_counter_began_anew() {
        let at = |at_s: f64, cpu_s: f64| Snapshot {
            observed: vec![ObservedNow {
                cpu_s: Some(cpu_s),
                at_s,
                memory_bytes: Some(1_048_576.0),
                ..ObservedNow::default()
            }],
            ..Snapshot::default()
        };
        let point = Point::of(&at(12.0, 8.0), Some(&at(10.0, 5.0)));
        assert_eq!((point.cpu, point.memory), (Some(1.5), Some(1.0)));
        assert_eq!(Point::of(&at(12.0, 8.0), Some(&at(12.0, 8.0))).cpu, None, "the same reading");
        assert_eq!(Point::of(&at(12.0, 1.0), Some(&at(10.0, 5.0))).cpu, None, "it began anew");
        assert_eq!(Point::of(&Snapshot::default(), None).memory, None);
    }
}
