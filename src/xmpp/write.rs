//! Builders: whole stanzas appended to a buffer.
//!
//! Every value is escaped on its way. Nothing here validates addresses or ids: callers hold what they may write.

/// A message as it is written.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Recipient.
    pub to: &'a str,
    /// The stanza's id.
    pub id: &'a str,
    /// `chat`, `groupchat`, `headline`; none is `normal`.
    pub kind: Option<&'static str>,
    /// What the body begins with (a token).
    pub head: &'a str,
    /// The body's size in bytes, as its text (ASCII) before escaping; a shorter one than `head` is `head` alone.
    pub body_bytes: usize,
}

/// Writes a message whose body is `head` and padding up to `body_bytes`.
pub fn message(out: &mut Vec<u8>, message: &Message<'_>) {
    out.extend_from_slice(b"<message");
    attribute(out, "to", message.to);
    attribute(out, "id", message.id);
    if let Some(kind) = message.kind {
        attribute(out, "type", kind);
    }
    out.extend_from_slice(b"><body>");
    escape(out, message.head);
    pad(out, message.body_bytes.saturating_sub(message.head.len()));
    out.extend_from_slice(b"</body></message>");
}

/// Writes initial presence (RFC 6121 section 4.2).
pub fn presence(out: &mut Vec<u8>) {
    out.extend_from_slice(b"<presence/>");
}

/// A change of presence as it is written.
#[derive(Clone, Copy, Debug)]
pub struct Presence<'a> {
    /// Whom it is directed to; none is a broadcast.
    pub to: Option<&'a str>,
    /// The stanza's id.
    pub id: &'a str,
    /// `away`, `chat`, `dnd` or `xa`; none is plainly available.
    pub show: Option<&'static str>,
    /// What the status begins with (a token).
    pub head: &'a str,
    /// The status's size in bytes, as its text (ASCII) before escaping; a shorter one than `head` is `head` alone.
    pub status_bytes: usize,
}

/// Writes available presence whose status is `head` and padding up to `status_bytes` (RFC 6121 section 4.4).
pub fn presence_change(out: &mut Vec<u8>, presence: &Presence<'_>) {
    out.extend_from_slice(b"<presence");
    if let Some(to) = presence.to {
        attribute(out, "to", to);
    }
    attribute(out, "id", presence.id);
    out.push(b'>');
    if let Some(show) = presence.show {
        out.extend_from_slice(b"<show>");
        out.extend_from_slice(show.as_bytes());
        out.extend_from_slice(b"</show>");
    }
    out.extend_from_slice(b"<status>");
    escape(out, presence.head);
    pad(out, presence.status_bytes.saturating_sub(presence.head.len()));
    out.extend_from_slice(b"</status></presence>");
}

/// Writes unavailable presence (RFC 6121 section 4.5).
pub fn unavailable(out: &mut Vec<u8>) {
    out.extend_from_slice(b"<presence type='unavailable'/>");
}

/// Writes a ping (XEP-0199); without `to` it is for the server.
pub fn ping(out: &mut Vec<u8>, id: &str, to: Option<&str>) {
    iq(out, "get", id, to, b"<ping xmlns='urn:xmpp:ping'/>");
}

/// Writes a roster request (RFC 6121 section 2.1.3).
pub fn roster_get(out: &mut Vec<u8>, id: &str) {
    iq(out, "get", id, None, b"<query xmlns='jabber:iq:roster'/>");
}

/// Writes the removal of a contact (RFC 6121 section 2.5), which ends both subscriptions.
pub fn roster_remove(out: &mut Vec<u8>, id: &str, jid: &str) {
    let mut payload = b"<query xmlns='jabber:iq:roster'><item".to_vec();
    attribute(&mut payload, "jid", jid);
    payload.extend_from_slice(b" subscription='remove'/></query>");
    iq(out, "set", id, None, &payload);
}

/// Writes subscription presence (RFC 6121 section 3): `kind` is `subscribe`, `subscribed`, `unsubscribe` or
/// `unsubscribed`, `to` a bare address.
pub fn subscription(out: &mut Vec<u8>, kind: &str, to: &str) {
    out.extend_from_slice(b"<presence");
    attribute(out, "to", to);
    attribute(out, "type", kind);
    out.extend_from_slice(b"/>");
}

/// Writes a request for the registration form (XEP-0077 section 3.1).
pub fn registration_get(out: &mut Vec<u8>, id: &str) {
    iq(out, "get", id, None, b"<query xmlns='jabber:iq:register'/>");
}

/// Writes a registration (XEP-0077 section 3.1): the form's fields, by name, with their values.
pub fn registration_set(out: &mut Vec<u8>, id: &str, fields: &[(&str, &str)]) {
    let mut payload = b"<query xmlns='jabber:iq:register'>".to_vec();
    for (name, value) in fields {
        payload.push(b'<');
        payload.extend_from_slice(name.as_bytes());
        payload.push(b'>');
        escape(&mut payload, value);
        payload.extend_from_slice(b"</");
        payload.extend_from_slice(name.as_bytes());
        payload.push(b'>');
    }
    payload.extend_from_slice(b"</query>");
    iq(out, "set", id, None, &payload);
}

/// Writes the removal of one's own account (XEP-0077 section 3.2).
pub fn registration_remove(out: &mut Vec<u8>, id: &str) {
    iq(out, "set", id, None, b"<query xmlns='jabber:iq:register'><remove/></query>");
}

/// Writes a bind request (RFC 6120 section 7); without `resource` the server chooses.
pub fn bind(out: &mut Vec<u8>, id: &str, resource: Option<&str>) {
    let Some(resource) = resource else {
        return iq(out, "set", id, None, b"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>");
    };
    let mut payload = b"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>".to_vec();
    escape(&mut payload, resource);
    payload.extend_from_slice(b"</resource></bind>");
    iq(out, "set", id, None, &payload);
}

/// Writes a session request (RFC 3921 section 3).
pub fn session(out: &mut Vec<u8>, id: &str) {
    iq(out, "set", id, None, b"<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>");
}

/// Writes an empty result to an iq; `to` is the asker, absent for one's own server.
pub fn iq_result(out: &mut Vec<u8>, id: &str, to: Option<&str>) {
    iq(out, "result", id, to, b"");
}

/// Writes an error answer to an iq: `kind` is the error type (`cancel`), `condition` a stanza error condition.
pub fn iq_error(out: &mut Vec<u8>, id: &str, to: Option<&str>, kind: &str, condition: &str) {
    let mut payload = b"<error".to_vec();
    attribute(&mut payload, "type", kind);
    payload.extend_from_slice(b"><");
    payload.extend_from_slice(condition.as_bytes());
    payload.extend_from_slice(b" xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>");
    iq(out, "error", id, to, &payload);
}

/// Writes an iq around a payload that is XML already; `kind` is `get`, `set`, `result` or `error`.
pub fn iq(out: &mut Vec<u8>, kind: &str, id: &str, to: Option<&str>, payload: &[u8]) {
    out.extend_from_slice(b"<iq");
    attribute(out, "type", kind);
    attribute(out, "id", id);
    if let Some(to) = to {
        attribute(out, "to", to);
    }
    if payload.is_empty() {
        out.extend_from_slice(b"/>");
    } else {
        out.push(b'>');
        out.extend_from_slice(payload);
        out.extend_from_slice(b"</iq>");
    }
}

/// Appends ` name='value'`, escaped.
pub fn attribute(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"='");
    escape(out, value);
    out.push(b'\'');
}

/// Appends text or an attribute's value: `& < > ' "` as references, characters XML cannot hold left out.
pub fn escape(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut kept = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let (instead, len): (&[u8], usize) = match byte {
            b'&' => (b"&amp;", 1),
            b'<' => (b"&lt;", 1),
            b'>' => (b"&gt;", 1),
            b'\'' => (b"&apos;", 1),
            b'"' => (b"&quot;", 1),
            b'\t' | b'\n' | b'\r' | b' '.. if byte != 0xef => continue,
            0xef if matches!(bytes.get(at + 1..at + 3), Some([0xbf, 0xbe | 0xbf])) => (b"", 3),
            0xef => continue,
            _ => (b"", 1),
        };
        out.extend_from_slice(&bytes[kept..at]);
        out.extend_from_slice(instead);
        kept = at + len;
    }
    out.extend_from_slice(&bytes[kept..]);
}

/// Appends this many bytes of harmless text, of words so that it compresses and wraps as text does.
fn pad(out: &mut Vec<u8>, mut bytes: usize) {
    const WORDS: &[u8; 64] = b" the quick brown fox jumps over the lazy dog and then rest a bit";
    while bytes > 0 {
        let len = bytes.min(WORDS.len());
        out.extend_from_slice(&WORDS[..len]);
        bytes -= len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmpp::{Element, ElementKind, StreamNamespaces, strict};

    fn written(fill: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        fill(&mut out);
        strict::check(&out, &StreamNamespaces::default()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_body_has_exactly_the_size_asked_for() {
        for body_bytes in [0, 4, 5, 68, 69, 1000] {
            let stanza = Message { to: "b@c", id: "1", kind: Some("chat"), head: "HEAD", body_bytes };
            let text = written(|out| message(out, &stanza));
            let namespaces = StreamNamespaces::default();
            let element = Element::parse(text.as_bytes(), &namespaces).unwrap();
            assert_eq!(element.kind(), ElementKind::Message);
            assert_eq!(element.child_text("body").unwrap().len(), body_bytes.max(4));
            assert!(element.body_prefix().unwrap().starts_with(b"HEAD"));
        }
    }

    #[test]
    fn stanzas_are_what_the_specifications_show() {
        let stanzas = [
            written(|out| {
                message(out, &Message { to: "a&b@c", id: "1", kind: None, head: "x", body_bytes: 0 });
            }),
            written(presence),
            written(unavailable),
            written(|out| ping(out, "p1", None)),
            written(|out| ping(out, "p2", Some("a@b/c'd"))),
            written(|out| roster_get(out, "r")),
            written(|out| bind(out, "b", None)),
            written(|out| bind(out, "b", Some("<phone>"))),
            written(|out| session(out, "s")),
            written(|out| roster_remove(out, "r", "a&b@c")),
            written(|out| subscription(out, "subscribe", "a&b@c")),
            written(|out| registration_get(out, "g")),
            written(|out| registration_set(out, "r", &[("username", "a"), ("password", "<&>")])),
            written(|out| registration_remove(out, "x")),
            written(|out| iq_result(out, "1", Some("a@b"))),
            written(|out| iq_error(out, "1", None, "cancel", "service-unavailable")),
        ];
        insta::assert_snapshot!(stanzas.join("\n"));
    }

    proptest::proptest! {
        #[test]
        fn what_is_escaped_reads_back_without_what_xml_cannot_hold(text: String) {
            let text = format!("{text}\u{0}\u{1f}\u{fffe}\u{ffff}\u{fffd}\u{efff}<&>'\"");
            let stanza = written(|out| {
                out.extend_from_slice(b"<message><body>");
                escape(out, &text);
                out.extend_from_slice(b"</body></message>");
            });
            let namespaces = StreamNamespaces::default();
            let element = Element::parse(stanza.as_bytes(), &namespaces).unwrap();
            let kept: String = text.chars().filter(|&c| crate::xmpp::scan::is_character(c)).collect();
            proptest::prop_assert_eq!(element.child_text("body").unwrap(), kept);
        }
    }
}
