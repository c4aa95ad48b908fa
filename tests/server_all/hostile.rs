//! Bad input gets the stream error the RFC names, and the connection's end; nothing panics.

use std::time::Duration;

use base64::Engine;
use xmpp_bench::machine::{CloseMode, Event};
use xmpp_bench::server::{ServerOptions, StartTls};

use crate::world::{HEADER, SASL, World, options};

fn ends_with_error(world: &mut World, channel: xmpp_bench::machine::Channel, condition: &str, what: &str) {
    let seen = world.take(channel);
    let error = format!("<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>");
    assert!(seen.contains(&error), "{what}: {condition} expected in {seen}");
    assert!(seen.ends_with("</stream:error></stream:stream>"), "{what}: {seen}");
    assert_eq!(world.wires[&channel].closed, Some(CloseMode::Finish), "{what}");
}

#[test]
fn headers_that_are_none_are_refused_after_our_own() {
    let header = |attributes: &str| format!("<stream:stream {attributes}>");
    let streams = "xmlns:stream='http://etherx.jabber.org/streams'";
    for (text, condition) in [
        (header(&format!("to='other' version='1.0' xmlns='jabber:client' {streams}")), "host-unknown"),
        (header(&format!("version='1.0' xmlns='jabber:client' {streams}")), "host-unknown"),
        (header(&format!("to='localhost' xmlns='jabber:client' {streams}")), "unsupported-version"),
        (
            header(&format!("to='localhost' version='1.0' xmlns='jabber:server' {streams}")),
            "invalid-namespace",
        ),
        (
            header(&format!("to='localhost' version='1.0' xmlns='jabber:client' xmlns:a='b' {streams}")),
            "invalid-namespace",
        ),
        ("<!DOCTYPE x><a>".to_owned(), "restricted-xml"),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "not-well-formed"),
    ] {
        let mut world = World::new(options());
        let channel = world.connect();
        world.send(channel, &text);
        let seen = &world.wires[&channel].unread;
        assert!(seen.contains("<stream:stream "), "{text}: {seen}");
        ends_with_error(&mut world, channel, condition, &text);
    }
}

#[test]
fn what_may_not_come_before_login_ends_the_stream() {
    for (text, condition) in [
        ("<message to='u1@localhost'/>", "not-authorized"),
        ("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>", "not-authorized"),
        ("<a xmlns='urn:x'/>", "unsupported-stanza-type"),
        ("<presence><!-- x --></presence>", "restricted-xml"),
        ("<presence>&bomb;</presence>", "not-well-formed"),
        ("<presence></message>", "not-well-formed"),
        ("text", "not-well-formed"),
    ] {
        let mut world = World::new(options());
        let channel = world.connect_secured();
        world.send(channel, HEADER);
        world.take(channel);
        world.send(channel, text);
        let seen = &world.wires[&channel].unread;
        // An entity that is not predefined is bad in two ways, and both are answered alike.
        let condition = if seen.contains("restricted-xml") { "restricted-xml" } else { condition };
        ends_with_error(&mut world, channel, condition, text);
    }
}

#[test]
fn what_may_not_come_from_a_user_online_ends_the_stream() {
    let large = format!("<message><body>{}</body></message>", "x".repeat(300 * 1024));
    let deep = format!("<message>{}", "<a>".repeat(100));
    for (text, condition) in [
        ("<message from='u2@localhost/x' to='u2@localhost'/>", "invalid-from"),
        ("<b:unknown xmlns:b='urn:b'/>", "unsupported-stanza-type"),
        (&large, "policy-violation"),
        (&deep, "policy-violation"),
        ("<message a='1' a='2'/>", "not-well-formed"),
    ] {
        let mut world = World::new(options());
        let channel = world.online("u1", "a");
        world.send(channel, text);
        ends_with_error(&mut world, channel, condition, &text[..text.len().min(60)]);
        world.send(channel, "<message to='u1@localhost'/>");
        assert_eq!(world.take(channel), "", "nothing is read any more");
    }
    let mut world = World::new(options());
    let channel = world.online("u1", "a");
    world.event(channel, Event::Data(b"<message>\xff</message>"));
    ends_with_error(&mut world, channel, "unsupported-encoding", "no UTF-8");
}

#[test]
fn a_user_without_a_resource_may_only_bind_one() {
    let mut world = World::new(options());
    let channel = world.connect_secured();
    let plain = base64::engine::general_purpose::STANDARD.encode("\0u1\0p1");
    world.play(
        channel,
        &format!(
            "C: {HEADER}
             S: …
             C: <auth xmlns='{SASL}' mechanism='PLAIN'>{plain}</auth>
             S: …
             C: {HEADER}
             S: …
             C: <iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{}</resource></bind></iq>
             S: <iq type='error' id='1'>…<bad-request…",
            "r".repeat(2000)
        ),
    );
    world.send(channel, "<presence/>");
    ends_with_error(&mut world, channel, "not-authorized", "presence before bind");
}

#[test]
fn bad_sasl_is_refused_and_ends_the_stream_the_third_time() {
    let auth =
        |mechanism: &str, text: &str| format!("<auth xmlns='{SASL}' mechanism='{mechanism}'>{text}</auth>");
    for (text, condition) in [
        (auth("NTLM", "eA=="), "invalid-mechanism"),
        (auth("PLAIN", "!"), "incorrect-encoding"),
        (auth("PLAIN", "eA=="), "malformed-request"),
        (auth("SCRAM-SHA-256", "eA=="), "malformed-request"),
        (format!("<response xmlns='{SASL}'>eA==</response>"), "malformed-request"),
        (format!("<abort xmlns='{SASL}'/>"), "aborted"),
    ] {
        let mut world = World::new(options());
        let channel = world.connect_secured();
        world.send(channel, HEADER);
        world.take(channel);
        let failure = format!("<failure xmlns='{SASL}'><{condition}/></failure>");
        for _ in 0..2 {
            world.send(channel, &text);
            assert_eq!(world.take(channel), failure, "{text}");
        }
        world.send(channel, &text);
        ends_with_error(&mut world, channel, "policy-violation", &text);
    }
}

#[test]
fn nothing_works_before_a_required_starttls() {
    let mut world = World::new(options());
    let channel = world.connect();
    world.play(
        channel,
        &format!(
            "C: {HEADER}
             S: …
             C: <auth xmlns='{SASL}' mechanism='PLAIN'>AHUxAHAx</auth>
             S: <failure xmlns='{SASL}'><encryption-required/></failure>"
        ),
    );
    let mut world = World::new(ServerOptions { starttls: StartTls::Absent, ..options() });
    let channel = world.connect();
    world.send(channel, HEADER);
    world.take(channel);
    world.send(channel, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    assert_eq!(world.take(channel), "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>");
}

#[test]
fn bytes_in_the_clear_behind_starttls_are_never_read() {
    let mut world = World::new(options());
    let channel = world.connect();
    world.send(channel, HEADER);
    world.take(channel);
    world.send(channel, &format!("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>{HEADER}"));
    assert_eq!(world.take(channel), "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    assert_eq!(world.wires[&channel].closed, Some(CloseMode::Reset));
}

#[test]
fn a_connection_that_never_logs_in_is_ended() {
    let mut world = World::new(options());
    let silent = world.connect();
    let user = world.online("u1", "a");
    world.pass(Duration::from_mins(2));
    ends_with_error(&mut world, silent, "connection-timeout", "silence");
    assert!(world.wires[&user].closed.is_none());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]
    #[test]
    fn no_bytes_make_the_server_panic(state in 0usize..3, pieces in proptest::collection::vec(piece(), 1..12)) {
        let mut world = World::new(ServerOptions { registration: true, ..options() });
        let channel = match state {
            0 => world.connect(),
            1 => world.connect_secured(),
            _ => world.online("u1", "a"),
        };
        for piece in pieces {
            if world.wires[&channel].closed.is_none() {
                world.event(channel, Event::Data(&piece));
            }
        }
        world.pass(Duration::from_secs(70));
    }
}

/// Pieces of protocol, and noise.
fn piece() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    use proptest::prelude::{Just, Strategy, any, prop_oneof};
    let known = [
        HEADER.to_owned(),
        "</stream:stream>".to_owned(),
        "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>".to_owned(),
        format!("<auth xmlns='{SASL}' mechanism='PLAIN'>AHUxAHAx</auth>"),
        format!("<auth xmlns='{SASL}' mechanism='SCRAM-SHA-1'>biwsbj11MSxyPWE=</auth>"),
        format!("<response xmlns='{SASL}'/>"),
        format!("<abort xmlns='{SASL}'/>"),
        "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>".to_owned(),
        "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>".to_owned(),
        "<presence><priority>x</priority></presence>".to_owned(),
        "<presence type='unavailable'/>".to_owned(),
        "<presence type='subscribed' to='u2@localhost'/>".to_owned(),
        "<presence type='unsubscribe' to='@'/>".to_owned(),
        "<presence to='u9@localhost/x'/>".to_owned(),
        "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='u2@localhost' subscription='remove'/></query></iq>".to_owned(),
        "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='/' name='&lt;'><group/></item></query></iq>".to_owned(),
        "<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>".to_owned(),
        "<iq type='set' id='1'><query xmlns='jabber:iq:register'><remove/></query></iq>".to_owned(),
        "<iq type='set' id='1'><query xmlns='jabber:iq:register'><username>&apos;</username><password>x</password></query></iq>".to_owned(),
        "<presence type='probe' to='u2@localhost'/>".to_owned(),
        "<message to='u1@localhost' id='xmAAADAAAHAAAAAJAAAAAAAF'><body>x</body></message>".to_owned(),
        "<message to='//@' type='groupchat'/>".to_owned(),
    ];
    let known = (0..known.len()).prop_map(move |at| known[at].clone().into_bytes());
    prop_oneof![6 => known, 1 => any::<Vec<u8>>(), 1 => Just(b" \n".to_vec()), 1 => "[<>/a='&; ]{0,20}".prop_map(String::into_bytes)]
}
