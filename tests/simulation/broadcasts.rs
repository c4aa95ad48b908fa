//! Presence and rooms against the truth: every copy of every broadcast, with faults, and with sessions that come and go.

use std::time::Duration;

use xmpp_bench::sample::{ErrorClass, Indeterminate, LedgerCounts, LedgerKind, Outcome, TokenKind, Unsent};
use xmpp_bench::server::truth::{Action, CopyLine};
use xmpp_bench::units::Offset;

use crate::world::World;
use crate::{copies, profile_with};

const ACTIVITIES: &str = r#"
[[activity]]
kind = "presence"
rate = "20/s"
[[activity]]
kind = "groupchat"
rate = "30/s"
rooms = 2
occupants = 20
[[activity]]
kind = "message"
rate = "50/s"
"#;

const CHURN: &str = r#"
[[activity]]
kind = "churn"
rate = "2/s"
away = "uniform(100ms, 2s)"
cut = "50%"
"#;

fn run(activities: &[&str], faults: &str) -> World {
    let text = profile_with(&activities.concat());
    let mut world = World::new(&text, |server| server.faults = faults.parse().expect("valid faults"));
    world.run_until(Offset::from_secs_f64(36.0));
    world.finish(Duration::from_secs(5));
    world
}

/// What the server did, by kind of stanza. One's own presence is owed to nobody; a room's message is owed to its sender too.
fn truth(world: &World, kind: TokenKind) -> LedgerCounts {
    let is_own =
        |copy: &CopyLine| copy.to.split('/').next() == Some(copy.from.split('/').next().unwrap_or(""));
    let owed = |copy: &&&CopyLine| copy.token.kind == kind && (kind == TokenKind::Groupchat || !is_own(copy));
    let all = copies(world);
    let count = |action: Action| all.iter().filter(owed).filter(|copy| copy.action == action).count() as u64;
    let (delivered, dropped) = (count(Action::Delivered) + count(Action::Reordered), count(Action::Dropped));
    LedgerCounts {
        expected: delivered + dropped,
        delivered,
        lost: dropped,
        reordered: count(Action::Reordered),
        duplicated: count(Action::Duplicated),
        ..LedgerCounts::default()
    }
}

/// Whoever logs in is shown its contacts' last presence: in the ramp that happens to many, and in rooms never.
fn replayed_at_login(kind: LedgerKind, counts: &LedgerCounts) -> u64 {
    assert_eq!(kind == LedgerKind::Presence, counts.replayed > 0, "{kind:?}: {counts:?}");
    counts.replayed
}

#[test]
fn without_faults_every_copy_comes_and_rooms_keep_their_order() {
    let world = run(&[ACTIVITIES], "");
    for (ledger, token) in
        [(LedgerKind::Presence, TokenKind::Presence), (LedgerKind::Groupchat, TokenKind::Groupchat)]
    {
        let counts = world.ledger(ledger);
        assert!(counts.expected > 3_000, "{ledger:?}: {counts:?}");
        let unsent = counts.unsent;
        let replayed = replayed_at_login(ledger, &counts);
        assert_eq!(counts, LedgerCounts { unsent, replayed, ..truth(&world, token) }, "{ledger:?}");
    }
    let orders = &world.last.as_ref().expect("a last report").room_orders;
    assert!(orders.len() == 40, "{} occupants", orders.len());
    for place in orders.iter().map(|seen| seen.place) {
        let room: Vec<_> = orders.iter().filter(|seen| seen.place == place && !seen.broken).collect();
        let most = room.iter().map(|seen| seen.count).max();
        let whole: Vec<_> = room.iter().filter(|seen| Some(seen.count) == most).collect();
        assert!(whole.len() > 1 && whole.windows(2).all(|two| two[0].digest == two[1].digest), "{room:?}");
    }
}

#[test]
fn the_accounts_of_presence_and_rooms_equal_the_truth_copy_by_copy() {
    let world = run(&[ACTIVITIES], "delay=5ms,loss=1%,duplicate=0.5%,reorder=1%");
    for (ledger, token) in
        [(LedgerKind::Presence, TokenKind::Presence), (LedgerKind::Groupchat, TokenKind::Groupchat)]
    {
        let counts = world.ledger(ledger);
        let truth = truth(&world, token);
        assert!(truth.lost > 20 && truth.duplicated > 5, "{ledger:?}: {truth:?}");
        let (unsent, late, replayed) = (counts.unsent, counts.late, replayed_at_login(ledger, &counts));
        assert_eq!(counts, LedgerCounts { unsent, late, replayed, ..truth }, "{ledger:?}");
    }
}

#[test]
fn rooms_that_lose_copies_are_not_said_to_differ_in_order() {
    let world = run(&[ACTIVITIES], "loss=5%");
    let orders = &world.last.as_ref().expect("a last report").room_orders;
    assert!(orders.iter().any(|seen| seen.count > 0));
    assert!(world.ledger(LedgerKind::Groupchat).lost > 100);
}

/// With nothing but comings and goings, nothing is lost, doubled or out of place: what cannot be told is in doubt by its reason.
#[test]
fn sessions_that_come_and_go_leave_nothing_lost_and_nothing_unexplained() {
    for faults in ["", "delay=200ms"] {
        let world = run(&[ACTIVITIES, CHURN], faults);
        for kind in LedgerKind::ALL {
            let counts = world.ledger(kind);
            let LedgerCounts { expected, delivered, indeterminate, unsent, replayed, stale, .. } = counts;
            let allowed = LedgerCounts {
                expected,
                delivered,
                indeterminate,
                unsent,
                replayed,
                stale,
                ..LedgerCounts::default()
            };
            assert_eq!(counts, allowed, "{kind:?} with {faults:?}");
            assert!(counts.is_balanced() && delivered > 1_000, "{kind:?}: {counts:?}");
            assert!(indeterminate * 10 < expected, "most is known: {kind:?}: {counts:?}");
        }
        let done = |name: &str, before: f64| {
            let operation = world.operation(name);
            let samples =
                world.samples.iter().filter(|s| s.operation == operation && s.outcome == Outcome::Ok);
            samples.filter(|s| s.intended < Offset::from_secs_f64(before)).count()
        };
        let ends = |before: f64| done("churn.close", before) + done("churn.cut", before);
        assert!(done("churn.close", 36.0) > 20 && done("churn.cut", 36.0) > 20);
        let back = done("login", 36.0) - 40;
        assert!(
            back >= ends(34.0),
            "whoever ended two seconds before the end is back: {back}, {}",
            ends(34.0)
        );
        assert!(back <= ends(36.0), "nobody came back who had not gone: {back}, {}", ends(36.0));
    }
}

const JOINS: &str = r#"
[[activity]]
kind = "groupchat"
rate = "30/s"
rooms = 1
occupants = 40
join = "steady"
"#;

/// Presence out of the one room to one of its users, as a server would write it.
fn room_presence(user: u32, kind: &str, content: &str) -> String {
    let room = format!("xb{:06x}-0@conference.localhost", crate::world::RUN);
    format!("<presence from='{room}/u{user}' to='u{user}@localhost' type='{kind}'>{content}</presence>")
}

#[test]
fn whoever_a_room_refuses_is_told_apart_by_who_is_at_fault() {
    const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
    let refusals = [
        (11, "cancel", "conflict", ErrorClass::Server),
        (12, "wait", "service-unavailable", ErrorClass::Server),
        (13, "auth", "forbidden", ErrorClass::Policy),
        (14, "auth", "registration-required", ErrorClass::Server),
        (15, "wait", "resource-constraint", ErrorClass::Throttled),
    ];
    let mut world = World::new(&profile_with(JOINS), |_| {});
    // Everybody joins at 6 s; the server's own answers come two latencies later.
    world.run_until(Offset::from_secs_f64(6.000_05));
    for (user, kind, condition, _) in refusals {
        let error = format!("<error type='{kind}'><{condition} xmlns='{STANZAS}'/></error>");
        world.say_to(user, &room_presence(user, "error", &error));
        // What the server says itself, that they are in, is not heard.
        world.cut_off.insert(user);
    }
    world.run_until(Offset::from_secs_f64(36.0));
    world.finish(Duration::from_secs(5));
    let join = world.operation("groupchat.join");
    for class in [ErrorClass::Server, ErrorClass::Policy, ErrorClass::Throttled] {
        let seen = world
            .samples
            .iter()
            .filter(|s| s.operation == join && s.outcome == Outcome::Failed(class))
            .count();
        assert_eq!(seen, refusals.iter().filter(|refusal| refusal.3 == class).count(), "{class:?}");
    }
    let joined = world.samples.iter().filter(|s| s.operation == join && s.outcome == Outcome::Ok).count();
    assert_eq!(joined, 39 - refusals.len(), "all but the maker of the room and the refused");
    for (_, _, condition, class) in refusals {
        let named = world
            .faults
            .iter()
            .filter(|fault| fault.step == "groupchat.join" && fault.condition == condition);
        assert_eq!(named.map(|fault| fault.class).collect::<Vec<_>>(), [class], "{condition}");
    }
    let not_joined = Outcome::Unsent(Unsent::NotJoined);
    assert!(
        world.samples.iter().any(|s| s.outcome == not_joined),
        "who was refused cannot talk, and that is counted"
    );
}

#[test]
fn whoever_is_put_out_of_a_room_is_owed_nothing_more_there() {
    const KICKED: &str =
        "<x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/><status code='307'/></x>";
    let mut world =
        World::new(&profile_with(JOINS), |server| server.faults = "delay=300ms".parse().expect("valid"));
    world.run_until(Offset::from_secs_f64(20.0));
    world.say_to(17, &room_presence(17, "unavailable", KICKED));
    world.run_until(Offset::from_secs_f64(36.0));
    world.finish(Duration::from_secs(5));
    let counts = world.ledger(LedgerKind::Groupchat);
    let doubtful = Outcome::Indeterminate(Indeterminate::RecipientStay);
    let delivery = world.operation("groupchat.delivery");
    let in_doubt =
        world.samples.iter().filter(|s| s.operation == delivery && s.outcome == doubtful).count() as u64;
    // Some 9 messages of 30 a second are on their way to it, 300 ms long.
    assert!((1..=20).contains(&in_doubt) && counts.indeterminate >= in_doubt, "{in_doubt}: {counts:?}");
    assert_eq!((counts.lost, counts.failed, counts.duplicated), (0, 0, 0), "{counts:?}");
    assert!(counts.unsent > 0, "it cannot talk any more: {counts:?}");
}

/// How joins ended, and when each was intended.
fn joins(world: &World) -> Vec<(Outcome, Offset)> {
    let join = world.operation("groupchat.join");
    let own = world.samples.iter().filter(|sample| sample.operation == join);
    own.map(|sample| (sample.outcome, sample.intended)).collect()
}

/// The storm that a join phase is for: the server has no time for it, answers late, and the rooms work all the same.
#[test]
fn joins_answered_after_the_deadline_are_late_and_their_users_are_in_the_room() {
    let world = run(&[JOINS], "freeze=7s@5.9s");
    let joins = joins(&world);
    assert_eq!(joins.len(), 39, "all but the maker of the room");
    for join in joins {
        assert_eq!(join, (Outcome::Late, Offset::from_secs_f64(6.0)));
    }
    let counts = world.ledger(LedgerKind::Groupchat);
    assert!(counts.is_balanced() && counts.expected > 10_000, "everybody hears everybody: {counts:?}");
    assert_eq!((counts.misdelivered, counts.lost, counts.duplicated), (0, 0, 0), "{counts:?}");
}

/// Whoever is not there when its join is planned is counted then, and joins when it is back.
#[test]
fn joins_planned_for_users_who_are_not_there_are_counted_when_they_are_planned() {
    let world = run(&[JOINS], "cut=100%@5.9s");
    let (planned, back): (Vec<_>, Vec<_>) =
        joins(&world).into_iter().partition(|(_, intended)| *intended == Offset::from_secs_f64(6.0));
    assert_eq!(planned.len(), 39, "all but the maker of the room, who had been in it");
    assert!(planned.iter().all(|(outcome, _)| *outcome == Outcome::Unsent(Unsent::SenderOffline)));
    assert_eq!(back.len(), 39, "one of them makes the room anew: {back:?}");
    assert!(back.iter().all(|(outcome, _)| *outcome == Outcome::Ok), "{back:?}");
    assert_eq!(world.ended("groupchat.create", Outcome::Ok), 2);
}

/// Whoever waits for a room joins when it is open, and not when it happens to look.
#[test]
fn a_room_that_takes_long_to_be_made_is_joined_as_soon_as_it_is_open() {
    const CREATED: &str =
        "<x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/><status code='201'/></x>";
    let text = profile_with(&JOINS.replace("join = \"steady\"\n", ""));
    let create = |world: &World| {
        let operation = world.operation("groupchat.create");
        let mut own = world.samples.iter().filter(|sample| sample.operation == operation);
        own.find_map(|sample| sample.instants).expect("the room was made")
    };
    let mut quick = World::new(&text, |_| {});
    quick.run_until(Offset::from_secs_f64(10.0));
    let begun = create(&quick).offered;
    let maker = quick.plan().population().logins_of(0, 40)[0].1;

    let mut world = World::new(&text, |_| {});
    world.run_until(begun);
    world.cut_off.insert(maker);
    world.run_until(begun + Duration::from_secs(3));
    world.cut_off.clear();
    world.say_to(maker, &room_presence(maker, "available", CREATED).replace(" type='available'", ""));
    world.run_until(Offset::from_secs_f64(36.0));
    world.finish(Duration::from_secs(5));
    let opened = create(&world).done;
    assert!(opened > begun + Duration::from_secs(3));
    let join = world.operation("groupchat.join");
    let joins = world.samples.iter().filter(|sample| sample.operation == join);
    let waited: Vec<_> =
        joins.filter_map(|join| join.instants).filter(|join| join.intended < opened).collect();
    assert!(waited.len() > 20, "{} waited", waited.len());
    assert!(waited.iter().all(|join| join.offered == opened), "opened at {opened}: {waited:?}");
}

/// What was not sent weighs as much as what was: a third of the senders gone is a third of the copies, in whatever is a share.
#[test]
fn a_broadcast_that_was_not_sent_is_as_many_attempts_as_it_would_have_owed_copies() {
    const FLOOD: &str = r#"
[[activity]]
kind = "presence"
rate = "100/s"
[[activity]]
kind = "groupchat"
rate = "100/s"
rooms = 2
occupants = 20
"#;
    let mut world = World::new(&profile_with(FLOOD), |server| {
        server.faults = "cut=30%@10s".parse().expect("valid");
    });
    world.run_until(Offset::from_secs_f64(10.4));
    // Nobody is back within half a second; whoever was cut is picked nevertheless.
    world.finish(Duration::from_secs(5));
    for (name, kind) in
        [("presence.delivery", LedgerKind::Presence), ("groupchat.delivery", LedgerKind::Groupchat)]
    {
        let operation = world.operation(name);
        let after = Offset::from_secs_f64(10.001);
        let own = world.samples.iter().filter(|s| s.operation == operation && s.intended >= after);
        let (unsent, begun): (Vec<_>, Vec<_>) = own.partition(|s| matches!(s.outcome, Outcome::Unsent(_)));
        let attempts = |samples: &[&xmpp_bench::sample::Sample]| -> u32 {
            samples.iter().map(|sample| sample.attempts).sum()
        };
        let share = f64::from(attempts(&unsent)) / f64::from(attempts(&unsent) + attempts(&begun));
        assert!((0.15..0.45).contains(&share), "{name}: {share}");
        let stanzas = world.ledger(kind).unsent;
        assert!(
            stanzas >= unsent.len() as u64 && u64::from(attempts(&unsent)) > 3 * stanzas,
            "{name}: {stanzas}"
        );
    }
}
