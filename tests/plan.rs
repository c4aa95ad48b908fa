//! The plan is a function of profile and seed: never of workers, never of when it is asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use xmpp_bench::activity::{Activity, Features};
use xmpp_bench::plan::{Action, LOGIN_GRACE, Plan};
use xmpp_bench::profile::{Files, Input, Profile};
use xmpp_bench::topology::Topology;
use xmpp_bench::units::Offset;

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &Path) -> Result<String, String> {
        Err(format!("no file {} here", path.display()))
    }
}

const PROFILE: &str = r#"
deadline = "5s"
[target]
url = "loopback:"
domain = "localhost"
[[users]]
name = "phones"
count = 300
jid = "u{n}@{domain}"
password = "p{n}"
contacts = 10
graph = "random"
[[users]]
name = "desktops"
count = 101
contacts = 6
jid = "d{n}@{domain}"
password = "p{n}"
[[phase]]
name = "ramp"
duration = "10s"
users = 401
[[phase]]
name = "steady"
duration = "20s"
measure = true
[[phase]]
name = "peak"
duration = "10s"
measure = true
rate = 3.0
[[activity]]
kind = "message"
rate = "200/s"
arrivals = "poisson"
to = "contact"
[[activity]]
kind = "message"
rate = "30/min per user"
arrivals = "constant"
body = "uniform(24, 400)"
to = "online"
[[activity]]
kind = "ping"
every = "7s"
"#;

fn profile(text: &str) -> Profile<Activity> {
    let input = Input { name: "test.toml".to_owned(), text: text.to_owned(), ..Input::default() };
    Profile::read(&input, &Features, &NoFiles).unwrap_or_else(|problems| panic!("{problems}"))
}

fn plan(seed: u64) -> Arc<Plan> {
    let profile = profile(PROFILE);
    let topology = Arc::new(Topology::new(&profile.groups));
    Arc::new(Plan::new(&profile, topology, seed))
}

/// What one plan, cut into so many ranges, emits: as a set, since ranges run side by side.
fn emitted(plan: &Arc<Plan>, workers: u32) -> Vec<(Offset, u32, Option<u32>, u32, u16)> {
    let users = 401;
    let mut all = Vec::new();
    for worker in 0..workers {
        let mut cursor = plan.cursor(users * worker / workers, users * (worker + 1) / workers);
        let mut last = Offset::ZERO;
        while let Some(Action { at, sender, recipient, size, activity, .. }) = cursor.take_due(Offset::MAX) {
            assert!(last <= at, "a cursor walks in time order");
            last = at;
            all.push((at, sender, recipient, size, activity));
        }
    }
    all.sort_unstable();
    all
}

#[test]
fn one_two_and_four_workers_emit_the_identical_plan() {
    let plan = plan(42);
    let one = emitted(&plan, 1);
    assert!(one.len() > 15_000, "{} actions", one.len());
    assert_eq!(one, emitted(&plan, 2));
    assert_eq!(one, emitted(&plan, 4));
    assert_eq!(one, emitted(&plan, 13), "however unevenly the users divide");
}

#[test]
fn another_seed_is_another_plan_with_the_same_load() {
    let (one, other) = (emitted(&plan(1), 1), emitted(&plan(2), 1));
    assert_ne!(one, other);
    let difference = one.len().abs_diff(other.len());
    assert!(
        difference < 600,
        "{} and {} actions: Poisson counts differ by their root",
        one.len(),
        other.len()
    );
}

#[test]
fn asking_late_loses_nothing() {
    let plan = plan(7);
    let mut cursor = plan.cursor(0, 401);
    let mut late = Vec::new();
    for second in [3, 4, 20, 41] {
        while let Some(action) = cursor.take_due(Offset::from_secs_f64(f64::from(second))) {
            late.push(action.at);
        }
    }
    assert_eq!(late.len(), emitted(&plan, 1).len());
}

#[test]
fn everybody_acts_only_while_planned_online_and_writes_to_somebody_else_who_is() {
    let plan = plan(3);
    let population = plan.population();
    for (at, sender, recipient, size, activity) in emitted(&plan, 1) {
        let online = |user: u32| population.login_at(user).is_some_and(|login| login + LOGIN_GRACE <= at);
        assert!(online(sender), "user {sender} acts at {at}");
        assert!(activity != 2 || recipient.is_none(), "a ping is for the server");
        if let Some(recipient) = recipient {
            assert!(online(recipient) && recipient != sender, "{sender} writes to {recipient} at {at}");
            assert!((24..=65_536).contains(&size));
        }
    }
}

#[test]
fn rates_follow_the_phases() {
    let plan = plan(11);
    let mut per_phase: BTreeMap<(u16, &str), u32> = BTreeMap::new();
    for (at, .., activity) in emitted(&plan, 1) {
        let phase = plan.phases().iter().find(|phase| phase.window.contains(at)).expect("within a phase");
        *per_phase.entry((activity, phase.name.as_str())).or_default() += 1;
    }
    let near = |activity, phase, expected: f64, tolerance: f64| {
        let count = f64::from(per_phase[&(activity, phase)]);
        assert!(
            (count - expected).abs() <= tolerance,
            "activity {activity} in {phase}: {count}, not {expected}"
        );
    };
    near(0, "steady", 4_000.0, 5.0 * 63.0);
    near(0, "peak", 4_000.0, 5.0 * 63.0); // from 1 to 3 times over 10 s: twice the rate for half the time
    near(1, "steady", 401.0 * 0.5 * 20.0, 1.0);
    near(1, "peak", 401.0 * 0.5 * 2.0 * 10.0, 1.0);
    near(2, "steady", 401.0 * 20.0 / 7.0, 8.0); // those who logged in last are counted on a second later
}

#[test]
fn partners_are_spread_evenly() {
    let plan = plan(5);
    let mut received = vec![0u32; 401];
    for (_, _, recipient, _, activity) in emitted(&plan, 1) {
        if let (1, Some(recipient)) = (activity, recipient) {
            received[recipient as usize] += 1;
        }
    }
    let mean = f64::from(received.iter().sum::<u32>()) / 401.0;
    let chi_square: f64 = received.iter().map(|&count| (f64::from(count) - mean).powi(2) / mean).sum();
    // 400 degrees of freedom: mean 400, standard deviation 28; users of the ramp's end get a little less.
    assert!((250.0..600.0).contains(&chi_square), "chi square {chi_square}");
}
