//! What users do once they are online: messages, presence, requests.

use xmpp_bench::machine::{CloseCause, Event};
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
    world.send(before, "<presence id='aw'><show>away</show></presence>");
    world.take(before);
    let me = world.bound("u2", "b");
    world.send(me, "<presence/>");
    assert_eq!(
        world.take(me),
        "<presence from='u2@localhost/b' to='u2@localhost/b'/>\
         <presence from='u1@localhost/a' to='u2@localhost/b'><show>away</show></presence>"
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
         S: <presence from='u2@localhost/b' to='u1@localhost/a'/>
         C: <presence type='probe' to='u50@localhost'/>
         S:
         C: <presence to='u50@localhost/e'/>
         S: ",
    );
    assert_eq!(world.take(eve), "<presence from='u1@localhost/a' to='u50@localhost/e'/>");
    world.send(alice, "<presence type='subscribe' to='u50@localhost' id='s'/>");
    assert!(world.take(alice).contains("<not-allowed"));
    assert_eq!(world.take(bob), "");
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
             C: <iq type='set' id='5'><query xmlns='jabber:iq:roster'><item jid='x@localhost'/></query></iq>
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
