//! However a run ends, what it leaves can be read: after one Ctrl-C, after two, after SIGTERM, and after a kill at any
//! instant.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use xmpp_bench::clock::Epoch;
use xmpp_bench::results::{self, RunResult, VerdictState};
use xmpp_bench::seed::{Draw, Stream};

use crate::world::{Running, World, elapsed, wait_until};

fn profile(steady: u32, drain: u32) -> String {
    format!(
        r#"
deadline = "{drain}s"
drain = "{drain}s"
[target]
url = "loopback:"
domain = "localhost"
[[users]]
count = 20
jid = "u{{n}}@{{domain}}"
password = "p{{n}}"
contacts = 4
[[phase]]
name = "ramp"
duration = "1s"
users = 20
[[phase]]
name = "steady"
duration = "{steady}s"
measure = true
[[activity]]
kind = "message"
rate = "100/s"
to = "contact"
[[activity]]
kind = "ping"
every = "2s"
"#
    )
}

#[test]
fn interrupted_once_a_run_drains() {
    for signal in [Signal::INT, Signal::TERM] {
        let world = World::new(&profile(60, 5));
        let run = world.start_run(&[]);
        wait_until(&world, "result.json", 3.0);
        run.signal(signal);
        let ended = world.end_of(run);
        assert_interrupted(&ended.result, ended.code);
        let ledger = ended.result.ledger.message;
        assert!(ledger.expected > 50, "{ledger:?}");
        assert_eq!(ledger.delivered, ledger.expected, "what was under way was waited for");
        assert_nothing_else(&world);
    }
}

#[test]
fn interrupted_twice_a_run_ends_at_once() {
    // A lost copy keeps the account open, so that draining would take its whole minute.
    let world = World::new(&profile(60, 60));
    let run = world.start_run(&["--fault", "loss=20%"]);
    wait_until(&world, "result.json", 3.0);
    run.signal(Signal::INT);
    std::thread::sleep(Duration::from_secs(1));
    assert!(!world.path("result.json").exists(), "it drains");
    run.signal(Signal::INT);
    let second = Epoch::start();
    let ended = world.end_of(run);
    assert!(elapsed(second) < Duration::from_secs(30), "it took {:?}", elapsed(second));
    assert_interrupted(&ended.result, ended.code);
    let ledger = ended.result.ledger.message;
    assert!(ledger.indeterminate > 0, "what was open can be neither lost nor delivered: {ledger:?}");
    assert_eq!(ledger.lost, 0, "{ledger:?}");
    assert_nothing_else(&world);
}

fn assert_interrupted(result: &RunResult, code: i32) {
    assert_eq!((code, result.verdict.state, result.complete), (130, VerdictState::Interrupted, true));
}

/// The journal has gone with the result that takes its place.
fn assert_nothing_else(world: &World) {
    assert!(!world.path("result.json.journal").exists());
}

const KILLS: u64 = 50;
const AT_ONCE: u64 = 5;
/// A run of these takes about five seconds: half a second until it begins, four of phases, the drain.
const LONGEST: Duration = Duration::from_millis(5_500);

#[test]
fn killed_at_any_instant_a_run_leaves_a_journal_that_can_be_read() {
    let world = World::new(&profile(3, 1));
    let left = [const { AtomicU32::new(0) }; 3];
    std::thread::scope(|scope| {
        for worker in 0..AT_ONCE {
            let (world, left) = (&world, &left);
            scope.spawn(move || {
                for number in (worker..KILLS).step_by(AT_ONCE as usize) {
                    let mut draw = Draw::new(50, Stream::choices(0), number);
                    let instant = LONGEST.mul_f64(f64::from(draw.below(10_000)) / 1e4);
                    left[kill_after(world, number, instant) as usize].fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let [nothing, journals, whole] = left.map(AtomicU32::into_inner);
    eprintln!("of {KILLS} killed runs {nothing} had not begun, {journals} left a journal, {whole} had ended");
    assert!(journals >= KILLS as u32 / 3, "too few were killed under way to show anything");
}

/// What a killed run left.
#[derive(Clone, Copy)]
enum Left {
    Nothing = 0,
    Journal = 1,
    Result = 2,
}

fn kill_after(world: &World, number: u64, instant: Duration) -> Left {
    let name = format!("r{number}");
    let out = format!("{name}.json");
    let mut command: Command = world.command(&name);
    command.args(["run", "profile.toml", "--workers", "1", "--quiet", "--out", &out]);
    let run = Running::new(command.spawn().unwrap());
    std::thread::sleep(instant);
    drop(run);
    let said = world.text(&format!("{name}.err"));
    assert!(!said.contains("panicked"), "{said}");
    if world.path(&out).exists() {
        assert_sound(&name, &world.text(&out), true);
        return Left::Result;
    }
    let summary = world
        .command(&format!("{name}-summary"))
        .args(["summary", "--json", &format!("{out}.journal")])
        .status();
    let (code, said) = (summary.unwrap().code(), world.text(&format!("{name}-summary.err")));
    // Killed between the journal's end and the result's appearance, a run is whole in its journal.
    let has_ended = || world.text(&format!("{out}.journal")).lines().last().is_some_and(is_conclusion);
    match code {
        Some(0) => {
            assert_sound(&name, &world.text(&format!("{name}-summary.out")), has_ended());
            Left::Journal
        }
        Some(2) => {
            let clear = said.contains("killed before it began") || said.contains("No such file");
            assert!(clear, "{name}, killed after {instant:?}: {said}");
            Left::Nothing
        }
        code => panic!("{name}: summary ended with {code:?}: {said}"),
    }
}

/// Whether a journal's line is its last, which only a run that came to its end writes.
fn is_conclusion(line: &str) -> bool {
    line.split_once(' ').is_some_and(|(_, json)| json.starts_with("{\"conclusion\":"))
}

fn assert_sound(name: &str, text: &str, complete: bool) {
    let json: serde_json::Value =
        serde_json::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}: {text}"));
    assert!(jsonschema::is_valid(&results::result_schema(), &json), "{name} does not fit the schema");
    let result: RunResult = serde_json::from_str(text).unwrap();
    assert_eq!(results::check::contradictions(&result), Vec::<String>::new(), "{name}");
    assert_eq!(result.complete, complete, "{name}");
    if !complete {
        assert_eq!(result.verdict.state, VerdictState::Interrupted, "{name}");
    }
}
