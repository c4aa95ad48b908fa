//! What was observed of the server, as series on the run's seconds.
//!
//! Reading *k* stands at the beginning of second *k* (`results/README.md`). So what grew until then grew in second *k* − 1, and
//! a level belongs to the end of that second, as the users online do. A counter becomes its growth per second since the
//! reading before; where it fell there is a gap. Numbers stay in the units the result has them in: what a chart's axis wants
//! is the chart's matter ([`NamedSeries::drawn`]).

use crate::results::{Column, ColumnKind, ColumnUnit, Observed, ObservedSource, Unit, growth};

/// Numbers of one kind, one per second of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedSeries {
    /// What they are, for a person (`CPU, share of one core`).
    pub name: String,
    /// The same at the head of a column of numbers; it ends in their unit (`cpu_seconds_per_s`).
    pub heading: String,
    /// What is counted.
    pub unit: ColumnUnit,
    /// Whether each is a level at the end of its second, or a counter's growth per second.
    pub kind: ColumnKind,
    /// One per second since the run's epoch, in `unit` or `unit` per second; nothing where nothing was seen.
    pub values: Vec<Option<f64>>,
}

impl NamedSeries {
    /// The unit a chart shows them in, and the numbers in it.
    pub fn drawn(&self) -> (Unit, Vec<Option<f64>>) {
        let (unit, times) = shown_in(self.unit, self.kind);
        (unit, self.values.iter().map(|value| value.map(|value| value * times)).collect())
    }
}

/// The unit a person is shown a column in, and what its numbers are multiplied by for it. Processor seconds per second are the
/// share of a core that was in use.
pub const fn shown_in(unit: ColumnUnit, kind: ColumnKind) -> (Unit, f64) {
    const MICROS: f64 = 1e6;
    match (kind, unit) {
        (ColumnKind::Gauge, ColumnUnit::Seconds) => (Unit::Micros, MICROS),
        (ColumnKind::Gauge, ColumnUnit::Count) => (Unit::Count, 1.0),
        (ColumnKind::Gauge, ColumnUnit::Share) | (ColumnKind::Counter, ColumnUnit::Seconds) => {
            (Unit::Share, 1.0)
        }
        (ColumnKind::Counter, ColumnUnit::Share | ColumnUnit::Count) => (Unit::PerSecond, 1.0),
        (ColumnKind::Gauge | ColumnKind::Counter, ColumnUnit::Bytes) => (Unit::Bytes, 1.0),
    }
}

/// The series of all sources: processor and memory first, the rest by name.
pub fn series(observed: &Observed) -> Vec<NamedSeries> {
    let several = observed.sources.len() > 1;
    let mut all: Vec<(u8, NamedSeries)> = Vec::new();
    for source in &observed.sources {
        for (name, column) in &source.columns {
            all.push(one(source, name, column, several));
        }
    }
    // Stable: sources and names keep their order.
    all.sort_by_key(|(rank, _)| *rank);
    all.into_iter().map(|(_, series)| series).collect()
}

fn one(source: &ObservedSource, name: &str, column: &Column, several: bool) -> (u8, NamedSeries) {
    let is = |role: &Option<String>| role.as_deref() == Some(name);
    let (rank, what) = if is(&source.cpu) {
        (0, "CPU, share of one core")
    } else if is(&source.memory) {
        (1, "memory")
    } else {
        (2, name)
    };
    let grown = matches!(column.kind, ColumnKind::Counter) && rank != 0;
    let per_second = if grown && column.unit == ColumnUnit::Bytes { " per second" } else { "" };
    // With one source the same words stand for the same thing in every result laid over another.
    let (of, from) = if several {
        (format!(" of {}", source.name), format!("{}.", source.name))
    } else {
        (String::new(), String::new())
    };
    let series = NamedSeries {
        name: format!("{what}{of}{per_second}"),
        heading: format!("{from}{}", heading(name, column)),
        unit: column.unit,
        kind: column.kind,
        values: match column.kind {
            ColumnKind::Gauge => column.values.iter().skip(1).copied().collect(),
            ColumnKind::Counter => rates(source, column),
        },
    };
    (rank, series)
}

/// A column's name with its unit at the end, once.
fn heading(name: &str, column: &Column) -> String {
    let unit = match column.unit {
        ColumnUnit::Seconds => "_seconds",
        ColumnUnit::Bytes => "_bytes",
        ColumnUnit::Share => "_ratio",
        ColumnUnit::Count => "_count",
    };
    match column.kind {
        ColumnKind::Gauge if name.ends_with(unit) => name.to_owned(),
        ColumnKind::Gauge => format!("{name}{unit}"),
        // `x_bytes_total{device="eth0"}` has its unit in its name, and what is merely counted needs none.
        ColumnKind::Counter if column.unit == ColumnUnit::Count || name.contains(unit) => {
            format!("{name}_per_s")
        }
        ColumnKind::Counter => format!("{name}{unit}_per_s"),
    }
}

/// Growth per second, in the second that ended with the later reading.
fn rates(source: &ObservedSource, column: &Column) -> Vec<Option<f64>> {
    let mut rates = vec![None; source.at_s.len().saturating_sub(1)];
    for step in growth::steps(source, column) {
        if let Some(rate) = step.second.checked_sub(1).and_then(|second| rates.get_mut(second)) {
            *rate = step.rate();
        }
    }
    rates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(unit: ColumnUnit, kind: ColumnKind, values: &[Option<f64>]) -> Column {
        Column { unit, kind, meaning: String::new(), values: values.to_vec() }
    }

    fn source(columns: &[(&str, Column)]) -> ObservedSource {
        ObservedSource {
            name: "beam.smp".into(),
            cpu: Some("cpu_seconds".into()),
            memory: Some("pss_bytes".into()),
            at_s: vec![Some(0.0), Some(1.0), None, Some(3.0), Some(4.0), Some(5.0)],
            columns: columns.iter().map(|(name, column)| ((*name).to_owned(), column.clone())).collect(),
            ..ObservedSource::default()
        }
    }

    fn seen(columns: &[(&str, Column)]) -> Vec<NamedSeries> {
        series(&Observed { sources: vec![source(columns)], ..Observed::default() })
    }

    use ColumnKind::{Counter, Gauge};

    #[test]
    fn what_grows_becomes_a_rate_and_what_is_unknown_stays_so() {
        let found = seen(&[
            (
                "pss_bytes",
                column(ColumnUnit::Bytes, Gauge, &[Some(7.0), Some(8.0), None, Some(9.0), None, Some(6.0)]),
            ),
            (
                "cpu_seconds",
                column(
                    ColumnUnit::Seconds,
                    Counter,
                    &[Some(1.0), Some(1.5), None, Some(2.5), Some(0.25), Some(0.75)],
                ),
            ),
            ("a_total", column(ColumnUnit::Count, Counter, &[Some(0.0), Some(30.0), None, None, None, None])),
        ]);
        let shown: Vec<(&str, Unit)> = found.iter().map(|one| (one.name.as_str(), one.drawn().0)).collect();
        assert_eq!(
            shown,
            [("CPU, share of one core", Unit::Share), ("memory", Unit::Bytes), ("a_total", Unit::PerSecond)]
        );
        assert_eq!(
            found[0].values,
            [Some(0.5), None, Some(0.5), None, Some(0.5)],
            "it began anew between 3 and 4"
        );
        assert_eq!(found[1].values, [Some(8.0), None, Some(9.0), None, Some(6.0)]);
        assert_eq!(found[2].values[0], Some(30.0));
    }

    /// The sentence of `results/README.md`: the increase over second k is `values[k + 1] − values[k]`, and a gauge's entry k
    /// belongs to `users_online[k − 1]`.
    #[test]
    fn a_series_stands_on_the_seconds_the_readme_names() {
        let users: [u64; 5] = [10, 20, 30, 40, 50];
        let source = ObservedSource {
            at_s: (0..6).map(|second| Some(f64::from(second))).collect(),
            columns: [
                // One second of CPU for each user who came online in a second, a byte for each who is.
                (
                    "cpu_seconds".to_owned(),
                    column(ColumnUnit::Seconds, Counter, &[0.0, 10.0, 20.0, 30.0, 40.0, 50.0].map(Some)),
                ),
                (
                    "memory_bytes".to_owned(),
                    column(ColumnUnit::Bytes, Gauge, &[0.0, 10.0, 20.0, 30.0, 40.0, 50.0].map(Some)),
                ),
            ]
            .into(),
            ..ObservedSource::default()
        };
        let found = series(&Observed { sources: vec![source.clone()], ..Observed::default() });
        let counter = &source.columns["cpu_seconds"].values;
        for second in 0..5 {
            let increase = counter[second + 1].zip(counter[second]).map(|(after, before)| after - before);
            assert_eq!(found[0].values[second], increase, "second {second}");
            assert_eq!(found[1].values[second], Some(users[second] as f64), "second {second}");
        }
        assert_eq!((found[0].values.len(), found[1].values.len()), (5, 5), "the last second is there");
    }

    #[test]
    fn a_heading_ends_in_its_unit() {
        for (name, unit, kind, expected) in [
            ("cpu_seconds", ColumnUnit::Seconds, Counter, "cpu_seconds_per_s"),
            ("x_total", ColumnUnit::Count, Counter, "x_total_per_s"),
            (
                "rx_bytes_total{device=\"lo\"}",
                ColumnUnit::Bytes,
                Counter,
                "rx_bytes_total{device=\"lo\"}_per_s",
            ),
            ("busy", ColumnUnit::Seconds, Counter, "busy_seconds_per_s"),
            ("memory_bytes", ColumnUnit::Bytes, Gauge, "memory_bytes"),
            ("scrape_duration_seconds", ColumnUnit::Seconds, Gauge, "scrape_duration_seconds"),
            ("node_load1", ColumnUnit::Count, Gauge, "node_load1_count"),
            ("hits_ratio", ColumnUnit::Share, Gauge, "hits_ratio"),
        ] {
            assert_eq!(heading(name, &column(unit, kind, &[])), expected);
        }
        let gauge = column(ColumnUnit::Count, Gauge, &[]);
        let several = Observed {
            sources: vec![source(&[("threads", gauge.clone())]), source(&[("threads", gauge)])],
            ..Observed::default()
        };
        let headings: Vec<String> = series(&several).into_iter().map(|one| one.heading).collect();
        assert_eq!(headings, ["beam.smp.threads_count", "beam.smp.threads_count"]);
    }

    #[test]
    fn a_chart_gets_its_own_unit_and_the_series_keeps_the_results() {
        let found = seen(&[("wait_seconds", column(ColumnUnit::Seconds, Gauge, &[None, Some(0.25)]))]);
        assert_eq!(found[0].values, [Some(0.25)]);
        assert_eq!(found[0].drawn(), (Unit::Micros, vec![Some(250_000.0)]));
    }
}
