//! From the first byte to a bound resource.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use xmpp_bench::machine::{CloseMode, Derivation, Hash};
use xmpp_bench::server::{Admission, ServerOptions, StartTls};
use xmpp_bench::xmpp::sasl::Mechanism;
use xmpp_bench::xmpp::sasl::scram::{ScramClient, salted_password};

use crate::world::{HEADER, SASL, World, options};

/// A client's header in the way a browser's or a library's looks, not ours.
const C: &str = "<stream:stream xmlns:stream=\"http://etherx.jabber.org/streams\" xmlns=\"jabber:client\" \
                 to=\"localhost\" xml:lang=\"en\" version=\"1.0\">";

#[test]
fn starttls_then_plain_then_bind() {
    let mut world = World::new(options());
    let channel = world.connect();
    world.play(
        channel,
        &format!(
            "C: {C}
             S: <?xml version='1.0'?><stream:stream …version='1.0'…id='…from='localhost'>
             S: <stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>
             C: <starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>
             S: <proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>
             C: {C}
             S: …<stream:features><mechanisms xmlns='{SASL}'><mechanism>SCRAM-SHA-256</mechanism>
             S: <mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism></mechanisms></stream:features>
             C: <auth xmlns='{SASL}' mechanism='PLAIN'>AHUxAHAx</auth>
             S: <success xmlns='{SASL}'/>
             C: {C}
             S: …<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>
             C: <iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>
             S: <iq type='result' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>u1@localhost/xb-1</jid></bind></iq>
             C: </stream:stream>
             S: </stream:stream>"
        ),
    );
    assert_eq!(world.wires[&channel].closed, Some(CloseMode::Finish));
    assert_eq!(world.server.connections(), 0);
    assert_eq!(world.server.counters().snapshot().logins, 1);
}

#[test]
fn what_is_offered_follows_the_options() {
    let plain_in_the_clear =
        ServerOptions { starttls: StartTls::Absent, plain_without_tls: true, ..options() };
    let optional = ServerOptions { starttls: StartTls::Offered, ..options() };
    let anonymous =
        ServerOptions { starttls: StartTls::Absent, mechanisms: vec![Mechanism::Anonymous], ..options() };
    for (options, features) in [
        (plain_in_the_clear, "<mechanisms…<mechanism>PLAIN</mechanism></mechanisms>"),
        (
            optional,
            "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'></starttls><mechanisms…SHA-1</mechanism></mechanisms>",
        ),
        (
            anonymous,
            "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>ANONYMOUS</mechanism></mechanisms>",
        ),
    ] {
        let mut world = World::new(options);
        let channel = world.connect();
        world.play(channel, &format!("C: {HEADER}\nS: …<stream:features>{features}</stream:features>"));
    }
}

#[test]
fn anonymous_users_get_an_account_of_their_own() {
    let mechanisms = vec![Mechanism::Anonymous];
    let mut world = World::new(ServerOptions { mechanisms, session_feature: true, ..options() });
    let channel = world.connect_secured();
    world.play(
        channel,
        &format!(
            "C: {HEADER}
             S: …
             C: <auth xmlns='{SASL}' mechanism='ANONYMOUS'/>
             S: <success xmlns='{SASL}'/>
             C: {HEADER}
             S: …<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session></stream:features>
             C: <iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>
             S: …<jid>anon-…@localhost/r</jid>…
             C: <iq type='set' id='2'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>
             S: <iq type='result' id='2' to='anon-…@localhost/r'></iq>"
        ),
    );
}

/// A SCRAM login by the client half; the server's last word.
fn scram(world: &mut World, hash: Hash, user: &str, password: &str) -> String {
    let channel = world.connect_secured();
    let name = if hash == Hash::Sha1 { "SCRAM-SHA-1" } else { "SCRAM-SHA-256" };
    let mut client = ScramClient::new(hash, user, Arc::from(password), "clientnonce").unwrap();
    world.send(channel, HEADER);
    world.take(channel);
    let first = STANDARD.encode(client.first());
    world.send(channel, &format!("<auth xmlns='{SASL}' mechanism='{name}'>{first}</auth>"));
    let seen = world.take(channel);
    let Some(challenge) = payload(&seen, "challenge") else { return seen };
    let job: Derivation = client.handle_challenge(&challenge).unwrap();
    let response = STANDARD.encode(client.handle_key(&salted_password(&job)).unwrap());
    world.send(channel, &format!("<response xmlns='{SASL}'>{response}</response>"));
    let seen = world.take(channel);
    if let Some(last) = payload(&seen, "success") {
        client.handle_final(&last).expect("the server proves that it knows the password");
        world.play(channel, &format!("C: {HEADER}\nS: …<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>…"));
    }
    seen
}

/// Whether somebody gets in by SCRAM.
pub fn scram_succeeds(world: &mut World, user: &str, password: &str) -> bool {
    scram(world, Hash::Sha256, user, password).starts_with("<success")
}

fn payload(seen: &str, name: &str) -> Option<Vec<u8>> {
    let text = seen.strip_prefix(&format!("<{name} xmlns='{SASL}'>"))?.strip_suffix(&format!("</{name}>"))?;
    Some(STANDARD.decode(text).unwrap())
}

#[test]
fn scram_succeeds_with_the_password_and_fails_without() {
    let mut world = World::new(options());
    for hash in [Hash::Sha1, Hash::Sha256] {
        for _again_with_kept_keys in 0..2 {
            assert!(scram(&mut world, hash, "u7", "p7").starts_with("<success"));
        }
        assert!(scram(&mut world, hash, "u7", "p8").contains("<not-authorized/>"));
        assert!(scram(&mut world, hash, "stranger", "p8").contains("<not-authorized/>"));
    }
    assert_eq!(world.server.counters().snapshot().auth_failures, 4);
}

#[test]
fn an_account_keeps_its_salt_from_server_to_server() {
    let salt = |seed| {
        let mut world = World::new(ServerOptions { seed, ..options() });
        let channel = world.connect_secured();
        let client = ScramClient::new(Hash::Sha256, "u7", Arc::from("p7"), "n").unwrap();
        world.send(channel, HEADER);
        world.take(channel);
        let first = STANDARD.encode(client.first());
        world.send(channel, &format!("<auth xmlns='{SASL}' mechanism='SCRAM-SHA-256'>{first}</auth>"));
        let challenge = String::from_utf8(payload(&world.take(channel), "challenge").unwrap()).unwrap();
        assert!(challenge.ends_with(",i=4096"), "{challenge}");
        challenge.split(',').find(|part| part.starts_with("s=")).unwrap().to_owned()
    };
    assert_eq!(salt(1), salt(2));
}

#[test]
fn strangers_may_log_in_by_plain_unless_told_otherwise() {
    let login = |admission, text: &str| {
        let mut world = World::new(ServerOptions { admission, ..options() });
        let channel = world.connect_secured();
        world.send(channel, HEADER);
        world.take(channel);
        let text = STANDARD.encode(text);
        world.send(channel, &format!("<auth xmlns='{SASL}' mechanism='PLAIN'>{text}</auth>"));
        world.take(channel)
    };
    let fails = |condition| format!("<failure xmlns='{SASL}'><{condition}/></failure>");
    let success = format!("<success xmlns='{SASL}'/>");
    for (admission, message, answer) in [
        (Admission::Anybody, "\0eve\0whatever", success.clone()),
        (Admission::Known, "\0eve\0whatever", fails("not-authorized")),
        (Admission::Known, "\0u1\0p1", success.clone()),
        (Admission::Known, "\0U1\0p1", success.clone()),
        (Admission::Anybody, "\0u1\0p2", fails("not-authorized")),
        (Admission::Anybody, "u1@localhost\0u1\0p1", success),
        (Admission::Anybody, "u2@localhost\0u1\0p1", fails("invalid-authzid")),
        (Admission::Anybody, "u1\0p1", fails("malformed-request")),
        (Admission::Anybody, "\0a@b\0p1", fails("not-authorized")),
    ] {
        assert_eq!(login(admission, message), answer, "{message:?} {admission:?}");
    }
}

#[test]
fn a_second_login_with_the_same_resource_ends_the_first() {
    let mut world = World::new(options());
    let friend = world.online("u2", "r");
    let first = world.online("u1", "phone");
    world.take(friend);
    world.bound("u1", "phone");
    assert!(world.take(first).contains("<conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"));
    assert_eq!(
        world.take(friend),
        "<presence type='unavailable' from='u1@localhost/phone' to='u2@localhost/r'/>"
    );
    assert_eq!(world.server.connections(), 2);
}
