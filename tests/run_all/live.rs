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

#[test]
fn what_is_scraped_grows_to_what_the_result_says_and_the_page_hears_the_end() {
    let world = World::new(PROFILE);
    let running = world.start_run(&["--live", "127.0.0.1:0"]);
    let address = wait_for("address", || {
        let text = world.text("run.err");
        let rest = text.split_once("live: http://")?.1;
        Some(rest.split_once('/')?.0.to_owned())
    });
    let reader = {
        let address = address.clone();
        std::thread::spawn(move || get(&address, "/events"))
    };
    wait_until(&world, "result.json", 4.5);
    let early = get(&address, "/metrics");
    wait_until(&world, "result.json", 7.0);
    let late = get(&address, "/metrics");
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
