//! What users do once they are online: messages, presence, requests.

use std::time::Duration;

use xmpp_bench::machine::{Channel, CloseCause, Event};
use xmpp_bench::server::{Offline, ServerOptions};

use crate::world::{World, options};

const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";

#[test]
fn a_message_reaches_its_recipient_as_it_was_written() {
    let mut world = World::new(options());
    let (alice, bob) = (world.online("u1", "a"), world.online("u50", "b"));
    let body = "<body xml:lang='en'>a &lt; b &amp; ü</body><x xmlns='urn:x'><y/></x>";
    world.send(alice, &format!("<message to='u50@localhost' type='chat' id='1'>{body}</message>"));
    let copy =
        format!("<message from='u1@localhost/a' to='u50@localhost' type='chat' id='1'>{body}</message>");
    assert_eq!((world.take(alice).as_str(), world.take(bob)), ("", copy));
}

#[test]
fn a_message_to_the_bare_address_reaches_all_resources_and_to_a_full_one_that_one() {
    let mut world = World::new(options());
    let alice = world.online("u1", "a");
    let (phone, desk) = (world.online("u50", "phone"), world.online("u50", "desk"));
    world.take(phone);
    world.send(alice, "<message to='U50@LOCALHOST'/>");
    assert_eq!(world.take(phone), "<message from='u1@localhost/a' to='U50@LOCALHOST'/>");
    assert_eq!(world.take(desk), "<message from='u1@localhost/a' to='U50@LOCALHOST'/>");
    world.send(alice, "<message to='u50@localhost/desk'/>");
    assert_eq!(world.take(phone), "");
    assert!(!world.take(desk).is_empty());
}

#[test]
fn a_message_nobody_can_be_given_comes_back_once() {
    let mut world = World::new(options());
    let alice = world.online("u1", "a");
    world.play(
        alice,
        &format!(
            "C: <message to='u50@localhost' id='1' type='chat'><body>x</body></message>
             S: <message type='error' id='1' from='u50@localhost' to='u1@localhost/a'>
             S: <error type='cancel'><service-unavailable xmlns='{STANZAS}'/></error></message>
             C: <message to='u50@elsewhere' id='2'/>
             S: <message type='error' id='2' from='u50@elsewhere' to='u1@localhost/a'>
             S: <error type='cancel'><remote-server-not-found xmlns='{STANZAS}'/></error></message>
             C: <message to='@' id='3'/>
             S: …<jid-malformed xmlns='{STANZAS}'/></error></message>
             C: <message to='localhost' id='4'/>
             S: …<service-unavailable xmlns='{STANZAS}'/></error></message>
             C: <message to='u50@localhost' id='5' type='error'/>
             S:
             C: <message to='u50@localhost' id='6' type='headline'/>
             S: "
        ),
    );
    let mut world = World::new(ServerOptions { offline: Offline::Swallow, ..options() });
    let alice = world.online("u1", "a");
    world.send(alice, "<message to='u50@localhost' id='1'/>");
    assert_eq!(world.take(alice), "");
}

#[test]
fn initial_presence_is_echoed_told_to_contacts_and_answered_with_theirs() {
    let mut world = World::new(options());
    let before = world.online("u1", "a");
    let stranger = world.online("u50", "s");
    world.pass(Duration::from_secs(7));
    world.send(before, "<presence id='aw'><show>away</show></presence>");
    world.take(before);
    world.pass(Duration::from_secs(1));
    let me = world.bound("u2", "b");
    world.send(me, "<presence/>");
    assert_eq!(
        world.take(me),
        "<presence from='u2@localhost/b' to='u2@localhost/b'/>\
         <presence from='u1@localhost/a' to='u2@localhost/b'><show>away</show>\
         <delay xmlns='urn:xmpp:delay' from='u1@localhost/a' stamp='1970-01-01T00:00:07.000Z'/></presence>"
    );
    assert_eq!(world.take(before), "<presence from='u2@localhost/b' to='u1@localhost/a'/>");
    assert_eq!(world.take(stranger), "", "no contact");

    world.send(me, "<presence type='unavailable'/>");
    assert_eq!(
        world.take(before),
        "<presence from='u2@localhost/b' to='u1@localhost/a' type='unavailable'/>"
    );
    world.take(me);
    world.send(me, "<presence type='unavailable'/>");
    assert_eq!((world.take(me), world.take(before)), (String::new(), String::new()), "said once");
}

#[test]
fn a_connection_that_ends_takes_its_user_offline() {
    let mut world = World::new(options());
    let (alice, bob) = (world.online("u1", "a"), world.online("u2", "b"));
    world.take(alice);
    world.event(bob, Event::Closed(CloseCause::Reset));
    assert_eq!(world.take(alice), "<presence type='unavailable' from='u2@localhost/b' to='u1@localhost/a'/>");
    world.send(alice, "<message to='u2@localhost' id='1' type='chat'/>");
    assert!(world.take(alice).contains("service-unavailable"));
}

#[test]
fn probes_are_answered_for_contacts_and_directed_presence_is_passed_on() {
    let mut world = World::new(options());
    let (alice, bob) = (world.online("u1", "a"), world.online("u2", "b"));
    let eve = world.online("u50", "e");
    world.take(alice);
    world.play(
        alice,
        "C: <presence type='probe' to='u2@localhost'/>
         S: <presence from='u2@localhost/b' to='u1@localhost/a'><delay xmlns='urn:xmpp:delay' from='u2@localhost/b' stamp='…'/></presence>
         C: <presence type='probe' to='u50@localhost'/>
         S:
         C: <presence to='u50@localhost/e'/>
         S: ",
    );
    assert_eq!(world.take(eve), "<presence from='u1@localhost/a' to='u50@localhost/e'/>");
    assert_eq!(world.take(bob), "");
}

#[test]
fn what_is_shown_later_never_carries_the_id_of_the_presence_it_was() {
    let mut world = World::new(options());
    let alice = world.online("u1", "a");
    let id = "xpAAADAAAHAAAAAJAAAAAAAF";
    world.send(alice, &format!("<presence id='{id}'/>"));
    let bob = world.bound("u2", "b");
    world.send(bob, "<presence/>");
    world.send(bob, "<presence type='probe' to='u1@localhost'/>");
    let seen = world.take(bob);
    assert_eq!(seen.matches("<delay ").count(), 2, "{seen}");
    assert!(!seen.contains(id), "{seen}");
}

#[test]
fn who_was_told_directly_that_somebody_is_there_is_told_when_they_go() {
    type Way<'a> = &'a dyn Fn(&mut World, Channel);
    let told = |leave: Way<'_>| {
        let mut world = World::new(options());
        let (alice, contact) = (world.online("u1", "a"), world.online("u2", "b"));
        let (eve, dan, carl) = (world.online("u50", "e"), world.online("u60", "d"), world.online("u70", "c"));
        for to in ["u50@localhost/e", "u50@localhost", "u60@localhost", "u70@localhost/c", "u2@localhost/b"] {
            world.send(alice, &format!("<presence to='{to}'/>"));
        }
        world.send(alice, "<presence to='u60@localhost' type='unavailable'/>");
        for other in [contact, eve, dan, carl] {
            world.take(other);
        }
        leave(&mut world, alice);
        [contact, eve, dan, carl].map(|other| world.take(other).matches("type='unavailable'").count())
    };
    let ways: [Way<'_>; 4] = [
        &|world, alice| world.send(alice, "<presence type='unavailable'/>"),
        &|world, alice| world.send(alice, "</stream:stream>"),
        &|world, alice| world.event(alice, Event::Closed(CloseCause::Reset)),
        &|world, alice| {
            world.send(alice, "<presence type='unavailable'/>");
            world.event(alice, Event::Closed(CloseCause::Reset));
        },
    ];
    for (number, way) in ways.iter().enumerate() {
        assert_eq!(told(way), [1, 1, 0, 1], "way {number}");
    }
}

#[test]
fn presence_to_one_address_needs_no_initial_presence_and_its_debt_is_paid_all_the_same() {
    let mut world = World::new(options());
    let (alice, eve) = (world.bound("u1", "a"), world.online("u50", "e"));
    world.send(alice, "<presence to='u50@localhost/e'/>");
    world.event(alice, Event::Closed(CloseCause::Reset));
    assert_eq!(
        world.take(eve),
        "<presence from='u1@localhost/a' to='u50@localhost/e'/>\
         <presence type='unavailable' from='u1@localhost/a' to='u50@localhost/e'/>"
    );
}

#[test]
fn so_many_addresses_are_remembered_and_presence_to_one_more_is_refused() {
    let mut world = World::new(options());
    let alice = world.online("u1", "a");
    for n in 0..256 {
        world.send(alice, &format!("<presence to='stranger{n}@localhost'/>"));
    }
    assert_eq!(world.take(alice), "");
    world.send(alice, "<presence to='stranger256@localhost' id='x'/>");
    assert!(world.take(alice).contains("<resource-constraint "));
    world.send(alice, "<presence to='stranger7@localhost' type='unavailable'/>");
    world.send(alice, "<presence to='stranger256@localhost' id='x'/>");
    assert_eq!(world.take(alice), "");
}

#[test]
fn a_resource_of_negative_priority_gets_what_is_for_itself_only() {
    let mut world = World::new(options());
    let (alice, bob) = (world.online("u1", "a"), world.bound("u50", "b"));
    world.send(bob, "<presence><priority>-1</priority></presence>");
    world.take(bob);
    world.send(alice, "<message to='u50@localhost' type='chat'/>");
    assert_eq!(world.take(bob), "");
    assert!(world.take(alice).contains("service-unavailable"));
    world.send(alice, "<message to='u50@localhost/b' type='chat'/>");
    assert!(!world.take(bob).is_empty());
}

#[test]
fn requests_are_answered_exactly_once() {
    let mut world = World::new(options());
    let alice = world.online("u1", "a");
    world.play(
        alice,
        &format!(
            "C: <iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>
             S: <iq type='result' id='1' to='u1@localhost/a'><query xmlns='jabber:iq:roster'>
             S: <item jid='u…@localhost' subscription='both'/><item jid='u…@localhost' subscription='both'/></query></iq>
             C: <iq type='get' id='2' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>
             S: <iq type='result' id='2' from='localhost' to='u1@localhost/a'></iq>
             C: <iq type='get' id='3' to='localhost'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>
             S: …<identity category='server'…<feature var='urn:xmpp:ping'/>…</query></iq>
             C: <iq type='get' id='4' to='localhost'><query xmlns='jabber:iq:version'/></iq>
             S: …<name>xmpp-bench embedded server</name><version>…</version></query></iq>
             C: <iq type='set' id='5'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>
             S: …<not-allowed xmlns='{STANZAS}'/></error></iq>
             C: <iq type='get' id='6'><unknown xmlns='urn:unknown'/></iq>
             S: <iq type='error' id='6' to='u1@localhost/a'><error type='cancel'><service-unavailable xmlns='{STANZAS}'/></error></iq>
             C: <iq type='get' id='7' to='u9@localhost/nowhere'><ping xmlns='urn:xmpp:ping'/></iq>
             S: <iq type='error' id='7' from='u9@localhost/nowhere' …<service-unavailable…</iq>
             C: <iq type='get' id='8'/>
             S: …<bad-request xmlns='{STANZAS}'/></error></iq>
             C: <iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>
             S: …<bad-request xmlns='{STANZAS}'/></error></iq>
             C: <iq type='what' id='9'><ping xmlns='urn:xmpp:ping'/></iq>
             S: …<bad-request xmlns='{STANZAS}'/></error></iq>
             C: <iq type='result' id='10' to='u9@localhost/nowhere'/>
             S:
             C: <iq type='error' id='11'/>
             S: "
        ),
    );
    let counts = world.server.counters().snapshot();
    assert_eq!(counts.iqs_in, counts.iqs_answered - 1, "one of no known type is no request, but answered");
}

#[test]
fn requests_between_users_are_passed_on_and_so_are_their_answers() {
    let mut world = World::new(options());
    let (alice, bob) = (world.online("u1", "a"), world.online("u50", "b"));
    world.send(alice, "<iq type='get' id='1' to='u50@localhost/b'><ping xmlns='urn:xmpp:ping'/></iq>");
    let request =
        "<iq from='u1@localhost/a' to='u50@localhost/b' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>";
    assert_eq!(world.take(bob), request);
    world.send(bob, "<iq type='result' id='1' to='u1@localhost/a'/>");
    assert_eq!(world.take(alice), "<iq from='u50@localhost/b' to='u1@localhost/a' type='result' id='1'/>");
}

#[test]
fn stanzas_split_anywhere_mean_the_same() {
    let text = "<message to='u50@localhost' id='ü'><body>&amp; ö</body></message> <presence/>";
    let mut whole = None;
    for at in 1..text.len() {
        let mut world = World::new(options());
        let (alice, bob) = (world.online("u1", "a"), world.online("u50", "b"));
        world.event(alice, Event::Data(&text.as_bytes()[..at]));
        world.event(alice, Event::Data(&text.as_bytes()[at..]));
        let seen = (world.take(alice), world.take(bob));
        assert_eq!(whole.get_or_insert_with(|| seen.clone()), &seen, "split at {at}");
    }
}
