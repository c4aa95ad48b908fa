use xmpp_bench::report::summary::{Style, render};
use xmpp_bench::results::{
    EndedEarly, ErrorCount, Extended, LedgerCounts, RunResult, SloState, Totals, Traffic, Unit, VerdictState,
    assemble,
};
use xmpp_bench::sample::{ErrorClass, Outcome, Unsent};

use crate::world;

fn shown(result: &RunResult) -> String {
    render(result, Some("results/local/quickstart.json"), Style::default())
}

/// A run of 20,000 messages of which every 50th is lost, with errors of two kinds.
fn lossy() -> RunResult {
    let mut totals = Totals::new(world::layout()).expect("a small layout");
    world::feed(&mut totals, 20_000, |n| match n % 50 {
        7 => Outcome::Lost,
        8 if n < 1_000 => Outcome::Failed(ErrorClass::Throttled),
        9 if n < 200 => Outcome::Unsent(Unsent::RecipientOffline),
        _ => Outcome::Ok,
    });
    totals.close_interval();
    let counts = LedgerCounts {
        expected: 19_996,
        delivered: 19_576,
        lost: 400,
        failed: 20,
        late: 12,
        duplicated: 3,
        unsent: 4,
        ..LedgerCounts::default()
    };
    let held = vec![world::evidence("lag p99", 1_000.0, 15.0, Unit::Micros, VerdictState::Valid)];
    let mut conclusion = world::conclusion(VerdictState::Valid, held, counts);
    conclusion.slo = vec![
        world::slo(SloState::Failed, Extended::Infinite, 20_000, "424 of 20,000 attempts never completed"),
        world::slo(SloState::Undecided, Extended::Unsupported, 600, "p99 needs 1,000 attempts"),
    ];
    conclusion.exit = world::reason(4, "an objective was not met: message.delivery.p99 in steady");
    let mut result = assemble(world::preamble(), &totals, conclusion, true);
    result.errors = vec![
        ErrorCount {
            class: "throttled".into(),
            step: "message".into(),
            condition: "resource-constraint".into(),
            count: 20,
            example:
                "Your offline message queue is full.\u{1b}[2J The message has been discarded by the server"
                    .into(),
        },
        ErrorCount {
            class: "network".into(),
            step: "tcp".into(),
            condition: "reset".into(),
            count: 2,
            ..Default::default()
        },
    ];
    result
}

#[test]
fn a_valid_run() {
    insta::assert_snapshot!(shown(&world::valid()));
}

#[test]
fn a_run_that_lost_messages() {
    insta::assert_snapshot!(shown(&lossy()));
}

#[test]
fn a_run_whose_generator_was_the_limit() {
    let mut result = world::valid();
    result.verdict.state = VerdictState::GeneratorLimited;
    result.verdict.evidence = vec![
        world::evidence("turn p99", 1_000.0, 2_004_000.0, Unit::Micros, VerdictState::GeneratorLimited),
        world::evidence("done of asked", 0.99, 0.97, Unit::Share, VerdictState::ServerLimited),
        world::evidence("lag p99", 1_000.0, 15.0, Unit::Micros, VerdictState::Valid),
    ];
    result.verdict.notes = vec!["the run used 2 of 2 processors; the server under test shares them".into()];
    result.target.insecure = true;
    result.exit = world::reason(7, "the measurement is not trustworthy: the generator was the limit");
    insta::assert_snapshot!(shown(&result));
}

#[test]
fn an_interrupted_run() {
    let mut totals = Totals::new(world::layout()).expect("a small layout");
    world::feed(&mut totals, 15, |_| Outcome::Ok);
    totals.close_interval();
    let counts = LedgerCounts { expected: 18, delivered: 15, indeterminate: 3, ..LedgerCounts::default() };
    let mut conclusion = world::conclusion(VerdictState::Interrupted, Vec::new(), counts);
    conclusion.exit = world::reason(130, "interrupted by Ctrl-C");
    insta::assert_snapshot!(shown(&assemble(world::preamble(), &totals, conclusion, true)));
}

#[test]
fn a_run_without_traffic() {
    let totals = Totals::new(world::layout()).expect("a small layout");
    let conclusion = world::conclusion(VerdictState::Interrupted, Vec::new(), LedgerCounts::default());
    let mut result = assemble(world::preamble(), &totals, conclusion, true);
    result.exit = world::reason(3, "cannot connect to 127.0.0.1:5222: connection refused");
    insta::assert_snapshot!(render(&result, None, Style::default()));
}

/// A certificate of an authority nobody named: the summary says what to do, and does not blame the user's Ctrl-C.
#[test]
fn a_run_whose_authority_is_unknown() {
    let totals = Totals::new(world::layout()).expect("a small layout");
    let mut conclusion = world::conclusion(VerdictState::Interrupted, Vec::new(), LedgerCounts::default());
    conclusion.ended_early = Some(EndedEarly { reason: "nobody could log in".into(), at_s: 1.0 });
    conclusion.exit = world::reason(3, "nobody could log in: tls at tls (certificate has an unknown issuer)");
    let mut result = assemble(world::preamble(), &totals, conclusion, true);
    result.errors = vec![ErrorCount {
        class: "misuse".into(),
        step: "tls".into(),
        condition: "tls".into(),
        count: 126,
        example: "certificate has an unknown issuer".into(),
    }];
    insta::assert_snapshot!(shown(&result));
}

#[test]
fn a_run_that_ended_early_and_never_owed_anything() {
    let mut totals = Totals::new(world::layout()).expect("a small layout");
    for n in 0..30 {
        let offline = Outcome::Unsent(Unsent::SenderOffline);
        totals.record(0, &world::ended(world::MESSAGE, 0, n * 10_000, offline));
    }
    totals.close_interval();
    let counts = LedgerCounts { unsent: 30, ..LedgerCounts::default() };
    let mut conclusion = world::conclusion(VerdictState::Interrupted, Vec::new(), counts);
    conclusion.ledgers.swap(0, 1);
    conclusion.ended_early =
        Some(EndedEarly { reason: "offline > 20% for 2s: 10 of 40 users".into(), at_s: 1.5 });
    conclusion.verdict.notes = vec!["ended early, after 1.5 s: offline > 20% for 2s: 10 of 40 users".into()];
    insta::assert_snapshot!(shown(&assemble(world::preamble(), &totals, conclusion, true)));
}

#[test]
fn rates_of_a_phase_cut_short_are_over_the_time_it_lasted() {
    let mut result = world::valid();
    result.ended_early = Some(EndedEarly { reason: "interrupted by its user".into(), at_s: 7.0 });
    let text = shown(&result);
    assert!(text.contains("Phase steady, 5 s measured"), "{text}");
    assert!(text.contains("200/s 200/s"), "{text}");
    // What went over the wire while it drained is no part of the phase either.
    result.phases[1].traffic = Some(Traffic::of(1_000, 2_000, 90_000, 120_000));
    result.series.bytes_out = (0..13).map(|second| if second < 7 { 9_000 } else { 100 }).collect();
    let text = shown(&result);
    assert!(text.contains("8.79 KiB/s") && text.contains("11.7 KiB/s"), "{text}");
}

#[test]
fn a_wide_terminal_with_colour() {
    insta::assert_snapshot!(render(&lossy(), None, Style { width: 132, colour: true }));
}

#[test]
fn no_line_is_wider_than_the_page_and_nothing_moves_the_cursor() {
    for width in [80, 100, 132, 200] {
        let text = render(&lossy(), Some("a.json"), Style { width, colour: false });
        for line in text.lines() {
            assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
        }
        assert!(!text.contains('\u{1b}'), "what a peer said is freed of control characters");
    }
}

#[test]
fn colour_says_nothing_the_words_do_not() {
    let plain = render(&lossy(), None, Style { width: 90, colour: false });
    let coloured = render(&lossy(), None, Style { width: 90, colour: true });
    let mut stripped = String::new();
    let mut in_escape = false;
    for c in coloured.chars() {
        match c {
            '\u{1b}' => in_escape = true,
            'm' if in_escape => in_escape = false,
            c if !in_escape => stripped.push(c),
            _ => {}
        }
    }
    assert_ne!(plain, coloured);
    assert_eq!(plain, stripped);
}
