//! Each fault in virtual time, and its truth equal to what the receivers saw.

use std::collections::BTreeMap;
use std::time::Duration;

use xmpp_bench::machine::{Channel, CloseCause, Event};
use xmpp_bench::sample::{Token, TokenKind, UserIndex};
use xmpp_bench::seed::{Draw, Stream};
use xmpp_bench::server::Line;
use xmpp_bench::server::truth::{Action, CopyLine};
use xmpp_bench::units::Offset;

use crate::world::{World, faulty, options};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn id(sender: u32, sequence: u64) -> String {
    let kind = TokenKind::Message;
    let token = Token { kind, run: 1, sender: UserIndex(sender), sequence, intended: Offset::ZERO };
    String::from_utf8(token.encode().to_vec()).unwrap()
}

fn message(sender: u32, sequence: u64, to: &str) -> String {
    let id = id(sender, sequence);
    format!("<message to='{to}' type='chat' id='{id}'><body>{id} text</body></message>")
}

/// The tracked messages among what a client received, in order, with the instants at which they came.
fn arrivals(world: &World, channel: Channel) -> Vec<(Offset, Token)> {
    let mut all = Vec::new();
    for (at, text) in &world.wires[&channel].received {
        for piece in text.split("<message ").skip(1) {
            let id = piece.split_once(" id='").unwrap().1;
            all.push((*at, Token::decode(id.as_bytes()).expect("only tracked messages are sent")));
        }
    }
    all
}

fn copies(truth: &[Line]) -> Vec<&CopyLine> {
    truth.iter().filter_map(|line| if let Line::Copy(copy) = line { Some(copy) } else { None }).collect()
}

#[test]
fn delay_is_added_to_tracked_messages_and_to_nothing_else() {
    let mut world = World::new(faulty("delay=5ms", 1));
    let (alice, bob) = (world.online("u1", "a"), world.online("u50", "b"));
    world.send(alice, &message(1, 1, "u50@localhost"));
    world.send(alice, "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>");
    world.send(alice, "<message to='u50@localhost' id='untracked'/>");
    assert!(world.take(alice).contains("type='result'"));
    assert!(world.take(bob).contains("untracked"));
    world.pass(ms(4));
    assert_eq!(world.take(bob), "");
    world.pass(ms(1));
    assert_eq!(
        world.take(bob),
        format!(
            "<message from='u1@localhost/a' to='u50@localhost' type='chat' id='{0}'><body>{0} text</body></message>",
            id(1, 1)
        )
    );
    let truth = world.truth();
    let [copy] = copies(&truth)[..] else { panic!("one copy: {truth:?}") };
    assert_eq!((copy.action, &*copy.from, &*copy.to), (Action::Delivered, "u1@localhost", "u50@localhost/b"));
    assert_eq!((copy.received_ns, copy.handed_ns, copy.delay_ns), (0, Some(5_000_000), Some(5_000_000)));
    assert_eq!(copy.written_ns, Some(5_000_000));
}

#[test]
fn presence_with_a_token_is_a_copy_to_each_contact_and_its_echo_is_none() {
    let mut world = World::new(faulty("loss=100%", 1));
    let (alice, bob) = (world.online("u1", "a"), world.online("u2", "b"));
    world.take(alice);
    let id = id(1, 1).replacen("xm", "xp", 1);
    world.send(alice, &format!("<presence id='{id}'/>"));
    assert!(world.take(alice).contains(&id), "the echo is not lost");
    assert_eq!(world.take(bob), "");
    let truth = world.truth();
    let [copy] = copies(&truth)[..] else { panic!("one copy: {truth:?}") };
    assert_eq!(
        (copy.token.kind, copy.action, &*copy.to),
        (TokenKind::Presence, Action::Dropped, "u2@localhost/b")
    );
}

#[test]
fn a_frozen_server_does_nothing_and_then_everything_in_order() {
    let mut world = World::new(faulty("freeze=2s@10s", 1));
    let (alice, bob) = (world.online("u1", "a"), world.online("u50", "b"));
    world.pass(ms(10_500));
    world.send(alice, &message(1, 1, "u50@localhost"));
    world.pass(ms(500));
    world.send(alice, &message(1, 2, "u50@localhost"));
    let late = world.connect();
    world.send(late, crate::world::HEADER);
    world.pass(ms(500));
    assert_eq!(arrivals(&world, bob), [], "frozen from 10 to 12 s, it is 11.5 s");
    world.pass(ms(1_000));
    let thaw = Offset::from_nanos(12_000_000_000);
    let seen: Vec<(Offset, u64)> = arrivals(&world, bob).iter().map(|(at, t)| (*at, t.sequence)).collect();
    assert_eq!(seen, [(thaw, 1), (thaw, 2)]);
    assert!(world.take(late).contains("<stream:features>"));
    let truth = world.truth();
    let freezes: Vec<_> =
        truth.iter().filter_map(|line| if let Line::Freeze(f) = line { Some(f) } else { None }).collect();
    assert_eq!(freezes.len(), 1);
    assert_eq!((freezes[0].start_ns, freezes[0].end_ns), (10_000_000_000, 12_000_000_000));
    assert!(copies(&truth).iter().all(|copy| copy.received_ns == 12_000_000_000), "read at the thaw");
}

#[test]
fn a_cut_ends_its_share_of_the_sessions_without_notice() {
    let mut world = World::new(faulty("cut=10%@15s", 3));
    let users: Vec<Channel> = (0..50).map(|n| world.online(&format!("u{n}"), "r")).collect();
    world.pass(ms(14_999));
    let cut = |world: &World| users.iter().filter(|user| world.wires[user].closed.is_some()).count();
    assert_eq!(cut(&world), 0);
    world.pass(ms(1));
    assert_eq!(cut(&world), 5);
    assert!(users.iter().all(|user| !world.wires[user].unread.contains("stream:error")));
    assert_eq!(world.server.counters().snapshot().cut, 5);
    let mut named: Vec<String> = Vec::new();
    let closed: Vec<usize> = (0..50).filter(|n| world.wires[&users[*n]].closed.is_some()).collect();
    for line in world.truth() {
        if let Line::Cut(cut) = line {
            assert_eq!(cut.at_ns, 15_000_000_000);
            named.push(cut.session.to_string());
        }
    }
    named.sort();
    let mut expected: Vec<String> = closed.iter().map(|n| format!("u{n}@localhost/r")).collect();
    expected.sort();
    assert_eq!(named, expected);
}

#[test]
fn a_copy_the_kernel_never_took_is_unwritten() {
    let mut world = World::new(options());
    let (alice, bob) = (world.online("u1", "a"), world.online("u50", "b"));
    world.takes = false;
    world.send(alice, &message(1, 1, "u50@localhost"));
    world.event(bob, Event::Closed(CloseCause::Reset));
    world.takes = true;
    world.send(alice, &message(1, 2, "u50@localhost"));
    assert!(world.take(alice).contains("service-unavailable"));
    let truth = world.truth();
    let actions: Vec<Action> = copies(&truth).iter().map(|copy| copy.action).collect();
    assert_eq!(actions, [Action::Unwritten, Action::Undeliverable]);
    let Some(Line::End(counts)) = truth.last() else { panic!("no end line") };
    assert_eq!((counts.unwritten, counts.undeliverable, counts.written), (1, 1, 0));
}

#[test]
fn a_copy_whose_recipient_left_while_it_waited_is_undeliverable() {
    let mut world = World::new(faulty("delay=1s", 1));
    let (alice, bob) = (world.online("u1", "a"), world.online("u50", "b"));
    world.send(alice, &message(1, 1, "u50@localhost"));
    world.send(bob, "</stream:stream>");
    let again = world.online("u50", "b");
    world.pass(ms(2_000));
    assert_eq!(world.take(again), "", "a later session of the same name is not its recipient");
    let truth = world.truth();
    assert_eq!(copies(&truth).iter().map(|c| c.action).collect::<Vec<_>>(), [Action::Undeliverable]);
}

/// A run under faults.
#[derive(Debug, PartialEq)]
struct Run {
    /// Sequence numbers sent.
    sent: std::ops::Range<u64>,
    /// What each user saw.
    seen: BTreeMap<u32, Vec<(Offset, Token)>>,
    truth: Vec<Line>,
}

fn run(faults: &str, seed: u64) -> Run {
    const USERS: u32 = 5;
    let mut world = World::new(faulty(faults, seed));
    let channels: Vec<Channel> = (0..USERS).map(|n| world.online(&format!("u{n}"), "r")).collect();
    let sent = 0..300;
    for sequence in sent.clone() {
        let mut draw = Draw::new(seed, Stream::choices(0), sequence);
        let (from, to) = (draw.below(USERS), draw.below(USERS));
        world.send(channels[from as usize], &message(from, sequence, &format!("u{to}@localhost")));
        world.pass(Duration::from_micros(u64::from(draw.below(4_000))));
    }
    world.pass(ms(5_000));
    let seen = (0..USERS).map(|n| (n, arrivals(&world, channels[n as usize]))).collect();
    Run { sent, seen, truth: world.truth() }
}

#[test]
fn the_truth_is_what_the_receivers_saw() {
    let mixes = [
        "",
        "delay=3ms",
        "loss=10%",
        "duplicate=10%",
        "reorder=10%",
        "delay=2ms,loss=5%,duplicate=5%,reorder=20%",
    ];
    for (mix, seed) in mixes.into_iter().flat_map(|mix| (0..5).map(move |seed| (mix, seed))) {
        let Run { sent, seen, truth } = run(mix, seed);
        let copies = copies(&truth);
        for (user, arrived) in &seen {
            let to = format!("u{user}@localhost/r");
            let written: Vec<(Offset, Token)> = copies
                .iter()
                .filter(|copy| *copy.to == to && copy.action.is_written())
                .map(|copy| (Offset::from_nanos(copy.written_ns.unwrap()), copy.token))
                .collect();
            assert_eq!(&written, arrived, "{mix} seed {seed} user {user}");
        }
        for sequence in sent {
            let fates: Vec<Action> =
                copies.iter().filter(|c| c.token.sequence == sequence).map(|c| c.action).collect();
            let surplus = fates.iter().filter(|&&fate| fate == Action::Duplicated).count();
            assert_eq!(fates.len() - surplus, 1, "{mix} seed {seed}: message {sequence} met {fates:?}");
        }
        let overtaken: usize = seen.values().map(|arrived| out_of_order(arrived)).sum();
        let reordered = copies.iter().filter(|copy| copy.action == Action::Reordered).count();
        assert_eq!(overtaken, reordered, "{mix} seed {seed}");
        for (fault, action) in
            [("loss", Action::Dropped), ("duplicate", Action::Duplicated), ("reorder", Action::Reordered)]
        {
            let count = copies.iter().filter(|copy| copy.action == action).count();
            assert_eq!(count > 0, mix.contains(fault), "{mix} seed {seed}: {count} {action:?}");
        }
    }
}

/// First copies that came after a later message of the same sender: what a ledger calls reordered.
fn out_of_order(arrived: &[(Offset, Token)]) -> usize {
    let mut latest: BTreeMap<UserIndex, u64> = BTreeMap::new();
    let mut seen = std::collections::BTreeSet::new();
    let mut count = 0;
    for (_, token) in arrived {
        if !seen.insert((token.sender, token.sequence)) {
            continue;
        }
        let latest = latest.entry(token.sender).or_default();
        count += usize::from(token.sequence < *latest);
        *latest = token.sequence.max(*latest);
    }
    count
}

#[test]
fn the_same_seed_and_input_do_the_same_and_another_seed_does_not() {
    let mix = "delay=2ms,loss=5%,duplicate=5%,reorder=5%";
    assert_eq!(run(mix, 1), run(mix, 1));
    assert_ne!(run(mix, 1).truth, run(mix, 2).truth);
}
