//! The plan is a function of profile and seed: never of workers, never of when it is asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use xmpp_bench::activity::{Activity, Features};
use xmpp_bench::plan::{Action, LOGIN_GRACE, Plan, To};
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
        while let Some(action) = cursor.take_due(Offset::MAX) {
            let Action { at, sender, size, activity, .. } = action;
            assert!(last <= at, "a cursor walks in time order");
            last = at;
            all.push((at, sender, action.recipient(), size, activity));
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
        let online =
            |user: u32| population.stay_of(user, at).is_some_and(|stay| stay.login + LOGIN_GRACE <= at);
        assert!(online(sender), "user {sender} acts at {at}");
        assert!(activity != 2 || recipient.is_none(), "a ping is for the server");
        if let Some(recipient) = recipient {
            assert!(online(recipient) && recipient != sender, "{sender} writes to {recipient} at {at}");
            assert!((24..=65_536).contains(&size));
        }
    }
}

/// A day of comings and goings: everything that depends on who is away.
const BUSY: &str = r#"
deadline = "5s"
[target]
url = "loopback:"
domain = "localhost"
[[users]]
count = 300
jid = "u{n}@{domain}"
password = "p{n}"
contacts = 10
[[phase]]
name = "ramp"
duration = "5s"
users = 300
[[phase]]
name = "steady"
duration = "60s"
measure = true
[[activity]]
kind = "message"
rate = "100/s"
to = "contact"
[[activity]]
kind = "message"
rate = "100/s"
to = "online"
[[activity]]
kind = "presence"
rate = "10/s"
[[activity]]
kind = "groupchat"
rate = "50/s"
rooms = 20
occupants = "zipf(0.8, 60)"
join = "steady"
join_rate = "20/s"
[[activity]]
kind = "churn"
rate = "5/s"
away = "uniform(2s, 8s)"
cut = "30%"
[[activity]]
kind = "churn"
session = "exponential(30s)"
away = "3s"
"#;

fn busy(seed: u64, workers: u32) -> Vec<Action> {
    actions(&plan_of(BUSY, seed), workers)
}

fn plan_of(text: &str, seed: u64) -> Arc<Plan> {
    let profile = profile(text);
    let topology = Arc::new(Topology::new(&profile.groups));
    Arc::new(Plan::new(&profile, topology, seed))
}

fn actions(plan: &Arc<Plan>, workers: u32) -> Vec<Action> {
    let mut all = Vec::new();
    for worker in 0..workers {
        let mut cursor = plan.cursor(300 * worker / workers, 300 * (worker + 1) / workers);
        all.extend(std::iter::from_fn(|| cursor.take_due(Offset::MAX)));
    }
    all.sort_by_key(|action| (action.at, action.activity, action.number));
    all
}

#[test]
fn with_sessions_coming_and_going_all_workers_still_emit_the_identical_plan() {
    let one = busy(42, 1);
    assert!(one.len() > 15_000, "{} actions", one.len());
    for workers in [2, 4, 13] {
        assert!(one == busy(42, workers), "{workers} workers plan something else");
    }
}

#[test]
fn nobody_away_acts_or_is_written_to_and_whoever_is_in_no_room_yet_is_silent_there() {
    let mut back = BTreeMap::new();
    let mut kinds = [0u32; 6];
    for action in busy(7, 1) {
        let is_away = |user: u32| back.get(&user).is_some_and(|until| action.at < *until);
        kinds[usize::from(action.activity)] += 1;
        assert!(!is_away(action.sender), "user {} acts at {} while away", action.sender, action.at);
        assert!(!action.recipient().is_some_and(is_away), "{action:?} is for somebody who is away");
        match action.to {
            To::Away { until, .. } => {
                let until = until.expect("nobody is planned to log out");
                back.insert(action.sender, until + LOGIN_GRACE);
            }
            To::Room { seat } => {
                let joined = Offset::from_secs_f64(5.0 + f64::from(seat) / 20.0 + 1.0);
                assert!(joined <= action.at, "seat {seat} speaks at {} and joined at {joined}", action.at);
            }
            To::Server | To::User(_) | To::Contacts => {}
        }
    }
    assert!(kinds.iter().all(|&count| count > 100), "each has its share: {kinds:?}");
}

#[test]
fn sessions_end_at_the_rate_and_in_the_manner_that_was_asked() {
    let actions = busy(3, 1);
    let ends = |activity| actions.iter().filter(move |action| action.activity == activity);
    let cut =
        |activity| ends(activity).filter(|action| matches!(action.to, To::Away { cut: true, .. })).count();
    let by_rate = ends(4).count() as f64;
    assert!((by_rate - 312.0).abs() < 5.0 * 18.0, "5/s over 60 s and half of that over the ramp: {by_rate}");
    assert!((cut(4) as f64 / by_rate - 0.3).abs() < 0.12, "{} of {by_rate} cut", cut(4));
    assert_eq!(cut(5), 0);
    // 300 users on for 30 s and away for 3 s, a second of grace at each beginning apart: 300/33 a second.
    let by_length = ends(5).count() as f64;
    assert!((400.0..650.0).contains(&by_length), "{by_length} ends of sessions of 30 s");
}

/// The same on a day that has an evening: users log out, and some of them in again.
fn tide() -> String {
    let evening = r#"
[[phase]]
name = "evening"
duration = "20s"
users = 60
[[phase]]
name = "night"
duration = "10s"
[[phase]]
name = "morning"
duration = "10s"
users = 200
measure = true
"#;
    BUSY.replacen("[[activity]]", &format!("{evening}[[activity]]"), 1)
}

#[test]
fn with_users_logging_out_and_in_again_all_workers_still_emit_the_identical_plan() {
    let plan = plan_of(&tide(), 42);
    let one = actions(&plan, 1);
    for workers in [2, 4, 13] {
        assert!(one == actions(&plan, workers), "{workers} workers plan something else");
    }
}

#[test]
fn nobody_logged_out_acts_or_is_written_to_and_nobody_comes_back_before_its_next_login() {
    let plan = plan_of(&tide(), 7);
    let population = plan.population();
    assert_eq!(population.logins_of(0, 300).len(), 300 + 140);
    assert_eq!(population.logouts_of(0, 300).len(), 240);
    let (mut kinds, mut without_return) = ([0u32; 6], 0);
    for action in actions(&plan, 1).into_iter().filter(|action| action.at > Offset::from_secs_f64(66.0)) {
        kinds[usize::from(action.activity)] += 1;
        let online =
            |user| population.stay_of(user, action.at).filter(|stay| stay.login + LOGIN_GRACE <= action.at);
        let stay = online(action.sender).unwrap_or_else(|| panic!("{action:?} by somebody logged out"));
        assert!(
            action.recipient().is_none_or(|to| online(to).is_some()),
            "{action:?} for somebody logged out"
        );
        if let To::Away { until, .. } = action.to {
            assert!(until.is_none_or(|until| stay.contains(until)), "{action:?} outlasts {stay:?}");
            without_return += u32::from(until.is_none());
        }
    }
    assert!(kinds.iter().all(|&count| count > 30), "each has its share: {kinds:?}");
    assert!(without_return > 5, "{without_return} went away and were logged out before their return");
}

#[test]
fn what_crosses_is_counted_on_both_sides() {
    let crossing = PROFILE.replacen("users = 401", "users = { phones = 300 }", 1).replacen(
        "duration = \"20s\"",
        "duration = \"20s\"\nusers = { phones = 100, desktops = 101 }",
        1,
    );
    let plan = plan_of(&crossing, 1);
    let population = plan.population();
    let at = Offset::from_secs_f64;
    assert_eq!(population.turns_within(at(0.0), at(10.0)), (300, 0));
    assert_eq!(population.turns_within(at(10.0), at(30.0)), (101, 200));
    // Some phones may still be closing while the last desktops connect.
    assert_eq!(population.connections_at_once(plan.phases()), 401);
}

#[test]
fn where_nobody_is_online_nothing_is_planned_and_nothing_expected() {
    let night = tide().replace("users = 60", "users = 0");
    let plan = plan_of(&night, 5);
    let dark = |at: Offset| (Offset::from_secs_f64(85.0)..Offset::from_secs_f64(95.0)).contains(&at);
    for (activity, at) in (0..6).map(|activity| (activity, Offset::from_secs_f64(90.0))) {
        assert!(plan.rate_at(activity, at) < 1e-9, "activity {activity}: {}", plan.rate_at(activity, at));
    }
    assert!(actions(&plan, 1).iter().all(|action| !dark(action.at)));
    assert!(actions(&plan, 3) == actions(&plan, 1));
}

#[test]
fn what_is_per_user_falls_with_the_users() {
    let plan = plan_of(&tide(), 3);
    // Sessions of 30 s and 3 s away, of 300 users and of 60: a fifth as many ends a second.
    let by_length: Vec<Offset> =
        actions(&plan, 1).iter().filter(|it| it.activity == 5).map(|it| it.at).collect();
    let within = |from: f64, to: f64| {
        let (from, to) = (Offset::from_secs_f64(from), Offset::from_secs_f64(to));
        by_length.iter().filter(|&&at| from <= at && at < to).count() as f64 / to.since(from).as_secs_f64()
    };
    let (day, night) = (within(20.0, 65.0), within(85.0, 95.0));
    assert!((6.0..12.0).contains(&day), "{day} a second by day");
    assert!((0.6..3.2).contains(&night), "{night} a second at night");
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
