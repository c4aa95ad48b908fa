//! `run --live` from the outside: what is served, to whom, and that documents and dashboard speak of the same metrics.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "what was skipped stands in the log")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use xmpp_bench::live::metrics::{Kind, METRICS, render};
use xmpp_bench::live::{Classic, Drawn, Facts, Live, ObservedNow, Operation, OperationNow, Over, Snapshot};
use xmpp_bench::results::Histogram;

/// A snapshot in which every metric has something to say, with labels that need care.
fn full() -> Snapshot {
    let mut histogram = Histogram::new();
    for micros in [90, 900, 9_000, 90_000_000] {
        histogram.record_micros(micros);
    }
    let operation = |name: &str| Operation {
        name: name.to_owned(),
        phase: "odd \"phase\" \\ of\ntwo lines".to_owned(),
        outcomes: BTreeMap::from([("ok".to_owned(), 4), ("lost".to_owned(), 1)]),
        response: Classic::of(&histogram),
        lag: Classic::of(&histogram),
    };
    Snapshot {
        facts: Arc::new(Facts {
            version: "0.1.0".into(),
            profile: "a\\b".into(),
            target: "loopback:".into(),
            length_s: 30.0,
            operations: vec![Drawn { name: "message.delivery".into(), is_asked: true, is_timed: true }],
        }),
        elapsed_s: 12.5,
        stage: "phases",
        phase: "steady".to_owned(),
        online: 99,
        planned: 100,
        now: vec![OperationNow {
            asked_per_s: Some(200.5),
            done_per_s: 198,
            errors_per_s: 2,
            p50: Some(Duration::from_micros(900)),
            ..OperationNow::default()
        }],
        errors_per_s: 2,
        turn_p99: Some(Duration::from_micros(250)),
        open: 3,
        logins: (100, 1),
        operations: vec![operation("login"), operation("message.delivery")],
        errors: BTreeMap::from([("network".to_owned(), 2)]),
        bytes_out: 1_000,
        bytes_in: 2_000,
        cpu_s: BTreeMap::from([("worker", 1.25)]),
        memory_bytes: 4_096,
        descriptors: 120,
        observed: vec![ObservedNow {
            source: "beam.smp".into(),
            is_up: Some(true),
            has_cpu: true,
            has_memory: true,
            cpu_s: Some(3.5),
            at_s: 12.0,
            memory_bytes: Some(1e8),
            descriptors: Some(230.0),
        }],
        ..Snapshot::default()
    }
}

/// The metric a sample's name belongs to.
fn family(name: &str) -> Option<&'static str> {
    let of = |name: &str| {
        METRICS.iter().find(|metric| metric.name == name).map(|metric| (metric.name, metric.kind))
    };
    let parts = ["_bucket", "_sum", "_count"].into_iter().filter_map(|suffix| name.strip_suffix(suffix));
    let histogram = parts.filter_map(of).find(|(_, kind)| *kind == Kind::Histogram);
    of(name).filter(|(_, kind)| *kind != Kind::Histogram).or(histogram).map(|(name, _)| name)
}

#[test]
fn every_metric_is_served_and_nothing_else() {
    let text = render(&full());
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let served: BTreeSet<_> = samples
        .map(|line| family(line.split(['{', ' ']).next().unwrap()).unwrap_or_else(|| panic!("{line}")))
        .collect();
    assert_eq!(served, METRICS.iter().map(|metric| metric.name).collect());
    assert_eq!(text.lines().filter(|line| line.starts_with("# TYPE")).count(), METRICS.len());
}

/// Gives promtool a file on its standard input, or as an argument.
fn promtool(arguments: &[&str], input: &str) -> Option<(bool, String)> {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        println!("SKIPPED: promtool is needed (Debian's package prometheus; scripts/test installs it)");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    Some((output.status.success(), said.into_owned()))
}

#[test]
fn prometheus_own_parser_takes_what_is_served_and_finds_no_fault_with_its_names() {
    let Some((good, said)) = promtool(&["check", "metrics"], &render(&full())) else { return };
    assert!(good && said.trim().is_empty(), "{said}");
    let (good, _) = promtool(&["check", "metrics"], "xmpp_bench_broken{a=\"b} 1\n").unwrap();
    assert!(!good, "it can say no");
}

const BEGIN: &str = "<!-- metrics: written by the test `live` -->\n";
const END: &str = "<!-- end of metrics -->\n";

/// To write it anew: `UPDATE_MESSAGES=1`.
#[test]
fn the_document_lists_every_metric() {
    let mut table = "\n| metric | type | labels | what it says |\n|---|---|---|---|\n".to_owned();
    for metric in METRICS {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
        let _ =
            writeln!(table, "| `{}` | {} | {labels} | {} |", metric.name, metric.kind.as_str(), metric.help);
    }
    table.push('\n');
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/live.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once(BEGIN).unwrap();
    let (found, tail) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_MESSAGES").is_some() {
        std::fs::write(&path, format!("{head}{BEGIN}{table}{END}{tail}")).unwrap();
    } else {
        assert_eq!(found, table);
    }
}

/// How a query of the dashboard keeps to what another series has.
const ON_OPERATION: &str = " and on (operation) ";

/// Every query of the dashboard, with its variables filled in.
fn queries() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/grafana.json");
    let dashboard: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let queries = targets.map(|target| target["expr"].as_str().unwrap());
    let variable = dashboard["templating"]["list"][0]["query"]["query"].as_str().unwrap();
    assert_eq!(variable, "label_values(xmpp_bench_info, job)");
    queries.map(|query| query.replace("$__rate_interval", "5s").replace("$job", "xmpp-bench")).collect()
}

#[test]
fn every_query_of_the_dashboard_asks_for_what_is_served() {
    let queries = queries();
    let mut asked = BTreeSet::new();
    for query in &queries {
        // Both sides of a match have the labels they are matched by.
        let matched = |labels: &[&str]| !query.contains(ON_OPERATION) || labels.contains(&"operation");
        for part in query.split(ON_OPERATION) {
            let words = part.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            let names: Vec<_> = words.filter(|word| word.starts_with("xmpp_bench_")).collect();
            assert!(!names.is_empty(), "{query}");
            for name in names {
                let family = family(name).unwrap_or_else(|| panic!("`{name}` is not served: {query}"));
                asked.insert(family);
                let labels = METRICS.iter().find(|metric| metric.name == family).unwrap().labels;
                check_labels(part, labels);
                assert!(matched(labels), "`{name}` has no operation: {query}");
            }
        }
    }
    let shown: BTreeSet<_> =
        METRICS.iter().map(|metric| metric.name).filter(|name| *name != "xmpp_bench_info").collect();
    assert_eq!(asked, shown, "the dashboard shows all of them");
}

/// What stands in braces or behind `by` are the metric's labels, the scraper's own, or an edge.
fn check_labels(query: &str, labels: &[&str]) {
    let known = |label: &str| labels.contains(&label) || ["job", "le"].contains(&label);
    let braces = query.split('{').skip(1).map(|rest| rest.split('}').next().unwrap());
    let matched =
        braces.flat_map(|inside| inside.split(',')).map(|one| one.split(['=', '!']).next().unwrap());
    let grouped = query.split("by (").skip(1).flat_map(|rest| rest.split(')').next().unwrap().split(','));
    for label in matched.chain(grouped) {
        assert!(known(label.trim()), "`{label}` is no label of it: {query}");
    }
}

#[test]
fn prometheus_understands_every_query_of_the_dashboard() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yml");
    let mut rules = "groups:\n- name: dashboard\n  rules:\n".to_owned();
    for (number, query) in queries().iter().enumerate() {
        let quoted = serde_json::to_string(query).unwrap();
        let _ = writeln!(rules, "  - record: \"dashboard:{}\"\n    expr: {quoted}", "a".repeat(number + 1));
    }
    std::fs::write(&path, rules).unwrap();
    let Some((good, said)) = promtool(&["check", "rules", &path.to_string_lossy()], "") else { return };
    assert!(good, "{said}");
}

/// What a request gets: all of it, until the server ends the connection.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(address: SocketAddr, path: &str) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n"))
}

fn start() -> Live {
    Live::start("127.0.0.1:0".parse().unwrap()).unwrap()
}

#[test]
fn page_scrape_and_health_are_served_and_the_rest_is_refused() {
    let live = start();
    let address = live.address();
    assert!(get(address, "/metrics").starts_with("HTTP/1.1 200"), "nothing yet is no error");
    live.publish(full());
    let page = get(address, "/");
    assert!(page.contains("\r\ncontent-type: text/html; charset=utf-8\r\n"), "{page}");
    assert!(page.ends_with(include_str!("../src/live/page.html")), "{page}");
    let scrape = get(address, "/metrics");
    assert!(
        scrape.contains("content-type: text/plain; version=0.0.4")
            && scrape.contains("\nxmpp_bench_users_online 99\n")
    );
    assert!(get(address, "/healthz").ends_with("\r\n\r\nok\n"));
    for (request, status) in [
        ("GET /else HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 405),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1.evil.example:80\r\n\r\n", 403),
        ("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 200),
        ("no request\r\n\r\n", 400),
    ] {
        let answer = ask(address, request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request}: {answer}");
    }
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let page = include_str!("../src/live/page.html").replace("http://www.w3.org/2000/svg", "");
    for foreign in
        ["http://", "https://", "//cdn", "@import", "url(", "<script src", "<link rel=\"stylesheet\""]
    {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

#[test]
fn events_are_the_history_then_every_second_then_the_end() {
    let live = start();
    let address = live.address();
    live.publish(full());
    let reader = std::thread::spawn(move || get(address, "/events"));
    // The reader is there once its answer can be told from a scrape's: a point too many does no harm.
    std::thread::sleep(Duration::from_millis(300));
    live.publish(Snapshot { elapsed_s: 13.5, ..full() });
    live.end(Over { verdict: "valid".into(), exit: 4, reason: "an objective failed".into() });
    let heard = reader.join().unwrap();
    let events: Vec<_> = heard.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!((events[0], events[events.len() - 1]), ("history", "over"), "{heard}");
    assert!(heard.contains("\"profile\":\"a\\\\b\"") && heard.contains("\"t\":12.5"), "{heard}");
    assert!(heard.contains(r#"{"verdict":"valid","exit":4,"reason":"an objective failed"}"#), "{heard}");
    assert!(TcpStream::connect(address).is_err(), "it has ended");
}

#[test]
fn who_scrapes_a_run_is_owed_one_scrape_of_its_end_and_who_looked_once_is_not() {
    let live = start();
    let address = live.address();
    live.publish(full());
    get(address, "/metrics");
    assert!(!live.owes_scrape(), "a look is no scraper");
    get(address, "/metrics");
    live.publish(Snapshot { open: 0, ..full() });
    live.say_over(Over { verdict: "valid".into(), exit: 0, reason: String::new() });
    assert!(live.owes_scrape());
    assert!(get(address, "/events").contains("event: over"), "who comes now hears it too");
    let scrape = get(address, "/metrics");
    assert!(scrape.contains("xmpp_bench_stage_info{stage=\"over\"} 1\n"), "{scrape}");
    assert!(scrape.contains("\nxmpp_bench_ledger_open_entries 0\n"), "{scrape}");
    assert!(!live.owes_scrape());
}

#[test]
fn a_server_that_cannot_be_read_is_down_and_has_no_values() {
    let gone = ObservedNow {
        source: "beam.smp".into(),
        is_up: Some(false),
        has_cpu: true,
        has_memory: true,
        ..ObservedNow::default()
    };
    let text = render(&Snapshot { observed: vec![gone], ..full() });
    let said: Vec<_> = text.lines().filter(|line| line.starts_with("xmpp_bench_observed_")).collect();
    assert_eq!(said, ["xmpp_bench_observed_up{source=\"beam.smp\"} 0"]);
}

#[test]
fn a_reader_that_does_not_read_is_dropped_and_the_others_go_on() {
    let live = start();
    let address = live.address();
    live.publish(full());
    let mut slow = TcpStream::connect(address).unwrap();
    slow.write_all(format!("GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut first = [0; 200];
    slow.read_exact(&mut first).unwrap();
    // More than the sockets' buffers hold, so that events wait.
    let large = Snapshot { phase: "x".repeat(200_000), ..full() };
    for _ in 0..200 {
        live.publish(large.clone());
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    let events = String::from_utf8_lossy(&rest).matches("event: point").count();
    assert!(events < 200, "it was cut off: {events}");
    assert!(get(address, "/healthz").ends_with("ok\n"));
}

#[test]
fn more_connections_than_there_is_room_for_are_closed_and_those_inside_are_served() {
    let live = start();
    let address = live.address();
    let mut inside = TcpStream::connect(address).unwrap();
    let idle: Vec<_> = (0..200).map(|_| TcpStream::connect(address)).collect();
    let opened = idle.iter().flatten().count();
    inside.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    inside.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("ok\n"), "{answer}");
    let mut closed = 0;
    for mut stream in idle.into_iter().flatten() {
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        closed += usize::from(matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_)) && !is_waiting(&stream));
    }
    assert!(closed >= opened.saturating_sub(70), "{closed} of {opened} were closed");
}

/// Whether a connection is open with nothing to read.
fn is_waiting(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    matches!(stream.peek(&mut [0; 1]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

#[test]
fn an_address_in_use_is_said() {
    let live = start();
    let error = Live::start(live.address()).err().expect("it is taken");
    assert!(error.to_string().contains("choose another port"), "{error}");
}
