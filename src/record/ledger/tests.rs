//! The ledger against scripts and against a naive account kept beside it.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::sample::{Place, TokenKind};

const RUN: u32 = 7;

fn ms(millis: u64) -> Offset {
    Offset::from_nanos(millis * 1_000_000)
}

fn ledger(capacity: usize) -> Ledger {
    Ledger::new(LedgerConfig {
        run: RUN,
        deadline: Duration::from_millis(100),
        horizon: Duration::from_secs(1),
        capacity,
        first_user: 10,
        user_count: 10,
        phase_starts: vec![Offset::ZERO, ms(5_000)],
        kinds: vec![Some(LedgerKind::Message), None],
    })
}

struct Story {
    ledger: Ledger,
    ended: Vec<Sample>,
}

impl Story {
    fn new() -> Self {
        Self { ledger: ledger(1_000), ended: Vec::new() }
    }

    fn send(&mut self, from: u32, to: u32, at: u64) -> Token {
        let sequence = self.ledger.next_sequence().expect("room");
        let token =
            Token { kind: TokenKind::Message, run: RUN, sender: UserIndex(from), sequence, intended: ms(at) };
        let (operation, group) = (OperationId(0), GroupId(0));
        self.ledger.expect(Expect { token, operation, group, recipient: UserIndex(to), offered: ms(at) });
        self.ledger.sent(sequence, ms(at));
        token
    }

    fn read(&mut self, token: Token, by: u32, at: u64) -> Option<Sample> {
        let note = Arrive {
            token,
            recipient: UserIndex(by),
            done: ms(at),
            stored: false,
            intact: true,
            place: Place::NOWHERE,
            since: Offset::ZERO,
        };
        self.ledger.arrive(note)
    }

    fn counts(&self) -> LedgerCounts {
        self.ledger.counts()[0][0]
    }
}

#[test]
fn a_message_is_delivered_once_and_a_second_copy_is_surplus() {
    let mut story = Story::new();
    let token = story.send(10, 11, 20);
    let sample = story.read(token, 11, 25).expect("a first copy completes the operation");
    assert_eq!(sample.instants.expect("completed").response_nanos(), 5_000_000);
    assert_eq!(story.read(token, 11, 26), None);
    assert_eq!(
        story.counts(),
        LedgerCounts { expected: 1, delivered: 1, duplicated: 1, ..Default::default() }
    );
}

#[test]
fn a_copy_after_the_deadline_is_late_and_still_delivered() {
    let mut story = Story::new();
    let token = story.send(10, 11, 20);
    assert_eq!(story.read(token, 11, 121).map(|sample| sample.outcome), Some(Outcome::Late));
    assert_eq!(story.counts(), LedgerCounts { expected: 1, delivered: 1, late: 1, ..Default::default() });
}

#[test]
fn what_never_comes_is_lost_at_the_horizon_and_stale_after_it() {
    let mut story = Story::new();
    let token = story.send(10, 11, 20);
    story.ledger.expire(ms(1_020), &mut story.ended);
    assert_eq!(story.ledger.open(), 1, "the horizon has not passed yet");
    story.ledger.expire(ms(1_021), &mut story.ended);
    assert_eq!(story.ended.iter().map(|sample| sample.outcome).collect::<Vec<_>>(), [Outcome::Lost]);
    assert_eq!(story.read(token, 11, 1_022), None);
    assert_eq!(story.counts(), LedgerCounts { expected: 1, lost: 1, stale: 1, ..Default::default() });
}

#[test]
fn overtaking_counts_only_between_the_same_two_users() {
    let mut story = Story::new();
    let to_11 = story.send(10, 11, 1);
    let to_12 = story.send(10, 12, 2);
    let to_11_again = story.send(10, 11, 3);
    story.read(to_11_again, 11, 4);
    story.read(to_12, 12, 5);
    story.read(to_11, 11, 6);
    assert_eq!(
        story.counts(),
        LedgerCounts { expected: 3, delivered: 3, reordered: 1, ..Default::default() }
    );
}

#[test]
fn a_stream_that_ends_makes_open_entries_indeterminate_unless_they_were_overdue() {
    let mut story = Story::new();
    story.send(10, 11, 1);
    story.send(12, 13, 150);
    story.send(13, 11, 160);
    story.send(14, 15, 170);
    let ended_at = ms(200);
    story.ledger.void(|user| [11, 12].contains(&user.0).then_some(ended_at), &mut story.ended);
    let outcomes: Vec<Outcome> = story.ended.iter().map(|sample| sample.outcome).collect();
    assert_eq!(
        outcomes,
        [
            Outcome::Lost,
            Outcome::Indeterminate(Indeterminate::SenderStream),
            Outcome::Indeterminate(Indeterminate::RecipientStream),
        ]
    );
    assert_eq!(story.counts(), LedgerCounts { expected: 4, lost: 1, indeterminate: 2, ..Default::default() });
    assert_eq!(story.ledger.open(), 1);
}

#[test]
fn a_copy_for_somebody_else_or_with_another_body_is_misdelivered_and_settles_nothing() {
    let mut story = Story::new();
    let token = story.send(10, 11, 1);
    assert_eq!(story.read(token, 12, 2), None);
    let damaged = Arrive {
        token,
        recipient: UserIndex(11),
        done: ms(3),
        stored: false,
        intact: false,
        place: Place::NOWHERE,
        since: Offset::ZERO,
    };
    assert_eq!(story.ledger.arrive(damaged), None);
    let invented = Token { sequence: 99, ..token };
    assert_eq!(story.read(invented, 11, 4), None);
    assert_eq!(story.counts(), LedgerCounts { expected: 1, misdelivered: 3, ..Default::default() });
}

#[test]
fn what_an_earlier_run_left_is_replayed() {
    let mut story = Story::new();
    let token = story.send(10, 11, 1);
    assert_eq!(story.read(Token { run: RUN + 1, ..token }, 11, 2), None);
    assert_eq!(story.counts(), LedgerCounts { expected: 1, replayed: 1, ..Default::default() });
}

#[test]
fn an_error_fails_the_message_once() {
    let mut story = Story::new();
    let token = story.send(10, 11, 1);
    for at in [2, 3] {
        assert_eq!(story.ledger.fail(&token, ErrorClass::Server, ms(at)), None, "it waits");
    }
    assert_eq!(
        (story.counts(), story.ledger.open()),
        (LedgerCounts { expected: 1, ..Default::default() }, 1)
    );
    story.ledger.expire(ms(251), &mut story.ended);
    assert_eq!(story.ended, []);
    story.ledger.expire(ms(252), &mut story.ended);
    story.ledger.settle(false, &mut story.ended);
    let outcomes: Vec<Outcome> = story.ended.iter().map(|sample| sample.outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed(ErrorClass::Server)]);
    assert_eq!(story.counts(), LedgerCounts { expected: 1, failed: 1, ..Default::default() });
}

/// A server without a store sends back what was written to a session that has just ended; its end is told to the ledgers later.
#[test]
fn an_error_because_the_recipient_was_gone_is_indeterminate_and_the_senders_end_changes_nothing() {
    let mut story = Story::new();
    let (to_gone, of_gone) = (story.send(10, 11, 1), story.send(12, 13, 1));
    for token in [to_gone, of_gone] {
        assert_eq!(story.ledger.fail(&token, ErrorClass::Server, ms(2)), None);
    }
    let ended_at = |user: UserIndex| [11, 12].contains(&user.0).then(|| ms(3));
    story.ledger.void(ended_at, &mut story.ended);
    story.ledger.settle(false, &mut story.ended);
    let outcomes: Vec<Outcome> = story.ended.iter().map(|sample| sample.outcome).collect();
    let gone = Outcome::Indeterminate(Indeterminate::RecipientStream);
    assert_eq!(outcomes, [gone, Outcome::Failed(ErrorClass::Server)]);
    let counts = LedgerCounts { expected: 2, indeterminate: 1, failed: 1, ..Default::default() };
    assert_eq!((story.counts(), story.ledger.open()), (counts, 0));
}

#[test]
fn an_error_to_a_request_of_ones_own_fails_it_at_once() {
    let mut story = Story::new();
    let token = story.send(10, 10, 1);
    let sample = story.ledger.fail(&token, ErrorClass::Throttled, ms(2)).expect("nobody else's end matters");
    assert_eq!(sample.outcome, Outcome::Failed(ErrorClass::Throttled));
}

#[test]
fn a_request_is_timed_but_not_in_the_equation() {
    let mut story = Story::new();
    let sequence = story.ledger.next_sequence().expect("room");
    let sender = UserIndex(10);
    let token = Token { kind: TokenKind::Request, run: RUN, sender, sequence, intended: ms(1) };
    let (operation, group) = (OperationId(1), GroupId(0));
    story.ledger.expect(Expect { token, operation, group, recipient: sender, offered: ms(1) });
    story.ledger.sent(sequence, ms(2));
    story.ledger.settle(false, &mut story.ended);
    assert_eq!(story.ended[0].outcome, Outcome::Timeout);
    assert_eq!(story.counts(), LedgerCounts::default());
}

#[test]
fn a_full_ledger_says_so() {
    let mut ledger = ledger(1);
    let token = Token {
        kind: TokenKind::Message,
        run: RUN,
        sender: UserIndex(10),
        sequence: ledger.next_sequence().expect("room for one"),
        intended: ms(1),
    };
    let (operation, group) = (OperationId(0), GroupId(0));
    ledger.expect(Expect { token, operation, group, recipient: UserIndex(11), offered: ms(1) });
    assert_eq!(ledger.next_sequence(), None);
}

#[test]
fn phases_follow_the_intended_instant() {
    let mut story = Story::new();
    let first = story.send(10, 11, 4_999);
    let second = story.send(10, 11, 5_000);
    story.read(first, 11, 5_050);
    story.read(second, 11, 5_051);
    assert_eq!(story.ledger.counts()[0][0].delivered, 1);
    assert_eq!(story.ledger.counts()[1][0].delivered, 1);
}

proptest! {
    /// Random copies of random messages, in random order: the equation holds after every step, and the columns equal
    /// those of an account kept in a map.
    #[test]
    fn the_ledger_equals_a_naive_account(steps in proptest::collection::vec((0u8..4, 0usize..40, 10u32..20), 1..200)) {
        let mut story = Story::new();
        let mut naive: HashMap<Token, (u32, u64)> = HashMap::new();
        let mut sent = Vec::new();
        let (mut duplicated, mut misdelivered) = (0, 0);
        for (index, &(step, pick, user)) in steps.iter().enumerate() {
            let at = index as u64;
            if step == 0 || sent.is_empty() {
                let token = story.send(user, 10 + (user + 1) % 10, at);
                naive.insert(token, (10 + (user + 1) % 10, 0));
                sent.push(token);
            } else {
                let token = sent[pick % sent.len()];
                let (recipient, copies) = naive.get_mut(&token).expect("sent");
                let reader = if step == 3 { user } else { *recipient };
                story.read(token, reader, at);
                if reader == *recipient {
                    duplicated += u64::from(*copies > 0);
                    *copies += 1;
                } else {
                    misdelivered += 1;
                }
            }
            let counts = story.counts();
            prop_assert_eq!(counts.open(), story.ledger.open());
        }
        story.ledger.settle(false, &mut story.ended);
        let counts = story.counts();
        let delivered = naive.values().filter(|(_, copies)| *copies > 0).count() as u64;
        prop_assert!(counts.is_balanced());
        prop_assert_eq!(counts.expected, naive.len() as u64);
        prop_assert_eq!(counts.delivered, delivered);
        prop_assert_eq!(counts.lost, naive.len() as u64 - delivered);
        prop_assert_eq!((counts.duplicated, counts.misdelivered), (duplicated, misdelivered));
    }

    /// Reordering against its definition: a first copy is out of order when a later message of the same pair came before.
    #[test]
    fn reordered_is_what_the_definition_says(pairs in proptest::collection::vec((10u32..12, 12u32..14), 1..30), order: u64) {
        let mut story = Story::new();
        let tokens: Vec<(Token, u32)> =
            pairs.iter().enumerate().map(|(i, &(from, to))| (story.send(from, to, i as u64), to)).collect();
        let mut reading: Vec<usize> = (0..tokens.len()).collect();
        let mut draw = crate::seed::Draw::new(order, crate::seed::Stream::faults(), 0);
        for last in (1..reading.len()).rev() {
            reading.swap(last, draw.below(last as u32 + 1) as usize);
        }
        let mut expected = 0;
        let mut read: Vec<usize> = Vec::new();
        for &index in &reading {
            expected += u64::from(read.iter().any(|&other| other > index && pairs[other] == pairs[index]));
            read.push(index);
            story.read(tokens[index].0, tokens[index].1, 50);
        }
        prop_assert_eq!(story.counts().reordered, expected);
    }
}
