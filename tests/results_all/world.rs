//! A small run made of nothing: three phases, four operations, two groups.

use std::time::Duration;

use xmpp_bench::results::{
    Conclusion, Evidence, Exit, ExitReason, Extended, Generator, Host, HostLimits, KeyCache, Layout,
    LedgerCounts, Ledgers, OperationLayout, PhaseLayout, Population, Preamble, Profile, RunResult, SCHEMA,
    SecondFacts, ServerIdentity, Slo, SloState, Target, Tool, Totals, Unit, Verdict, VerdictState, assemble,
};
use xmpp_bench::sample::{GroupId, Instants, OperationId, Outcome, Sample};
use xmpp_bench::units::Offset;

pub const LOGIN: u16 = 0;
pub const LOGIN_TLS: u16 = 1;
pub const MESSAGE: u16 = 2;
pub const PING: u16 = 3;

pub fn layout() -> Layout {
    let phase =
        |name: &str, start_s, end_s, measured| PhaseLayout { name: name.into(), start_s, end_s, measured };
    let operation =
        |name: &str, meaning: &str| OperationLayout { name: name.into(), meaning: meaning.into() };
    Layout {
        phases: vec![
            phase("ramp", 0.0, 2.0, false),
            phase("steady", 2.0, 12.0, true),
            phase("cool", 12.0, 13.0, false),
        ],
        operations: vec![
            operation("login", "from the first connect to initial presence"),
            operation("login.tls", "the TLS handshake"),
            operation("message.delivery", "a one-to-one message to its recipient"),
            operation("ping", "a ping to the server and its answer"),
        ],
        groups: vec!["mobile".into(), "desktop".into()],
    }
}

pub fn preamble() -> Preamble {
    Preamble {
        schema: SCHEMA,
        tool: Tool { name: "xmpp-bench".into(), version: "0.1.0".into() },
        run_id: "Rn3a".into(),
        started: "2026-11-23T10:00:00Z".into(),
        command: vec!["xmpp-bench".into(), "run".into(), "profiles/quickstart.toml".into()],
        seed: 7,
        profile: Profile {
            name: "quickstart".into(),
            text: "deadline = \"30s\"\n".into(),
            ..Profile::default()
        },
        host: Host {
            system: "linux x86_64".into(),
            cpus: 2,
            clocksource: Some("tsc".into()),
            limits: HostLimits { descriptors: Some(20_000), ..HostLimits::default() },
            ..Host::default()
        },
        target: Target {
            urls: vec!["xmpp://127.0.0.1:5222".into()],
            domain: "localhost".into(),
            trust: "ca_file".into(),
            identity: Some(ServerIdentity { name: "Prosody".into(), version: "0.12.3".into(), os: None }),
            ..Target::default()
        },
        layout: layout(),
        observe: Vec::new(),
    }
}

/// A completed sample; every time in microseconds.
pub fn completed(
    operation: u16,
    group: u16,
    intended_us: u64,
    lag_us: u64,
    blocked_us: u64,
    service_us: u64,
) -> Sample {
    let after = |micros| Offset::from_nanos(intended_us * 1_000) + Duration::from_micros(micros);
    let instants = Instants {
        intended: after(0),
        offered: after(lag_us),
        sent: after(lag_us + blocked_us),
        done: after(lag_us + blocked_us + service_us),
    };
    Sample::completed(OperationId(operation), GroupId(group), instants, false)
}

pub fn ended(operation: u16, group: u16, intended_us: u64, outcome: Outcome) -> Sample {
    Sample::ended(OperationId(operation), GroupId(group), Offset::from_nanos(intended_us * 1_000), outcome)
}

/// Feeds a whole quiet run: 40 logins while ramping, then `messages` messages and 100 pings while steady, of which the
/// outcome of message `n` is what `fate` says.
pub fn feed(totals: &mut Totals, messages: u64, fate: impl Fn(u64) -> Outcome) {
    for user in 0..40 {
        let at = user * 50_000;
        totals.record(0, &completed(LOGIN, (user % 2) as u16, at, 20, 0, 9_000 + user * 100));
        totals.record(0, &completed(LOGIN_TLS, (user % 2) as u16, at + 100, 0, 0, 2_000 + user * 10));
    }
    for n in 0..messages {
        let (at, group) = (2_000_000 + n * 10_000_000 / messages, (n % 2) as u16);
        match fate(n) {
            Outcome::Ok => totals.record(1, &completed(MESSAGE, group, at, 15, 2, 900 + n % 700)),
            outcome => totals.record(1, &ended(MESSAGE, group, at, outcome)),
        }
    }
    for n in 0..100 {
        totals.record(1, &completed(PING, 0, 2_000_000 + n * 100_000, 10, 1, 400 + n));
    }
    for second in 0..13 {
        totals.note_second(&SecondFacts {
            second,
            users_online: Some(40),
            turn_max_us: Some(300),
            bytes_out: 9_000,
            bytes_in: 12_000,
            ..SecondFacts::default()
        });
    }
}

/// Accounts in which everything in the measured phase is as `counts` says.
pub fn ledgers(counts: LedgerCounts) -> Vec<Ledgers> {
    let steady = Ledgers { message: counts, ..Ledgers::default() };
    vec![Ledgers::default(), steady, Ledgers::default()]
}

pub fn evidence(predicate: &str, bound: f64, observed: f64, unit: Unit, state: VerdictState) -> Evidence {
    Evidence {
        predicate: predicate.into(),
        bound,
        observed: Extended::Finite(observed),
        unit,
        window: "whole".into(),
        phase: Some("steady".into()),
        state,
    }
}

pub fn conclusion(state: VerdictState, evidence: Vec<Evidence>, counts: LedgerCounts) -> Conclusion {
    Conclusion {
        ended_early: None,
        verdict: Verdict { state, evidence, notes: Vec::new() },
        exit: Exit::default(),
        slo: Vec::new(),
        target: preamble().target,
        keys: KeyCache { hits: 39, misses: 1 },
        generator: Generator::default(),
        ledgers: ledgers(counts),
        stanzas: Vec::new(),
        room_order: None,
        observed: Vec::new(),
    }
}

pub fn reason(code: u8, reason: &str) -> Exit {
    Exit { code, reasons: vec![ExitReason { code, reason: reason.into() }] }
}

pub fn slo(state: SloState, observed: Extended<f64>, count: u64, reason: &str) -> Slo {
    Slo {
        name: "message.delivery.p99".into(),
        bound: "<= 250ms".into(),
        observed,
        unit: Unit::Micros,
        population: Population { of: "attempted".into(), count },
        phase: "steady".into(),
        state,
        reason: reason.into(),
    }
}

/// A valid run: 2,000 messages, all delivered.
pub fn valid() -> RunResult {
    let mut totals = Totals::new(layout()).expect("a small layout");
    feed(&mut totals, 2_000, |_| Outcome::Ok);
    totals.close_interval();
    let counts = LedgerCounts { expected: 2_000, delivered: 2_000, ..LedgerCounts::default() };
    let held = vec![
        evidence("lag p99", 1_000.0, 15.0, Unit::Micros, VerdictState::Valid),
        evidence("worker busy", 0.85, 0.31, Unit::Share, VerdictState::Valid),
    ];
    let mut conclusion = conclusion(VerdictState::Valid, held, counts);
    conclusion.slo = vec![slo(SloState::Passed, Extended::Finite(1_609.0), 2_000, "")];
    assemble(preamble(), &totals, conclusion, true)
}
