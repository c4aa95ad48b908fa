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
    let _ = (out, message);
}

/// Writes initial presence (RFC 6121 section 4.2).
pub fn presence(out: &mut Vec<u8>) {
    out.extend_from_slice(b"<presence/>");
}

/// Writes unavailable presence (RFC 6121 section 4.5).
pub fn unavailable(out: &mut Vec<u8>) {
    out.extend_from_slice(b"<presence type='unavailable'/>");
}

/// Writes a ping (XEP-0199); without `to` it is for the server.
pub fn ping(out: &mut Vec<u8>, id: &str, to: Option<&str>) {
    let _ = (out, id, to);
}

/// Writes a roster request (RFC 6121 section 2.1.3).
pub fn roster_get(out: &mut Vec<u8>, id: &str) {
    let _ = (out, id);
}

/// Writes a bind request (RFC 6120 section 7); without `resource` the server chooses.
pub fn bind(out: &mut Vec<u8>, id: &str, resource: Option<&str>) {
    let _ = (out, id, resource);
}

/// Writes a session request (RFC 3921 section 3).
pub fn session(out: &mut Vec<u8>, id: &str) {
    let _ = (out, id);
}

/// Writes an empty result to an iq; `to` is the asker, absent for one's own server.
pub fn iq_result(out: &mut Vec<u8>, id: &str, to: Option<&str>) {
    let _ = (out, id, to);
}

/// Writes an error answer to an iq: `kind` is the error type (`cancel`), `condition` a stanza error condition.
pub fn iq_error(out: &mut Vec<u8>, id: &str, to: Option<&str>, kind: &str, condition: &str) {
    let _ = (out, id, to, kind, condition);
}

/// Appends text or an attribute's value: `& < > ' "` as references, characters XML cannot hold left out.
pub fn escape(out: &mut Vec<u8>, text: &str) {
    let _ = (out, text);
}

/// Appends ` name='value'`, escaped.
pub fn attribute(out: &mut Vec<u8>, name: &str, value: &str) {
    let _ = (out, name, value);
}
