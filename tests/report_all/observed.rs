//! What was observed of the server: in charts, in a spreadsheet, with the units and the seconds the result has them in.

use std::collections::BTreeMap;

use xmpp_bench::report::{Run, csv, html};
use xmpp_bench::results::{
    Column, ColumnKind, ColumnUnit, Observed, ObservedSource, RunResult, SourceKind, derive,
};

use crate::forms::rows;
use crate::page::{assert_sound, chart, run_of};
use crate::world;

const READINGS: u32 = 14;

/// A column whose reading of each second is this.
fn column(unit: ColumnUnit, kind: ColumnKind, value: fn(f64) -> f64) -> Column {
    let values = (0..READINGS).map(|second| Some(value(f64::from(second)))).collect();
    Column { unit, kind, meaning: String::new(), values }
}

/// An exporter of a server that takes half a core and a kilobyte a second.
fn exporter() -> ObservedSource {
    use ColumnKind::{Counter, Gauge};
    let mut columns = BTreeMap::new();
    for (name, unit, kind, value) in [
        (
            "process_cpu_seconds_total",
            ColumnUnit::Seconds,
            Counter,
            (|second| 7.0 + second / 2.0) as fn(f64) -> f64,
        ),
        ("process_resident_memory_bytes", ColumnUnit::Bytes, Gauge, |second| 1e6 + second * 1_000.0),
        ("rx_bytes_total", ColumnUnit::Bytes, Counter, |second| second * 4_096.0),
        ("x_total", ColumnUnit::Count, Counter, |second| if second < 9.0 { second * 30.0 } else { second }),
        ("wait_seconds", ColumnUnit::Seconds, Gauge, |_| 0.25),
        ("hits_ratio", ColumnUnit::Share, Gauge, |_| 0.75),
        ("node_load1", ColumnUnit::Count, Gauge, |_| 0.49),
        ("celsius", ColumnUnit::Count, Gauge, |_| -3.5),
    ] {
        columns.insert(name.to_owned(), column(unit, kind, value));
    }
    ObservedSource {
        kind: SourceKind::Prometheus,
        name: "http://127.0.0.1:9100/metrics".into(),
        cpu: Some("process_cpu_seconds_total".into()),
        memory: Some("process_resident_memory_bytes".into()),
        at_s: (0..READINGS).map(|second| Some(f64::from(second))).collect(),
        columns,
        readings: u64::from(READINGS),
        ..ObservedSource::default()
    }
}

fn observed(source: ObservedSource) -> RunResult {
    let valid = world::valid();
    let sources = vec![source];
    let derived = derive(&sources, &valid.series, &valid.phases, f64::INFINITY);
    RunResult { observed: Some(Observed { sources, derived }), ..valid }
}

/// By the sentences of `results/README.md`: what a counter grew by over second k, and the gauge at that second's end.
#[test]
fn a_csv_has_the_results_own_numbers_in_their_seconds_under_headings_that_end_in_their_unit() {
    let rows = rows(&csv::render(&run_of("a.json", observed(exporter())), csv::Rows::Seconds));
    assert_eq!(rows.len(), 1 + 13, "the last second is there");
    for (heading, value) in [
        ("process_cpu_seconds_total_per_s", (|_| Some(0.5)) as fn(f64) -> Option<f64>),
        ("process_resident_memory_bytes", |second| Some(1e6 + (second + 1.0) * 1_000.0)),
        ("rx_bytes_total_per_s", |_| Some(4_096.0)),
        ("x_total_per_s", |second| match second {
            8.0 => None,
            second if second < 8.0 => Some(30.0),
            _ => Some(1.0),
        }),
        ("wait_seconds", |_| Some(0.25)),
        ("hits_ratio", |_| Some(0.75)),
        ("node_load1_count", |_| Some(0.49)),
        ("celsius_count", |_| Some(-3.5)),
    ] {
        let heading = format!("observed.{heading}");
        let place = rows[0].iter().position(|one| *one == heading);
        let place = place.unwrap_or_else(|| panic!("no {heading}: {:?}", rows[0]));
        for (second, row) in rows[1..].iter().enumerate() {
            let expected = value(second as f64).map_or_else(String::new, |value| value.to_string());
            assert_eq!(row[place], expected, "{heading}, second {second}");
        }
    }
    for heading in rows[0].iter().filter(|heading| !["run", "phase", "measured"].contains(&heading.as_str()))
    {
        let units = ["_count", "_us", "_s", "_seconds", "_bytes", "_ratio", "_per_s"];
        assert!(units.iter().any(|unit| heading.ends_with(unit)), "{heading} has no unit");
    }
}

#[test]
fn charts_keep_fractions_and_signs_and_have_a_gap_where_a_counter_began_anew() {
    let page = html::render(&run_of("a.json", observed(exporter())));
    assert_sound(&page);
    for (title, words) in [
        ("CPU, share of one core", &["<td class=\"n\">50\u{a0}%</td>", ">10\u{a0}%</text>"][..]),
        ("memory", &["KiB</td>"]),
        ("node_load1", &["<td class=\"n\">0.49</td>", ">0.1</text>", ">0.5</text>"]),
        ("celsius", &["<td class=\"n\">-3.5</td>", ">-4</text>", ">0</text>"]),
        ("wait_seconds", &["<td class=\"n\">250\u{a0}ms</td>", ">50\u{a0}ms</text>"]),
        ("rx_bytes_total per second", &["<td class=\"n\">4\u{a0}KiB</td>"]),
        (
            "x_total",
            &["<tr><th scope=\"row\">0:08</th><td class=\"n\">–</td><td class=\"n\">–</td></tr>", "30/s"],
        ),
    ] {
        let chart = chart(&page, title);
        for word in words {
            assert!(chart.contains(word), "{title}: {word}: {chart}");
        }
    }
    assert!(page.contains("began anew: x_total once"), "and it is said");
    assert!(page.contains("celsius at most -3.5") && page.contains("2 more columns in the result file"));
    assert!(!html::render(&run_of("a.json", world::valid())).contains("id=\"server\""));
}

#[test]
fn what_was_not_read_is_a_gap() {
    let mut source = exporter();
    source.at_s[4] = None;
    source.columns.values_mut().for_each(|column| column.values[4] = None);
    let page = html::render(&run_of("a.json", observed(source)));
    for title in ["node_load1", "x_total"] {
        let gap = "<tr><th scope=\"row\">0:03</th><td class=\"n\">–</td><td class=\"n\">–</td></tr>";
        assert!(chart(&page, title).contains(gap), "{title}");
    }
}

#[test]
fn columns_that_have_no_chart_are_counted() {
    let mut source = exporter();
    let load = source.columns["node_load1"].clone();
    source.columns.extend((0..30).map(|number| (format!("load{number}"), load.clone())));
    let page = html::render(&run_of("a.json", observed(source)));
    assert!(page.contains("No charts for 14 more columns"), "8 and 30, of which 24 are drawn");
    assert_sound(&page);
}

#[test]
fn the_same_columns_of_two_runs_lie_over_each_other() {
    let runs = Run::all(["a.json", "b.json"].map(|name| (name.to_owned(), observed(exporter()))));
    let page = html::render(&runs);
    assert_sound(&page);
    let load = chart(&page, "node_load1");
    assert!(load.contains("A greatest") && load.contains("B greatest"), "{load}");
}
