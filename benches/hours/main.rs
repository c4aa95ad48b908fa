//! How long `compare` and `report` take for results of an hour, and how large the page is: `cargo bench --bench hours`.
//!
//! The results have ten operations, forty of each a second, and are written as a run writes its own. Each command runs as a process
//! of its own, five times; the median is shown beside how long it takes to read and parse the same files as JSON alone, which is the
//! floor. Nothing is judged here: the numbers are for whoever reads them.

#![allow(clippy::print_stdout, reason = "a benchmark prints")]
#![allow(clippy::expect_used, reason = "a benchmark that cannot go on has failed")]

#[path = "../../tests/results_all/hour.rs"]
mod hour;
#[allow(dead_code, reason = "shared with the tests of results")]
#[path = "../../tests/results_all/world.rs"]
mod world;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use xmpp_bench::clock::Epoch;
use xmpp_bench::results::file;
use xmpp_bench::units::{ByteCount, show_duration};

const REPETITIONS: usize = 5;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = [1, 2].map(|seed| folder.path().join(format!("{seed}.json")));
    for (seed, path) in (1..).zip(&paths) {
        file::write_whole(path, &hour::hour(40, seed)).expect("written");
    }
    let [one, two] = paths.each_ref().map(|path| path.to_str().expect("a name"));
    let size = |path: &Path| ByteCount(fs::metadata(path).expect("it is there").len());
    println!(
        "results of an hour, 10 operations, 40 a second each: {} and {}",
        size(&paths[0]),
        size(&paths[1])
    );
    let floor = median(|| {
        for path in &paths {
            let text = fs::read(path).expect("read");
            let _: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        }
    });
    println!("reading both as JSON: {}", show_duration(floor));
    let page = folder.path().join("page.html");
    let html = page.to_str().expect("a name");
    let cases: [(&str, &[&str]); 4] = [
        ("compare", &["compare", one, "--with", two]),
        ("compare on one CPU", &["compare", one, "--with", two]),
        ("report of one", &["report", one, "--out", html, "--force"]),
        ("report of both", &["report", one, two, "--out", html, "--force"]),
    ];
    for (what, arguments) in cases {
        let taken = median(|| run(arguments, what.ends_with("one CPU")));
        let made = if what.starts_with("report") { format!(", {}", size(&page)) } else { String::new() };
        println!(
            "{what}: {} ({:.1} times reading){made}",
            show_duration(taken),
            taken.as_secs_f64() / floor.as_secs_f64()
        );
    }
}

fn run(arguments: &[&str], on_one: bool) {
    let command = env!("CARGO_BIN_EXE_xmpp-bench");
    let mut process = if on_one {
        let mut process = Command::new("taskset");
        process.args(["-c", "0", command]);
        process
    } else {
        Command::new(command)
    };
    let status =
        process.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it runs");
    assert!(status.success(), "{arguments:?}: {status}");
}

fn median(mut work: impl FnMut()) -> Duration {
    let mut taken: Vec<Duration> = (0..REPETITIONS)
        .map(|_| {
            let begun = Epoch::start();
            work();
            begun.now().since(xmpp_bench::units::Offset::ZERO)
        })
        .collect();
    taken.sort_unstable();
    taken[REPETITIONS / 2]
}
