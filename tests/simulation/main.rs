//! The truth, in virtual time: what the tool says of a run against what the embedded server really did.

mod broadcasts;
mod early;
mod tide;
mod world;

use std::time::Duration;

use world::{LATENCY, World};
use xmpp_bench::results::Histogram;
use xmpp_bench::sample::{LedgerCounts, Outcome, TokenKind};
use xmpp_bench::server::truth::{Action, CopyLine, Line};
use xmpp_bench::units::{Offset, Quantile};
use xmpp_bench::xmpp::Offered;

const HEAD: &str = r#"
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
name = "settle"
duration = "2s"
[[phase]]
name = "steady"
duration = "30s"
measure = true
"#;

const ACTIVITIES: &str = r#"
[[activity]]
kind = "message"
rate = "200/s"
[[activity]]
kind = "ping"
every = "5s"
"#;

/// A profile of 40 users who do this.
fn profile_with(activities: &str) -> String {
    format!("{HEAD}{activities}")
}

fn run(faults: &str) -> (World, LedgerCounts) {
    let mut world =
        World::new(&profile_with(ACTIVITIES), |server| server.faults = faults.parse().expect("valid faults"));
    world.run_until(Offset::from_secs_f64(36.0));
    let counts = world.finish(Duration::from_secs(5));
    (world, counts)
}

fn copies(world: &World) -> Vec<&CopyLine> {
    let lines = world.truth.iter();
    lines.filter_map(|line| if let Line::Copy(copy) = line { Some(copy) } else { None }).collect()
}

fn truth_count(world: &World, action: Action) -> u64 {
    let all = copies(world);
    all.iter().filter(|copy| copy.action == action && copy.token.kind == TokenKind::Message).count() as u64
}

/// Response times as the tool has them, and as they follow from the server's own account and the link.
fn response_times(world: &World) -> (Histogram, Histogram) {
    let (mut measured, mut true_times) = (Histogram::new(), Histogram::new());
    let message = world.operation("message.delivery");
    for sample in &world.samples {
        if let (Some(instants), true) = (sample.instants, sample.operation == message) {
            measured.record_nanos(instants.response_nanos());
        }
    }
    for copy in copies(world) {
        let first = matches!(copy.action, Action::Delivered | Action::Reordered);
        if let (true, Some(written)) = (first && copy.token.kind == TokenKind::Message, copy.written_ns) {
            let done = Offset::from_nanos(written) + LATENCY;
            true_times.record_nanos(done.signed_nanos_since(copy.token.intended));
        }
    }
    (measured, true_times)
}

#[test]
fn without_faults_everything_arrives_after_exactly_two_link_latencies() {
    let (world, counts) = run("");
    assert!(counts.expected > 5_500, "{counts:?}");
    let expected = counts.expected;
    assert_eq!(counts, LedgerCounts { expected, delivered: expected, ..Default::default() });
    for sample in &world.samples {
        if let Some(instants) = sample.instants {
            assert_eq!((instants.lag_nanos(), instants.blocked_nanos()), (0, 0));
        }
    }
    let (measured, _) = response_times(&world);
    assert_eq!((measured.min(), measured.max()), (Some(200), Some(200)));
}

#[test]
fn every_login_and_every_ping_is_accounted_for() {
    let (world, _) = run("");
    let (login, echo) = ("login", "presence.echo");
    assert_eq!(world.ended(login, Outcome::Ok), 40);
    assert_eq!(world.ended(echo, Outcome::Ok), 40);
    let pings = world.ended("ping", Outcome::Ok);
    // Periodic pings of users that are counted on from a second after their login: 40 users, every 5 s, for 36 s less
    // what the ramp takes.
    assert!((230..=288).contains(&pings), "{pings} pings");
}

#[test]
fn what_the_server_is_is_asked_once_and_heard_once() {
    let mut world = World::new(&profile_with(ACTIVITIES), |_| ());
    world.run_until(Offset::from_secs_f64(8.0));
    let names = |world: &World| world.software.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
    assert_eq!((world.questions.len(), names(&world)), (1, vec!["xmpp-bench embedded server".to_owned()]));
    // A server that says it again and again, to anybody, has said it.
    for number in 0..1_000 {
        let query = format!("<query xmlns='jabber:iq:version'><name>{number}</name></query>");
        world.say_to(number % 40, &format!("<iq type='result' id='version' from='localhost'>{query}</iq>"));
    }
    world.run_until(Offset::from_secs_f64(36.0));
    assert_eq!((world.questions.len(), world.software.len()), (1, 1));
    let counts = world.finish(Duration::from_secs(5));
    assert!(counts.expected > 5_000 && counts.delivered == counts.expected, "{counts:?}");
}

/// Until somebody has asked what the server is and the answer is on its way; when that was.
fn run_until_asked(world: &mut World) -> Offset {
    let mut at = Offset::ZERO;
    while world.questions.is_empty() {
        at = at + LATENCY / 10;
        assert!(at < Offset::from_secs_f64(8.0), "nobody asks");
        world.run_until(at);
    }
    at
}

/// Before the server has answered: another user's word, an answer to another question, one that names nothing, and its own, which
/// need not say whom it is from (RFC 6120 section 8.1.2.1).
#[test]
fn what_the_server_is_is_heard_of_itself_alone() {
    let mut world = World::new(&profile_with(ACTIVITIES), |_| ());
    run_until_asked(&mut world);
    let says = |world: &mut World, head: &str, name: &str| {
        let query = format!("<query xmlns='jabber:iq:version'><name>{name}</name></query>");
        let asker = world.questions[0];
        world.say_to(asker, &format!("<iq type='result' {head}>{query}</iq>"));
    };
    says(&mut world, "id='version' from='u7@localhost/x'", "another user");
    says(&mut world, "id='other' from='localhost'", "another question");
    says(&mut world, "id='version'", "");
    says(&mut world, "id='version'", "itself");
    world.run_until(Offset::from_secs_f64(8.0));
    let names: Vec<&str> = world.software.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["itself"]);
}

#[test]
fn every_stanza_of_the_users_is_counted_once() {
    let (world, _) = run("");
    let counted: u64 =
        world.last.as_ref().expect("a last report").stanzas.iter().map(|one| one.written).sum();
    assert!(counted > 5_000, "{counted}");
    assert_eq!(counted, world.stanzas);
}

#[test]
fn one_user_looks_what_is_offered_and_another_goes_on_where_its_session_ends_first() {
    let mut world = World::new(&profile_with(ACTIVITIES), |_| ());
    let at = run_until_asked(&mut world);
    // The answer is on its way; whoever is there, the one who asked among them, is sent off before it comes.
    (0..40).for_each(|user| world.say_to(user, "</stream:stream>"));
    world.run_until(at + LATENCY * 3);
    assert_eq!((world.questions.len(), world.software.len()), (1, 0));
    world.run_until(Offset::from_secs_f64(8.0));
    assert_eq!((world.questions.len(), world.software.len()), (2, 1));
    // Once it is known nobody asks again, whoever comes and goes.
    (0..40).for_each(|user| world.say_to(user, "</stream:stream>"));
    world.run_until(Offset::from_secs_f64(20.0));
    assert_eq!((world.questions.len(), world.software.len()), (2, 1));
    assert!(world.offered.len() <= 4, "a few look, and they do it once: {:?}", world.offered);
    let mut all = Offered::default();
    world.offered.drain(..).for_each(|offered| all.add(offered));
    assert_eq!(all.mechanisms.first().map(String::as_str), Some("SCRAM-SHA-256"), "{all:?}");
    let bind = "urn:ietf:params:xml:ns:xmpp-bind";
    assert!(all.namespaces.contains(bind) && !all.namespaces.contains(""), "{all:?}");
}

#[test]
fn the_ledger_equals_the_truth_and_so_does_every_percentile() {
    let faults = "delay=5ms,loss=1%,duplicate=0.5%,reorder=1%";
    let (world, counts) = run(faults);
    let truth = LedgerCounts {
        expected: truth_count(&world, Action::Delivered)
            + truth_count(&world, Action::Reordered)
            + truth_count(&world, Action::Dropped),
        delivered: truth_count(&world, Action::Delivered) + truth_count(&world, Action::Reordered),
        lost: truth_count(&world, Action::Dropped),
        reordered: truth_count(&world, Action::Reordered),
        duplicated: truth_count(&world, Action::Duplicated),
        late: counts.late,
        ..Default::default()
    };
    assert!(truth.lost > 20 && truth.duplicated > 10 && truth.reordered > 0, "{truth:?}");
    assert_eq!(counts, truth);
    let (measured, true_times) = response_times(&world);
    assert_eq!(measured, true_times, "every bucket");
    for quantile in [Quantile::P50, Quantile::P90, Quantile::P99] {
        assert_eq!(measured.quantile(quantile), true_times.quantile(quantile));
    }
}

#[test]
fn sessions_cut_without_notice_leave_nothing_unexplained() {
    let (world, counts) = run("delay=200ms,cut=30%@15s");
    let cut = world.truth.iter().filter(|line| matches!(line, Line::Cut(_))).count();
    assert_eq!(cut, 12);
    assert_eq!(counts.lost, 0, "{counts:?}");
    assert!(counts.is_balanced() && counts.indeterminate > 0 && counts.unsent > 0, "{counts:?}");
    assert_eq!(world.ended("login", Outcome::Ok), 40 + cut, "everybody who was cut came back");
}

/// Sessions are cut while very much is on its way to them: the server sends back what it can't deliver, and that is no failure of its.
#[test]
fn what_comes_back_because_its_recipient_was_just_cut_is_in_doubt_and_has_not_failed() {
    let text = HEAD
        .replace("duration = \"2s\"", "duration = \"500ms\"")
        .replace("duration = \"30s\"", "duration = \"500ms\"");
    let text = format!("{text}{}", ACTIVITIES.replace("200/s", "30000/s"));
    let mut world = World::new(&text, |server| server.faults = "cut=30%@4.7s".parse().expect("valid faults"));
    world.run_until(Offset::from_secs_f64(5.0));
    let counts = world.finish(Duration::from_secs(5));
    assert!(counts.is_balanced() && counts.indeterminate > 0, "{counts:?}");
    assert_eq!((counts.failed, counts.lost), (0, 0), "{counts:?}");
}
