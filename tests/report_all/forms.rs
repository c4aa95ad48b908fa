use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram as Hdr;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use xmpp_bench::report::{Run, csv, hlog, html, markdown};
use xmpp_bench::results::{Histogram, ServerIdentity};
use xmpp_bench::units::Quantile;

use crate::page::{kept, run_of};
use crate::world;

/// Read by the library's own reader, all lines of an operation together hold what the result's phases do.
#[test]
fn a_histogram_log_read_back_has_the_same_percentiles() {
    for name in ["quickstart-prosody.json", "profiles/game-rooms-ejabberd.json"] {
        let result = kept(name);
        let log = hlog::render(&run_of(name, result.clone())[0]);
        assert!(log.starts_with("#[Histogram log format version 1.3]\n"));
        assert!(log.contains("in microseconds]\n"));
        let mut whole: BTreeMap<String, Hdr<u64>> = BTreeMap::new();
        let mut last = Duration::ZERO;
        let (mut starts, mut bases) = (Vec::new(), Vec::new());
        for entry in IntervalLogIterator::new(log.as_bytes()) {
            match entry.expect("the reader understands every line") {
                LogEntry::StartTime(at) => starts.push(at),
                LogEntry::BaseTime(at) => bases.push(at),
                LogEntry::Interval(interval) => {
                    assert!(interval.start_timestamp() >= last, "lines stand in their order");
                    last = interval.start_timestamp();
                    assert_eq!(interval.duration(), Duration::from_secs(1));
                    let bytes = STANDARD.decode(interval.encoded_histogram()).expect("base 64");
                    let histogram: Hdr<u64> =
                        Deserializer::new().deserialize(&mut bytes.as_slice()).expect("a histogram");
                    assert!((interval.max() - histogram.max() as f64).abs() < 0.5);
                    let tag = interval.tag().expect("every line has its operation").as_str().to_owned();
                    let sum = whole
                        .entry(tag)
                        .or_insert_with(|| Hdr::new_with_bounds(1, 3_600_000_000, 3).expect("bounds"));
                    sum.add(&histogram).expect("the same range");
                }
            }
        }
        assert!(starts == bases && starts.len() == 1 && starts[0].as_secs() > 1_700_000_000);
        assert_eq!(whole.keys().collect::<Vec<_>>(), result.series.operations.keys().collect::<Vec<_>>());
        for (operation, read) in whole {
            let mut kept = Histogram::new();
            for phase in result.phases.iter().filter_map(|phase| phase.operations.get(&operation)) {
                kept.merge(&Histogram::decode(&phase.figures.response_us.histogram).expect("it is ours"));
            }
            assert_eq!(read.len(), kept.count(), "{operation}");
            for quantile in [Quantile::P50, Quantile::P90, Quantile::P99] {
                let Some(value) = kept.quantile(quantile) else { continue };
                assert_eq!(read.value_at_quantile(quantile.as_fraction()), value, "{operation} {quantile}");
            }
            assert_eq!(Some(read.max()), kept.max(), "{operation}");
        }
    }
}

/// A table of text as it was read back.
pub fn rows(text: &str) -> Vec<Vec<String>> {
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

#[test]
fn a_row_a_second_adds_up_to_the_phases() {
    let result = kept("quickstart-prosody.json");
    let runs = run_of("quickstart.json", result.clone());
    let rows = rows(&csv::render(&runs, csv::Rows::Seconds));
    assert_eq!(rows.len(), 1 + result.series.seconds as usize);
    let column =
        |name: &str| rows[0].iter().position(|head| head == name).unwrap_or_else(|| panic!("no {name}"));
    let sum = |name: &str, phase: &str| -> u64 {
        let of_phase = rows.iter().skip(1).filter(|row| row[column("phase")] == phase);
        of_phase.map(|row| row[column(name)].parse::<u64>().expect("a number")).sum()
    };
    for phase in &result.phases {
        let Some(message) = phase.operations.get("message.delivery") else { continue };
        assert_eq!(
            sum("message.delivery.asked_count", &phase.name),
            message.figures.outcomes.values().sum::<u64>()
        );
    }
    assert_eq!(rows[1][column("second_s")], "0");
    assert!(rows.iter().all(|row| row.len() == rows[0].len()));
    assert_eq!(rows[15][column("measured")], "1");
}

/// Every column against the result's own, in a run whose columns differ.
#[test]
fn a_row_a_second_has_each_number_in_its_column() {
    let mut result = world::valid();
    let series = result.series.operations.get_mut("message.delivery").expect("it has messages");
    let count = series.asked.len() as u64;
    let column = |times: u64| (0..count).map(|second| second * times).collect::<Vec<u64>>();
    (series.asked, series.done, series.done_by_intended) = (column(10), column(3), column(4));
    (series.errors, series.unsent, series.indeterminate) = (column(5), column(6), column(7));
    let rows = rows(&csv::render(&run_of("a.json", result), csv::Rows::Seconds));
    for (name, times) in [
        ("asked", 10),
        ("done", 3),
        ("done_by_intended", 4),
        ("errors", 5),
        ("unsent", 6),
        ("indeterminate", 7),
    ] {
        let head = format!("message.delivery.{name}_count");
        let place = rows[0].iter().position(|one| *one == head).unwrap_or_else(|| panic!("no {head}"));
        let found: Vec<u64> = rows[1..].iter().map(|row| row[place].parse().expect("a number")).collect();
        assert_eq!(found, column(times), "{head}");
    }
}

#[test]
fn a_row_for_each_operation_of_each_phase_has_its_percentiles() {
    let result = world::valid();
    let rows = rows(&csv::render(&run_of("a.json", result.clone()), csv::Rows::Operations));
    let column =
        |name: &str| rows[0].iter().position(|head| head == name).unwrap_or_else(|| panic!("no {name}"));
    let steady = &result.phases[1].operations["message.delivery"].figures;
    let row = rows.iter().find(|row| {
        row[1] == "steady"
            && row[column("operation")] == "message.delivery"
            && row[column("group")].is_empty()
    });
    let row = row.expect("its row");
    assert_eq!(row[column("attempts_count")], steady.attempts.to_string());
    assert_eq!(row[column("response.completed.p99_us")], steady.response_us.p99.expect("enough").to_string());
    assert_eq!(row[column("response.completed.p99_9_us")], "", "too few is an empty cell");
    let groups = rows.iter().filter(|row| row[1] == "steady" && !row[column("group")].is_empty()).count();
    assert_eq!(groups, 3, "two groups wrote, one pinged");
}

#[test]
fn several_results_stand_in_one_table() {
    let runs = Run::all([("a.json".to_owned(), world::valid()), ("b.json".to_owned(), world::valid())]);
    let rows = rows(&csv::render(&runs, csv::Rows::Seconds));
    assert_eq!(rows.len(), 1 + 2 * runs[0].seconds());
    assert_eq!((rows[1][0].as_str(), rows[rows.len() - 1][0].as_str()), ("a.json", "b.json"));
}

#[test]
fn a_server_is_named_as_far_as_it_says_what_it_is() {
    for (version, os, name, with_os) in [
        ("", None, "Prosody", "Prosody"),
        ("0.12.3", Some("Linux"), "Prosody 0.12.3", "Prosody 0.12.3 on Linux"),
    ] {
        let mut result = world::valid();
        let (version, os) = (version.to_owned(), os.map(str::to_owned));
        result.target.identity = Some(ServerIdentity { name: "Prosody".to_owned(), version, os });
        let runs = run_of("a", result);
        let text = markdown::render(&runs);
        assert!(text.contains(&format!("against `{name}` at ")), "{text}");
        let page = html::render(&runs);
        assert!(page.contains(&format!(">{with_os}<")), "{with_os}");
    }
}

#[test]
fn what_one_pastes_into_an_issue() {
    insta::assert_snapshot!(markdown::render(&run_of("quickstart.json", world::valid())));
}

/// Lines over each other that do not belong there look like a difference of the servers.
#[test]
fn results_of_other_loads_and_of_one_run_are_told_where_they_are_laid_over_each_other() {
    let result = |run_id: &str, text: &str| {
        let mut result = world::valid();
        result.run_id = run_id.into();
        result.profile.text = text.into();
        result
    };
    let told = |all: &[(&str, &str)]| {
        let runs = all.iter().map(|(id, text)| (format!("{id}.json"), result(id, text)));
        let runs = Run::all(runs);
        let (page, text) = (html::render(&runs), markdown::render(&runs));
        ["one run", "another load"].map(|what| {
            assert_eq!(page.contains(what), text.contains(what), "{what}");
            text.lines().find(|line| line.contains(what)).map(str::to_owned)
        })
    };
    let (slow, fast) = ("deadline = \"30s\"\n", "# faster\ndeadline = \"5s\"\n[target]\ndomain = \"b\"\n");
    assert_eq!(told(&[("a", slow), ("b", slow)]), [None, None]);
    let [_, other] = told(&[("a", slow), ("b", fast)]);
    let other = other.expect("told");
    assert!(other.contains("B was asked for another load than A"), "{other}");
    assert!(other.contains("deadline: \"5s\" in B, \"30s\" in A") && !other.contains("target"), "{other}");
    let [twice, _] = told(&[("a", slow), ("b", slow), ("a", slow)]);
    assert!(twice.expect("told").contains("A and C are one run"));
}
