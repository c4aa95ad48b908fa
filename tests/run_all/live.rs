//! `--live` beside a whole run: what was scraped is what the result says in the end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::world::{World, wait_for, wait_until};

const PROFILE: &str = r#"
deadline = "5s"
drain = "5s"
[target]
url = "loopback:"
domain = "localhost"
[[users]]
count = 50
jid = "u{n}@{domain}"
password = "p{n}"
contacts = 4
[[phase]]
name = "ramp"
duration = "2s"
users = 50
[[phase]]
name = "steady"
duration = "6s"
measure = true
[[activity]]
kind = "message"
rate = "100/s"
[observe]
process = "loopback:"
"#;

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

/// A sample's value, by everything before it.
fn sample(scrape: &str, series: &str) -> f64 {
    let line = scrape.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in {scrape}")).parse().unwrap()
}

/// What the page was told, second by second.
fn points_of(heard: &str) -> Vec<serde_json::Value> {
    let data = heard.lines().filter_map(|line| line.strip_prefix("data: "));
    let points = data.filter(|data| data.starts_with("{\"t\":"));
    points.map(|data| serde_json::from_str(data).unwrap()).collect()
}

/// Where a run that was just started serves what is going on.
fn address_of(world: &World) -> String {
    wait_for("address", || {
        let text = world.text("run.err");
        let rest = text.split_once("live: http://")?.1;
        Some(rest.split_once('/')?.0.to_owned())
    })
}

/// Scrapes until there is nobody to ask any more; gives the pages that say anything.
fn scrape_to_the_end(address: &str) -> Vec<String> {
    let mut pages = Vec::new();
    while let Ok(mut stream) = TcpStream::connect(address) {
        let mut answer = String::new();
        let _ = stream.set_read_timeout(Some(Duration::from_mins(1)));
        let _ = stream.write_all(format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes());
        let _ = stream.read_to_string(&mut answer);
        pages
            .extend(answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).filter(|b| !b.is_empty()));
        std::thread::sleep(Duration::from_millis(100));
    }
    pages
}

/// What a point says under a key.
fn field(point: &serde_json::Value, key: &str) -> u64 {
    point[key].as_u64().unwrap_or_else(|| panic!("no {key} in {point}"))
}

#[test]
fn copies_that_are_lost_only_when_the_run_is_over_are_in_the_last_scrape_and_on_the_page() {
    let world = World::new(PROFILE);
    let running = world.start_run(&["--live", "127.0.0.1:0", "--fault", "loss=20%"]);
    let address = address_of(&world);
    let reader = {
        let address = address.clone();
        std::thread::spawn(move || get(&address, "/events"))
    };
    let scraper = std::thread::spawn(move || scrape_to_the_end(&address));
    let ended = world.end_of(running);
    let (heard, pages) = (reader.join().unwrap(), scraper.join().unwrap());

    let accounts: Vec<_> = ended.result.phases.iter().map(|phase| phase.ledger.message).collect();
    let lost: u64 = accounts.iter().map(|account| account.lost).sum();
    let expected: u64 = accounts.iter().map(|account| account.expected).sum();
    assert!(lost > 50, "{accounts:?}");
    let last = pages.last().expect("it was scraped");
    for (series, value) in [
        ("xmpp_bench_stage_info{stage=\"over\"}", 1),
        ("xmpp_bench_ledger_copies{kind=\"message\",column=\"lost\"}", lost),
        ("xmpp_bench_ledger_copies{kind=\"message\",column=\"expected\"}", expected),
        ("xmpp_bench_ledger_open_entries", 0),
    ] {
        assert!((sample(last, series) - value as f64).abs() < 0.5, "{series} is not {value}");
    }
    let points = points_of(&heard);
    let shown = points.last().expect("the page was told");
    let told = (field(shown, "lost"), field(shown, "expected"), field(shown, "open"));
    assert_eq!(told, (lost, expected, 0));

    // What is asked and what is done are the same operations, and the server loses a fifth of them.
    let name = "xmpp_bench_planned_operations_per_second{operation=\"message.delivery\"}";
    assert!(pages.iter().any(|page| (sample(page, name) - 100.0).abs() < 1e-6), "the plan's rate");
    let sum = |key: &str| -> f64 {
        let steady = points.iter().filter(|point| point["phase"] == "steady");
        steady.filter_map(|point| point["operations"][0][key].as_f64()).sum()
    };
    let share = sum("done") / sum("asked");
    assert!((0.6..0.95).contains(&share), "{share}");

    // A series that begins with what it already counts is not seen to grow.
    let first = &pages[0];
    for outcome in ["ok", "lost", "timeout", "failed-network"] {
        for phase in ["ramp", "steady"] {
            let series = format!(
                "xmpp_bench_operations_total{{operation=\"message.delivery\",phase=\"{phase}\",outcome=\"{outcome}\"}}"
            );
            assert!(sample(first, &series).abs() < 0.5, "{series} begins with something");
        }
    }
    assert!(sample(first, "xmpp_bench_errors_total{class=\"network\"}").abs() < 0.5);
}

/// While users come, everything grows from second to second: what stands side by side must be of one second.
#[test]
fn what_is_asked_and_planned_is_of_the_second_whose_done_and_online_are_shown() {
    let world = World::new(PROFILE);
    let running = world.start_run(&[
        "--live",
        "127.0.0.1:0",
        "--set",
        "phase.ramp.duration=5s",
        "--set",
        "phase.steady.duration=2s",
        "--set",
        "activity.0.rate=\"4/s per user\"",
        "--set",
        "activity.0.arrivals=\"constant\"",
        // Somebody to write to is always there; of four contacts there may be none yet, and less is asked than the rate says.
        "--set",
        "activity.0.to=\"online\"",
    ]);
    let address = address_of(&world);
    let heard = get(&address, "/events");
    world.end_of(running);
    let points = points_of(&heard);
    for point in points.iter().filter(|point| point["stage"] == "phases") {
        // Nobody logs in before the plan says so.
        assert!(field(point, "online") <= field(point, "planned"), "{point}");
    }
    let ramp: Vec<_> = points.iter().filter(|point| point["phase"] == "ramp").collect();
    let sum =
        |key: &str| -> f64 { ramp.iter().filter_map(|point| point["operations"][0][key].as_f64()).sum() };
    let (asked, done) = (sum("asked"), sum("done"));
    assert!(asked > 100.0 && (0.85..1.1).contains(&(done / asked)), "{done} of {asked}: {ramp:?}");
    let last = points.last().expect("the page was told");
    assert_eq!((field(last, "online"), field(last, "planned")), (0, 0), "{last}");
}

#[test]
fn a_run_that_nobody_scrapes_waits_for_nobody_and_one_ended_early_is_in_no_phase() {
    let world = World::new(PROFILE);
    let running = world.start_run(&[
        "--live",
        "127.0.0.1:0",
        "--fault",
        "loss=50%",
        "--set",
        "abort.backlog=> 50 for 1s",
    ]);
    let address = address_of(&world);
    let reader = std::thread::spawn(move || get(&address, "/events"));
    let ended = world.end_of(running);
    let heard = reader.join().unwrap();
    assert!(ended.result.ended_early.is_some());
    assert!(!ended.stderr.contains("one more scrape"), "{}", ended.stderr);
    let draining: Vec<_> = heard.lines().filter(|line| line.contains("\"stage\":\"draining\"")).collect();
    assert!(!draining.is_empty(), "{heard}");
    for point in draining {
        assert!(point.contains("\"phase\":\"\""), "{point}");
    }
}

#[test]
fn what_is_scraped_grows_to_what_the_result_says_and_the_page_hears_the_end() {
    let world = World::new(PROFILE);
    let running = world.start_run(&["--live", "127.0.0.1:0"]);
    let address = address_of(&world);
    let reader = {
        let address = address.clone();
        std::thread::spawn(move || get(&address, "/events"))
    };
    wait_until(&world, "result.json", 4.5);
    let early = get(&address, "/metrics");
    wait_until(&world, "result.json", 7.0);
    let late = get(&address, "/metrics");
    // It has been scraped twice, and waits to be scraped of its end.
    wait_for("word of the last scrape", || world.text("run.err").contains("one more scrape").then_some(()));
    let last = get(&address, "/metrics");
    assert!((sample(&last, "xmpp_bench_stage_info{stage=\"over\"}") - 1.0).abs() < 0.5, "{last}");
    let ended = world.end_of(running);
    let heard = reader.join().unwrap();

    let delivered =
        "xmpp_bench_operations_total{operation=\"message.delivery\",phase=\"steady\",outcome=\"ok\"}";
    let buckets =
        "xmpp_bench_response_seconds_bucket{operation=\"message.delivery\",phase=\"steady\",le=\"+Inf\"}";
    let figures = &ended.result.phases[1].operations["message.delivery"].figures;
    let in_the_end = figures.outcomes["ok"] as f64;
    for series in [delivered, buckets] {
        let (first, second) = (sample(&early, series), sample(&late, series));
        assert!(
            0.0 < first && first < second && second <= in_the_end,
            "{series}: {first}, {second}, {in_the_end}"
        );
    }
    let logins = sample(&late, "xmpp_bench_logins_total{result=\"ok\"}");
    assert!((logins - 50.0).abs() < 0.5, "{logins}");
    let cpu = sample(&late, "xmpp_bench_observed_cpu_seconds_total{source=\"loopback:\"}");
    let observed = &ended.result.observed.as_ref().unwrap().sources[0].columns["cpu_seconds"].values;
    assert!(observed.iter().flatten().any(|value| (value - cpu).abs() < 1e-9), "{cpu}: {observed:?}");

    let events: Vec<_> = heard.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!((events.first(), events.last()), (Some(&"history"), Some(&"over")), "{events:?}");
    let verdict =
        format!("{{\"verdict\":\"{}\",\"exit\":{}", ended.result.verdict.state.as_str(), ended.code);
    assert!(heard.contains(&verdict), "{verdict}");
    promtool_takes(late.split_once("\r\n\r\n").unwrap().1);
}

fn promtool_takes(body: &str) {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        println!("SKIPPED: promtool is needed (Debian's package prometheus; scripts/test installs it)");
        return;
    };
    child.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}
