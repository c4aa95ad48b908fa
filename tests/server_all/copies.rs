//! Faults act on every kind of tracked copy alike, and the truth names each: messages, room messages, presence.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use xmpp_bench::machine::Channel;
use xmpp_bench::sample::{Token, TokenKind, UserIndex};
use xmpp_bench::server::truth::{Action, CopyLine};
use xmpp_bench::server::{Counts, Line};
use xmpp_bench::units::Offset;

use crate::world::{World, faulty};

const ROOM: &str = "hall@conference.localhost";
/// Neighbours, so that each has the others next to it as contacts.
const USERS: std::ops::Range<u32> = 10..16;

/// What one kind's stanzas look like, and how many copies each of them makes.
struct Kind {
    token: TokenKind,
    stanza: fn(&str) -> String,
    copies: fn(u32) -> usize,
}

const KINDS: [Kind; 3] = [
    Kind {
        token: TokenKind::Message,
        stanza: |id| format!("<message to='u12@localhost' type='chat' id='{id}'><body>{id}</body></message>"),
        copies: |_| 1,
    },
    Kind {
        token: TokenKind::Groupchat,
        stanza: |id| format!("<message to='{ROOM}' type='groupchat' id='{id}'><body>{id}</body></message>"),
        copies: |_| USERS.len(),
    },
    Kind {
        token: TokenKind::Presence,
        stanza: |id| format!("<presence id='{id}'><status>{id}</status></presence>"),
        copies: |user| if user == USERS.start || user + 1 == USERS.end { 1 } else { 2 },
    },
];

/// Everybody online and in the room, which says nothing yet.
fn world(faults: &str) -> (World, BTreeMap<u32, Channel>) {
    let mut world = World::new(faulty(faults, 5));
    let users: BTreeMap<u32, Channel> = USERS.map(|n| (n, world.online(&format!("u{n}"), "r"))).collect();
    for (n, &user) in &users {
        world.send(
            user,
            &format!("<presence to='{ROOM}/n{n}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"),
        );
        world.send(
            user,
            &format!(
                "<iq type='set' id='i' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#owner'>\
                 <x xmlns='jabber:x:data' type='submit'/></query></iq>"
            ),
        );
    }
    for &user in users.values() {
        world.take(user);
    }
    (world, users)
}

fn id(kind: TokenKind, sender: u32, sequence: u64) -> String {
    let token = Token { kind, run: 1, sender: UserIndex(sender), sequence, intended: Offset::ZERO };
    String::from_utf8(token.encode().to_vec()).unwrap()
}

/// The tracked stanzas a user was sent by others or by a room, with their instants.
fn seen(world: &World, user: u32, channel: Channel) -> Vec<(Offset, Token)> {
    let mut all = Vec::new();
    for (at, text) in &world.wires[&channel].received {
        let own = format!("<presence from='u{user}@localhost/r'");
        for stanza in text.split_inclusive('>').filter(|tag| tag.contains(" id='x") && !tag.contains(&own)) {
            let (_, id) = stanza.split_once(" id='").unwrap();
            all.extend(Token::decode(id.as_bytes()).map(|token| (*at, token)));
        }
    }
    all
}

fn copies(truth: &[Line]) -> Vec<&CopyLine> {
    truth.iter().filter_map(|line| if let Line::Copy(copy) = line { Some(copy) } else { None }).collect()
}

fn end(truth: &[Line]) -> Counts {
    let Some(Line::End(counts)) = truth.last() else { panic!("no end line") };
    *counts
}

#[test]
fn the_truth_is_what_the_receivers_saw_of_every_kind() {
    const ROUNDS: u64 = 40;
    let mixes = [
        "",
        "delay=3ms",
        "loss=10%",
        "duplicate=10%",
        "reorder=10%",
        "delay=2ms,loss=5%,duplicate=5%,reorder=5%",
    ];
    for (mix, kind) in mixes.into_iter().flat_map(|mix| KINDS.iter().map(move |kind| (mix, kind))) {
        let what = format!("{:?} with {mix:?}", kind.token);
        let (mut world, users) = world(mix);
        for sequence in 0..ROUNDS {
            for (&n, &user) in &users {
                world.send(user, &(kind.stanza)(&id(kind.token, n, sequence)));
            }
            world.pass(Duration::from_millis(1));
        }
        world.pass(Duration::from_secs(5));
        let seen: Vec<_> = users.iter().map(|(&n, &user)| (n, seen(&world, n, user))).collect();
        let truth = world.truth();
        let copies = copies(&truth);
        for (n, arrived) in seen {
            assert!(written_to(n, &copies) == arrived, "{what}, user {n}");
        }
        let owed: usize = users.keys().map(|&user| (kind.copies)(user) * ROUNDS as usize).sum();
        assert_eq!(each_fate_is_one(&copies), owed, "{what}");
        for (fault, action) in
            [("loss", Action::Dropped), ("duplicate", Action::Duplicated), ("reorder", Action::Reordered)]
        {
            let count = copies.iter().filter(|copy| copy.action == action).count();
            assert_eq!(count > 0, mix.contains(fault), "{what}: {count} {action:?}");
        }
        let written = copies.iter().filter(|copy| copy.action.is_written()).count() as u64;
        assert_eq!(end(&truth).written, written, "{what}");
    }
}

/// What the truth says was written to a user, in order.
fn written_to(user: u32, copies: &[&CopyLine]) -> Vec<(Offset, Token)> {
    let to = format!("u{user}@localhost/r");
    let written = copies.iter().filter(|copy| *copy.to == to && copy.action.is_written());
    written.map(|copy| (Offset::from_nanos(copy.written_ns.unwrap()), copy.token)).collect()
}

/// Surplus copies aside, there is one line for each token and recipient; how many.
fn each_fate_is_one(copies: &[&CopyLine]) -> usize {
    let mut fates = BTreeSet::new();
    for copy in copies.iter().filter(|copy| copy.action != Action::Duplicated) {
        assert_eq!(*copy.from, *format!("u{}@localhost", copy.token.sender.0));
        assert!(fates.insert((copy.token, &*copy.to)), "{copy:?}");
    }
    fates.len()
}

#[test]
fn delay_is_added_to_each_copy_and_the_order_is_one_for_all() {
    let (mut world, users) = world("delay=5ms");
    for (&n, &user) in &users {
        world.send(user, &(KINDS[1].stanza)(&id(TokenKind::Groupchat, n, 1)));
    }
    world.pass(Duration::from_millis(4));
    assert!(users.values().all(|&user| world.wires[&user].unread.is_empty()));
    world.pass(Duration::from_millis(1));
    let order: Vec<u32> = users.keys().copied().collect();
    for (&n, &user) in &users {
        let senders: Vec<u32> = seen(&world, n, user).iter().map(|(_, token)| token.sender.0).collect();
        assert_eq!(senders, order);
    }
    assert!(copies(&world.truth()).iter().all(|copy| copy.delay_ns == Some(5_000_000)));
}

#[test]
fn nothing_a_room_says_of_its_occupants_is_lost_or_tracked() {
    let (mut world, users) = world("loss=100%");
    let late = world.online("u70", "r");
    let token = id(TokenKind::Groupchat, 70, 1);
    world.send(
        late,
        &format!(
            "<presence to='{ROOM}/late' id='{token}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        ),
    );
    let shown = world.take(late);
    assert_eq!(shown.matches("<presence ").count(), USERS.len() + 1, "{shown}");
    assert!(shown.contains("<subject>"), "{shown}");
    for &user in users.values() {
        let seen = world.take(user);
        assert!(seen.contains("/late'") && !seen.contains(&token), "{seen}");
    }
    assert_eq!(copies(&world.truth()), Vec::<&CopyLine>::new());
}

#[test]
fn a_copy_for_an_occupant_who_is_gone_when_it_is_due_is_undeliverable() {
    let (mut world, users) = world("delay=1s,cut=50%@500ms");
    world.send(users[&10], &(KINDS[1].stanza)(&id(TokenKind::Groupchat, 10, 1)));
    world.pass(Duration::from_secs(2));
    let truth = world.truth();
    let count = |action| copies(&truth).iter().filter(|copy| copy.action == action).count();
    assert_eq!((count(Action::Delivered), count(Action::Undeliverable)), (3, 3));
    assert_eq!((end(&truth).groupchats_in, end(&truth).groupchats_out), (1, 3));
}

#[test]
fn a_room_message_that_is_refused_reached_nobody() {
    let (mut world, _) = world("");
    let stranger = world.online("u70", "r");
    world.send(stranger, &(KINDS[1].stanza)(&id(TokenKind::Groupchat, 70, 1)));
    assert!(world.take(stranger).contains("<not-acceptable "));
    let truth = world.truth();
    let [copy] = copies(&truth)[..] else { panic!("one copy: {truth:?}") };
    assert_eq!((copy.action, &*copy.to), (Action::Undeliverable, ROOM));
}
