//! Rosters that change, and subscriptions (RFC 6121 sections 2 and 3).

use xmpp_bench::machine::Channel;
use xmpp_bench::server::{Admission, ServerOptions};

use crate::world::{World, options};

const ROSTER: &str = "jabber:iq:roster";

fn empty() -> ServerOptions {
    ServerOptions { empty_rosters: true, registration: true, ..options() }
}

/// A session that has read its roster, and so hears of changes.
fn interested(world: &mut World, user: &str) -> Channel {
    let channel = world.online(user, "r");
    roster(world, channel);
    channel
}

/// The items of a roster, without what is around them.
fn roster(world: &mut World, channel: Channel) -> String {
    world.take(channel);
    world.send(channel, &format!("<iq type='get' id='g'><query xmlns='{ROSTER}'/></iq>"));
    let seen = world.take(channel);
    let (_, items) = seen.split_once(&format!("<query xmlns='{ROSTER}'>")).unwrap();
    items.strip_suffix("</query></iq>").unwrap().to_owned()
}

fn set(item: &str) -> String {
    format!("<iq type='set' id='s'><query xmlns='{ROSTER}'>{item}</query></iq>")
}

fn push(user: &str, item: &str) -> String {
    format!("<iq type='set' id='push…' to='{user}@localhost/r'><query xmlns='{ROSTER}'>{item}</query></iq>")
}

fn say(word: &str, to: &str) -> String {
    format!("<presence to='{to}@localhost' type='{word}' id='w'/>")
}

fn heard(word: &str, from: &str, to: &str) -> String {
    format!("<presence from='{from}@localhost' to='{to}@localhost' type='{word}' id='w'/>")
}

fn shown(from: &str, to: &str) -> String {
    format!(
        "<presence from='{from}@localhost/r' to='{to}@localhost/r'>\
         <delay xmlns='urn:xmpp:delay' from='{from}@localhost/r' stamp='…'/></presence>"
    )
}

fn hidden(from: &str, to: &str) -> String {
    format!("<presence type='unavailable' from='{from}@localhost/r' to='{to}@localhost/r'/>")
}

#[test]
fn items_are_added_changed_and_removed_and_every_reader_is_told() {
    let mut world = World::new(empty());
    let other = world.bound("u1", "other");
    roster(&mut world, other);
    let deaf = world.bound("u1", "deaf");
    let user = interested(&mut world, "u1");
    let item = "<item jid='x@elsewhere' name='o&apos;neil' subscription='none'><group>a&amp;b</group><group>c</group></item>";
    world.play(
        user,
        &format!(
            "C: {}
             S: <iq type='result' id='s' to='u1@localhost/r'></iq>{}
             C: {}
             S: <iq type='result' id='s' to='u1@localhost/r'></iq>{}",
            set("<item jid='X@Elsewhere' name='o&apos;neil' subscription='both' ask='subscribe'><group>a&amp;b</group><group>c</group></item>"),
            push("u1", item),
            set("<item jid='u7@localhost'/>"),
            push("u1", "<item jid='u7@localhost' subscription='none'/>"),
        ),
    );
    assert_eq!(roster(&mut world, user), format!("<item jid='u7@localhost' subscription='none'/>{item}"));
    world.take(other);
    world.play(
        user,
        &format!(
            "C: {}
             S: <iq type='result' id='s' to='u1@localhost/r'></iq>{}",
            set("<item jid='x@elsewhere' subscription='remove'/>"),
            push("u1", "<item jid='x@elsewhere' subscription='remove'/>")
        ),
    );
    assert!(world.take(other).contains("<item jid='x@elsewhere' subscription='remove'/>"));
    assert_eq!(world.take(deaf), "", "it never read the roster");
}

#[test]
fn a_change_that_makes_no_sense_is_refused() {
    let mut world = World::new(empty());
    let user = interested(&mut world, "u1");
    let long = format!("<item jid='a@b' name='{}'/>", "n".repeat(1_100));
    for (items, condition) in [
        ("", "bad-request"),
        ("<item/>", "bad-request"),
        ("<item jid='a@b'/><item jid='c@d'/>", "bad-request"),
        ("<other jid='a@b'/>", "bad-request"),
        ("<item jid='a@b/r'/>", "bad-request"),
        ("<item jid='@'/>", "jid-malformed"),
        ("<item jid='u1@localhost'/>", "not-allowed"),
        ("<item jid='a@b' subscription='remove'/>", "item-not-found"),
        (&*long, "not-acceptable"),
    ] {
        world.send(user, &set(items));
        let seen = world.take(user);
        assert!(seen.contains(&format!("<{condition} ")) && !seen.contains("push"), "{items}: {seen}");
    }
    assert_eq!(roster(&mut world, user), "");
}

#[test]
fn a_subscription_is_asked_for_granted_and_asked_for_in_return() {
    let mut world = World::new(empty());
    let (alice, bob) = (interested(&mut world, "u1"), interested(&mut world, "u50"));
    let item = |jid: &str, rest: &str| format!("<item jid='{jid}@localhost' subscription={rest}/>");
    world.play(
        alice,
        &format!("C: {}\nS: {}", say("subscribe", "u50"), push("u1", &item("u50", "'none' ask='subscribe'"))),
    );
    world.play(
        bob,
        &format!(
            "S: {}
             C: {}
             S: {}",
            heard("subscribe", "u1", "u50"),
            say("subscribed", "u1"),
            push("u50", &item("u1", "'from'")),
        ),
    );
    world.play(
        alice,
        &format!(
            "S: {}{}{}",
            push("u1", &item("u50", "'to'")),
            heard("subscribed", "u50", "u1"),
            shown("u50", "u1")
        ),
    );
    world.send(bob, &say("subscribe", "u1"));
    world.send(alice, &say("subscribed", "u50"));
    assert_eq!(roster(&mut world, alice), item("u50", "'both'"));
    assert_eq!(roster(&mut world, bob), item("u1", "'both'"));
    world.send(alice, "<presence><show>away</show></presence>");
    assert!(world.take(bob).contains("<show>away</show>"));
}

#[test]
fn a_request_waits_for_the_contact_and_is_shown_at_each_login_until_it_is_answered() {
    let mut world = World::new(empty());
    let alice = world.bound("u1", "r");
    world.send(alice, &say("subscribe", "u50"));
    world.send(alice, "</stream:stream>");
    let asking = "<presence type='subscribe' from='u1@localhost' to='u50@localhost'/>";
    for _ in 0..2 {
        let bob = world.bound("u50", "r");
        assert_eq!(roster(&mut world, bob), "", "what only waits is no item");
        world.send(bob, "<presence/>");
        assert!(world.take(bob).ends_with(asking));
        world.send(bob, "</stream:stream>");
    }
    let bob = world.online("u50", "r");
    world.send(bob, &say("subscribed", "u1"));
    assert_eq!(roster(&mut world, bob), "<item jid='u1@localhost' subscription='from'/>");
    let alice = world.bound("u1", "r");
    assert_eq!(roster(&mut world, alice), "<item jid='u50@localhost' subscription='to'/>");
    world.send(alice, "<presence/>");
    assert!(world.take(alice).contains("from='u50@localhost/r'"));
}

#[test]
fn asking_nobody_and_asking_twice_and_granting_unasked_change_nothing() {
    let mut world = World::new(empty());
    let (alice, bob) = (interested(&mut world, "u1"), interested(&mut world, "u50"));
    world.play(
        alice,
        &format!(
            "C: {}
             S: {}{}<presence from='nobody@localhost' to='u1@localhost' type='unsubscribed'/>
             C: {}
             S:
             C: <presence type='subscribe' to='u1@localhost'/>
             S: …<not-allowed …
             C: <presence type='subscribe' to='x@elsewhere'/>
             S: …<remote-server-not-found …
             C: <presence type='subscribe'/>
             S: …<bad-request …",
            say("subscribe", "nobody"),
            push("u1", "<item jid='nobody@localhost' subscription='none' ask='subscribe'/>"),
            push("u1", "<item jid='nobody@localhost' subscription='none'/>"),
            say("subscribed", "u50"),
        ),
    );
    world.send(alice, &say("subscribe", "u50"));
    world.take(bob);
    world.send(alice, &say("subscribe", "u50"));
    assert_eq!(world.take(bob), "");
}

#[test]
fn ending_a_subscription_takes_presence_away_on_the_side_that_lost_it() {
    for (word, hidden_from) in [("unsubscribe", "u1"), ("unsubscribed", "u2")] {
        let mut world = World::new(options());
        let (alice, bob) = (interested(&mut world, "u1"), interested(&mut world, "u2"));
        world.take(alice);
        world.send(alice, &say(word, "u2"));
        let (to_alice, to_bob) = (world.take(alice), world.take(bob));
        let (kept, lost) = if word == "unsubscribe" { ("from", "to") } else { ("to", "from") };
        assert!(
            to_alice.contains(&format!("<item jid='u2@localhost' subscription='{kept}'/>")),
            "{to_alice}"
        );
        assert!(to_bob.contains(&format!("<item jid='u1@localhost' subscription='{lost}'/>")), "{to_bob}");
        assert!(to_bob.contains(&heard(word, "u1", "u2")), "{to_bob}");
        assert_eq!(to_alice.contains(&hidden("u2", "u1")), hidden_from == "u1", "{to_alice}");
        assert_eq!(to_bob.contains(&hidden("u1", "u2")), hidden_from == "u2", "{to_bob}");
        world.send(alice, "<presence/>");
        world.take(alice);
        assert_eq!(world.take(bob).is_empty(), hidden_from == "u2");
        world.send(bob, "<presence/>");
        assert_eq!(world.take(alice).is_empty(), hidden_from == "u1");
    }
}

#[test]
fn removing_a_contact_ends_it_on_both_sides() {
    let mut world = World::new(options());
    let (alice, bob) = (interested(&mut world, "u1"), interested(&mut world, "u2"));
    world.take(alice);
    world.play(
        alice,
        &format!(
            "C: {}
             S: <iq type='result' id='s' to='u1@localhost/r'></iq>{}{}",
            set("<item jid='u2@localhost' subscription='remove'/>"),
            push("u1", "<item jid='u2@localhost' subscription='remove'/>"),
            hidden("u2", "u1"),
        ),
    );
    let seen = world.take(bob);
    for word in ["unsubscribe", "unsubscribed"] {
        assert!(
            seen.contains(&format!("<presence from='u1@localhost' to='u2@localhost' type='{word}'/>")),
            "{seen}"
        );
    }
    assert!(seen.ends_with(&hidden("u1", "u2")), "{seen}");
    assert_eq!(roster(&mut world, alice), "<item jid='u0@localhost' subscription='both'/>");
    assert_eq!(
        roster(&mut world, bob),
        "<item jid='u1@localhost' subscription='none'/><item jid='u3@localhost' subscription='both'/>"
    );
}

#[test]
fn who_is_asked_again_by_somebody_who_sees_them_already_need_not_answer() {
    let mut world = World::new(options());
    let (alice, bob) = (interested(&mut world, "u1"), interested(&mut world, "u2"));
    world.send(alice, &set("<item jid='u2@localhost' name='b'/>"));
    world.take(bob);
    world.send(alice, &say("subscribe", "u2"));
    assert_eq!(world.take(bob), "");
    assert!(roster(&mut world, alice).contains("<item jid='u2@localhost' name='b' subscription='both'/>"));
}

#[test]
fn who_has_no_account_has_no_roster() {
    let mut world = World::new(empty());
    let stranger = world.bound("upton", "r");
    world.send(stranger, &set("<item jid='u2@localhost'/>"));
    assert!(world.take(stranger).contains("<not-allowed "));
    world.send(stranger, &say("subscribe", "u2"));
    assert!(world.take(stranger).contains("<not-allowed "));
}

#[test]
fn an_account_that_ends_takes_its_contacts_with_it_and_comes_back_without_any() {
    let mut world =
        World::new(ServerOptions { registration: true, admission: Admission::Anybody, ..options() });
    let (alice, bob) = (interested(&mut world, "u1"), interested(&mut world, "u2"));
    world.send(alice, "<iq type='set' id='x'><query xmlns='jabber:iq:register'><remove/></query></iq>");
    assert!(
        world.take(bob).contains("<presence from='u1@localhost' to='u2@localhost' type='unsubscribed'/>")
    );
    assert!(roster(&mut world, bob).contains("<item jid='u1@localhost' subscription='none'/>"));
    let channel = world.connect_secured();
    world.send(channel, crate::world::HEADER);
    world.send(
        channel,
        "<iq type='set' id='x'><query xmlns='jabber:iq:register'><username>u1</username><password>p1</password></query></iq>",
    );
    let alice = interested(&mut world, "u1");
    assert_eq!(roster(&mut world, alice), "");
    world.send(bob, &say("subscribe", "u1"));
    assert_eq!(world.take(alice), heard("subscribe", "u2", "u1"));
}

#[test]
fn a_whole_graph_is_made_mutual_by_visits_one_after_the_other() {
    const USERS: usize = 12;
    let mut world = World::new(empty());
    let contacts = |n: usize| {
        [1, 2, 3]
            .map(|step| (n + step) % USERS)
            .into_iter()
            .chain([1, 2, 3].map(|step| (n + USERS - step) % USERS))
    };
    for word in ["subscribe", "subscribed"] {
        for n in 0..USERS {
            let user = world.bound(&format!("u{n}"), "r");
            for contact in contacts(n) {
                world.send(user, &say(word, &format!("u{contact}")));
            }
            world.send(user, "</stream:stream>");
        }
    }
    for n in 0..USERS {
        let user = world.bound(&format!("u{n}"), "r");
        let items = roster(&mut world, user);
        assert_eq!(items.matches("<item ").count(), 6, "{items}");
        assert_eq!(items.matches("subscription='both'/>").count(), 6, "{items}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]
    #[test]
    fn two_rosters_never_contradict_each_other(
        starts_empty: bool,
        acts in proptest::collection::vec((0usize..3, 0usize..3, 0usize..6), 1..40),
    ) {
        const USERS: [&str; 3] = ["u1", "u2", "u3"];
        let mut world = World::new(ServerOptions { empty_rosters: starts_empty, ..empty() });
        let channels = USERS.map(|user| interested(&mut world, user));
        for (who, whom, act) in acts {
            let contact = USERS[whom];
            let stanza = match act {
                4 => set(&format!("<item jid='{contact}@localhost'/>")),
                5 => set(&format!("<item jid='{contact}@localhost' subscription='remove'/>")),
                word => say(["subscribe", "subscribed", "unsubscribe", "unsubscribed"][word], contact),
            };
            world.send(channels[who], &stanza);
        }
        let rosters = channels.map(|channel| roster(&mut world, channel));
        let has = |owner: usize, contact: usize, subscription: &str| {
            rosters[owner].split_inclusive("<item ").any(|item| {
                item.contains(&format!("jid='{}@", USERS[contact]))
                    && (item.contains("='both'") || item.contains(&format!("subscription='{subscription}'")))
            })
        };
        for (one, other) in [(0, 1), (1, 2), (0, 2), (1, 0), (2, 1), (2, 0)] {
            proptest::prop_assert_eq!(has(one, other, "to"), has(other, one, "from"), "{:?}", rosters);
        }
    }
}
