//! Accounts made, changed and cancelled in-band (XEP-0077).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use xmpp_bench::machine::Channel;
use xmpp_bench::server::{Admission, ServerOptions};

use crate::world::{BIND, HEADER, SASL, World, options};

const REGISTER: &str = "jabber:iq:register";
const FEATURE: &str = "<register xmlns='http://jabber.org/features/iq-register'/>";
const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";

fn registering() -> ServerOptions {
    ServerOptions { registration: true, admission: Admission::Known, ..options() }
}

/// A stream whose features were read.
fn stream(world: &mut World) -> Channel {
    let channel = world.connect_secured();
    world.send(channel, HEADER);
    assert!(world.take(channel).contains(FEATURE));
    channel
}

fn account(username: &str, password: &str) -> String {
    format!(
        "<iq type='set' id='s'><query xmlns='{REGISTER}'><username>{username}</username>\
         <password>{password}</password></query></iq>"
    )
}

fn login(world: &mut World, channel: Channel, username: &str, password: &str) -> bool {
    let plain = STANDARD.encode(format!("\0{username}\0{password}"));
    world.send(channel, &format!("<auth xmlns='{SASL}' mechanism='PLAIN'>{plain}</auth>"));
    world.take(channel).contains("<success ")
}

/// The same on a stream of its own.
fn may_log_in(world: &mut World, username: &str, password: &str) -> bool {
    let channel = stream(world);
    login(world, channel, username, password)
}

fn bound(world: &mut World, username: &str, password: &str) -> Channel {
    let channel = stream(world);
    assert!(login(world, channel, username, password));
    world.send(channel, HEADER);
    world.send(
        channel,
        &format!("<iq type='set' id='b'><bind xmlns='{BIND}'><resource>r</resource></bind></iq>"),
    );
    assert!(world.take(channel).contains("</jid>"));
    channel
}

#[test]
fn an_account_is_made_before_login_and_can_log_in_on_the_same_stream() {
    let mut world = World::new(registering());
    let channel = stream(&mut world);
    world.play(
        channel,
        &format!(
            "C: <iq type='get' id='g' to='localhost'><query xmlns='{REGISTER}'/></iq>
             S: <iq type='result' id='g' from='localhost'><query xmlns='{REGISTER}'><instructions>…</instructions>
             S: <username/><password/></query></iq>
             C: {}
             S: <iq type='result' id='s'></iq>
             C: {}
             S: <iq type='error' id='s'><error type='cancel'><conflict xmlns='{STANZAS}'/></error></iq>",
            account("Eve", "secret"),
            account("eve", "other")
        ),
    );
    assert!(!login(&mut world, channel, "eve", "other"));
    assert!(login(&mut world, channel, "eve", "secret"));
    let counts = world.server.counters().snapshot();
    assert_eq!((counts.registered, counts.iqs_in, counts.iqs_answered), (1, 3, 3));
}

#[test]
fn what_is_filled_in_must_make_an_account() {
    let mut world = World::new(registering());
    let channel = stream(&mut world);
    let long = "x".repeat(1_024);
    for (username, password, condition) in [
        ("u7", "x", "conflict"),
        ("", "x", "not-acceptable"),
        ("a@b", "x", "not-acceptable"),
        ("a/b", "x", "not-acceptable"),
        ("a b", "x", "not-acceptable"),
        (&*long, "x", "not-acceptable"),
        ("eve", "", "not-acceptable"),
        ("eve", &*long, "not-acceptable"),
    ] {
        world.send(channel, &account(username, password));
        let seen = world.take(channel);
        assert!(seen.contains(&format!("<{condition} ")), "{username:?}: {seen}");
        assert!(!seen.contains("<password>"), "{seen}");
    }
    world.send(
        channel,
        &format!("<iq type='set' id='1'><query xmlns='{REGISTER}'><username>e</username></query></iq>"),
    );
    assert!(world.take(channel).contains("<not-acceptable "));
    world.send(channel, &format!("<iq type='set' id='1'><query xmlns='{REGISTER}'><remove/></query></iq>"));
    assert!(world.take(channel).contains("<forbidden "));
}

#[test]
fn where_it_is_not_allowed_it_is_not_offered_and_ends_the_stream() {
    let closed = ServerOptions { registration: false, ..registering() };
    for (options, is_secured) in [(closed, true), (registering(), false)] {
        let mut world = World::new(options);
        let channel = if is_secured { world.connect_secured() } else { world.connect() };
        world.send(channel, HEADER);
        assert!(!world.take(channel).contains(FEATURE));
        world.send(channel, &account("eve", "x"));
        assert!(
            world.take(channel).contains("<not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>")
        );
    }
    let mut world = World::new(options());
    let user = world.online("u1", "a");
    world.send(user, &format!("<iq type='get' id='1'><query xmlns='{REGISTER}'/></iq>"));
    assert!(world.take(user).contains("<service-unavailable "));
}

#[test]
fn a_user_learns_what_is_registered_and_changes_the_password() {
    let mut world = World::new(registering());
    let user = bound(&mut world, "u1", "p1");
    world.play(
        user,
        &format!(
            "C: <iq type='get' id='g'><query xmlns='{REGISTER}'/></iq>
             S: <iq type='result' id='g' to='u1@localhost/r'><query xmlns='{REGISTER}'><registered/>
             S: <username>u1</username><password/></query></iq>
             C: {}
             S: …<not-allowed …
             C: {}
             S: <iq type='result' id='s' to='u1@localhost/r'></iq>",
            account("u2", "mine"),
            account("u1", "new")
        ),
    );
    assert!(!may_log_in(&mut world, "u1", "p1"));
    assert!(may_log_in(&mut world, "u1", "new"));
    assert!(may_log_in(&mut world, "u2", "p2"));
}

#[test]
fn a_password_that_was_changed_is_not_remembered_by_scram_either() {
    let mut world = World::new(registering());
    for (password, good) in [("p7", true), ("p7", true)] {
        assert_eq!(crate::login::scram_succeeds(&mut world, "u7", password), good);
    }
    let user = bound(&mut world, "u7", "p7");
    world.send(user, &account("u7", "new"));
    for (password, good) in [("p7", false), ("new", true), ("new", true), ("p7", false)] {
        assert_eq!(crate::login::scram_succeeds(&mut world, "u7", password), good, "{password}");
    }
}

#[test]
fn an_account_that_is_cancelled_is_gone_with_its_sessions_and_can_be_made_again() {
    let mut world = World::new(registering());
    let maker = stream(&mut world);
    world.send(maker, &account("eve", "secret"));
    for (local, password) in [("eve", "secret"), ("u1", "p1")] {
        let other = bound(&mut world, local, password);
        world.send(other, &format!("<iq type='set' id='b'><bind xmlns='{BIND}'/></iq>"));
        let halfway = stream(&mut world);
        assert!(login(&mut world, halfway, local, password));
        let user = stream(&mut world);
        assert!(login(&mut world, user, local, password));
        world.send(user, HEADER);
        world.send(
            user,
            &format!("<iq type='set' id='b'><bind xmlns='{BIND}'><resource>q</resource></bind></iq>"),
        );
        world.take(user);
        world.play(
            user,
            &format!(
                "C: <iq type='set' id='1'><query xmlns='{REGISTER}'><remove/><username>x</username></query></iq>
                 S: …<bad-request …
                 C: <iq type='set' id='2'><query xmlns='{REGISTER}'><remove/></query></iq>
                 S: <iq type='result' id='2' to='{local}@localhost/q'></iq>
                 S: <stream:error><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
            ),
        );
        assert!([user, other, halfway].iter().all(|channel| world.wires[channel].closed.is_some()));
        assert!(!may_log_in(&mut world, local, password));
        world.take(maker);
        world.send(maker, &account(local, "again"));
        assert_eq!(world.take(maker), "<iq type='result' id='s'></iq>");
        assert!(!may_log_in(&mut world, local, password));
        assert!(may_log_in(&mut world, local, "again"));
    }
}
