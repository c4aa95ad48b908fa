//! An hour's run, made through the library as a run makes its own.

use std::time::Duration;

use xmpp_bench::results::{
    Layout, LedgerCounts, OperationLayout, PhaseLayout, RunResult, SecondFacts, Totals, VerdictState,
    assemble,
};
use xmpp_bench::sample::{ErrorClass, GroupId, Instants, OperationId, Outcome, Sample};
use xmpp_bench::units::Offset;

use crate::world;

const OPERATIONS: [&str; 10] = [
    "login",
    "login.tcp",
    "login.tls",
    "login.auth",
    "message.delivery",
    "groupchat.delivery",
    "groupchat.echo",
    "presence.delivery",
    "presence.echo",
    "ping",
];

/// An hour in which every operation happens so many times a second, slower and faster in waves, some without success.
pub fn hour(per_second: u64, seed: u64) -> RunResult {
    let phase =
        |name: &str, start_s, end_s, measured| PhaseLayout { name: name.into(), start_s, end_s, measured };
    let layout = Layout {
        phases: vec![
            phase("ramp", 0.0, 300.0, false),
            phase("steady", 300.0, 3_000.0, true),
            phase("peak", 3_000.0, 3_600.0, true),
        ],
        operations: OPERATIONS
            .map(|name| OperationLayout { name: name.into(), meaning: "one".into() })
            .into(),
        groups: vec!["all".into()],
    };
    let mut totals = Totals::new(layout.clone()).expect("a small layout");
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for second in 0..3_600u64 {
        let phase = usize::from(second >= 300) + usize::from(second >= 3_000);
        for operation in 0..OPERATIONS.len() as u16 {
            for n in 0..per_second {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let intended = Offset::from_nanos(second * 1_000_000_000 + n * 1_000_000_000 / per_second);
                totals.record(phase, &sample(operation, intended, state >> 33, second));
            }
        }
        totals.note_second(&SecondFacts {
            second: second as u32,
            users_online: Some((second * 10).min(3_000) + second % 7),
            turn_max_us: Some(200 + state % 900),
            bytes_out: 90_000,
            bytes_in: 120_000,
            ..SecondFacts::default()
        });
        if second % 60 == 59 {
            totals.close_interval();
        }
    }
    totals.close_interval();
    let mut preamble = world::preamble();
    preamble.layout = layout;
    preamble.seed = seed;
    preamble.run_id = seed.to_string();
    let mut conclusion = world::conclusion(VerdictState::Valid, Vec::new(), LedgerCounts::default());
    conclusion.ledgers.clear();
    assemble(preamble, &totals, conclusion, true)
}

fn sample(operation: u16, intended: Offset, draw: u64, second: u64) -> Sample {
    let (operation, group) = (OperationId(operation), GroupId(0));
    match draw % 997 {
        0 => return Sample::ended(operation, group, intended, Outcome::Lost),
        1 => return Sample::ended(operation, group, intended, Outcome::Failed(ErrorClass::Throttled)),
        2 => return Sample::ended(operation, group, intended, Outcome::Timeout),
        _ => {}
    }
    let wave = 1.0 + (second as f64 / 200.0).sin().abs() * 20.0;
    let tail = 1.0 + 200.0 * ((draw % 10_007) as f64 / 10_007.0).powi(24);
    let service = Duration::from_micros((300.0 * wave * tail) as u64 + draw % 300);
    let (offered, sent) = (intended + Duration::from_micros(20), intended + Duration::from_micros(22));
    Sample::completed(operation, group, Instants { intended, offered, sent, done: sent + service }, false)
}
