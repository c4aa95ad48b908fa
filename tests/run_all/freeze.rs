//! The server stands still for a second. What every message then waits is known beforehand: until the thaw, and its turn in
//! the backlog. A load generator that waits with the server (coordinated omission) fails this by an order of magnitude.

use xmpp_bench::results::{Figures, RunResult, Unit, VerdictState};
use xmpp_bench::units::Offset;

use crate::world::{World, is_generator_limited, max, quantile, quantile_of};

fn profile(rate: u32, body: u32) -> String {
    format!(
        r#"
deadline = "10s"
drain = "10s"
[target]
url = "loopback:"
domain = "localhost"
[[users]]
count = 40
jid = "u{{n}}@{{domain}}"
password = "p{{n}}"
contacts = 4
[[phase]]
name = "ramp"
duration = "1s"
users = 40
[[phase]]
name = "settle"
duration = "2s"
[[phase]]
name = "steady"
duration = "10s"
measure = true
[[activity]]
kind = "message"
rate = "{rate}/s"
arrivals = "constant"
body = {body}
to = "contact"
"#
    )
}

const MEASURED: (f64, f64) = (3.0, 13.0);
const FREEZE: &str = "freeze=1s@7s";

/// A freeze and what it must do to the messages of the measured phase, by the plan.
struct Prediction {
    count: usize,
    waits: Vec<f64>,
    length: f64,
}

impl Prediction {
    fn new(world: &World) -> Self {
        let freezes = world.truth("truth.jsonl").freezes;
        let [freeze] = freezes[..] else { panic!("one freeze, not {freezes:?}") };
        let (start, end) = (Offset::from_nanos(freeze.start_ns), Offset::from_nanos(freeze.end_ns));
        let plan = world.plan(7);
        let measured: Vec<Offset> = plan
            .iter()
            .map(|action| action.at)
            .filter(|at| (MEASURED.0..MEASURED.1).contains(&at.as_secs_f64()))
            .collect();
        let waits = measured.iter().filter(|&&at| at >= start && at < end);
        Self {
            count: measured.len(),
            waits: waits.map(|at| end.since(*at).as_secs_f64()).collect(),
            length: end.since(start).as_secs_f64(),
        }
    }

    fn quantile(&mut self, fraction: f64) -> f64 {
        quantile_of(&mut self.waits, self.count, fraction)
    }

    fn max(&self) -> f64 {
        self.waits.iter().copied().fold(0.0, f64::max)
    }
}

/// Above the prediction there may be: a tenth for the backlog, what the generator itself was late (its own words), and a
/// quarter of a second for a machine that is busy with something else. Below it there may be nothing, but for rounding.
fn assert_as_predicted(name: &str, seen: f64, predicted: f64, late: f64) {
    eprintln!("{name}: {seen:.3} s, predicted {predicted:.3} s");
    assert!(seen >= predicted * 0.999 - 0.001, "{name}: {seen} s is below the {predicted} s predicted");
    let most = predicted * 1.1 + late + 0.25;
    assert!(seen <= most, "{name}: {seen} s, predicted {predicted} s, at most {most} s");
}

fn delivery(result: &RunResult) -> &Figures {
    &result.operations["message.delivery"].figures
}

#[test]
fn a_frozen_server_shows_in_the_response_as_predicted() {
    let world = World::new(&profile(500, 64));
    let result = run_undisturbed(&world, &["--fault", FREEZE, "--truth", "truth.jsonl"]);
    let mut predicted = Prediction::new(&world);
    assert!(predicted.length > 0.5 && predicted.waits.len() >= 250, "the freeze lies in the measured phase");
    let seen = delivery(&result);
    let late = max(&seen.lag_us);
    for fraction in [0.95, 0.99] {
        let name = format!("response p{}", fraction * 100.0);
        assert_as_predicted(&name, quantile(&seen.response_us, fraction), predicted.quantile(fraction), late);
    }
    assert_as_predicted("response max", max(&seen.response_us), predicted.max(), late);
    // It is the server that took the time: the service time agrees.
    let service = quantile(&seen.service_us, 0.99);
    assert!(service >= predicted.quantile(0.99) * 0.9 - late, "service time p99 is {service} s only");
    assert_generator_is_innocent(&result, predicted.length);
    let ledger = result.ledger.message;
    assert_eq!([ledger.lost, ledger.failed, ledger.indeterminate, ledger.duplicated], [0; 4]);
}

#[test]
fn with_small_buffers_a_frozen_server_shows_as_blocked() {
    // Four messages of 12 kB per user and second, against buffers that hold about one. Far less than the queue of a user takes.
    let world = World::new(&profile(150, 12_000));
    let options = ["--fault", FREEZE, "--truth", "truth.jsonl", "--socket-buffer", "4096"];
    let result = run_undisturbed(&world, &options);
    let mut predicted = Prediction::new(&world);
    let seen = delivery(&result);
    let late = max(&seen.lag_us);
    assert_as_predicted(
        "response p99",
        quantile(&seen.response_us, 0.99),
        predicted.quantile(0.99),
        late + predicted.length,
    );
    // Each user's first messages in the freeze still fit into buffers; of the rest, most of the wait is before `sent`.
    let blocked = quantile(&seen.blocked_us, 0.95);
    eprintln!("blocked p95: {blocked:.3} s, response predicted {:.3} s", predicted.quantile(0.95));
    assert!(blocked >= predicted.quantile(0.95) * 0.3, "blocked p95 is {blocked} s only");
    assert_generator_is_innocent(&result, predicted.length);
    assert_eq!([result.ledger.message.lost, result.ledger.message.failed], [0; 2]);
}

/// A run whose generator says that it was starved, or in which keys were derived so slowly that users came online late, shows
/// nothing of the server, and says so. It is repeated, twice at most; a freeze that is wrongly laid to the generator, or leaves
/// messages unsent, does so every time.
fn run_undisturbed(world: &World, options: &[&str]) -> RunResult {
    for _ in 0..2 {
        let result = world.run(options).result;
        if !is_generator_limited(&result) && unsent(&result) == 0 {
            return result;
        }
    }
    world.run(options).result
}

/// Nothing of the freeze is the generator's: not its lag, not what was unsent, not the verdict.
fn assert_generator_is_innocent(result: &RunResult, freeze: f64) {
    let lag = quantile(&delivery(result).lag_us, 0.99);
    assert!(lag < freeze * 0.1, "lag p99 is {lag} s in a freeze of {freeze} s");
    assert_eq!(unsent(result), 0);
    // A machine may starve three runs on end, and the verdict then says so; the freeze would show as nine tenths of itself.
    for evidence in result.verdict.evidence.iter().filter(|e| e.state == VerdictState::GeneratorLimited) {
        let blamed = evidence.unit == Unit::Micros
            && evidence.observed.finite().is_none_or(|micros| micros / 1e6 > freeze * 0.25);
        assert!(!blamed, "the freeze is laid to the generator: {evidence:#?}");
    }
}

/// Messages of the measured phase that were not started.
fn unsent(result: &RunResult) -> u64 {
    let steady = result.phases.iter().find(|phase| phase.name == "steady").unwrap();
    steady.ledger.message.unsent
}
