//! Objectives against what happened: percentiles over all attempts, ledgers, throughput; and undecided where there is too little.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use xmpp_bench::activity::Features;
use xmpp_bench::engine::run::Run;
use xmpp_bench::engine::{aggregate, objectives};
use xmpp_bench::machine::Transport;
use xmpp_bench::profile::{Files, Input, Profile};
use xmpp_bench::results::{Ledgers, SloState, Totals};
use xmpp_bench::sample::{
    ErrorClass, GroupId, Indeterminate, Instants, OperationId, Outcome, Sample, Unsent,
};
use xmpp_bench::units::Offset;

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &Path) -> Result<String, String> {
        Err(format!("no file {} here", path.display()))
    }
}

const PROFILE: &str = r#"
[target]
url = "loopback:"
domain = "localhost"
[[users]]
count = 10
jid = "u{n}@{domain}"
password = "p{n}"
contacts = 2
[[phase]]
name = "ramp"
duration = "10s"
users = 10
[[phase]]
name = "steady"
duration = "10s"
measure = true
[[activity]]
kind = "message"
rate = "100/s"
[[activity]]
kind = "ping"
rate = "1/s"
[slo]
"#;

/// The first activity's: behind those of a login, and logout.
const MESSAGE: OperationId = OperationId(xmpp_bench::activity::LOGIN_OPERATIONS.len() as u16 + 1);
const LOGIN: OperationId = OperationId(0);

/// What becomes of one objective when these samples and this account are all there is.
fn judged(objective: &str, samples: &[Sample], ledger: impl FnOnce(&mut Ledgers)) -> (SloState, String) {
    judged_until(Offset::MAX, objective, samples, ledger)
}

/// The same of a run that ended then.
fn judged_until(
    until: Offset,
    objective: &str,
    samples: &[Sample],
    ledger: impl FnOnce(&mut Ledgers),
) -> (SloState, String) {
    let text = format!("{PROFILE}{objective}\n");
    let input = Input { name: "test.toml".to_owned(), text, ..Input::default() };
    let profile = Profile::read(&input, &Features, &NoFiles).unwrap_or_else(|problems| panic!("{problems}"));
    let slos = profile.slos.clone();
    let target = (SocketAddr::from(([127, 0, 0, 1], 5222)), Transport::Tcp);
    let run = Run::new(Arc::new(profile), 1, 1, vec![target]);
    let mut totals = Totals::new(aggregate::layout(&run, vec!["users".to_owned()])).expect("a small layout");
    for sample in samples {
        totals.record(run.phase_of(sample.intended), sample);
    }
    totals.close_interval();
    let mut ledgers = vec![Ledgers::default(); 2];
    ledger(&mut ledgers[1]);
    let judged = objectives::judge(&run, &slos, &totals, &ledgers, until);
    assert_eq!(judged.len(), 1, "one measured phase, one objective");
    (judged[0].state, judged[0].reason.clone())
}

fn completed(operation: OperationId, count: u64, millis: u64) -> Vec<Sample> {
    let at = |i: u64| {
        if operation == LOGIN { Offset::from_secs_f64(1.0) } else { Offset::from_nanos(11_000_000_000 + i) }
    };
    let sample = |i| {
        let instants = Instants::begun(at(i), at(i) + Duration::from_millis(millis));
        Sample::completed(operation, GroupId(0), instants, false)
    };
    (0..count).map(sample).collect()
}

fn lost(count: u64) -> Vec<Sample> {
    let at = |i| Offset::from_nanos(12_000_000_000 + i);
    (0..count).map(|i| Sample::ended(MESSAGE, GroupId(0), at(i), Outcome::Lost)).collect()
}

#[test]
fn a_percentile_holds_or_not() {
    let samples = completed(MESSAGE, 2_000, 40);
    assert_eq!(judged("\"message.delivery.p99\" = \"<= 50ms\"", &samples, |_| ()).0, SloState::Passed);
    assert_eq!(judged("\"message.delivery.p99\" = \"<= 30ms\"", &samples, |_| ()).0, SloState::Failed);
}

#[test]
fn what_never_came_is_infinitely_slow() {
    let samples = [completed(MESSAGE, 1_960, 1), lost(40)].concat();
    let (state, reason) = judged("\"message.delivery.p99\" = \"<= 1h\"", &samples, |_| ());
    assert_eq!((state, reason.as_str()), (SloState::Failed, "it lies among operations that never completed"));
    assert_eq!(judged("\"message.delivery.p50\" = \"<= 2ms\"", &samples, |_| ()).0, SloState::Passed);
}

#[test]
fn too_few_observations_are_undecided_and_that_is_no_pass() {
    let samples = completed(MESSAGE, 999, 1);
    let (state, reason) = judged("\"message.delivery.p99\" = \"<= 50ms\"", &samples, |_| ());
    assert_eq!(
        (state, reason.as_str()),
        (SloState::Undecided, "too few observations: 999 attempted operations")
    );
}

#[test]
fn logins_are_held_against_all_phases() {
    let samples = completed(LOGIN, 1_000, 40);
    assert_eq!(judged("\"login.p99\" = \"<= 50ms\"", &samples, |_| ()).0, SloState::Passed);
}

#[test]
fn ledgers_by_count_and_by_share() {
    let account = |lost: u64| {
        move |ledgers: &mut Ledgers| {
            ledgers.message.expected = 1_000;
            ledgers.message.lost = lost;
        }
    };
    for (objective, lost, state) in [
        ("\"message.lost\" = \"== 0\"", 0, SloState::Passed),
        ("\"message.lost\" = \"== 0\"", 1, SloState::Failed),
        ("\"message.lost\" = \"< 1%\"", 9, SloState::Passed),
        ("\"message.lost\" = \"< 1%\"", 10, SloState::Failed),
    ] {
        assert_eq!(judged(objective, &[], account(lost)).0, state, "{objective} with {lost} lost");
    }
    assert_eq!(
        judged("\"message.lost\" = \"== 0\"", &[], |_| ()).0,
        SloState::Undecided,
        "nothing was expected"
    );
}

#[test]
fn mean_and_max_are_infinite_where_anything_never_completed() {
    let fast = [completed(MESSAGE, 90, 10), completed(MESSAGE, 10, 110)].concat();
    let with_a_loss = [fast.clone(), lost(1)].concat();
    for (objective, samples, state) in [
        ("\"message.delivery.mean\" = \"<= 21ms\"", &fast, SloState::Passed),
        ("\"message.delivery.mean\" = \"<= 19ms\"", &fast, SloState::Failed),
        ("\"message.delivery.max\" = \"<= 120ms\"", &fast, SloState::Passed),
        ("\"message.delivery.max\" = \"<= 100ms\"", &fast, SloState::Failed),
        ("\"message.delivery.max\" = \"<= 1h\"", &with_a_loss, SloState::Failed),
        ("\"message.delivery.mean\" = \"<= 1h\"", &with_a_loss, SloState::Failed),
        ("\"message.delivery.max\" = \"<= 1h\"", &Vec::new(), SloState::Undecided),
        ("\"message.delivery.mean\" = \"<= 1h\"", &Vec::new(), SloState::Undecided),
    ] {
        assert_eq!(judged(objective, samples, |_| ()).0, state, "{objective} over {}", samples.len());
    }
}

#[test]
fn outcomes_by_count_and_by_share_alone_and_by_family() {
    let at = Offset::from_nanos(12_000_000_000);
    let ends = |outcome: Outcome, count: usize| vec![Sample::ended(MESSAGE, GroupId(0), at, outcome); count];
    let samples = [
        completed(MESSAGE, 90, 1),
        ends(Outcome::Lost, 4),
        ends(Outcome::Failed(ErrorClass::Throttled), 1),
        ends(Outcome::Failed(ErrorClass::Server), 2),
        ends(Outcome::Unsent(Unsent::SenderOffline), 3),
        ends(Outcome::Indeterminate(Indeterminate::SenderStream), 100),
    ]
    .concat();
    for (objective, state) in [
        ("lost\" = \"<= 4\"", SloState::Passed),
        ("lost\" = \"< 4\"", SloState::Failed),
        ("failed\" = \"== 3\"", SloState::Passed),
        ("failed-throttled\" = \"== 1\"", SloState::Passed),
        ("failed\" = \"<= 3%\"", SloState::Passed),
        ("failed\" = \"< 3%\"", SloState::Failed),
        ("ok\" = \">= 90%\"", SloState::Passed),
        ("timeout\" = \"== 0\"", SloState::Passed),
        ("indeterminate\" = \"<= 50%\"", SloState::Passed),
        ("indeterminate\" = \"< 50%\"", SloState::Failed),
    ] {
        let objective = format!("\"message.delivery.{objective}");
        assert_eq!(judged(&objective, &samples, |_| ()).0, state, "{objective}");
    }
    let (state, reason) = judged("\"message.delivery.failed\" = \"== 0\"", &[], |_| ());
    assert_eq!(state, SloState::Undecided, "nothing was attempted");
    assert_eq!(reason, "there was nothing to count: 0 attempted operations");
}

#[test]
fn logins_are_held_against_one_phase_where_one_is_named() {
    let samples = completed(LOGIN, 1_000, 40);
    assert_eq!(judged("\"ramp/login.p99\" = \"<= 50ms\"", &samples, |_| ()).0, SloState::Passed);
    assert_eq!(judged("\"steady/login.p99\" = \"<= 50ms\"", &samples, |_| ()).0, SloState::Undecided);
}

#[test]
fn a_phase_the_run_ended_before_is_undecided_and_a_part_of_one_is_judged_by_what_it_was() {
    let samples = completed(MESSAGE, 500, 1);
    let full = |ledgers: &mut Ledgers| ledgers.message.expected = 500;
    let (ramp, middle) = (Offset::from_secs_f64(9.0), Offset::from_secs_f64(15.0));
    for objective in ["delivery.rate\" = \">= 1/s\"", "delivery.max\" = \"<= 1h\"", "lost\" = \"== 0\""] {
        let objective = format!("\"steady/message.{objective}");
        let (state, reason) = judged_until(ramp, &objective, &[], full);
        assert_eq!(state, SloState::Undecided, "{objective}");
        assert_eq!(reason, "the run ended before phase steady began");
    }
    let rate = "\"message.delivery.rate\" = \">= 99/s\"";
    assert_eq!(judged_until(middle, rate, &samples, full).0, SloState::Passed, "500 in five seconds");
    assert_eq!(judged(rate, &samples, full).0, SloState::Failed, "500 in ten");
}
