//! The account of broadcasts against scripts and against a naive account kept beside it.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const RUN: u32 = 7;
const COPY: OperationId = OperationId(0);
const OWN: OperationId = OperationId(1);
const LAST: OperationId = OperationId(2);
const ROOM: Place = Place(3);

fn ms(millis: u64) -> Offset {
    Offset::from_nanos(millis * 1_000_000)
}

struct Story {
    account: Fanouts,
    ended: Vec<Sample>,
}

impl Story {
    fn new() -> Self {
        let account = Fanouts::new(LedgerConfig {
            run: RUN,
            deadline: Duration::from_secs(2),
            horizon: Duration::from_mins(1),
            capacity: 1_000,
            first_user: 10,
            user_count: 10,
            phase_starts: vec![Offset::ZERO, ms(50_000)],
            kinds: Vec::new(),
        });
        Self { account, ended: Vec::new() }
    }

    /// A room message of `from` to these occupants.
    fn say(&mut self, from: u32, to: &[u32], at: u64) -> Token {
        self.announce(LedgerKind::Groupchat, TokenKind::Groupchat, ROOM, from, to, at)
    }

    /// A change of presence of `from` that these contacts should see.
    fn change(&mut self, from: u32, to: &[u32], at: u64) -> Token {
        self.announce(LedgerKind::Presence, TokenKind::Presence, Place::NOWHERE, from, to, at)
    }

    fn announce(
        &mut self,
        kind: LedgerKind,
        token_kind: TokenKind,
        place: Place,
        from: u32,
        to: &[u32],
        at: u64,
    ) -> Token {
        let sequence = self.account.next_sequence(to.len()).expect("room for it");
        let token = Token { kind: token_kind, run: RUN, sender: UserIndex(from), sequence, intended: ms(at) };
        let recipients: Vec<UserIndex> = to.iter().copied().map(UserIndex).collect();
        self.account.announce(&Announce {
            token,
            kind,
            measures: Measures { copy: COPY, own: OWN, last: Some(LAST) },
            group: GroupId(0),
            place,
            recipients: &recipients,
            offered: ms(at),
        });
        self.account.sent(sequence, ms(at));
        token
    }

    fn read(&mut self, token: Token, by: u32, at: u64) {
        self.read_as(token, by, at, false, 0);
    }

    fn read_as(&mut self, token: Token, by: u32, at: u64, stored: bool, since: u64) {
        let place = if token.kind == TokenKind::Groupchat { ROOM } else { Place::NOWHERE };
        let note = Arrive {
            token,
            recipient: UserIndex(by),
            done: ms(at),
            stored,
            intact: true,
            place,
            since: ms(since),
        };
        self.account.arrive(note, &mut self.ended);
    }

    fn groupchat(&self) -> LedgerCounts {
        self.account.counts()[0][LedgerKind::Groupchat as usize]
    }

    fn presence(&self) -> LedgerCounts {
        self.account.counts()[0][LedgerKind::Presence as usize]
    }

    fn outcomes(&self, operation: OperationId) -> Vec<(Outcome, Option<i64>)> {
        let samples = self.ended.iter().filter(|sample| sample.operation == operation);
        let millis = |instants: Instants| instants.response_nanos() / 1_000_000;
        samples.map(|sample| (sample.outcome, sample.instants.map(millis))).collect()
    }
}

#[test]
fn a_room_message_ends_with_the_last_occupant_and_the_senders_copy_is_an_echo() {
    let mut story = Story::new();
    let token = story.say(11, &[10, 11, 12], 100);
    story.read(token, 11, 103);
    story.read(token, 12, 107);
    assert_eq!(story.outcomes(LAST), []);
    story.read(token, 10, 105);
    assert_eq!(story.outcomes(OWN), [(Outcome::Ok, Some(3))]);
    assert_eq!(story.outcomes(COPY), [(Outcome::Ok, Some(7)), (Outcome::Ok, Some(5))]);
    assert_eq!(story.outcomes(LAST), [(Outcome::Ok, Some(7))], "the latest copy, not the last one noted");
    assert_eq!((story.groupchat().expected, story.groupchat().delivered, story.account.open()), (3, 3, 0));
}

#[test]
fn surplus_foreign_and_wrong_copies_are_each_their_own() {
    let mut story = Story::new();
    let token = story.say(11, &[10, 11, 12], 100_000);
    let mut counts = LedgerCounts { expected: 3, ..LedgerCounts::default() };
    let now = |story: &Story| story.account.counts()[1][LedgerKind::Groupchat as usize];
    story.read(token, 10, 100_001);
    story.read(token, 10, 100_002);
    counts = LedgerCounts { delivered: 1, duplicated: 1, ..counts };
    assert_eq!(now(&story), counts);
    story.read(token, 15, 100_003);
    counts.misdelivered = 1;
    assert_eq!(now(&story), counts, "it was there long before, and none was owed to it");
    story.read_as(token, 16, 100_004, false, 100_001);
    story.read_as(token, 17, 100_004, true, 0);
    counts.replayed = 2;
    assert_eq!(now(&story), counts, "it came just now, or is shown what was stored");
    let elsewhere = Arrive {
        token,
        recipient: UserIndex(12),
        done: ms(100_005),
        stored: false,
        intact: true,
        place: Place(9),
        since: ms(0),
    };
    story.account.arrive(elsewhere, &mut story.ended);
    counts.misdelivered = 2;
    assert_eq!(now(&story), counts, "out of another room than it was said in");
}

#[test]
fn a_stored_presence_is_a_replay_even_before_the_live_one_and_ones_own_is_nothing() {
    let mut story = Story::new();
    let token = story.change(11, &[12], 100);
    story.read_as(token, 12, 101, true, 50);
    story.read(token, 11, 101);
    assert_eq!(story.presence(), LedgerCounts { expected: 1, replayed: 1, ..LedgerCounts::default() });
    story.read(token, 12, 102);
    assert_eq!(
        story.presence(),
        LedgerCounts { expected: 1, delivered: 1, replayed: 1, ..LedgerCounts::default() }
    );
}

#[test]
fn what_a_stream_that_ends_leaves_open_is_in_doubt_and_nothing_else_is() {
    let mut story = Story::new();
    let before = story.say(11, &[10, 11, 12], 100);
    story.read(before, 10, 101);
    let after = story.say(11, &[10, 11, 12], 300);
    story.account.void(|user| (user.0 == 12).then_some(ms(200)), &mut story.ended);
    let doubtful = Outcome::Indeterminate(Indeterminate::RecipientStream);
    assert_eq!(story.outcomes(COPY), [(Outcome::Ok, Some(1)), (doubtful, None)]);
    story.read(before, 11, 400);
    assert_eq!(
        story.outcomes(LAST),
        [(Outcome::Ok, Some(300))],
        "whoever is gone is no occupant, and the last of the others had it"
    );
    for reader in [10, 11, 12] {
        story.read(after, reader, 310);
    }
    assert_eq!(story.outcomes(LAST)[1], (Outcome::Ok, Some(10)), "said after the end, to the next session");
    let counts = story.groupchat();
    assert_eq!((counts.expected, counts.delivered, counts.indeterminate), (6, 5, 1));
}

#[test]
fn whoever_leaves_a_room_is_in_doubt_there_alone() {
    let mut story = Story::new();
    let room = story.say(11, &[11, 12], 100);
    let presence = story.change(11, &[12], 100);
    story.account.void_stay(UserIndex(12), ROOM, ms(150), &mut story.ended);
    story.read(presence, 12, 160);
    story.read(room, 11, 160);
    assert_eq!((story.groupchat().indeterminate, story.groupchat().delivered), (1, 1));
    assert_eq!((story.presence().indeterminate, story.presence().delivered), (0, 1));
}

#[test]
fn a_refused_stanza_fails_for_everybody_and_a_lost_copy_for_one() {
    let mut story = Story::new();
    let refused = story.say(11, &[11, 12], 100);
    story.account.fail(&refused, ErrorClass::Policy, &mut story.ended);
    let lost = story.say(11, &[11, 12], 200);
    story.read(lost, 11, 201);
    story.account.settle(false, &mut story.ended);
    assert_eq!(story.outcomes(LAST), [(Outcome::Failed(ErrorClass::Policy), None), (Outcome::Lost, None)]);
    let counts = story.groupchat();
    assert_eq!((counts.expected, counts.failed, counts.delivered, counts.lost), (4, 2, 1, 1));
}

#[test]
fn an_overtaken_copy_is_reordered_where_it_was_overtaken() {
    let mut story = Story::new();
    let first = story.say(11, &[11, 12], 100);
    let other = story.change(11, &[12], 105);
    let second = story.say(11, &[11, 12], 110);
    story.read(first, 11, 120);
    story.read(second, 11, 121);
    story.read(second, 12, 121);
    story.read(other, 12, 122);
    story.read(first, 12, 123);
    assert_eq!((story.groupchat().reordered, story.presence().reordered), (1, 0));
}

#[test]
fn what_is_older_than_the_horizon_is_lost_and_later_copies_are_stale() {
    let mut story = Story::new();
    let token = story.say(11, &[11, 12], 100);
    story.account.expire(ms(61_000), &mut story.ended);
    story.read(token, 12, 61_001);
    let counts = story.groupchat();
    assert_eq!((counts.expected, counts.lost, counts.stale), (2, 2, 1));
    assert!(story.account.broadcasts.is_empty() && story.account.copies.is_empty());
}

#[test]
fn a_full_account_says_so() {
    let mut story = Story::new();
    for at in 0..10 {
        story.say(11, &(100..200).collect::<Vec<_>>(), at);
    }
    assert_eq!(story.account.next_sequence(1), None);
    assert!(story.account.next_sequence(0).is_some(), "a broadcast nobody is owed needs no room");
}

#[derive(Clone, Debug)]
enum Step {
    Say(u32, Vec<u32>),
    Read(usize, u32),
    Void(u32),
    Leave(u32),
    Fail(usize),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let user = 10u32..20;
    let step = prop_oneof![
        3 => (user.clone(), proptest::collection::btree_set(user.clone(), 0..8))
            .prop_map(|(from, to)| Step::Say(from, to.into_iter().collect())),
        8 => (0usize..30, user.clone()).prop_map(|(which, by)| Step::Read(which, by)),
        1 => user.clone().prop_map(Step::Void),
        1 => user.prop_map(Step::Leave),
        1 => (0usize..30).prop_map(Step::Fail),
        1 => (0u64..5_000).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    /// A map from (broadcast, recipient) to open or not is all the naive account has.
    #[test]
    fn it_agrees_with_a_naive_account(steps in steps()) {
        let mut story = Story::new();
        let mut open: BTreeMap<(usize, u32), bool> = BTreeMap::new();
        let mut said: Vec<(Token, u32, u64)> = Vec::new();
        let mut at = 0;
        for step in steps {
            at += 1;
            match step {
                Step::Say(from, to) => {
                    for &recipient in &to {
                        open.insert((said.len(), recipient), true);
                    }
                    said.push((story.say(from, &to, at), from, at));
                }
                Step::Read(which, by) => if let Some((token, ..)) = said.get(which) {
                    story.read(*token, by, at);
                    open.entry((which, by)).and_modify(|open| *open = false);
                },
                Step::Void(user) => {
                    story.account.void(|voided| (voided.0 == user).then_some(ms(at)), &mut story.ended);
                    for ((which, recipient), open) in &mut open {
                        *open &= *recipient != user && said[*which].1 != user;
                    }
                }
                Step::Leave(user) => {
                    story.account.void_stay(UserIndex(user), ROOM, ms(at), &mut story.ended);
                    for ((_, recipient), open) in &mut open {
                        *open &= *recipient != user;
                    }
                }
                Step::Fail(which) => if let Some((token, ..)) = said.get(which) {
                    story.account.fail(token, ErrorClass::Server, &mut story.ended);
                    for ((failed, _), open) in &mut open {
                        *open &= *failed != which;
                    }
                },
                Step::Wait(millis) => {
                    at += millis;
                    story.account.expire(ms(at), &mut story.ended);
                    for ((which, _), open) in &mut open {
                        *open &= at - said[*which].2 <= 60_000;
                    }
                }
            }
            let still = open.values().filter(|&&open| open).count() as u64;
            prop_assert_eq!(story.account.open(), still);
            let mut sum = LedgerCounts::default();
            story.account.counts().iter().flatten().for_each(|counts| sum.add(counts));
            prop_assert_eq!(sum.expected, open.len() as u64);
            prop_assert_eq!(sum.open(), still);
        }
        story.account.settle(false, &mut story.ended);
        let copies = story.ended.iter().filter(|sample| sample.operation != LAST).count();
        prop_assert_eq!(copies, open.len(), "one sample a copy");
        let wholes = story.ended.iter().filter(|sample| sample.operation == LAST).count();
        let owing: std::collections::BTreeSet<usize> = open.keys().map(|(which, _)| *which).collect();
        prop_assert_eq!(wholes, owing.len(), "one sample a broadcast that owes any");
    }
}

/// docs/measurement.md says so.
#[test]
fn a_broadcast_takes_what_the_documentation_says() {
    assert_eq!((BROADCAST_BYTES, COPY_BYTES), (80, 8));
}
