//! What was observed of the server, as series of levels on the run's seconds.
//!
//! A column that only grows becomes its growth per second since the reading before; where it fell (the server began anew)
//! there is a gap. So processor seconds become the share of a core that was in use.

use crate::report::runs::NamedSeries;
use crate::results::{Column, ColumnKind, ColumnUnit, Observed, ObservedSource, Unit};

/// The series of all sources: processor and memory first, the rest by name.
pub fn series(observed: &Observed) -> Vec<NamedSeries> {
    let several = observed.sources.len() > 1;
    let mut all: Vec<(u8, NamedSeries)> = Vec::new();
    for source in &observed.sources {
        for (name, column) in &source.columns {
            let (rank, what) = if source.cpu.as_ref() == Some(name) {
                (0, "CPU, share of one core")
            } else if source.memory.as_ref() == Some(name) {
                (1, "memory")
            } else {
                (2, name.as_str())
            };
            let grown = matches!(column.kind, ColumnKind::Counter) && rank != 0;
            let per_second = if grown && column.unit == ColumnUnit::Bytes { " per second" } else { "" };
            // With one source the same words stand for the same thing in every result laid over another.
            let of = if several { format!(" of {}", source.name) } else { String::new() };
            let (unit, values) = levels(source, column);
            all.push((rank, NamedSeries { name: format!("{what}{of}{per_second}"), unit, values }));
        }
    }
    // Stable: sources and names keep their order.
    all.sort_by_key(|(rank, _)| *rank);
    all.into_iter().map(|(_, series)| series).collect()
}

fn levels(source: &ObservedSource, column: &Column) -> (Unit, Vec<Option<f64>>) {
    const MICROS: f64 = 1e6;
    match (column.kind, column.unit) {
        (ColumnKind::Gauge, ColumnUnit::Bytes) => (Unit::Bytes, column.values.clone()),
        (ColumnKind::Gauge, ColumnUnit::Share) => (Unit::Share, column.values.clone()),
        (ColumnKind::Gauge, ColumnUnit::Count) => (Unit::Count, column.values.clone()),
        (ColumnKind::Gauge, ColumnUnit::Seconds) => {
            (Unit::Micros, column.values.iter().map(|value| value.map(|seconds| seconds * MICROS)).collect())
        }
        (ColumnKind::Counter, unit) => {
            let unit = match unit {
                ColumnUnit::Seconds => Unit::Share,
                ColumnUnit::Bytes => Unit::Bytes,
                ColumnUnit::Share | ColumnUnit::Count => Unit::PerSecond,
            };
            (unit, growth(&source.at_s, &column.values))
        }
    }
}

/// Growth per second since the reading before.
fn growth(at_s: &[Option<f64>], values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut before: Option<(f64, f64)> = None;
    let readings = at_s.iter().zip(values);
    readings
        .map(|(at, value)| {
            let (at, value) = ((*at)?, (*value)?);
            let (then, level) = before.replace((at, value))?;
            let rate = (value - level) / (at - then);
            (rate.is_finite() && rate >= 0.0).then_some(rate)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(unit: ColumnUnit, kind: ColumnKind, values: &[Option<f64>]) -> Column {
        Column { unit, kind, meaning: String::new(), values: values.to_vec() }
    }

    #[test]
    fn what_grows_becomes_a_rate_and_what_is_unknown_stays_so() {
        let source = ObservedSource {
            name: "beam.smp".into(),
            cpu: Some("cpu_s".into()),
            memory: Some("pss".into()),
            at_s: vec![Some(0.0), Some(1.0), None, Some(3.0), Some(4.0), Some(5.0)],
            columns: [
                (
                    "pss",
                    column(
                        ColumnUnit::Bytes,
                        ColumnKind::Gauge,
                        &[Some(7.0), None, None, Some(9.0), None, None],
                    ),
                ),
                (
                    "cpu_s",
                    column(
                        ColumnUnit::Seconds,
                        ColumnKind::Counter,
                        &[Some(1.0), Some(1.5), None, Some(2.5), Some(0.1), Some(0.4)],
                    ),
                ),
                (
                    "a",
                    column(
                        ColumnUnit::Count,
                        ColumnKind::Counter,
                        &[Some(0.0), Some(30.0), None, None, None, None],
                    ),
                ),
            ]
            .into_iter()
            .map(|(name, column)| (name.to_owned(), column))
            .collect(),
            ..ObservedSource::default()
        };
        let found = series(&Observed { sources: vec![source], ..Observed::default() });
        let shown: Vec<(&str, Unit)> = found.iter().map(|one| (one.name.as_str(), one.unit)).collect();
        assert_eq!(
            shown,
            [("CPU, share of one core", Unit::Share), ("memory", Unit::Bytes), ("a", Unit::PerSecond)]
        );
        let rounded: Vec<Option<f64>> =
            found[0].values.iter().map(|rate| rate.map(|rate| (rate * 1e9).round() / 1e9)).collect();
        assert_eq!(
            rounded,
            [None, Some(0.5), None, Some(0.5), None, Some(0.3)],
            "it began anew between 3 and 4"
        );
        assert_eq!(found[1].values[2], None);
        assert_eq!(found[2].values[1], Some(30.0));
    }
}
