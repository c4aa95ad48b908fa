//! Users who log out by plan and come back, in virtual time.

use std::time::Duration;

use super::world::{LATENCY, World};
use xmpp_bench::plan::To;
use xmpp_bench::sample::{ErrorClass, Indeterminate, LedgerCounts, LedgerKind, Outcome, Unsent};
use xmpp_bench::units::Offset;

/// Forty users of whom thirty log out, and twenty log in again, while everybody writes, talks and changes presence.
const TIDE: &str = r#"
deadline = "5s"
[target]
url = "loopback:"
domain = "localhost"
tls = "off"
[[users]]
count = 40
jid = "u{n}@{domain}"
password = "p{n}"
auth = ["PLAIN"]
plain_without_tls = true
contacts = 10
[[phase]]
name = "ramp"
duration = "4s"
users = 40
[[phase]]
name = "day"
duration = "10s"
measure = true
[[phase]]
name = "evening"
duration = "10s"
users = 10
[[phase]]
name = "morning"
duration = "10s"
users = 30
[[phase]]
name = "noon"
duration = "5s"
[[activity]]
kind = "message"
rate = "100/s"
to = "online"
[[activity]]
kind = "message"
rate = "100/s"
to = "contact"
[[activity]]
kind = "presence"
rate = "5/s"
[[activity]]
kind = "groupchat"
rate = "20/s"
rooms = 4
occupants = 10
"#;

const CHURN: &str = r#"
[[activity]]
kind = "churn"
session = "exponential(5s)"
away = "exponential(1s)"
cut = "30%"
"#;

fn balanced(world: &World, kinds: &[LedgerKind]) {
    for &kind in kinds {
        let counts = world.ledger(kind);
        let LedgerCounts { expected, lost, failed, misdelivered, duplicated, .. } = counts;
        assert!(counts.is_balanced() && expected > 100, "{kind:?}: {counts:?}");
        assert_eq!((lost, failed, misdelivered, duplicated), (0, 0, 0, 0), "{kind:?}: {counts:?}");
    }
}

const KINDS: &[LedgerKind] = &[LedgerKind::Message, LedgerKind::Presence, LedgerKind::Groupchat];

#[test]
fn users_log_out_in_good_order_and_come_back_and_nothing_is_lost() {
    let mut world = World::new(TIDE, |_| {});
    world.run_until(Offset::from_secs_f64(24.0));
    assert_eq!(world.last.as_ref().map(|report| report.online), Some(10), "thirty are out");
    world.run_until(Offset::from_secs_f64(39.0));
    assert_eq!(world.last.as_ref().map(|report| report.online), Some(30), "and twenty are back");
    world.finish(Duration::from_secs(5));
    assert_eq!(world.ended("login", Outcome::Ok), 40 + 20);
    assert_eq!(world.ended("logout", Outcome::Ok), 30);
    let logout = world.operation("logout");
    for sample in world.samples.iter().filter(|sample| sample.operation == logout) {
        let response = sample.instants.map(|instants| instants.response_nanos());
        assert_eq!(response, Some(2 * LATENCY.as_nanos() as i64), "there and back");
    }
    balanced(&world, KINDS);
}

#[test]
fn with_sessions_ending_of_themselves_too_nobody_is_logged_out_twice_or_comes_back_too_soon() {
    let mut world = World::new(&format!("{TIDE}{CHURN}"), |_| {});
    world.run_until(Offset::from_secs_f64(24.0));
    let online = world.last.as_ref().map_or(0, |report| report.online);
    assert!((1..=10).contains(&online), "{online} online of the ten who stay");
    world.run_until(Offset::from_secs_f64(39.0));
    world.finish(Duration::from_secs(5));
    balanced(&world, KINDS);
    let (plan, churn) = (world.plan(), 4);
    let mut cursor = plan.cursor(0, 40);
    let (mut returns, mut gone) = (0, 0);
    while let Some(action) = cursor.take_due(Offset::MAX) {
        if let (To::Away { until, .. }, true) = (action.to, action.activity == churn) {
            returns += usize::from(until.is_some_and(|until| until < plan.end()));
            gone += usize::from(until.is_none());
        }
    }
    let (ok, offline) =
        (world.ended("logout", Outcome::Ok), world.ended("logout", Outcome::Unsent(Unsent::SenderOffline)));
    assert!(gone > 0 && returns > 50, "{gone} gone, {returns} returns");
    assert_eq!(ok + offline + gone, 30, "{ok} logged out, {offline} not there, {gone} gone before");
    // Who is not there at its logout was on its way back.
    let broken_off = world.ended("login", Outcome::Indeterminate(Indeterminate::SenderStream));
    assert_eq!(world.ended("login", Outcome::Ok) + broken_off, 40 + 20 + returns, "{broken_off} broken off");
    assert_eq!(world.ended("churn.close", Outcome::Timeout), 0);
}

#[test]
fn a_night_without_anybody_is_quiet_and_the_morning_after_is_like_any() {
    let night = TIDE.replace("users = 10\n", "users = 0\n");
    let mut world = World::new(&night, |_| {});
    world.run_until(Offset::from_secs_f64(24.0));
    assert_eq!(world.last.as_ref().map(|report| report.online), Some(0));
    world.run_until(Offset::from_secs_f64(39.0));
    assert_eq!(world.last.as_ref().map(|report| report.online), Some(30));
    world.finish(Duration::from_secs(5));
    assert_eq!(world.ended("logout", Outcome::Ok), 40);
    assert_eq!(world.ended("login", Outcome::Ok), 40 + 30);
    // Rooms went with their last occupants, and are made anew before anybody else comes in.
    assert_eq!(world.ended("groupchat.join", Outcome::Failed(ErrorClass::Server)), 0);
    assert!(world.ended("groupchat.create", Outcome::Ok) >= 8, "each of four rooms, by day and by day");
    balanced(&world, KINDS);
}

#[test]
fn a_login_that_hangs_at_its_logout_has_timed_out_and_is_not_left_out() {
    let mut world = World::new(TIDE, |_| {});
    world.is_mute = true;
    world.run_until(Offset::from_secs_f64(39.0));
    world.finish(Duration::from_secs(5));
    // The last to come in the morning have not waited for the deadline of 5 s when the run ends: they drain.
    assert_eq!(world.ended("login", Outcome::Timeout), 40 + 20);
    assert_eq!(world.ended("logout", Outcome::Unsent(Unsent::SenderOffline)), 30);
}

#[test]
fn a_room_message_that_could_not_be_sent_counts_wherever_it_would_have_been_measured() {
    // Half of them cut at once: who is picked to talk then is not there.
    let mut world = World::new(TIDE, |server| server.faults = "cut=50%@10s".parse().expect("a valid fault"));
    world.run_until(Offset::from_secs_f64(39.0));
    world.finish(Duration::from_secs(5));
    let unsent = |name: &str| {
        let operation = world.operation(name);
        let own = world.samples.iter().filter(|sample| sample.operation == operation);
        own.filter(|sample| matches!(sample.outcome, Outcome::Unsent(_))).count()
    };
    assert!(unsent("groupchat.delivery") > 5, "{}", unsent("groupchat.delivery"));
    assert_eq!(unsent("groupchat.echo"), unsent("groupchat.delivery"));
    assert_eq!(unsent("groupchat.fanout"), unsent("groupchat.delivery"));
}

#[test]
fn a_server_that_never_closes_its_side_times_out() {
    let mut world = World::new(&format!("{TIDE}{CHURN}"), |_| {});
    world.run_until(Offset::from_secs_f64(13.0));
    let closed_well = world.ended("churn.close", Outcome::Ok);
    assert!(closed_well > 10, "{closed_well}");
    world.never_closes = true;
    world.run_until(Offset::from_secs_f64(39.0));
    world.finish(Duration::from_secs(5));
    assert!(world.ended("logout", Outcome::Timeout) > 10);
    assert_eq!(world.ended("logout", Outcome::Ok), 0);
    assert!(world.ended("churn.close", Outcome::Timeout) > 10);
    // Who waits for its last session in vain is let down by the server, not by us.
    assert!(world.ended("login", Outcome::Unsent(Unsent::LastSession)) > 0);
    assert_eq!(world.ended("login", Outcome::Unsent(Unsent::Stopped)), 0);
    assert_eq!(world.ended("login", Outcome::Unsent(Unsent::LoggedOut)), 0);
    // A cut waits for nobody.
    assert!(world.ended("churn.cut", Outcome::Ok) > 5);
    assert_eq!(world.ended("churn.cut", Outcome::Timeout), 0);
}

#[test]
fn a_ceiling_holds_for_those_who_come_back_too() {
    // Half of them cut at once, who try again within a second of each other, and logins by plan and churn beside them.
    let text = format!("{TIDE}{CHURN}").replace("contacts = 10\n", "contacts = 10\nlogin_rate = \"10/s\"\n");
    let mut world = World::new(&text, |server| server.faults = "cut=50%@8s".parse().expect("a valid fault"));
    world.run_until(Offset::from_secs_f64(39.0));
    world.finish(Duration::from_secs(5));
    balanced(&world, KINDS);
    let login = world.operation("login");
    let begun =
        world.samples.iter().filter(|sample| sample.operation == login).filter_map(|sample| sample.instants);
    let mut begun: Vec<_> =
        begun.map(|instants| (instants.offered, instants.offered.since(instants.intended))).collect();
    begun.sort();
    let spacing = Duration::from_millis(100);
    for pair in begun.windows(2) {
        let apart = pair[1].0.since(pair[0].0);
        assert!(apart + Duration::from_micros(1) >= spacing, "{apart:?} apart at {}", pair[0].0);
    }
    let after_the_cut = begun.iter().filter(|(at, _)| (8.0..12.0).contains(&at.as_secs_f64()));
    let (count, held) =
        after_the_cut.fold((0, Duration::ZERO), |(count, most), (_, lag)| (count + 1, most.max(*lag)));
    assert!(count >= 20, "{count} came back");
    assert!(held > spacing * 5, "the wait is their lag: {held:?} at most");
}

#[test]
fn a_room_whose_maker_logs_out_before_it_is_made_is_made_by_another() {
    let text = TIDE
        .replace("duration = \"10s\"\nmeasure = true", "duration = \"2s\"\nmeasure = true")
        .replace("users = 10\n", "users = 0\n")
        .replace("occupants = 10", "occupants = 10\njoin = \"day\"");
    // Rooms are made from 4 s on, unanswered until 9 s; from 6 to 16 s everybody logs out.
    let mut world =
        World::new(&text, |server| server.faults = "freeze=5s@3.9999s".parse().expect("a valid fault"));
    world.run_until(Offset::from_secs_f64(31.0));
    world.finish(Duration::from_secs(5));
    assert_eq!(world.ended("logout", Outcome::Ok), 40);
    // The joins under way ended with their users' streams, and the rooms were made when the first came back.
    assert!(world.ended("groupchat.join", Outcome::Indeterminate(Indeterminate::SenderStream)) > 0);
    assert_eq!(world.ended("groupchat.join", Outcome::Failed(ErrorClass::Server)), 0);
    assert!(world.ended("groupchat.create", Outcome::Ok) >= 4);
    balanced(&world, KINDS);
}
