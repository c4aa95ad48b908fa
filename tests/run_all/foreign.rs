//! A receiver that shares no code with us: slixmpp is a second resource of one user, on real servers that give a copy to each.
//! What it prints is what the plan wants that user to be sent, sender by sender in the same order.

use std::collections::{BTreeMap, BTreeSet};

use rustix::process::Signal;
use xmpp_bench::sample::Token;
use xmpp_bench::units::Offset;

use crate::world::{Running, World, wait_for};

const PROFILE: &str = r#"
deadline = "5s"
drain = "5s"
[target]
url = "loopback:"
domain = "localhost"
[[users]]
count = 10
jid = "u{n}@{domain}"
password = "p{n}"
contacts = 4
[[phase]]
name = "ramp"
duration = "1s"
users = 10
[[phase]]
name = "steady"
duration = "5s"
measure = true
[[activity]]
kind = "message"
rate = "400/s"
body = "uniform(24, 200)"
to = "contact"
"#;

/// The user slixmpp shares.
const USER: u32 = 1;

#[test]
fn slixmpp_sees_what_the_plan_says_on_prosody() {
    on("PROSODY");
}

#[test]
fn slixmpp_sees_what_the_plan_says_on_ejabberd() {
    on("EJABBERD");
}

fn on(server: &str) {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (url, ca) = (variable(&format!("XB_{server}")), variable(&format!("XB_{server}_CA")));
    let (Some(url), Some(ca), Some(python)) = (url, ca, variable("XB_PYTHON")) else {
        println!("SKIPPED: {server} and slixmpp are needed (scripts/test provides both)");
        return;
    };
    let world = World::new(PROFILE);
    let receiver = listen(&world, &python, &url, &ca);
    let ended = world.run(&["--target", &url, "--set", &format!("target.ca_file={ca}"), "--workers", "1"]);
    receiver.signal(Signal::TERM);
    let mut receiver = receiver;
    assert_eq!(receiver.wait(), 0, "{}", world.text("slixmpp.err"));

    let identity = ended.result.target.identity.as_ref().expect("it says what it is");
    assert!(identity.name.eq_ignore_ascii_case(server) && !identity.version.is_empty(), "{identity}");
    let used: Vec<&String> = ended.result.target.mechanisms_used.keys().collect();
    assert!(used.len() == 1 && used[0].starts_with("SCRAM-SHA-"), "{used:?}");

    let target = &ended.result.target;
    assert!(target.mechanisms.iter().any(|offered| offered == used[0]), "{:?}", target.mechanisms);
    for feature in ["urn:ietf:params:xml:ns:xmpp-tls", "urn:ietf:params:xml:ns:xmpp-bind", "urn:xmpp:sm:3"] {
        assert!(target.features.iter().any(|offered| offered == feature), "{feature}: {:?}", target.features);
    }
    let tls = target.tls.as_ref().expect("over TLS");
    assert!(tls.certificate.as_ref().expect("it shows one").chain >= 1, "{tls:?}");

    // Our own session of that user got one copy of each, like everybody else's.
    let ledger = ended.result.ledger.message;
    assert_eq!(ledger.delivered, ledger.expected);
    assert_eq!(
        [ledger.duplicated, ledger.reordered, ledger.misdelivered, ledger.stale, ledger.replayed],
        [0; 5]
    );

    let heard = heard(&world.text("slixmpp.out"), &ended.result.run_id);
    let mut planned: BTreeMap<u32, Vec<Offset>> = BTreeMap::new();
    for action in world.plan(7).iter().filter(|action| action.recipient() == Some(USER)) {
        planned.entry(action.sender).or_default().push(action.at);
    }
    let count: usize = planned.values().map(Vec::len).sum();
    let missing = count - heard.values().map(Vec::len).sum::<usize>();
    eprintln!("{count} planned for u{USER}, {missing} not heard, {} unsent in all", ledger.unsent);
    assert!(count > 80, "too few to show anything: {count}");
    if ledger.unsent == 0 {
        assert_eq!(heard, planned);
    } else {
        // A login that took long: what was not sent is missing at the beginning, and counted.
        assert!(missing as u64 <= ledger.unsent, "{missing} are missing, {} were unsent", ledger.unsent);
        for (sender, heard) in &heard {
            let all: BTreeSet<_> = planned[sender].iter().collect();
            assert!(heard.is_sorted() && heard.iter().all(|at| all.contains(at)), "of u{sender}: {heard:?}");
        }
    }
}

fn listen(world: &World, python: &str, url: &str, ca: &str) -> Running {
    let port = url.rsplit(':').next().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/slixmpp_receiver.py");
    let (jid, password) = (format!("u{USER}@localhost"), format!("p{USER}"));
    let file = |name: &str| std::fs::File::create(world.path(name)).unwrap();
    let child = std::process::Command::new(python)
        .args([script, "--port", port, "--ca", ca, "--jid", &jid, "--password", &password])
        .stdout(file("slixmpp.out"))
        .stderr(file("slixmpp.err"))
        .spawn();
    let receiver = Running::new(child.unwrap());
    wait_for("slixmpp online", || world.text("slixmpp.out").starts_with("ready\n").then_some(()));
    receiver
}

/// The instants of this run's tokens by sender, as they came. The body begins with the token of the id.
fn heard(text: &str, run_id: &str) -> BTreeMap<u32, Vec<Offset>> {
    let mut heard: BTreeMap<u32, Vec<Offset>> = BTreeMap::new();
    let mut sequences: BTreeMap<u32, u64> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let (id, body) = line.split_once('\t').unwrap();
        assert_eq!(id, body);
        let token = Token::decode(id.as_bytes()).unwrap_or_else(|| panic!("not a token: {line}"));
        if format!("{:06x}", token.run) != run_id {
            continue;
        }
        let before = sequences.insert(token.sender.0, token.sequence);
        assert!(before.is_none_or(|before| before < token.sequence), "out of order: {line}");
        heard.entry(token.sender.0).or_default().push(token.intended);
    }
    heard
}
