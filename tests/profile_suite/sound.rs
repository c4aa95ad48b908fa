//! What profiles become, and that no text breaks the reader.

use std::time::Duration;

use proptest::prelude::*;
use xmpp_bench::profile::{Bound, Comparison, Metric, Pace, Sign, SizeDistribution, Statistic, Trust};
use xmpp_bench::seed::{Draw, Stream};
use xmpp_bench::units::{Offset, Quantile, Rate};

use crate::registry::{BASE, read};

const TWO_GROUPS: &str = r#"
[target]
url = ["xmpp://a.example", "xmpp://b.example:5333"]
domain = "example.org"
pin = "sha256:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff"
source_addresses = ["127.0.0.2-127.0.0.3", "127.0.0.9"]
[[users]]
name = "mobile"
count = 30
jid = "m{n}@{domain}"
password = "p{n}@{domain}"
contacts = 3
graph = "random"
[[users]]
name = "desktop"
count = 10
jid = "d{n}@{domain}"
password = "p"
contacts = 2
[[phase]]
name = "half"
duration = "10s"
users = "50%"
rate = 0.5
[[phase]]
name = "full"
duration = "1m"
users = { desktop = 10 }
measure = true
rate = 2
[[activity]]
kind = "message"
rate = "2/min per user"
body = "uniform(24, 100)"
[slo]
"message.delivery.p99_9" = "< 1s"
"message.lost" = "<= 0.5%"
"login.rate" = ">= 1/s"
"full/message.delivery.max" = "<= 2s"
"half/login.mean" = "<= 100ms"
"login.failed-throttled" = "== 0"
"message.delivery.unsent" = "< 1%"
[abort]
errors = "> 2.5 % for 1m"
backlog = ">=10000 for 10s"
generator-limited = "for 3s"
"#;

#[test]
fn a_profile_of_two_groups_becomes_what_it_says() {
    let profile = read("two", TWO_GROUPS, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(profile.deadline, Duration::from_secs(30));
    assert_eq!(profile.drain, profile.deadline);
    assert_eq!(profile.users(), 40);
    assert_eq!([0, 29, 30, 39].map(|user| profile.group_index_of(user)), [0, 0, 1, 1]);
    let account = profile.account_of(31).unwrap();
    assert_eq!((account.local.as_ref(), account.password.reveal()), ("d1", "p"));
    assert_eq!(profile.account_of(4).unwrap().password.reveal(), "p4@example.org");
    assert_eq!(profile.phases[0].online, [15, 5]);
    assert_eq!(profile.phases[1].online, [15, 10]);
    assert_eq!(profile.end_of_phases(), Offset::ZERO + Duration::from_secs(70));
    assert_eq!(profile.peak_online(), 25);
    let pace = profile.activities[0].pace;
    let factors = [(0, pace), (0, Pace::Total(Rate::ZERO)), (1, pace)];
    assert_eq!(
        factors.map(|(phase, pace)| profile.factor_at_start(phase, pace).to_string()),
        ["1", "0", "0.5"]
    );
    assert_eq!(pace.over(30), Rate::per_second(1.0).unwrap());
    assert!(matches!(profile.target.trust, Trust::Pin(digest) if digest[1] == 0x11 && digest[31] == 0xff));
}

#[test]
fn users_spread_over_targets_and_within_each_over_source_addresses() {
    let target = read("two", TWO_GROUPS, &[]).unwrap().target;
    let places: std::collections::BTreeSet<String> = (0..6)
        .map(|user| format!("{} {:?}", target.endpoint_of(user), target.source_address_of(user)))
        .collect();
    assert_eq!(places.len(), 6, "{places:?}");
}

#[test]
fn objectives_say_what_is_compared_with_what() {
    let slos = read("two", TWO_GROUPS, &[]).unwrap().slos;
    assert_eq!(
        slos[0].metric,
        Metric::Response("message.delivery".to_owned(), Statistic::Percentile(Quantile::P99_9))
    );
    assert_eq!(slos[0].condition.comparison, Comparison::Below);
    assert_eq!(slos[0].condition.bound, Bound::Time(Duration::from_secs(1)));
    assert_eq!(slos[1].condition.bound, Bound::Share(0.005));
    assert_eq!(slos[2].metric, Metric::Throughput("login".to_owned()));
    let phases: Vec<_> = slos.iter().map(|slo| slo.phase.as_deref()).collect();
    assert_eq!(phases, [None, None, None, Some("full"), Some("half"), None, None]);
    let response = |name: &str, statistic| Metric::Response(name.to_owned(), statistic);
    assert_eq!(slos[3].metric, response("message.delivery", Statistic::Max));
    assert_eq!(slos[4].metric, response("login", Statistic::Mean));
    let outcome = |operation: &str, outcome: &str| Metric::Outcome {
        operation: operation.to_owned(),
        outcome: outcome.to_owned(),
    };
    assert_eq!(slos[5].metric, outcome("login", "failed-throttled"));
    assert_eq!(slos[5].condition.bound, Bound::Count(0));
    assert_eq!(slos[6].metric, outcome("message.delivery", "unsent"));
    assert_eq!(slos[6].condition.bound, Bound::Share(0.01));
    assert!(Comparison::AtMost.holds(1.0, 1.0) && !Comparison::Below.holds(1.0, 1.0));
}

#[test]
fn rules_that_end_a_run_early_say_what_how_much_and_for_how_long() {
    let rules = read("two", TWO_GROUPS, &["abort.offline=> 20% for 10s"]).unwrap().abort;
    let seen: Vec<_> =
        rules.iter().map(|rule| (rule.sign, rule.text.as_str(), rule.span.as_secs())).collect();
    assert_eq!(
        seen,
        [
            (Sign::Errors(Comparison::Above, 0.025), "> 2.5 % for 1m", 60),
            (Sign::Backlog(Comparison::AtLeast, 10_000), ">=10000 for 10s", 10),
            (Sign::GeneratorLimited, "for 3s", 3),
            (Sign::Offline(Comparison::Above, 0.2), "> 20% for 10s", 10),
        ]
    );
}

/// A page may tell of two servers, and a server may have two pages; what is used twice is a mistake (`tests/bad-profiles`).
#[test]
fn sources_that_differ_in_what_they_count_may_stand_together() {
    const CPU: &str = "process_cpu_seconds_total";
    let page = |port: u16, more: &str| format!("{{prometheus=\"http://127.0.0.1:{port}/metrics\", {more}}}");
    let of = |metric: &str, server: &str| format!("'{metric}{{server=\"{server}\"}}'");
    let reads =
        |sources: &[String]| read("base", BASE, &[&format!("observe=[{}]", sources.join(", "))]).is_ok();
    let (one, other) = (format!("cpu={}", of(CPU, "a")), format!("cpu={}", of(CPU, "b")));
    let memory = "memory=\"resident_bytes\"";
    for (sources, may) in [
        (vec![page(1, &one), page(1, &other)], true),
        (vec![page(1, &one), page(2, &one)], true),
        (vec![page(1, &one), page(1, memory)], true),
        (vec![page(1, &one), page(1, "metrics=[\"up\"]")], true),
        (vec![page(1, "metrics=[\"up\"]"), page(1, "metrics=[\"down\"]")], false),
        (vec![page(1, &one), page(1, &format!("{one}, {memory}"))], false),
        (vec![page(1, &one), page(1, &one).replace("127.0.0.1", "LocalHost")], true),
        (
            vec![
                page(1, &one).replace("127.0.0.1", "localhost"),
                page(1, &one).replace("127.0.0.1", "LocalHost"),
            ],
            false,
        ),
        (vec!["{pid=7}".into(), "{pid=8}".into(), "{process=\"beam.smp\"}".into(), page(1, &one)], true),
        (vec!["{pid=7}".into(), "{process=\"beam.smp\"}".into(), "{pid=7}".into()], false),
    ] {
        assert_eq!(reads(&sources), may, "{sources:?}");
    }
}

/// Names that say a unit are held to bytes, however they write it; most names say none.
#[test]
fn memory_is_in_bytes_or_in_what_does_not_say() {
    for (metric, may) in [
        ("process_resident_memory_bytes", true),
        ("erlang_vm_memory_bytes_total", true),
        ("prosody_memory", true),
        ("used", true),
        ("heap_KB", false),
        ("node:memory:MiB", false),
        ("memory_kilobytes_total", false),
        ("pages", false),
    ] {
        let set = format!("observe=[{{prometheus=\"http://127.0.0.1:1/metrics\", memory=\"{metric}\"}}]");
        assert_eq!(read("base", BASE, &[&set]).is_ok(), may, "{metric}");
    }
}

#[test]
fn accounts_come_from_a_file_too() {
    let text = "users = [{ count = 2, accounts_file = \"two.csv\", contacts = 1 }]\n\
                phase = [{ name = \"only\", duration = \"5s\", users = 2, measure = true }]\n\
                activity = [{ kind = \"message\", rate = \"1/s\" }]\n[target]\nurl = \"loopback:\"\n";
    let profile = read("inline", text, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    let accounts: Vec<(String, String)> = (0..2)
        .map(|user| profile.account_of(user).unwrap())
        .map(|account| (account.local.into_owned(), account.password.reveal().to_owned()))
        .collect();
    let expected = [("anna", "a"), ("bert", "b,\"b")].map(|(name, word)| (name.to_owned(), word.to_owned()));
    assert_eq!(accounts, expected);
}

#[test]
fn sizes_keep_their_bounds_and_their_mean() {
    for size in [
        SizeDistribution::Fixed(100),
        SizeDistribution::Uniform(24, 400),
        SizeDistribution::LogNormal { median_bytes: 80.0, sigma: 0.8, min: 24, max: 65_536 },
        SizeDistribution::LogNormal { median_bytes: 80.0, sigma: 2.0, min: 24, max: 300 },
    ] {
        let count = 100_000;
        let drawn: Vec<u32> =
            (0..count).map(|n| size.sample(&mut Draw::new(1, Stream::choices(0), n))).collect();
        let mean = drawn.iter().map(|&bytes| f64::from(bytes)).sum::<f64>() / count as f64;
        assert!((mean / size.mean_bytes() - 1.0).abs() < 0.02, "{size}: {mean}, not {}", size.mean_bytes());
        assert!(drawn.iter().all(|&bytes| bytes >= 24 && bytes <= size.max_bytes()), "{size}");
    }
}

#[test]
fn the_median_of_a_log_normal_is_its_median() {
    let size = SizeDistribution::LogNormal { median_bytes: 80.0, sigma: 0.8, min: 24, max: 65_536 };
    let mut drawn: Vec<u32> =
        (0..100_001).map(|n| size.sample(&mut Draw::new(2, Stream::choices(0), n))).collect();
    drawn.sort_unstable();
    assert!((79..=81).contains(&drawn[50_000]), "{}", drawn[50_000]);
}

/// A piece of the base profile replaced by anything: most of it still is TOML, so every reader is reached.
fn mutated(at: usize, len: usize, with: &str) -> String {
    let text = BASE;
    let whole = |at: &usize| text.is_char_boundary(*at);
    let start = (at % text.len()..=text.len()).find(whole).unwrap();
    let end = ((start + len).min(text.len())..=text.len()).find(whole).unwrap();
    format!("{}{with}{}", &text[..start], &text[end..])
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        let _ = read("any", &text, &[]).map_err(|problems| problems.to_string());
    }

    #[test]
    fn no_change_of_a_profile_makes_the_reader_panic(at: usize, len in 0usize..12, with in "[ -~\néµ\\n]{0,6}") {
        let _ = read("changed", &mutated(at, len, &with), &[]).map_err(|problems| problems.styled());
    }

    #[test]
    fn no_value_makes_the_reader_panic(
        key in prop::sample::select(vec!["deadline", "seed", "target.url", "target.pin", "target.source_addresses",
            "users.0.count", "users.0.jid", "users.0.auth", "users.0.graph", "users.0.contacts", "phase.0.users",
            "phase.0.duration", "phase.2.rate", "activity.0.rate", "activity.0.body", "activity.1.every", "slo.message.lost", "users", "phase.1"]),
        value in "(\\PC{0,20}|[0-9.,()/%{}\\[\\]\"a-z-]{0,20}|(uniform|lognormal|zipf)\\([0-9e.,naif-]{0,12}\\)|xmpps?://[a-z0-9:.\\[\\]]{0,12})",
    ) {
        let set = format!("{key}={value}");
        let _ = read("set", BASE, &[&set]).map_err(|problems| problems.to_string());
    }

    #[test]
    fn no_override_makes_the_reader_panic(set in "([a-z0-9.=\" ]|\\PC){0,30}") {
        let _ = read("set", BASE, &[&set]).map_err(|problems| problems.to_string());
    }
}
