//! Stages in virtual time: rates, bounds, what is tried again, what is given up, what a roster turns out to be.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use xmpp_bench::accounts::check::Checked;
use xmpp_bench::accounts::known::Known;
use xmpp_bench::accounts::worker::{Message, Report, Stage};
use xmpp_bench::accounts::{Finding, Outcome, People, Task};
use xmpp_bench::units::{Offset, Rate};
use xmpp_bench::xmpp::{Registered, Subscription};

use crate::peer::{EarlyGrants, Options, Peer};
use crate::world::{World, people};

const LONG: Duration = Duration::from_mins(10);

fn ended(reports: &[Report]) -> BTreeMap<u32, &Outcome> {
    let ended = reports.iter().filter_map(|report| match report {
        Report::Ended(user, outcome) => Some((*user, outcome)),
        _ => None,
    });
    let all: BTreeMap<_, _> = ended.clone().collect();
    assert_eq!(all.len(), ended.count(), "everybody ends once");
    all
}

/// Everybody registered, so that a stage can begin.
fn settled(people: &Arc<People>, options: Options) -> Peer {
    let mut world = World::new(people, Peer::default(), Task::Register, Known::default(), 1_000.0, 50);
    world.run(LONG);
    assert_eq!(world.peer.accounts.len(), people.with_account().count());
    let mut peer = world.peer;
    peer.options = options;
    peer
}

fn pass(people: &Arc<People>, peer: Peer, known: Known) -> (Peer, u32) {
    let mut world = World::new(people, peer, Task::Contacts, known, 1_000.0, 5);
    let reports = world.run(LONG);
    let complete =
        |outcome: &&&Outcome| matches!(outcome, Ok(Finding::Contacts(seen)) if seen.left.is_empty());
    let complete = ended(&reports).values().filter(complete).count();
    (world.peer, complete as u32)
}

#[test]
fn accounts_are_made_at_no_more_than_the_rate_and_with_no_more_than_the_connections() {
    let people = people(300, 0);
    let mut world = World::new(&people, Peer::default(), Task::Register, Known::default(), 100.0, 7);
    let reports = world.run(LONG);
    let made = ended(&reports);
    assert!(made.values().all(|outcome| **outcome == Ok(Finding::Registered(Registered::Created))));
    assert_eq!((made.len(), world.peer.accounts.len()), (300, 300));
    assert_eq!(world.peer.accounts["u42"].password, "secret-42");
    // 100/s with a burst of a tenth of a second: in no second more than 110, and not much less where nothing holds it up.
    for at in &world.opened {
        let within =
            world.opened.iter().filter(|other| **other >= *at && other.since(*at) < Duration::from_secs(1));
        assert!(within.count() <= 110, "from {at}");
    }
    let took = world.opened.last().unwrap().as_secs_f64();
    assert!((2.8..=3.1).contains(&took), "{took} s");
    // A visit takes some 10 ms here: at this rate seven connections are never all needed, and with fewer they bound it.
    let mut narrow = World::new(&people, Peer::default(), Task::Register, Known::default(), 1_000.0, 2);
    narrow.run(LONG);
    let took = narrow.opened.last().unwrap().as_secs_f64();
    assert!(took > 1.0, "two connections of 8 ms each make at most 250/s: {took} s");
}

#[test]
fn an_account_that_is_there_is_told_apart_and_left_as_it_is() {
    let people = people(3, 0);
    let mut peer = settled(&people, Options::default());
    peer.accounts.get_mut("u1").unwrap().password = "its own".to_owned();
    peer.accounts.remove("u2");
    let mut world = World::new(&people, peer, Task::Register, Known::default(), 100.0, 3);
    let reports = world.run(LONG);
    let made: Vec<_> = ended(&reports).into_values().cloned().collect();
    let expected = [Registered::Existed, Registered::Existed, Registered::Created];
    assert_eq!(made, expected.map(|registered| Ok(Finding::Registered(registered))));
    assert_eq!(world.peer.accounts["u1"].password, "its own");
}

#[test]
fn who_is_put_off_comes_again_and_who_is_refused_does_not() {
    let people = people(40, 0);
    let options = Options { put_off_every: Some(4), ..Options::default() };
    let peer = Peer::with(options);
    let mut world = World::new(&people, peer, Task::Register, Known::default(), 100.0, 5);
    let reports = world.run(LONG);
    assert!(ended(&reports).values().all(|outcome| outcome.is_ok()));
    let again = reports.iter().filter(|report| matches!(report, Report::Again(..))).count();
    assert!(again >= 10, "{again} put off");

    let options = Options { refuse_registration: Some("not-allowed"), ..Options::default() };
    let peer = Peer::with(options);
    let mut world = World::new(&people, peer, Task::Register, Known::default(), 100.0, 5);
    let reports = world.run(LONG);
    assert_eq!(ended(&reports).len(), 40);
    for outcome in ended(&reports).values() {
        let fault = outcome.as_ref().unwrap_err();
        assert_eq!(
            (fault.class.as_str(), fault.step, fault.condition.as_str()),
            ("policy", "register", "not-allowed")
        );
    }
    assert_eq!(world.peer.registrations, 40, "nobody who was refused came again");
}

#[test]
fn where_nobody_listens_the_rest_is_not_tried() {
    let people = people(5_000, 0);
    let mut world = World::new(&people, Peer::default(), Task::Register, Known::default(), 100.0, 10);
    world.refuses = true;
    let reports = world.run(LONG);
    let hopeless = reports.iter().find_map(|report| match report {
        Report::Hopeless(fault) => Some(fault),
        _ => None,
    });
    assert_eq!(hopeless.map(|fault| fault.condition.as_str()), Some("refused"));
    assert!(world.opened.len() < 1_200, "{} attempts", world.opened.len());
    assert!(world.now >= Offset::from_secs_f64(8.0), "a server that is just starting is waited for");
}

#[test]
fn when_a_hundred_on_end_fail_alike_the_rest_is_not_tried() {
    let people = people(500, 0);
    let alike = |reports: &[Report]| {
        reports.iter().find_map(|report| match report {
            Report::Alike(fault) => Some(fault.condition.clone()),
            _ => None,
        })
    };
    let check = |peer: Peer, first: u32, keep_going| {
        let stage = Stage {
            people: Arc::clone(&people),
            task: Task::Check,
            users: (first..500).collect(),
            known: Known::default(),
            rate: Rate::per_second(1_000.0).unwrap(),
            connections: 5,
            keep_going,
        };
        let mut world = World::of(stage, peer);
        let reports = world.run(LONG);
        (alike(&reports), ended(&reports).len())
    };
    let no_account = || Some("no-account".to_owned());
    // Those under way end as they will; who was not tried has no outcome.
    let (condition, tried) = check(Peer::default(), 0, false);
    assert_eq!(condition, no_account());
    assert!((100..=105).contains(&tried), "{tried} were tried");
    assert_eq!(check(Peer::default(), 0, true), (None, 500), "it was told to go on");
    assert_eq!(check(Peer::default(), 400, false), (None, 100), "there is nobody else to try");
    let mut gaps = settled(&people, Options::default());
    (0..500).filter(|n| n % 90 != 0).for_each(|n| drop(gaps.accounts.remove(&format!("u{n}"))));
    assert_eq!(check(gaps, 0, false), (None, 500), "none of the gaps is that long");
    let mut half = settled(&people, Options::default());
    half.accounts.values_mut().for_each(|account| account.password = "its own".to_owned());
    (0..500).filter(|n| n % 2 == 0).for_each(|n| drop(half.accounts.remove(&format!("u{n}"))));
    assert_eq!(check(half, 0, false), (None, 500), "they fail, and not alike");

    let options = Options { refuse_registration: Some("not-allowed"), ..Options::default() };
    let mut world = World::new(&people, Peer::with(options), Task::Register, Known::default(), 1_000.0, 5);
    assert_eq!(alike(&world.run(LONG)).as_deref(), Some("not-allowed"));
    assert!(world.peer.registrations <= 105, "{}", world.peer.registrations);
}

#[test]
fn a_server_that_says_nothing_costs_a_time_limit_and_no_more() {
    let people = people(10, 0);
    let peer = Peer::with(Options { mute: true, ..Options::default() });
    let mut world = World::new(&people, peer, Task::Register, Known::default(), 100.0, 10);
    let reports = world.run(Duration::from_mins(15));
    let faults = reports.iter().map(|report| match report {
        Report::Ended(_, Err(fault))
        | Report::Again(_, fault)
        | Report::Hopeless(fault)
        | Report::Alike(fault) => fault,
        Report::Ended(user, outcome) => panic!("u{user}: {outcome:?}"),
    });
    assert!(faults.clone().all(|fault| fault.condition == "timeout"));
    assert!(faults.count() > 20, "each was tried again, until it was in vain");
}

#[test]
fn told_to_stop_it_ends_what_is_under_way_and_begins_nothing() {
    let people = people(1_000, 0);
    let mut world = World::new(&people, Peer::default(), Task::Register, Known::default(), 100.0, 10);
    world.run_until(Offset::from_secs_f64(2.0));
    let begun = world.opened.len();
    world.tell(Message::Stop);
    let reports = world.run(Duration::from_secs(30));
    assert_eq!(world.opened.len(), begun);
    let ended = ended(&reports);
    assert_eq!(ended.len(), begun);
    assert!(ended.values().all(|outcome| outcome.is_ok()));
    assert_eq!(world.peer.accounts.len(), begun);

    let mut world = World::new(&people, Peer::default(), Task::Register, Known::default(), 100.0, 10);
    world.run_until(Offset::from_secs_f64(1.0));
    world.tell(Message::Abort);
    world.run(Duration::ZERO);
}

#[test]
fn two_passes_make_everybody_mutual_and_a_third_has_little_to_do() {
    for early_grants in [EarlyGrants::Ignored, EarlyGrants::Botched] {
        let people = people(100, 8);
        let peer = settled(&people, Options { early_grants, ..Options::default() });
        let (peer, _) = pass(&people, peer, Known::nobody_asked(100));
        let (peer, _) = pass(&people, peer, Known::everyone_asked());
        let (peer, complete) = pass(&people, peer, Known::everyone_asked());
        assert_eq!(complete, 100, "{early_grants:?}");
        assert_eq!(peer.mutual_pairs().len(), 100 * 8 / 2, "{early_grants:?}");
        assert!(
            peer.accounts.values().all(|account| account.roster.len() == 8 && account.pending.is_empty())
        );
        assert!(peer.most_at_once <= 5, "{} at once", peer.most_at_once);
        let approved =
            peer.accounts.values().flat_map(|account| account.roster.values()).filter(|c| c.approved);
        assert_eq!(approved.count(), 0, "nobody is granted before it has asked");
    }
}

#[test]
fn what_differs_is_found_and_named() {
    let people = people(20, 4);
    let mut peer = settled(&people, Options::default());
    for _ in 0..3 {
        (peer, _) = pass(&people, peer, Known::everyone_asked());
    }
    peer.accounts.remove("u3");
    peer.accounts.get_mut("u7").unwrap().password = "another".to_owned();
    peer.contact("u10", "u11").subscription = Subscription::To;
    peer.accounts.get_mut("u12").unwrap().roster.remove("u13@localhost");
    peer.contact("u15", "stranger");
    let mut world = World::new(&people, peer, Task::Check, Known::default(), 1_000.0, 5);
    let reports = world.run(LONG);
    for (user, outcome) in ended(&reports) {
        let Ok(Finding::Checked(checked)) = outcome else { panic!("u{user}: {outcome:?}") };
        let differences = match (user, checked) {
            (3, Checked::NoAccount) | (7, Checked::WrongPassword) => continue,
            (_, Checked::LetIn(differences)) => differences,
            other => panic!("{other:?}"),
        };
        let found = [&differences.one_sided, &differences.missing, &differences.surplus]
            .map(|listed| listed.examples.clone());
        let expected: [&[&str]; 3] = match user {
            10 => [&["u10@localhost with u11@localhost: to"], &[], &[]],
            12 => [&[], &["u12@localhost has not u13@localhost"], &[]],
            15 => [&[], &[], &["u15@localhost has stranger@localhost"]],
            _ => [&[], &[], &[]],
        };
        assert_eq!(found, expected.map(|texts| texts.iter().map(ToString::to_string).collect::<Vec<_>>()));
    }
}

#[test]
fn where_only_plain_is_offered_a_refusal_tells_no_more_than_that() {
    let people = people(2, 0);
    let mut peer = settled(&people, Options { plain_only: true, ..Options::default() });
    peer.accounts.remove("u0");
    peer.accounts.get_mut("u1").unwrap().password = "another".to_owned();
    let mut world = World::new(&people, peer, Task::Check, Known::default(), 100.0, 5);
    let reports = world.run(LONG);
    assert!(ended(&reports).values().all(|outcome| **outcome == Ok(Finding::Checked(Checked::NotLetIn))));
}

#[test]
fn accounts_are_removed_and_those_that_are_not_there_are_no_error() {
    let people = people(6, 2);
    let mut peer = settled(&people, Options::default());
    peer.accounts.remove("u4");
    peer.accounts.insert("bystander".to_owned(), crate::peer::Account::default());
    let mut world = World::new(&people, peer, Task::Delete, Known::default(), 100.0, 2);
    let reports = world.run(LONG);
    for (user, outcome) in ended(&reports) {
        let expected = if user == 4 { Finding::Absent } else { Finding::Deleted };
        assert_eq!(*outcome, Ok(expected), "u{user}");
    }
    assert_eq!(world.peer.accounts.keys().collect::<Vec<_>>(), ["bystander"]);
}

#[test]
fn a_password_that_is_echoed_goes_no_further() {
    let people = people(5, 0);
    let options = Options { refuse_registration: Some("not-acceptable"), ..Options::default() };
    let peer = Peer::with(options);
    let mut world = World::new(&people, peer, Task::Register, Known::default(), 100.0, 5);
    let said = format!("{:?}", world.run(LONG));
    assert!(said.contains("\"not ***\"") && !said.contains("secret-"), "{said}");
}
