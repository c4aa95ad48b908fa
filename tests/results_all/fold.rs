use proptest::prelude::*;
use xmpp_bench::results::journal::{self, Interval, JournalWriter};
use xmpp_bench::results::{
    Delta, LedgerCounts, RunResult, SecondFacts, Totals, VerdictState, assemble, check,
};
use xmpp_bench::sample::{ErrorClass, Fault, Indeterminate, Outcome, Sample, Unsent};

use crate::world;

/// One thing that reaches the recorder.
#[derive(Clone, Debug)]
enum Input {
    Sample(usize, Sample),
    Second(SecondFacts),
    Error(u8),
    Close,
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop::sample::select(vec![
        Outcome::Lost,
        Outcome::Timeout,
        Outcome::Failed(ErrorClass::Throttled),
        Outcome::Unsent(Unsent::QueueFull),
        Outcome::Indeterminate(Indeterminate::RecipientStream),
    ])
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let place = (0usize..3, 0u16..4, 0u16..2, 0u64..640_000_000);
    let done = (place.clone(), 0u64..5_000, 0u64..5_000, 0u64..40_000_000);
    let input = prop_oneof![
        12 => done.prop_map(|((phase, operation, group, at), lag, blocked, service)| {
            Input::Sample(phase, world::completed(operation, group, at, lag, blocked, service))
        }),
        4 => (place, outcomes()).prop_map(|((phase, operation, group, at), outcome)| {
            Input::Sample(phase, world::ended(operation, group, at, outcome))
        }),
        2 => (0u32..640, 0u64..90).prop_map(|(second, level)| {
            Input::Second(SecondFacts { second, users_online: Some(level), bytes_in: level, ..SecondFacts::default() })
        }),
        1 => (0u8..3).prop_map(Input::Error),
        2 => Just(Input::Close),
    ];
    prop::collection::vec(input, 0..80)
}

fn take(totals: &mut Totals, input: &Input) -> Option<Delta> {
    match input {
        Input::Sample(phase, sample) => totals.record(*phase, sample),
        Input::Second(facts) => totals.note_second(facts),
        Input::Error(kind) => {
            totals.note_error(&Fault::new(ErrorClass::Server, "auth", &format!("condition-{kind}"), "no"));
        }
        Input::Close => return Some(totals.close_interval()),
    }
    None
}

fn fresh() -> Totals {
    Totals::new(world::layout()).expect("a small layout")
}

fn result_of(totals: &Totals) -> RunResult {
    let conclusion = world::conclusion(VerdictState::Valid, Vec::new(), LedgerCounts::default());
    assemble(world::preamble(), totals, conclusion, true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    /// Intervals or one piece, through memory or through a journal's text: the same result, to the last bucket.
    #[test]
    fn the_fold_of_all_deltas_is_the_totals(inputs in inputs()) {
        let (mut live, mut whole, mut folded) = (fresh(), fresh(), fresh());
        let mut writer = JournalWriter::begin(Vec::new(), &world::preamble()).expect("memory");
        let ledgers = world::ledgers(LedgerCounts::default());
        for input in inputs.iter().chain([&Input::Close]) {
            if !matches!(input, Input::Close) {
                take(&mut whole, input);
            }
            if let Some(delta) = take(&mut live, input) {
                folded.apply(&delta).expect("our own delta");
                let interval = Interval { delta, ledgers: ledgers.clone(), ..Interval::default() };
                writer.interval(&interval).expect("memory");
            }
        }
        whole.close_interval();
        let expected = result_of(&live);
        prop_assert_eq!(check::contradictions(&expected), Vec::<String>::new());
        prop_assert_eq!(&result_of(&folded), &expected);
        prop_assert_eq!(&result_of(&whole), &expected);
        let read = journal::read(&writer.into_inner()[..]).expect("our own journal");
        prop_assert_eq!(read.tail, None);
        prop_assert_eq!(&result_of(&read.totals), &expected);
    }

    /// Two workers' deltas in any order are one recorder's.
    #[test]
    fn deltas_of_several_workers_merge_without_loss(inputs in inputs(), split in any::<u64>()) {
        let (mut whole, mut a, mut b, mut merged) = (fresh(), fresh(), fresh(), fresh());
        for (index, input) in inputs.iter().filter(|input| !matches!(input, Input::Close)).enumerate() {
            take(&mut whole, input);
            take(if split >> (index % 64) & 1 == 0 { &mut a } else { &mut b }, input);
        }
        whole.close_interval();
        merged.apply(&b.close_interval()).expect("our own delta");
        merged.apply(&a.close_interval()).expect("our own delta");
        prop_assert_eq!(result_of(&merged), result_of(&whole));
    }
}

#[test]
fn an_empty_interval_is_an_empty_delta_and_changes_nothing() {
    let mut totals = fresh();
    world::feed(&mut totals, 50, |_| Outcome::Ok);
    assert!(!totals.close_interval().is_empty());
    let before = result_of(&totals);
    assert!(totals.close_interval().is_empty());
    assert_eq!(result_of(&totals), before);
}

#[test]
fn a_made_up_stream_of_conditions_takes_bounded_room() {
    let mut totals = fresh();
    for number in 0..10_000 {
        totals.note_error(&Fault::new(ErrorClass::Protocol, "stream", &format!("made-up-{number}"), ""));
    }
    totals.close_interval();
    let errors = totals.errors();
    assert!(errors.len() <= 201, "{}", errors.len());
    assert_eq!(errors.iter().map(|error| error.count).sum::<u64>(), 10_000, "none is dropped");
}

#[test]
fn logins_of_a_ramp_are_shown_over_the_whole_run_and_messages_over_what_was_measured() {
    let mut totals = fresh();
    world::feed(&mut totals, 50, |_| Outcome::Ok);
    totals.record(0, &world::completed(world::MESSAGE, 0, 1_000_000, 0, 0, 9_000_000));
    totals.close_interval();
    let result = result_of(&totals);
    assert_eq!(result.operations["login"].phases, ["ramp", "steady", "cool"]);
    assert_eq!(result.operations["login"].figures.attempts, 40);
    assert_eq!(result.operations["message.delivery"].phases, ["steady"]);
    assert_eq!(
        result.operations["message.delivery"].figures.attempts, 50,
        "the slow one of the ramp is not in it"
    );
    assert_eq!(result.phases[0].operations["message.delivery"].figures.attempts, 1);
}
