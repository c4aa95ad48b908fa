use std::collections::BTreeMap;

use xmpp_bench::report::summary::{Style, render};
use xmpp_bench::results::journal::{self, Interval, JournalWriter, TailReason};
use xmpp_bench::results::{
    ColumnKind, ColumnLayout, ColumnUnit, Derived, EndedEarly, LedgerCounts, Ledgers, Observed, ObservedLog,
    ObservedSource, OperationSeries, Phase, Reading, RunResult, Series, SourceKind, SourceLayout, Stretch,
    Totals, check, derive,
};

use crate::world;

/// What the server of this file costs: seconds of CPU per login and per message, bytes per user.
const LOGIN_S: f64 = 0.005;
const MESSAGE_S: f64 = 0.002;
const USER_BYTES: f64 = 5_000.0;

/// Ten seconds in which 20 users a second come online, then twenty measured ones with 100 messages a second.
fn series() -> Series {
    let column = |rate: fn(usize) -> u64| (0..30).map(rate).collect::<Vec<u64>>();
    let operation =
        |done: Vec<u64>| OperationSeries { asked: done.clone(), done, ..OperationSeries::default() };
    Series {
        seconds: 30,
        users_online: (0..30).map(|second| Some(200.min(20 * (second + 1)))).collect(),
        operations: BTreeMap::from([
            ("login".to_owned(), operation(column(|second| if second < 10 { 20 } else { 0 }))),
            ("login.tls".to_owned(), operation(column(|second| if second < 10 { 20 } else { 0 }))),
            ("message.delivery".to_owned(), operation(column(|second| if second < 10 { 0 } else { 100 }))),
        ]),
        ..Series::default()
    }
}

fn phases() -> Vec<Phase> {
    let phase = |name: &str, start_s, end_s, measured| Phase {
        name: name.to_owned(),
        start_s,
        end_s,
        measured,
        operations: BTreeMap::new(),
        ledger: Ledgers::default(),
        traffic: None,
    };
    vec![phase("ramp", 0.0, 10.0, false), phase("steady", 10.0, 30.0, true)]
}

fn layout(name: &str) -> SourceLayout {
    let column =
        |name: &str, unit, kind| ColumnLayout { name: name.to_owned(), unit, kind, meaning: String::new() };
    SourceLayout {
        kind: SourceKind::Process,
        name: name.to_owned(),
        columns: vec![
            column("cpu_seconds", ColumnUnit::Seconds, ColumnKind::Counter),
            column("memory_bytes", ColumnUnit::Bytes, ColumnKind::Gauge),
        ],
        cpu: Some(0),
        memory: Some(1),
    }
}

/// What that server shows at a second's beginning, and a little after it.
fn reading(second: u32) -> Reading {
    let (ramp, steady) = (f64::from(second.min(10)), f64::from(second.saturating_sub(10)));
    let cpu_s = 3.0 + ramp * 20.0 * LOGIN_S + steady * 100.0 * MESSAGE_S;
    let memory = 1e7 + ramp * 20.0 * USER_BYTES + f64::from(second % 3) * 4_096.0;
    let (at_s, values) = (f64::from(second) + 0.0004, vec![Some(cpu_s), Some(memory)]);
    Reading { at_s, took_us: 300, values, ..Reading::default() }
}

fn sources(readings: impl IntoIterator<Item = Reading>) -> Vec<ObservedSource> {
    let mut log = ObservedLog::new(&[layout("beam.smp")]);
    readings.into_iter().for_each(|reading| log.take(&reading).expect("it fits"));
    log.into_sources()
}

fn near(value: Option<f64>, expected: f64) -> bool {
    value.is_some_and(|value| (value / expected - 1.0).abs() < 0.01)
}

#[test]
fn what_load_costs_is_found_again() {
    let derived = derive(&sources((0..=30).map(reading)), &series(), &phases(), f64::INFINITY);
    let (messages, logins) = (&derived.cpu_s_per_1000_messages, &derived.cpu_s_per_1000_logins);
    assert!(near(messages.value, 1_000.0 * MESSAGE_S), "{messages:?}");
    assert_eq!(
        (messages.operations, &messages.stretches[..]),
        (2_000, &[Stretch { from_s: 10, to_s: 30 }][..])
    );
    assert!(near(logins.value, 1_000.0 * LOGIN_S), "{logins:?}");
    assert_eq!((logins.operations, &logins.stretches[..]), (200, &[Stretch { from_s: 0, to_s: 10 }][..]));
    assert!(messages.beside.is_empty() && logins.beside.is_empty(), "steps of a login are its own");
    let memory = &derived.memory_bytes_per_user;
    assert!(near(memory.value, USER_BYTES), "{memory:?}");
    assert!(memory.low < memory.value && memory.value < memory.high, "{memory:?}");
    assert_eq!((memory.users_from, memory.users_to, memory.points), (20, 200, 10));
}

#[test]
fn a_run_cut_short_and_seconds_that_were_not_read_only_shorten_what_it_is_taken_over() {
    let cut = derive(&sources((0..=30).map(reading)), &series(), &phases(), 20.6).cpu_s_per_1000_messages;
    assert_eq!(cut.stretches, [Stretch { from_s: 10, to_s: 20 }]);
    assert!(near(cut.value, 1_000.0 * MESSAGE_S), "{cut:?}");

    let single = sources((0..=30).filter(|second| *second != 10).map(reading));
    let between = derive(&single, &series(), &phases(), f64::INFINITY).cpu_s_per_1000_messages;
    assert_eq!(between.stretches, [Stretch { from_s: 10, to_s: 30 }], "two readings around it will do");

    let many = sources((0..=30).filter(|second| !(8..15).contains(second)).map(reading));
    let later = derive(&many, &series(), &phases(), f64::INFINITY).cpu_s_per_1000_messages;
    assert_eq!(later.stretches, [Stretch { from_s: 15, to_s: 30 }]);
    assert!(near(later.value, 1_000.0 * MESSAGE_S), "{later:?}");
}

#[test]
fn two_sources_are_added_up() {
    let mut log = ObservedLog::new(&[layout("a"), layout("b")]);
    for second in 0..=30 {
        log.take(&reading(second)).expect("it fits");
        log.take(&Reading { source: 1, ..reading(second) }).expect("it fits");
    }
    let derived = derive(&log.into_sources(), &series(), &phases(), f64::INFINITY);
    assert!(near(derived.cpu_s_per_1000_messages.value, 2_000.0 * MESSAGE_S));
    assert!(near(derived.memory_bytes_per_user.value, 2.0 * USER_BYTES));
}

/// What is derived of the run of this file, changed.
fn derived(sources: &[ObservedSource], series: &Series) -> Derived {
    derive(sources, series, &phases(), f64::INFINITY)
}

/// So many of an operation done in each second.
fn beside(name: &str, per_s: u64) -> Derived {
    let mut series = series();
    series.operations.entry(name.to_owned()).or_default().done = vec![per_s; 30];
    derived(&sources((0..=30).map(reading)), &series)
}

/// Every reading changed.
fn with(change: fn(u32, &mut Reading)) -> Derived {
    let changed = (0..=30).map(|second| {
        let mut reading = reading(second);
        change(second, &mut reading);
        reading
    });
    derived(&sources(changed), &series())
}

/// A source that knows neither CPU time nor memory.
fn no_columns() -> Derived {
    let mut sources = sources((0..=30).map(reading));
    (sources[0].cpu, sources[0].memory) = (None, None);
    derived(&sources, &series())
}

#[test]
fn a_cost_a_run_cannot_tell_is_null_with_the_reason() {
    for (figure, reason) in [
        (beside("ping", 11).cpu_s_per_1000_messages, "2000 of message.delivery were done 220 ping"),
        (beside("login", 2).cpu_s_per_1000_messages, "40 logins were done beside 2000 messages"),
        (beside("ping", 3).cpu_s_per_1000_logins, "`rate = 0` in the phases"),
        (beside("login", 0).cpu_s_per_1000_logins, "0 of login are too few"),
        (beside("login", 12).cpu_s_per_1000_logins, "200 were asked for in those seconds and 120 done"),
        (no_columns().cpu_s_per_1000_messages, "no source counts"),
        (
            with(|second, reading| {
                if second > 20 {
                    reading.values[0] = Some(1.0);
                }
            })
            .cpu_s_per_1000_messages,
            "began anew",
        ),
        (with(|_, reading| reading.values[0] = Some(1.0)).cpu_s_per_1000_messages, "from rounding"),
        (with(|_, reading| reading.values.clear()).cpu_s_per_1000_messages, "were not read then"),
    ] {
        assert_eq!(figure.value, None, "{figure:?}");
        assert!(figure.reason.contains(reason), "{reason}: {figure:?}");
    }
    assert!(beside("ping", 9).cpu_s_per_1000_messages.value.is_some(), "a little beside is named, no more");
}

#[test]
fn memory_that_did_not_follow_the_users_is_null_with_the_reason() {
    let few_users = {
        let series = Series { users_online: vec![Some(40); 30], ..series() };
        derived(&sources((0..=30).map(reading)), &series)
    };
    for (figure, reason) in [
        (few_users.memory_bytes_per_user, "rose by fewer than 50"),
        (no_columns().memory_bytes_per_user, "no source knows"),
        (
            with(|second, reading| reading.values[1] = Some(1e7 + f64::from(second % 2) * 4_096.0))
                .memory_bytes_per_user,
            "did not follow the users",
        ),
        (
            with(|second, reading| {
                if second > 3 {
                    reading.values.clear();
                }
            })
            .memory_bytes_per_user,
            "rose by fewer than 50",
        ),
    ] {
        assert_eq!(figure.value, None, "{figure:?}");
        assert!(figure.reason.contains(reason), "{reason}: {figure:?}");
    }
}

#[test]
fn a_log_keeps_the_first_reading_of_a_second_and_says_who_was_there_and_what_failed() {
    let at = |at_s: f64, value: f64| Reading {
        at_s,
        values: vec![Some(value), None],
        took_us: 100,
        ..Reading::default()
    };
    let failed = |at_s: f64| Reading {
        at_s,
        faults: vec!["no answer".to_owned()],
        took_us: 400,
        ..Reading::default()
    };
    let who = |reading: Reading, pids: &[u32]| Reading {
        processes: Some(pids.iter().map(|&pid| (pid, "beam".to_owned())).collect()),
        ..reading
    };
    let source = sources([
        who(at(0.01, 1.0), &[7, 8]),
        at(0.9, 2.0),
        failed(1.0),
        who(at(3.2, 3.0), &[8, 9]),
        failed(4.1),
        at(5.0, 4.0),
    ])
    .remove(0);
    assert_eq!(source.at_s, [Some(0.01), None, None, Some(3.2), None, Some(5.0)]);
    let column = &source.columns["cpu_seconds"].values;
    assert_eq!(column, &[Some(1.0), None, None, Some(3.0), None, Some(4.0)]);
    assert_eq!(source.columns["memory_bytes"].values, vec![None; 6]);
    let seen: Vec<_> = source.processes.iter().map(|one| (one.pid, one.first_s, one.last_s)).collect();
    assert_eq!(seen, [(7, 0.01, 1.0), (8, 0.01, 5.0), (9, 3.2, 5.0)]);
    let faults: Vec<_> =
        source.faults.iter().map(|fault| (fault.what.as_str(), fault.count, fault.first_s)).collect();
    assert_eq!(faults, [("no answer", 2, 1.0)]);
    assert_eq!((source.readings, source.took_max_us, source.took_mean_us), (6, 400, 200.0));
}

/// The small run of `world`, with what was observed while it went on.
fn observed() -> RunResult {
    let sources = sources((0..13).map(reading));
    let valid = world::valid();
    let derived = derive(&sources, &valid.series, &valid.phases, f64::INFINITY);
    RunResult { observed: Some(Observed { sources, derived }), ..valid }
}

#[test]
fn the_summary_says_what_was_seen_in_a_few_lines() {
    insta::assert_snapshot!(section(&observed()));
}

/// What a summary says of the server.
fn section(result: &RunResult) -> String {
    let text = render(result, None, Style::default());
    let lines = text.lines().skip_while(|line| !line.starts_with("Server, observed"));
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The small run of `world`, with these readings of a source.
fn with_readings(layout: SourceLayout, readings: impl Iterator<Item = Reading>, until_s: f64) -> RunResult {
    let mut log = ObservedLog::new(&[layout]);
    readings.for_each(|reading| log.take(&reading).expect("it fits"));
    let sources = log.into_sources();
    let valid = world::valid();
    let derived = derive(&sources, &valid.series, &valid.phases, until_s);
    RunResult { observed: Some(Observed { sources, derived }), ..valid }
}

/// A server at a whole core that began anew after five seconds; its user ends the run after ten, and while it drains the server
/// is idle, and then gone.
#[test]
fn a_restart_an_early_end_and_a_dead_exporter() {
    const UNTIL_S: f64 = 10.0;
    let column =
        |name: &str, unit, kind| ColumnLayout { name: name.to_owned(), unit, kind, ..Default::default() };
    let layout = SourceLayout {
        kind: SourceKind::Prometheus,
        name: "http://127.0.0.1:9100/metrics".to_owned(),
        columns: vec![
            column("process_cpu_seconds_total", ColumnUnit::Seconds, ColumnKind::Counter),
            column("stanzas_total", ColumnUnit::Count, ColumnKind::Counter),
            column("node_load1", ColumnUnit::Count, ColumnKind::Gauge),
        ],
        cpu: Some(0),
        memory: None,
    };
    let reading = |second: u32| {
        let at_s = f64::from(second);
        let (values, fault) = match second {
            0..5 => (
                vec![Some(100.0 + at_s), Some(100.0 + 1_000.0 * at_s), Some(0.49)],
                "lines could not be read",
            ),
            5..12 => {
                let since = (at_s - 5.0).min(5.0);
                (vec![Some(since), Some(1_000.0 * since), Some(0.125)], "lines could not be read")
            }
            _ => (Vec::new(), "connection refused"),
        };
        Reading { at_s, values, faults: vec![fault.to_owned()], ..Reading::default() }
    };
    let mut result = with_readings(layout, (0..=13).map(reading), UNTIL_S);
    result.ended_early = Some(EndedEarly { reason: "interrupted by its user".into(), at_s: UNTIL_S });
    insta::assert_snapshot!(section(&result));
}

/// A server whose only process dies is said to have ended, before what was wrong all the time.
#[test]
fn a_server_that_died() {
    let reading = |second: u32| {
        let at_s = f64::from(second);
        if second < 8 {
            let processes = (second == 0).then(|| vec![(7, "prosody".to_owned())]);
            let faults = vec!["descriptors are not for us to see".to_owned()];
            return Reading { processes, faults, ..reading(second) };
        }
        let processes = (second == 8).then(Vec::new);
        Reading {
            at_s,
            processes,
            faults: vec!["no process is called `prosody`".to_owned()],
            ..Reading::default()
        }
    };
    let text = section(&with_readings(layout("prosody"), (0..=12).map(reading), f64::INFINITY));
    insta::assert_snapshot!(text);
}

/// What breaks a result.
type Break = fn(&mut Observed);

#[test]
fn a_result_that_contradicts_itself_about_the_server_is_found() {
    assert_eq!(check::contradictions(&observed()), Vec::<String>::new());
    let broken: [(Break, &str); 4] = [
        (|seen| seen.sources[0].at_s[3] = Some(4.5), "another second than its own"),
        (|seen| seen.sources[0].at_s.push(None), "length of the column"),
        (|seen| seen.sources[0].memory = Some("rss".to_owned()), "no column rss"),
        (
            |seen| seen.derived.cpu_s_per_1000_messages.value = Some(9.0),
            "cpu_s_per_1000_messages does not follow",
        ),
    ];
    for (change, expected) in broken {
        let mut result = observed();
        change(result.observed.as_mut().expect("it was observed"));
        let found = check::contradictions(&result);
        assert!(found.iter().any(|one| one.contains(expected)), "{expected}: {found:?}");
    }
}

fn journal_with(readings: Vec<Reading>) -> Vec<u8> {
    let preamble = xmpp_bench::results::Preamble { observe: vec![layout("beam.smp")], ..world::preamble() };
    let mut totals = Totals::new(world::layout()).expect("a small layout");
    let mut writer = JournalWriter::begin(Vec::new(), &preamble).expect("memory");
    for reading in readings {
        let (end_s, ledgers) = (reading.at_s + 0.5, world::ledgers(LedgerCounts::default()));
        let interval = Interval {
            end_s,
            delta: totals.close_interval(),
            ledgers,
            readings: vec![reading],
            ..Interval::default()
        };
        writer.interval(&interval).expect("memory");
    }
    writer.into_inner()
}

#[test]
fn a_killed_run_keeps_what_was_read_of_the_server() {
    let journal = journal::read(&journal_with((0..5).map(reading).collect())[..]).expect("a journal");
    let observed = journal.into_result().observed.expect("it was observed");
    assert_eq!(observed.sources, sources((0..5).map(reading)));
}

#[test]
fn a_reading_that_cannot_be_ends_a_journal_and_costs_no_memory() {
    for forged in [
        Reading { source: 1, ..reading(1) },
        Reading { at_s: 1e15, ..reading(1) },
        Reading { at_s: -1.0, ..reading(1) },
        Reading { values: vec![Some(1.0); 9], ..reading(1) },
    ] {
        let journal = journal::read(&journal_with(vec![reading(0), forged.clone()])[..]).expect("a journal");
        let tail = journal.tail.as_ref().map(|tail| &tail.reason);
        assert!(matches!(tail, Some(TailReason::Impossible(_))), "{forged:?}: {tail:?}");
        assert_eq!(journal.intervals, 1, "{forged:?}");
    }
}

#[test]
fn words_of_a_later_version_are_read_as_far_as_they_are_understood() {
    let mut json = serde_json::to_value(observed()).expect("JSON");
    let source = &mut json["observed"]["sources"][0];
    source["kind"] = "satellite".into();
    source["columns"]["cpu_seconds"]["unit"] = "parsecs".into();
    source["columns"]["cpu_seconds"]["kind"] = "spiral".into();
    source["mood"] = "good".into();
    let read: RunResult = serde_json::from_value(json).expect("readable");
    let source = &read.observed.expect("it was observed").sources[0];
    let column = &source.columns["cpu_seconds"];
    assert_eq!(
        (source.kind, column.unit, column.kind),
        (SourceKind::Other, ColumnUnit::Count, ColumnKind::Gauge)
    );
}
