//! Builders for rooms (XEP-0045): entering, opening a new one, leaving.

use super::namespaces::{MUC, MUC_OWNER};
use super::write::{attribute, escape, iq};

/// Asks to enter a room under a nick, without its history (§7.2.2, §7.2.14).
pub fn enter(out: &mut Vec<u8>, room: &str, nick: &str, id: &str) {
    out.extend_from_slice(b"<presence");
    attribute(out, "to", &format!("{room}/{nick}"));
    attribute(out, "id", id);
    out.extend_from_slice(format!("><x xmlns='{MUC}'><history maxstanzas='0'/></x></presence>").as_bytes());
}

/// Opens a room one has just made (§10.1): temporary, so that it goes with its last occupant, and large enough.
pub fn open(out: &mut Vec<u8>, room: &str, occupants: u32, id: &str) {
    let mut payload =
        format!("<query xmlns='{MUC_OWNER}'><x xmlns='jabber:x:data' type='submit'>").into_bytes();
    let occupants = occupants.to_string();
    for (var, value) in [
        ("FORM_TYPE", "http://jabber.org/protocol/muc#roomconfig"),
        ("muc#roomconfig_persistentroom", "0"),
        ("muc#roomconfig_maxusers", occupants.as_str()),
    ] {
        payload.extend_from_slice(b"<field");
        attribute(&mut payload, "var", var);
        payload.extend_from_slice(b"><value>");
        escape(&mut payload, value);
        payload.extend_from_slice(b"</value></field>");
    }
    payload.extend_from_slice(b"</x></query>");
    iq(out, "set", id, Some(room), &payload);
}

/// Leaves a room (§7.14).
pub fn leave(out: &mut Vec<u8>, room: &str, nick: &str) {
    out.extend_from_slice(b"<presence type='unavailable'");
    attribute(out, "to", &format!("{room}/{nick}"));
    out.extend_from_slice(b"/>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_room_is_asked() {
        let written = |fill: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            fill(&mut out);
            String::from_utf8(out).expect("text")
        };
        assert_eq!(
            written(&|out| enter(out, "r1@muc.x", "o'neil", "t1")),
            "<presence to='r1@muc.x/o&apos;neil' id='t1'><x xmlns='http://jabber.org/protocol/muc'>\
             <history maxstanzas='0'/></x></presence>"
        );
        assert_eq!(
            written(&|out| leave(out, "r1@muc.x", "u1")),
            "<presence type='unavailable' to='r1@muc.x/u1'/>"
        );
        assert_eq!(
            written(&|out| open(out, "r1@muc.x", 40, "t2")),
            "<iq type='set' id='t2' to='r1@muc.x'><query xmlns='http://jabber.org/protocol/muc#owner'>\
             <x xmlns='jabber:x:data' type='submit'>\
             <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>\
             <field var='muc#roomconfig_persistentroom'><value>0</value></field>\
             <field var='muc#roomconfig_maxusers'><value>40</value></field></x></query></iq>"
        );
    }
}
