//! `--set`: what it reaches, and how values are spelt.

use std::time::Duration;

use xmpp_bench::profile::{Arrivals, Endpoint, Pace};
use xmpp_bench::units::Rate;

use crate::registry::{BASE, read};

fn base(overrides: &[&str]) -> xmpp_bench::profile::Profile<crate::registry::Activity> {
    read("base.toml", BASE, overrides).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn keys_are_reached_by_position_by_name_and_by_kind() {
    let profile = base(&[
        "deadline=2s",
        "target.url=xmpp://127.0.0.1:5222",
        "users.0.count=10",
        "users.0.contacts=4",
        "phase.ramp.users=10",
        "phase.steady.duration=10s",
        "activity.0.rate=500/s",
        "activity.ping.every=3s",
    ]);
    assert_eq!(profile.deadline, Duration::from_secs(2));
    assert_eq!(profile.target.endpoints, [Endpoint::Tcp { host: "127.0.0.1".to_owned(), port: 5222 }]);
    assert_eq!(profile.users(), 10);
    assert_eq!(profile.phases[2].duration, Duration::from_secs(10));
    assert_eq!(profile.activities[0].pace, Pace::Total(Rate::per_second(500.0).unwrap()));
    assert_eq!(profile.activities[1].pace, Pace::Every(Duration::from_secs(3)));
}

#[test]
fn values_are_toml_where_they_are_toml_and_text_where_text_is_wanted() {
    let profile = base(&[
        "target.url=[\"xmpp://[::1]\", \"xmpps://b.example:443\"]",
        "users.0.password=1234",
        "users.0.auth=[\"PLAIN\"]",
        "activity.message.arrivals=constant",
    ]);
    assert_eq!(profile.target.endpoint_of(0).to_string(), "xmpp://[::1]:5222");
    assert_eq!(profile.target.endpoint_of(7).to_string(), "xmpps://b.example:443");
    assert_eq!(profile.account_of(7).unwrap().password.reveal(), "1234");
    assert_eq!(profile.activities[0].arrivals, Arrivals::Constant);
}

#[test]
fn objectives_need_no_quotes_and_of_two_overrides_the_later_holds() {
    let profile =
        base(&["slo.message.delivery.p99.9=<= 1s", "slo.\"message.lost\"=< 1%", "seed=1", "seed=2"]);
    let slos: Vec<(&str, &str)> =
        profile.slos.iter().map(|slo| (slo.name.as_str(), slo.text.as_str())).collect();
    let expected =
        [("message.delivery.p99", "<= 250ms"), ("message.lost", "< 1%"), ("message.delivery.p99.9", "<= 1s")];
    assert_eq!(slos, expected);
    assert_eq!(profile.seed, Some(2));
}

#[test]
fn the_source_keeps_overrides_and_hides_passwords() {
    let profile = base(&["users.0.password=hunter2", "seed=3"]);
    assert_eq!(profile.source.overrides, ["users.0.password=*******", "seed=3"]);
    assert!(!profile.source.text.contains("p{n}"), "{}", profile.source.text);
    assert!(!format!("{profile:?}").contains("hunter2"));
}
