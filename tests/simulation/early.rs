//! Runs that end before their plan does, in virtual time: judged by what was before that, and by nothing after it.

use std::time::Duration;

use xmpp_bench::engine::verdict::{self, PhaseObservation};
use xmpp_bench::results::VerdictState;
use xmpp_bench::units::Offset;

use crate::world::World;
use crate::{ACTIVITIES, profile_with};

/// Ten minutes measured from the sixth second on, of which a run that ends early sees little.
fn long_profile() -> String {
    let long = profile_with(ACTIVITIES).replace("duration = \"30s\"", "duration = \"600s\"");
    long.replace("deadline = \"5s\"", "deadline = \"30s\"")
}

fn seen(world: &World, until: Offset) -> PhaseObservation {
    let mut seen = world.folded.observations(until);
    assert_eq!(seen.len(), 1, "{seen:?}");
    seen.remove(0)
}

#[test]
fn turns_after_a_run_was_ended_early_are_not_its_phases() {
    let mut world = World::new(&long_profile(), |_| {});
    world.turn_length = Duration::from_micros(50);
    let until = Offset::from_secs_f64(12.0);
    world.run_until(until);
    let before = seen(&world, until);
    assert!(before.busy_max > 0.0 && before.busy_max < 0.3, "{}", before.busy_max);
    // Whoever waits and whoever leaves takes long turns: everybody's streams are closed in one.
    world.turn_length = Duration::from_millis(200);
    world.finish(Duration::from_secs(5));
    let after = seen(&world, until);
    assert_eq!(after.turn_p99, before.turn_p99);
    // What it did in the very instant in which it was told to stop is reported after it.
    assert!(after.busy_max - before.busy_max < 0.001, "{} after {}", after.busy_max, before.busy_max);
    let workers = world.folded.workers(std::slice::from_ref(&(0..40)), until);
    let steady = workers.iter().find(|worker| worker.phase == "steady").expect("it was reached");
    assert!(steady.busy <= 1.0 && steady.turn_max_us == 50, "{steady:?}");
}

/// The server stands still from the eighth second to the thirtieth; its users' run ends in the eighteenth, for its backlog.
#[test]
fn a_run_that_was_ended_for_its_backlog_is_convicted_of_it() {
    let mut world =
        World::new(&long_profile(), |server| server.faults = "freeze=22s@8s".parse().expect("valid faults"));
    let until = Offset::from_secs_f64(18.0);
    world.run_until(until);
    world.finish(Duration::from_secs(30));
    let seen = seen(&world, until);
    assert_eq!(seen.backlog.len(), 12, "one for each second before the end");
    assert!(seen.backlog[11] > 1_500.0, "{:?}", seen.backlog);
    let verdict = verdict::judge(false, &[seen]);
    let slope = verdict.evidence.iter().find(|evidence| evidence.predicate == "backlog slope");
    assert_eq!(slope.map(|evidence| evidence.state), Some(VerdictState::ServerLimited), "{slope:?}");
}
