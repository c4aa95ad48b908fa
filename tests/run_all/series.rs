//! Several runs in a row, by `run --repeat` and by `ab`: their order, seeds and files, and how a series ends.

use std::net::TcpListener;
use std::process::Child;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use xmpp_bench::results::{RunResult, VerdictState};

use crate::world::{Running, World, wait_for, wait_until};

/// A run of some seconds; the last `steady` of them are measured.
fn profile(steady: u32) -> String {
    format!(
        r#"
deadline = "2s"
drain = "2s"
[target]
url = "loopback:"
domain = "localhost"
[[users]]
count = 10
jid = "u{{n}}@{{domain}}"
password = "p{{n}}"
contacts = 4
[[phase]]
name = "ramp"
duration = "2s"
users = 10
[[phase]]
name = "steady"
duration = "{steady}s"
measure = true
[[activity]]
kind = "message"
rate = "50/s"
to = "contact"
"#
    )
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

fn start(world: &World, words: &[&str]) -> Child {
    let mut command = world.command("series");
    command.args(words).spawn().unwrap()
}

fn end(world: &World, child: Child) -> Said {
    let mut running = Running::new(child);
    let code = running.wait();
    let said = Said { code, out: world.text("series.out"), err: world.text("series.err") };
    assert!(!said.err.contains("panicked"), "{}", said.err);
    said
}

fn run(world: &World, words: &[&str]) -> Said {
    let child = start(world, words);
    end(world, child)
}

fn result(world: &World, name: &str) -> RunResult {
    let text = world.text(name);
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{name}: {error}\n{}", world.text("series.err")))
}

/// The process that is the run under way.
fn child_of(parent: Pid) -> Pid {
    let path = format!("/proc/{0}/task/{0}/children", parent.as_raw_nonzero());
    wait_for("run", || {
        let pids = std::fs::read_to_string(&path).ok()?;
        Pid::from_raw(pids.split_whitespace().next()?.parse().ok()?)
    })
}

#[test]
fn repeats_have_a_seed_a_plan_and_a_file_each_and_one_exit_code() {
    let world = World::new(&profile(1));
    let said = run(
        &world,
        &["run", "profile.toml", "--repeat", "2", "--settle=0s", "--seed=7", "--out", "base.json"],
    );
    let results = [("base-1-seed8.json", 8), ("base-2-seed9.json", 9)].map(|(name, seed)| {
        let result = result(&world, name);
        assert_eq!((result.seed, result.complete), (seed, true));
        assert!(said.err.contains(&format!("seed {seed}; about")), "{}", said.err);
        let planned = world.plan(seed).len() as u64;
        let asked: u64 = result
            .phases
            .iter()
            .filter_map(|phase| phase.operations.get("message.delivery"))
            .map(|one| one.figures.attempts)
            .sum();
        assert_eq!(asked, planned, "the plan of seed {seed}");
        result
    });
    assert_ne!(results[0].run_id, results[1].run_id);
    // Of all runs' codes the most serious.
    let codes = results.map(|result| result.exit.code);
    let most_serious = [7, 4, 0].into_iter().find(|code| codes.contains(code));
    assert_eq!(Some(said.code), most_serious.map(i32::from), "{codes:?}");
    assert!(said.out.starts_with("Runs\n run seed verdict"), "{}", said.out);
    assert!(said.out.contains("\n2 results: base-1-seed8.json\n"), "{}", said.out);
    assert!(said.err.matches("unoptimised build").count() <= 1, "a warning is told once: {}", said.err);
}

#[test]
fn two_sides_take_turns_with_the_same_seeds() {
    let world = World::new(&profile(2));
    let sides = ["--a", "loopback:", "--b", "loopback:", "--b-fault", "delay=40ms"];
    let gate = ["--gate", "message.delivery.p50 <= +10%", "--allow", "verdict"];
    let options = [&["--repeat", "2", "--settle", "0s", "--seed", "7", "--out", "ab"][..], &gate].concat();
    let words = [&["ab", "profile.toml"][..], &sides, &options].concat();
    let said = run(&world, &words);
    let names = ["a-1-seed8.json", "b-1-seed8.json", "b-2-seed9.json", "a-2-seed9.json"];
    let results = names.map(|name| result(&world, &format!("ab/{name}")));
    let begun: Vec<u64> =
        results.iter().map(|result| result.host.epoch_monotonic_ns.expect("it was written down")).collect();
    assert!(begun.is_sorted(), "A B B A: {begun:?}");
    for (name, result) in names.iter().zip(&results) {
        let fastest = result.operations["message.delivery"].figures.response_us.min;
        let is_delayed = name.starts_with('b');
        assert!(
            !is_delayed || fastest.is_none_or(|fastest| fastest >= 39_000),
            "{name}: {fastest:?} µs, though every copy is delayed by 40 ms"
        );
    }
    assert_eq!(
        results[0].phases[1].operations["message.delivery"].figures.attempts,
        results[1].phases[1].operations["message.delivery"].figures.attempts,
        "a pair is asked the same"
    );
    assert!(said.out.contains("gate message.delivery.p50 <= +10%"), "they are compared: {}", said.out);
    assert_eq!(said.code, 6, "two pairs are no evidence for a gate, whoever was the limit: {}", said.out);
    let note = "note: 2 pairs cannot decide anything about 1 gate; 3 could (--repeat)";
    assert!(said.err.contains(note), "told before the first run: {}", said.err);
    let again = "\nThe comparison again: xmpp-bench compare ab/a-* --with ab/b-* --gate 'message.delivery.p50 <= +10%' --allow verdict\n";
    assert!(said.out.contains(again), "{}", said.out);
    // Another series in the same folder would be taken for the same comparison.
    let again = run(&world, &words);
    assert_eq!(again.code, 2);
    assert!(again.err.contains("`ab` has runs in it already"), "{}", again.err);
    let words = [&["ab", "profile.toml", "--a-set", "users.0.count=20"][..], &sides].concat();
    let other = run(&world, &words);
    assert_eq!(other.code, 2);
    assert!(other.err.contains("the sides may differ under `target` and `observe` only"), "{}", other.err);
}

/// What `--allow verdict` lets be compared is not what measured nothing.
#[test]
fn sides_that_measured_nothing_are_not_compared_and_decide_the_exit_code() {
    let world = World::new(&profile(2));
    let sides = ["--a", "loopback:", "--b", "loopback:", "--allow", "verdict"];
    let lossy = ["--a-fault", "loss=100%", "--b-fault", "loss=100%", "--set", "phase.ramp.duration=5s"];
    let rest = ["--repeat", "1", "--settle", "0s", "--out", "ab", "--set", "abort.backlog=> 5 for 1s"];
    let said = run(&world, &[&["ab", "profile.toml"][..], &sides, &lossy, &rest].concat());
    assert_ne!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.err.contains("not compared") && said.err.contains("ending"), "{}{}", said.out, said.err);
}

#[test]
fn interrupted_a_series_drains_the_run_under_way_and_begins_no_other() {
    let world = World::new(&profile(60));
    let child = start(&world, &["run", "profile.toml", "--repeat", "3", "--seed", "7", "--out", "base.json"]);
    wait_until(&world, "base-1-seed8.json", 2.0);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let said = end(&world, child);
    assert_eq!(said.code, 130, "{}", said.err);
    let first = result(&world, "base-1-seed8.json");
    assert_eq!((first.verdict.state, first.complete), (VerdictState::Interrupted, true));
    assert_eq!(first.ledger.message.expected, first.ledger.message.delivered, "it drained");
    assert!(said.err.contains("interrupted in run 1 of 3"), "{}", said.err);
    assert!(said.out.contains("\nResult: base-1-seed8.json\n"), "{}", said.out);
    assert!(!world.path("base-2-seed9.json.journal").exists());
}

#[test]
fn interrupted_between_two_runs_a_series_ends_at_once() {
    let world = World::new(&profile(1));
    let child =
        start(&world, &["run", "profile.toml", "--repeat=2", "--settle=1h", "--seed=7", "--out=base.json"]);
    wait_for("end of the first run", || world.text("series.err").contains("run 1 of 2: ").then_some(()));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let said = end(&world, child);
    assert_eq!(said.code, 130, "{}", said.err);
    assert!(result(&world, "base-1-seed8.json").complete);
    assert!(said.out.contains("\nResult: base-1-seed8.json\n"), "{}", said.out);
}

#[test]
fn results_of_an_earlier_series_are_not_taken_for_this_ones() {
    let world = World::new(&profile(1));
    let words = ["run", "profile.toml", "--repeat=2", "--settle=0s", "--seed=7", "--out=base.json"];
    std::fs::write(world.path("base-2-seed9.json"), "of another day").unwrap();
    let said = run(&world, &words);
    assert_eq!(said.code, 2, "{}", said.err);
    assert!(
        said.err.contains("`base-2-seed9.json` is there already: name another place with --out"),
        "{}",
        said.err
    );
    assert!(!world.path("base-1-seed8.json").exists(), "nothing was begun");
    std::fs::rename(world.path("base-2-seed9.json"), world.path("base-1-seed8.json.journal")).unwrap();
    assert_eq!(run(&world, &words).code, 2, "what a killed run left counts as well");
}

#[test]
fn where_nobody_can_log_in_the_rest_is_not_tried() {
    let world = World::new(&profile(1));
    // Nobody listens on a port that was just given back.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let target = format!("--target=xmpp://127.0.0.1:{port}");
    let words = ["run", "profile.toml", "--repeat=2", "--settle=0s", "--seed=7", "--out=base.json", &target];
    let said = run(&world, &words);
    assert_eq!(said.code, 3, "{}", said.err);
    assert!(said.err.contains("run 1 of 2 could not be done"), "{}", said.err);
    assert!(!said.err.contains("run 2 of 2, seed"), "{}", said.err);
}

#[test]
fn a_run_that_is_killed_is_named_and_the_next_begins() {
    let world = World::new(&profile(2));
    let child =
        start(&world, &["run", "profile.toml", "--repeat=2", "--settle=0s", "--seed=7", "--out=base.json"]);
    wait_until(&world, "base-1-seed8.json", 1.0);
    kill_process(child_of(Pid::from_child(&child)), Signal::KILL).unwrap();
    let said = end(&world, child);
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(said.out.contains("run 1: exit code 1: it was killed by signal 9"), "{}", said.out);
    assert!(said.out.contains(" interrupted "), "its journal says how far it came: {}", said.out);
    assert!(result(&world, "base-2-seed9.json").complete);
}

#[test]
fn a_run_does_not_outlive_its_series() {
    let world = World::new(&profile(60));
    let child = start(&world, &["run", "profile.toml", "--repeat=2", "--seed=7", "--out=base.json"]);
    wait_until(&world, "base-1-seed8.json", 1.0);
    let run = child_of(Pid::from_child(&child));
    drop(Running::new(child));
    wait_for("result of the run under way", || world.path("base-1-seed8.json").exists().then_some(()));
    assert_eq!(result(&world, "base-1-seed8.json").verdict.state, VerdictState::Interrupted);
    wait_for("its end", || {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", run.as_raw_nonzero())).unwrap_or_default();
        (stat.is_empty() || stat.contains(") Z ")).then_some(())
    });
    std::thread::sleep(Duration::from_millis(200));
    assert!(!world.path("base-2-seed9.json.journal").exists());
}

/// What a run finds whose series was killed before it had asked to be told of that.
#[test]
fn a_run_whose_series_is_gone_does_not_begin() {
    let world = World::new(&profile(60));
    let words = ["run", "profile.toml", "--part", "1/2+60@7", "--out", "base-1-seed8.json"];
    let ended = std::process::Command::new("true").spawn().unwrap();
    let gone = ended.id().to_string();
    Running::new(ended).wait();
    let child = world.command("series").env("XMPP_BENCH_SERIES", gone).args(words).spawn().unwrap();
    let said = end(&world, child);
    assert_eq!(said.code, 130, "{}", said.err);
    assert!(said.err.contains("the series this run is part of is gone"), "{}", said.err);
    assert!(!world.path("base-1-seed8.json").exists() && !world.path("base-1-seed8.json.journal").exists());
}
