//! Whatever is said to rooms, nothing panics, and everybody is written well-formed XML.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use xmpp_bench::machine::{Channel, CloseCause, Event};
use xmpp_bench::xmpp::{Flow, Item, Limits, ReadError, StreamReader};

use crate::world::{HEADER, World, faulty};

/// What one of a few users does.
#[derive(Clone, Debug)]
enum Act {
    Say(String),
    Drop,
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]
    #[test]
    fn no_stanza_for_a_room_breaks_the_server_or_a_stream(acts in vec((0usize..3, act()), 1..40)) {
        let mut world = World::new(faulty("delay=1ms,loss=5%,duplicate=5%,reorder=5%", 1));
        let mut users: Vec<Channel> = (0..3).map(|n| world.online(&format!("u{}", n * 9), "r")).collect();
        let mut begun: Vec<(Channel, usize)> =
            users.iter().map(|&user| (user, world.wires[&user].received.len())).collect();
        for (who, act) in acts {
            match act {
                Act::Say(text) if world.wires[&users[who]].closed.is_none() => world.send(users[who], &text),
                Act::Say(_) => {}
                Act::Drop => {
                    if world.wires[&users[who]].closed.is_none() {
                        world.event(users[who], Event::Closed(CloseCause::Reset));
                    }
                    users[who] = world.online(&format!("u{}", who * 9), "r");
                    begun.push((users[who], world.wires[&users[who]].received.len()));
                }
            }
        }
        world.pass(std::time::Duration::from_secs(3));
        for (user, begun) in begun {
            let text: String = world.wires[&user].received[begun..].iter().map(|(_, text)| text.as_str()).collect();
            assert_well_formed(&text);
        }
    }
}

fn assert_well_formed(text: &str) {
    let mut reader = StreamReader::new(Limits { stanza_bytes_max: 1 << 22, depth_max: 100 });
    let mut take = |_: Item<'_>| Ok::<Flow, ReadError>(Flow::Continue);
    reader.push(HEADER.as_bytes(), &mut take).unwrap();
    if let Err(error) = reader.push(text.as_bytes(), &mut take) {
        panic!("{error}: {text}");
    }
}

fn act() -> impl Strategy<Value = Act> {
    let stanza = prop_oneof![
        3 => presence(),
        2 => message(),
        2 => iq(),
    ];
    prop_oneof![12 => stanza.prop_map(Act::Say), 1 => Just(Act::Drop)]
}

fn address() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[ab]@conference\\.localhost/[xyz]",
        4 => "[ab]@conference\\.localhost",
        1 => Just("conference.localhost".to_owned()),
        1 => Just("conference.localhost/x".to_owned()),
        1 => "[a&amp;]{0,3}@conference\\.localhost/\\PC{0,9}".prop_map(|text| escaped(&text)),
        1 => "\\PC{0,12}".prop_map(|text| escaped(&text)),
    ]
}

fn presence() -> impl Strategy<Value = String> {
    let kind = prop_oneof![
        6 => Just(""),
        2 => Just(" type='unavailable'"),
        1 => Just(" type='error'"),
        1 => Just(" type='probe'"),
        1 => Just(" type='subscribe'"),
    ];
    let inside = prop_oneof![
        6 => Just("<x xmlns='http://jabber.org/protocol/muc'/>".to_owned()),
        1 => Just("<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='-1' since='é' seconds='x'/></x>".to_owned()),
        1 => Just("<c:x xmlns:c='http://jabber.org/protocol/muc'/><status>&lt;'\"</status>".to_owned()),
        1 => Just("<show>away</show><x xmlns='http://jabber.org/protocol/muc#user'/>".to_owned()),
        1 => (0usize..3000).prop_map(|length| format!("<status>{}</status>", "s".repeat(length))),
        1 => Just(String::new()),
    ];
    let name = prop_oneof![8 => Just("presence"), 1 => Just("p:presence")];
    (name, kind, address(), inside).prop_map(|(name, kind, to, inside)| {
        let prefix = if name == "presence" {
            ""
        } else {
            " xmlns:p='jabber:client' xmlns='urn:other' xmlns:q='urn:q'"
        };
        format!("<{name}{prefix} to='{to}' id='j'{kind}>{inside}</{name}>")
    })
}

fn message() -> impl Strategy<Value = String> {
    let kind =
        prop_oneof![5 => Just("groupchat"), 1 => Just("chat"), 1 => Just("error"), 1 => Just("normal")];
    let inside = prop_oneof![
        3 => Just("<body>hi</body>".to_owned()),
        1 => Just("<subject>&amp;</subject>".to_owned()),
        1 => Just("<subject/><body/>".to_owned()),
        1 => (0usize..9000).prop_map(|length| format!("<subject>{}</subject>", "s".repeat(length))),
        1 => Just(String::new()),
    ];
    let id = prop_oneof![Just("xgAAADAAAHAAAAAJAAAAAAAF"), Just("m"), Just("xpAAADAAAHAAAAAJAAAAAAAF")];
    (kind, address(), id, inside).prop_map(|(kind, to, id, inside)| {
        format!("<message to='{to}' type='{kind}' id='{id}'>{inside}</message>")
    })
}

fn iq() -> impl Strategy<Value = String> {
    let kind = prop_oneof![3 => Just("set"), 2 => Just("get"), 1 => Just("result")];
    let form = prop_oneof![
        Just("<x xmlns='jabber:x:data' type='submit'/>"),
        Just("<x xmlns='jabber:x:data' type='cancel'/>"),
        Just(
            "<x xmlns='jabber:x:data' type='submit'><field var='muc#roomconfig_persistentroom'><value>1</value></field></x>"
        ),
        Just(
            "<x xmlns='jabber:x:data' type='submit'><field var='muc#roomconfig_maxusers'><value>1</value></field></x>"
        ),
        Just(
            "<x xmlns='jabber:x:data' type='submit'><field><value/><value>7</value></field><field var='FORM_TYPE'/></x>"
        ),
        Just("<destroy jid='&lt;'><reason>&amp;&#x27;</reason></destroy>"),
        Just("<destroy/>"),
        Just(""),
    ];
    let inside = prop_oneof![
        form.prop_map(|form| format!("<query xmlns='http://jabber.org/protocol/muc#owner'>{form}</query>")),
        "[xyz]".prop_map(|nick| format!(
            "<query xmlns='http://jabber.org/protocol/muc#admin'><item nick='{nick}' role='none'><reason>&lt;</reason></item></query>"
        )),
        Just("<query xmlns='http://jabber.org/protocol/disco#info'/>".to_owned()),
        Just("<query xmlns='http://jabber.org/protocol/disco#items'/>".to_owned()),
        Just("<query xmlns='http://jabber.org/protocol/disco#items' node='n'/>".to_owned()),
        Just("<ping xmlns='urn:xmpp:ping'/>".to_owned()),
        any::<bool>().prop_map(|_| "<unknown xmlns='urn:unknown'/>".to_owned()),
    ];
    (kind, address(), inside)
        .prop_map(|(kind, to, inside)| format!("<iq type='{kind}' id='i' to='{to}'>{inside}</iq>"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&apos;")
}
