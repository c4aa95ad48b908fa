//! Rooms: made, entered, talked in, left (XEP-0045).

use std::time::Duration;

use xmpp_bench::machine::{Channel, CloseCause, Event};
use xmpp_bench::server::ServerOptions;

use crate::world::{World, options};

const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
const USER: &str = "http://jabber.org/protocol/muc#user";
const OWNER: &str = "http://jabber.org/protocol/muc#owner";
const JOIN: &str = "<x xmlns='http://jabber.org/protocol/muc'/>";
const ROOM: &str = "hall@conference.localhost";
const PARTICIPANT: &str = "affiliation='none' role='participant'";

/// Presence of an occupant as the others see it.
fn shown(nick: &str, to: &str) -> String {
    format!("<presence from='{ROOM}/{nick}' to='{to}'><x xmlns='{USER}'><item {PARTICIPANT}/></x></presence>")
}

/// The same as the owner sees it.
fn shown_to_owner(nick: &str, to: &str, jid: &str) -> String {
    format!(
        "<presence from='{ROOM}/{nick}' to='{to}'><x xmlns='{USER}'><item {PARTICIPANT} jid='{jid}'/></x></presence>"
    )
}

fn gone(nick: &str, to: &str, codes: &str) -> String {
    format!(
        "<presence from='{ROOM}/{nick}' to='{to}' type='unavailable'><x xmlns='{USER}'>\
         <item affiliation='none' role='none'/>{codes}</x></presence>"
    )
}

fn join(world: &mut World, channel: Channel, nick: &str) {
    world.send(channel, &format!("<presence to='{ROOM}/{nick}' id='j'>{JOIN}</presence>"));
}

fn accept(world: &mut World, channel: Channel) {
    let form = "<x xmlns='jabber:x:data' type='submit'/>";
    world.send(
        channel,
        &format!("<iq type='set' id='i' to='{ROOM}'><query xmlns='{OWNER}'>{form}</query></iq>"),
    );
}

fn configure(world: &mut World, channel: Channel, fields: &[(&str, &str)]) -> String {
    let mut form = String::new();
    for (var, value) in fields {
        form += &format!("<field var='muc#roomconfig_{var}'><value>{value}</value></field>");
    }
    world.send(
        channel,
        &format!(
            "<iq type='set' id='c' to='{ROOM}'><query xmlns='{OWNER}'>\
             <x xmlns='jabber:x:data' type='submit'>{form}</x></query></iq>"
        ),
    );
    world.take(channel)
}

/// `u1` has made and opened the hall and sits in it as `o`; the others, from `u2` on, as given. Nobody has unread text.
fn hall(world: &mut World, nicks: &[&str]) -> (Channel, Vec<Channel>) {
    let owner = world.online("u1", "r");
    join(world, owner, "o");
    accept(world, owner);
    let mut others = Vec::new();
    for (n, nick) in nicks.iter().enumerate() {
        let channel = world.online(&format!("u{}", 50 + 5 * n), "r");
        join(world, channel, nick);
        others.push(channel);
    }
    world.take(owner);
    for &channel in &others {
        world.take(channel);
    }
    (owner, others)
}

fn error(world: &mut World, channel: Channel) -> String {
    let seen = world.take(channel);
    assert!(seen.contains("type='error'"), "{seen}");
    let (_, rest) = seen.split_once("<error ").unwrap();
    let (_, condition) = rest.split_once('<').unwrap();
    condition.split_once(' ').unwrap().0.to_owned()
}

#[test]
fn the_service_is_found_and_says_what_it_is() {
    let mut world = World::new(options());
    let alice = world.online("u1", "a");
    world.play(
        alice,
        "C: <iq type='get' id='1' to='localhost'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>
         S: …<item jid='conference.localhost' name='rooms'/></query></iq>
         C: <iq type='get' id='2' to='conference.localhost'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>
         S: …<identity category='conference' type='text'…<feature var='http://jabber.org/protocol/muc'/>…</query></iq>
         C: <iq type='get' id='3' to='conference.localhost'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>
         S: …<query xmlns='http://jabber.org/protocol/disco#items'></query></iq>
         C: <iq type='get' id='4' to='hall@conference.localhost'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>
         S: …<item-not-found …
         C: <iq type='set' id='5' to='conference.localhost'><unknown xmlns='urn:unknown'/></iq>
         S: …<service-unavailable …",
    );
}

#[test]
fn a_room_is_made_by_entering_it_and_locked_until_its_owner_opens_it() {
    let mut world = World::new(options());
    let (owner, other) = (world.online("u1", "r"), world.online("u50", "r"));
    let own = format!(
        "<presence from='{ROOM}/o' to='u1@localhost/r'><x xmlns='{USER}'>\
                       <item affiliation='owner' role='moderator' jid='u1@localhost/r'/>\
                       <status code='110'/><status code='201'/></x></presence>"
    );
    world.play(
        owner,
        &format!(
            "C: <presence to='{ROOM}/o' id='j'>{JOIN}</presence>
             S: {own}
             S: <message from='{ROOM}' to='u1@localhost/r' type='groupchat'><subject></subject></message>"
        ),
    );
    let entering = format!("C: <presence to='{ROOM}/n' id='j'>{JOIN}</presence>");
    world.play(
        other,
        &format!(
            "{entering}
             S: <presence type='error' id='j' from='{ROOM}/n' to='u50@localhost/r'>{JOIN}
             S: <error type='cancel'><item-not-found xmlns='{STANZAS}'/></error></presence>"
        ),
    );
    world.play(
        owner,
        &format!(
            "C: <iq type='get' id='g' to='{ROOM}'><query xmlns='{OWNER}'/></iq>
             S: …<x xmlns='jabber:x:data' type='form'>…muc#roomconfig_maxusers…muc#roomconfig_persistentroom…
             C: <iq type='set' id='i' to='{ROOM}'><query xmlns='{OWNER}'><x xmlns='jabber:x:data' type='submit'/></query></iq>
             S: <iq type='result' id='i' from='{ROOM}' to='u1@localhost/r'></iq>"
        ),
    );
    world.play(
        other,
        &format!(
            "{entering}
             S: <presence from='{ROOM}/o' to='u50@localhost/r'><x xmlns='{USER}'>
             S: <item affiliation='owner' role='moderator'/></x></presence>
             S: <presence from='{ROOM}/n' to='u50@localhost/r'><x xmlns='{USER}'>
             S: <item {PARTICIPANT}/><status code='110'/></x></presence>
             S: <message from='{ROOM}' to='u50@localhost/r' type='groupchat'><subject></subject></message>"
        ),
    );
    assert_eq!(world.take(owner), shown_to_owner("n", "u1@localhost/r", "u50@localhost/r"));
}

#[test]
fn who_enters_is_shown_who_is_there_then_itself_then_history_then_the_subject() {
    let mut world = World::new(ServerOptions { epoch_unix: Duration::from_hours(264_384), ..options() });
    let (owner, others) = hall(&mut world, &["a", "b"]);
    world.send(owner, &format!("<message to='{ROOM}' type='groupchat'><subject>talk</subject></message>"));
    world.pass(Duration::from_secs(2));
    world.send(
        others[0],
        &format!("<message to='{ROOM}' type='groupchat' id='m1'><body>one</body></message>"),
    );
    world.send(
        others[1],
        &format!("<message to='{ROOM}' type='groupchat' id='m2'><body>two</body></message>"),
    );
    world.send(
        others[0],
        &format!("<message to='{ROOM}' type='groupchat' id='m3'><active xmlns='urn:x'/></message>"),
    );
    let late = world.online("u70", "r");
    let delay = |second: u32| {
        format!("<delay xmlns='urn:xmpp:delay' from='{ROOM}' stamp='2000-02-29T00:00:0{second}.000Z'/>")
    };
    let me = "u70@localhost/r";
    let history = |limit: &str| {
        format!("<presence to='{ROOM}/c'><x xmlns='http://jabber.org/protocol/muc'>{limit}</x></presence>")
    };
    let before = format!(
        "…{}{}<presence from='{ROOM}/c' to='{me}'>…<status code='110'/></x></presence>",
        shown("a", me),
        shown("b", me)
    );
    let one = format!(
        "<message from='{ROOM}/a' to='{me}' type='groupchat' id='m1'><body>one</body>{}</message>",
        delay(2)
    );
    let two = format!(
        "<message from='{ROOM}/b' to='{me}' type='groupchat' id='m2'><body>two</body>{}</message>",
        delay(2)
    );
    let subject = format!(
        "<message from='{ROOM}/o' to='{me}' type='groupchat'><subject>talk</subject>{}</message>",
        delay(0)
    );
    for (limit, kept) in [
        ("", format!("{one}{two}")),
        ("<history maxstanzas='1'/>", two.clone()),
        ("<history maxstanzas='0'/>", String::new()),
        ("<history maxchars='0'/>", String::new()),
        ("<history seconds='1' maxstanzas='9'/>", format!("{one}{two}")),
        ("<history since='2000-02-29T00:00:03Z'/>", String::new()),
    ] {
        world.play(late, &format!("C: {}\nS: {before}{kept}{subject}", history(limit)));
        world.send(late, &format!("<presence type='unavailable' to='{ROOM}/c'/>"));
        world.take(late);
    }
    assert_eq!(world.server.counters().snapshot().history_out, 3 + 5 + 6);
}

#[test]
fn what_is_said_reaches_everybody_in_one_order_with_its_id_and_its_sender_too() {
    let mut world = World::new(options());
    let (owner, others) = hall(&mut world, &["a", "b", "o&apos;neil"]);
    world.send(
        others[2],
        &format!("<message to='{ROOM}' type='groupchat' id='1'><body>&lt;hi&gt;</body></message>"),
    );
    world.send(
        owner,
        "<message to='HALL@conference.LOCALHOST' type='groupchat' id='2'><body>so</body></message>",
    );
    for (n, channel) in std::iter::once(owner).chain(others).enumerate() {
        let me = if n == 0 { "u1@localhost/r".to_owned() } else { format!("u{}@localhost/r", 45 + 5 * n) };
        assert_eq!(
            world.take(channel),
            format!(
                "<message from='{ROOM}/o&apos;neil' to='{me}' type='groupchat' id='1'><body>&lt;hi&gt;</body></message>\
                 <message from='{ROOM}/o' to='{me}' type='groupchat' id='2'><body>so</body></message>"
            )
        );
    }
    let counts = world.server.counters().snapshot();
    assert_eq!((counts.groupchats_in, counts.groupchats_out, counts.messages_out), (2, 8, 0));
}

#[test]
fn what_may_not_be_said_is_refused() {
    let mut world = World::new(options());
    let (_, others) = hall(&mut world, &["a"]);
    let stranger = world.online("u70", "r");
    let say = |to: &str, kind: &str, inside: &str| {
        format!("<message to='{to}' type='{kind}' id='1'>{inside}</message>")
    };
    let body = "<body>x</body>";
    for (from, stanza, condition) in [
        (stranger, say(ROOM, "groupchat", body), "not-acceptable"),
        (stranger, say("attic@conference.localhost", "groupchat", body), "item-not-found"),
        (stranger, say(&format!("{ROOM}/a"), "chat", body), "not-acceptable"),
        (stranger, say("conference.localhost", "chat", body), "service-unavailable"),
        (others[0], say(&format!("{ROOM}/o"), "groupchat", body), "bad-request"),
        (others[0], say(ROOM, "chat", body), "bad-request"),
        (others[0], say(&format!("{ROOM}/nobody"), "chat", body), "item-not-found"),
        (others[0], say(ROOM, "groupchat", "<subject>mine</subject>"), "forbidden"),
    ] {
        world.send(from, &stanza);
        assert_eq!(error(&mut world, from), condition, "{stanza}");
    }
    world.send(stranger, &say(ROOM, "error", body));
    assert_eq!(world.take(stranger), "");
}

#[test]
fn a_message_to_one_nick_reaches_that_one() {
    let mut world = World::new(options());
    let (owner, others) = hall(&mut world, &["a", "b"]);
    world.send(others[0], &format!("<message to='{ROOM}/b' type='chat' id='1'><body>psst</body></message>"));
    assert_eq!(
        world.take(others[1]),
        format!(
            "<message from='{ROOM}/a' to='u55@localhost/r' type='chat' id='1'><body>psst</body><x xmlns='{USER}'/></message>"
        )
    );
    assert_eq!((world.take(owner), world.take(others[0])), (String::new(), String::new()));
}

#[test]
fn the_subject_is_told_to_all_and_shown_to_those_who_come() {
    let mut world = World::new(options());
    let (owner, others) = hall(&mut world, &["a"]);
    configure(&mut world, owner, &[("changesubject", "1")]);
    assert!(world.take(others[0]).contains("<status code='104'/>"));
    world.send(
        others[0],
        &format!("<message to='{ROOM}' type='groupchat' id='s'><subject>new</subject></message>"),
    );
    assert_eq!(
        world.take(owner),
        format!(
            "<message from='{ROOM}/a' to='u1@localhost/r' type='groupchat' id='s'><subject>new</subject></message>"
        )
    );
    let late = world.online("u70", "r");
    join(&mut world, late, "c");
    assert!(world.take(late).contains("<subject>new</subject><delay "), "and without its id");
}

#[test]
fn entering_is_refused_by_the_condition_the_xep_names() {
    let mut world = World::new(options());
    let (owner, _) = hall(&mut world, &["a"]);
    configure(&mut world, owner, &[("maxusers", "2")]);
    let late = world.online("u70", "r");
    let long = format!("{ROOM}/{}", "n".repeat(300));
    for (to, inside, condition) in [
        (format!("{ROOM}/a"), JOIN, "conflict"),
        (format!("{ROOM}/c"), JOIN, "service-unavailable"),
        (ROOM.to_owned(), JOIN, "jid-malformed"),
        (format!("{ROOM}/c"), "", "not-acceptable"),
        (long, JOIN, "not-acceptable"),
    ] {
        world.send(late, &format!("<presence to='{to}' id='j'>{inside}</presence>"));
        assert_eq!(error(&mut world, late), condition, "{to}");
    }
    let phone = world.online("u1", "phone");
    join(&mut world, phone, "o2");
    assert!(world.take(phone).contains("<status code='110'/>"), "the owner has always room");
}

#[test]
fn leaving_is_told_to_all_and_the_last_one_takes_the_room_away() {
    let mut world = World::new(options());
    let (owner, others) = hall(&mut world, &["a", "b"]);
    world.play(
        others[0],
        &format!(
            "C: <presence type='unavailable' to='{ROOM}/a'><status>bye</status></presence>
             S: <presence from='{ROOM}/a' to='u50@localhost/r' type='unavailable'><status>bye</status><x xmlns='{USER}'>
             S: <item affiliation='none' role='none'/><status code='110'/></x></presence>
             C: <presence type='unavailable' to='{ROOM}/a'/>
             S:
             C: <message to='{ROOM}' type='groupchat' id='1'><body>x</body></message>
             S: …<not-acceptable …"
        ),
    );
    assert!(world.take(others[1]).contains("<status>bye</status>"));
    world.send(others[1], "<presence type='unavailable'/>");
    assert!(world.take(owner).contains(&format!("from='{ROOM}/b' to='u1@localhost/r' type='unavailable'")));
    world.send(owner, &format!("<presence type='unavailable' to='{ROOM}'/>"));
    world.take(owner);
    join(&mut world, others[0], "a");
    assert!(world.take(others[0]).contains("<status code='201'/>"), "it is made anew");
}

#[test]
fn a_session_that_ends_leaves_its_rooms() {
    let mut world = World::new(options());
    let (owner, others) = hall(&mut world, &["a", "b", "c"]);
    world.event(others[0], Event::Closed(CloseCause::Reset));
    assert_eq!(world.take(others[2]), gone("a", "u60@localhost/r", ""));
    world.send(others[1], "</stream:stream>");
    assert_eq!(world.take(others[2]), gone("b", "u60@localhost/r", ""));
    world.bound("u60", "r");
    assert!(
        world.take(owner).contains(&format!("from='{ROOM}/c' to='u1@localhost/r' type='unavailable'")),
        "replaced"
    );
}

#[test]
fn a_cut_leaves_no_ghosts() {
    let mut world = World::new(crate::world::faulty("cut=50%@10s", 1));
    let (owner, others) = hall(&mut world, &["a", "b", "c", "d", "e"]);
    world.pass(Duration::from_secs(11));
    let left: Vec<Channel> =
        [owner].into_iter().chain(others).filter(|user| world.wires[user].closed.is_none()).collect();
    assert_eq!(left.len(), 3);
    let query = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
    world.take(left[0]);
    world.send(left[0], &format!("<iq type='get' id='1' to='{ROOM}'>{query}</iq>"));
    assert_eq!(world.take(left[0]).matches("<item ").count(), 3);
}

#[test]
fn a_nick_can_be_changed_to_one_that_is_free() {
    let mut world = World::new(options());
    let (owner, others) = hall(&mut world, &["a", "b"]);
    world.play(
        others[0],
        &format!(
            "C: <presence to='{ROOM}/b'/>
             S: <presence type='error' from='{ROOM}/b' to='u50@localhost/r'>{JOIN}<error type='cancel'><conflict xmlns='{STANZAS}'/></error></presence>
             C: <presence to='{ROOM}/z'/>
             S: <presence from='{ROOM}/a' to='u50@localhost/r' type='unavailable'><x xmlns='{USER}'>
             S: <item {PARTICIPANT} nick='z'/><status code='303'/><status code='110'/></x></presence>
             S: <presence from='{ROOM}/z' to='u50@localhost/r'><x xmlns='{USER}'><item {PARTICIPANT}/><status code='110'/></x></presence>"
        ),
    );
    assert_eq!(
        world.take(others[1]),
        format!(
            "<presence from='{ROOM}/a' to='u55@localhost/r' type='unavailable'><x xmlns='{USER}'>\
             <item {PARTICIPANT} nick='z'/><status code='303'/></x></presence>{}",
            shown("z", "u55@localhost/r")
        )
    );
    assert!(world.take(owner).contains("jid='u50@localhost/r'"));
    world.send(others[0], &format!("<message to='{ROOM}' type='groupchat'><body>x</body></message>"));
    assert!(world.take(others[1]).contains(&format!("from='{ROOM}/z'")));
}

#[test]
fn presence_in_a_room_is_told_with_its_content_and_without_its_id() {
    let mut world = World::new(options());
    let (_, others) = hall(&mut world, &["a", "b"]);
    world.send(
        others[0],
        &format!("<presence to='{ROOM}/a' id='xpAAADAAAHAAAAAJAAAAAAAF'><show>away</show></presence>"),
    );
    assert_eq!(
        world.take(others[1]),
        format!(
            "<presence from='{ROOM}/a' to='u55@localhost/r'><show>away</show><x xmlns='{USER}'><item {PARTICIPANT}/></x></presence>"
        )
    );
    let late = world.online("u70", "r");
    join(&mut world, late, "c");
    assert!(world.take(late).contains("<show>away</show>"));
    let forged = format!("<x xmlns='{USER}'><item role='moderator' affiliation='owner'/></x>");
    world.take(others[1]);
    world.send(others[0], &format!("<presence to='{ROOM}/a'>{forged}</presence>"));
    assert_eq!(world.take(others[1]), shown("a", "u55@localhost/r"));
}

#[test]
fn two_sessions_of_one_account_may_share_a_nick_and_are_one_occupant() {
    let mut world = World::new(options());
    let (owner, others) = hall(&mut world, &["a", "b"]);
    let desk = world.online("u50", "desk");
    join(&mut world, desk, "a");
    let late = world.online("u70", "r");
    join(&mut world, late, "c");
    assert_eq!(world.take(late).matches(&format!("from='{ROOM}/a'")).count(), 1);
    world.take(others[1]);
    world.take(desk);
    world.send(owner, &format!("<message to='{ROOM}' type='groupchat' id='1'><body>x</body></message>"));
    assert!(world.take(desk).contains("id='1'") && world.take(others[0]).contains("id='1'"));
    world.take(others[1]);
    world.event(others[0], Event::Closed(CloseCause::Reset));
    assert_eq!(world.take(others[1]), "", "the other session still has the nick");
    world.event(desk, Event::Closed(CloseCause::Reset));
    assert_eq!(world.take(others[1]), gone("a", "u55@localhost/r", ""));
}

#[test]
fn the_owner_puts_others_out_and_nobody_else_does() {
    let mut world = World::new(options());
    let (owner, others) = hall(&mut world, &["a", "b"]);
    let kick = |nick: &str| {
        format!(
            "<iq type='set' id='k' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#admin'>\
             <item nick='{nick}' role='none'><reason>a &amp; b</reason></item></query></iq>"
        )
    };
    for (from, nick, condition) in
        [(others[0], "b", "forbidden"), (owner, "nobody", "item-not-found"), (owner, "o", "not-allowed")]
    {
        world.send(from, &kick(nick));
        assert_eq!(error(&mut world, from), condition);
    }
    world.send(owner, &kick("a"));
    assert!(
        world
            .take(owner)
            .ends_with("<iq type='result' id='k' from='hall@conference.localhost' to='u1@localhost/r'></iq>")
    );
    let item = "<item affiliation='none' role='none'><reason>a &amp; b</reason></item>";
    assert_eq!(
        world.take(others[0]),
        format!(
            "<presence from='{ROOM}/a' to='u50@localhost/r' type='unavailable'><x xmlns='{USER}'>{item}<status code='110'/><status code='307'/></x></presence>"
        )
    );
    assert_eq!(
        world.take(others[1]),
        format!(
            "<presence from='{ROOM}/a' to='u55@localhost/r' type='unavailable'><x xmlns='{USER}'>{item}<status code='307'/></x></presence>"
        )
    );
}

#[test]
fn a_room_is_destroyed_by_its_owner_or_kept_when_empty_if_so_configured() {
    let mut world = World::new(options());
    let (owner, others) = hall(&mut world, &["a"]);
    let destroy = format!(
        "<iq type='set' id='d' to='{ROOM}'><query xmlns='{OWNER}'><destroy jid='attic@x'><reason>over</reason></destroy></query></iq>"
    );
    world.send(others[0], &destroy);
    assert_eq!(error(&mut world, others[0]), "forbidden");
    world.send(owner, &destroy);
    assert_eq!(
        world.take(others[0]),
        format!(
            "<presence from='{ROOM}/a' to='u50@localhost/r' type='unavailable'><x xmlns='{USER}'>\
             <item affiliation='none' role='none'/><destroy jid='attic@x'><reason>over</reason></destroy>\
             <status code='110'/></x></presence>"
        )
    );
    assert!(
        world
            .take(owner)
            .ends_with("<iq type='result' id='d' from='hall@conference.localhost' to='u1@localhost/r'></iq>")
    );
    join(&mut world, owner, "o");
    assert!(world.take(owner).contains("<status code='201'/>"));
    configure(&mut world, owner, &[("persistentroom", "1"), ("publicroom", "0")]);
    world.send(owner, &format!("<presence type='unavailable' to='{ROOM}/o'/>"));
    join(&mut world, others[0], "a");
    let seen = world.take(others[0]);
    assert!(seen.contains("role='participant'/><status code='110'/></x>"), "it is still there: {seen}");
    world.play(
        others[0],
        &format!(
            "C: <iq type='get' id='1' to='conference.localhost'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>
             S: …<query xmlns='http://jabber.org/protocol/disco#items'></query></iq>
             C: <iq type='get' id='2' to='{ROOM}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>
             S: …<feature var='muc_hidden'/><feature var='muc_persistent'/>…
             C: <iq type='get' id='3' to='{ROOM}/a'><ping xmlns='urn:xmpp:ping'/></iq>
             S: <iq type='result' id='3' from='{ROOM}/a' to='u50@localhost/r'></iq>"
        ),
    );
}

#[test]
fn a_configuration_is_taken_whole_or_refused() {
    let mut world = World::new(options());
    let (owner, others) = hall(&mut world, &["a"]);
    for (field, good) in [
        (("maxusers", "40"), true),
        (("maxusers", "none"), true),
        (("maxusers", "0"), false),
        (("maxusers", "many"), false),
        (("maxusers", "10001"), false),
        (("persistentroom", "true"), true),
        (("persistentroom", "perhaps"), false),
        (("membersonly", "0"), true),
        (("membersonly", "1"), false),
        (("unheard_of", "1"), true),
    ] {
        let answer = configure(&mut world, owner, &[field]);
        assert_eq!(answer.contains("<iq type='result' id='c'"), good, "{field:?}: {answer}");
        assert_eq!(answer.contains("<not-acceptable "), !good, "{field:?}: {answer}");
    }
    assert!(configure(&mut world, others[0], &[]).contains("<forbidden "));
    configure(&mut world, owner, &[("maxusers", "7"), ("maxusers", "x")]);
    world.play(
        owner,
        &format!(
            "C: <iq type='get' id='g' to='{ROOM}'><query xmlns='{OWNER}'/></iq>
             S: …<field type='text-single' var='muc#roomconfig_maxusers' label='…'><value>10000</value></field>…"
        ),
    );
}

#[test]
fn a_new_room_whose_owner_gives_up_is_gone() {
    let mut world = World::new(options());
    let owner = world.online("u1", "r");
    join(&mut world, owner, "o");
    world.take(owner);
    world.play(
        owner,
        &format!(
            "C: <iq type='set' id='i' to='{ROOM}'><query xmlns='{OWNER}'><x xmlns='jabber:x:data' type='cancel'/></query></iq>
             S: …type='unavailable'>…<status code='110'/></x></presence><iq type='result' id='i' …
             C: <message to='{ROOM}' type='groupchat'><body>x</body></message>
             S: …<item-not-found …"
        ),
    );
}

#[test]
fn one_session_may_be_in_so_many_rooms_and_no_more() {
    let mut world = World::new(options());
    let user = world.online("u1", "r");
    for room in 0..1_000 {
        world.send(user, &format!("<presence to='r{room}@conference.localhost/n'>{JOIN}</presence>"));
    }
    world.take(user);
    join(&mut world, user, "n");
    assert_eq!(error(&mut world, user), "resource-constraint");
    world.send(user, "<presence type='unavailable' to='r7@conference.localhost/n'/>");
    world.take(user);
    join(&mut world, user, "n");
    assert!(world.take(user).contains("<status code='201'/>"));
}

#[test]
fn everybody_of_a_storm_sees_everybody_once() {
    const USERS: usize = 90;
    let mut world = World::new(options());
    let (owner, _) = hall(&mut world, &[]);
    let users: Vec<Channel> = (2..2 + USERS).map(|n| world.bound(&format!("u{n}"), "r")).collect();
    for (n, &user) in users.iter().enumerate() {
        join(&mut world, user, &format!("n{n}"));
    }
    for &user in users.iter().chain([&owner]) {
        let seen = world.take(user);
        for n in 0..USERS {
            assert_eq!(seen.matches(&format!("from='{ROOM}/n{n}'")).count(), 1, "n{n}");
        }
    }
}
