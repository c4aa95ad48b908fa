//! What the embedded server writes: features, SASL answers, results, errors, and stanzas passed on.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::xmpp::namespaces::{BIND, SASL, SESSION, STANZAS, TLS};
use crate::xmpp::sasl::Mechanism;
use crate::xmpp::write::{attribute, escape};

/// What a stream's features hold; an empty list of mechanisms announces no SASL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Features<'a> {
    /// Offered, and whether it is required.
    pub(super) starttls: Option<bool>,
    pub(super) mechanisms: &'a [Mechanism],
    pub(super) bind: bool,
    pub(super) session: bool,
}

/// `<stream:features/>` (RFC 6120 section 4.3.2).
pub(super) fn features(out: &mut Vec<u8>, features: &Features<'_>) {
    push(out, "<stream:features>");
    if let Some(required) = features.starttls {
        let inner = if required { "<required/>" } else { "" };
        push(out, &format!("<starttls xmlns='{TLS}'>{inner}</starttls>"));
    }
    if !features.mechanisms.is_empty() {
        push(out, &format!("<mechanisms xmlns='{SASL}'>"));
        for mechanism in features.mechanisms {
            push(out, &format!("<mechanism>{}</mechanism>", mechanism.as_str()));
        }
        push(out, "</mechanisms>");
    }
    if features.bind {
        push(out, &format!("<bind xmlns='{BIND}'/>"));
    }
    if features.session {
        push(out, &format!("<session xmlns='{SESSION}'><optional/></session>"));
    }
    push(out, "</stream:features>");
}

/// A SASL `challenge` or `success` with its data (RFC 6120 section 6.4): none is no text.
pub(super) fn sasl(out: &mut Vec<u8>, name: &str, data: Option<&[u8]>) {
    match data {
        None => push(out, &format!("<{name} xmlns='{SASL}'/>")),
        Some(data) => push(out, &format!("<{name} xmlns='{SASL}'>{}</{name}>", STANDARD.encode(data))),
    }
}

/// A SASL failure with its condition (RFC 6120 section 6.5).
pub(super) fn sasl_failure(out: &mut Vec<u8>, condition: &str) {
    push(out, &format!("<failure xmlns='{SASL}'><{condition}/></failure>"));
}

/// A stanza error's type and condition (RFC 6120 section 8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Denial {
    kind: &'static str,
    condition: &'static str,
}

impl Denial {
    pub(super) const BAD_REQUEST: Self = Self { kind: "modify", condition: "bad-request" };
    pub(super) const JID_MALFORMED: Self = Self { kind: "modify", condition: "jid-malformed" };
    pub(super) const NOT_ALLOWED: Self = Self { kind: "cancel", condition: "not-allowed" };
    pub(super) const NOT_FOUND: Self = Self { kind: "cancel", condition: "item-not-found" };
    pub(super) const RESOURCE_CONSTRAINT: Self = Self { kind: "wait", condition: "resource-constraint" };
    pub(super) const NO_REMOTE: Self = Self { kind: "cancel", condition: "remote-server-not-found" };
    pub(super) const UNAVAILABLE: Self = Self { kind: "cancel", condition: "service-unavailable" };
}

/// The addresses of an answer: of the stanza answered, turned round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer<'a> {
    pub(super) id: Option<&'a str>,
    /// Whom the stanza was for; none is one's own account, and the answer then has no `from` either.
    pub(super) from: Option<&'a str>,
    pub(super) to: Option<&'a str>,
}

/// A stanza of this name in answer to another, `type='error'`.
pub(super) fn denial(out: &mut Vec<u8>, name: &str, answer: Answer<'_>, denial: Denial) {
    open(out, name, "error", answer);
    push(
        out,
        &format!("<error type='{}'><{} xmlns='{STANZAS}'/></error></{name}>", denial.kind, denial.condition),
    );
}

/// An iq result holding what `fill` writes.
pub(super) fn result(out: &mut Vec<u8>, answer: Answer<'_>, fill: impl FnOnce(&mut Vec<u8>)) {
    open(out, "iq", "result", answer);
    fill(out);
    push(out, "</iq>");
}

/// A presence of the server's own making: `kind` is its type, none for available.
pub(super) fn presence(out: &mut Vec<u8>, kind: Option<&str>, from: &str, to: &str) {
    push(out, "<presence");
    if let Some(kind) = kind {
        attribute(out, "type", kind);
    }
    attribute(out, "from", from);
    attribute(out, "to", to);
    push(out, "/>");
}

fn open(out: &mut Vec<u8>, name: &str, kind: &str, answer: Answer<'_>) {
    push(out, &format!("<{name} type='{kind}'"));
    for (name, value) in [("id", answer.id), ("from", answer.from), ("to", answer.to)] {
        if let Some(value) = value {
            attribute(out, name, value);
        }
    }
    push(out, ">");
}

/// Whether a stanza that is passed on keeps its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Id {
    Kept,
    /// Shown again later (a probe's answer): not the stanza its sender tracks.
    Removed,
}

/// Passes a stanza on: its bytes as they came, with `from` and `to` in place of its own. The stanza has passed the
/// strict level, and its stream binds no prefixes of its own, so that it means the same on the recipient's stream.
pub(super) fn pass_on(out: &mut Vec<u8>, stanza: &[u8], id: Id, from: &str, to: &str) {
    let name_end = stanza.iter().position(|byte| b" \t\r\n/>".contains(byte)).unwrap_or(stanza.len());
    out.extend_from_slice(&stanza[..name_end]);
    attribute(out, "from", from);
    attribute(out, "to", to);
    let mut rest = &stanza[name_end..];
    while let Some((whole, name, after)) = next_attribute(rest) {
        let dropped = match name {
            b"from" | b"to" => true,
            b"id" => id == Id::Removed,
            _ => false,
        };
        if !dropped {
            out.push(b' ');
            out.extend_from_slice(whole);
        }
        rest = after;
    }
    out.extend_from_slice(rest.trim_ascii_start());
}

/// Whether a stanza is nothing but its start tag.
pub(super) fn is_empty(stanza: &[u8]) -> bool {
    let mut rest =
        stanza.iter().position(|byte| b" \t\r\n/>".contains(byte)).map_or(&[][..], |at| &stanza[at..]);
    while let Some((_, _, after)) = next_attribute(rest) {
        rest = after;
    }
    let rest = rest.trim_ascii_start();
    rest.starts_with(b"/") || rest.starts_with(b"></")
}

/// The attribute that `rest` (of a start tag) begins with: whole, its name, and what follows it.
fn next_attribute(rest: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let rest = rest.trim_ascii_start();
    if rest.first().is_none_or(|first| b"/>".contains(first)) {
        return None;
    }
    let equals = memchr::memchr(b'=', rest)?;
    let open = equals + 1 + rest[equals + 1..].iter().position(|byte| !byte.is_ascii_whitespace())?;
    let close = open + 1 + memchr::memchr(rest[open], &rest[open + 1..])?;
    Some((&rest[..=close], rest[..equals].trim_ascii_end(), &rest[close + 1..]))
}

/// Appends text as it is.
pub(super) fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Appends `<name>text</name>`, escaped.
pub(super) fn element(out: &mut Vec<u8>, name: &str, text: &str) {
    push(out, &format!("<{name}>"));
    escape(out, text);
    push(out, &format!("</{name}>"));
}

/// A part of a JID as the server compares it: RFC 7622 maps case, of which this does the ASCII part.
pub(super) fn folded(part: &str) -> Cow<'_, str> {
    if part.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(part.to_ascii_lowercase())
    } else {
        Cow::Borrowed(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stanza_is_passed_on_with_its_addresses_and_nothing_else_changed() {
        for (stanza, passed) in [
            ("<message/>", "<message from='a@x/r' to='b@x'/>"),
            ("<message to='z'/>", "<message from='a@x/r' to='b@x'/>"),
            (
                "<message id=\"1\"\n to = 'z' type='chat'><body from='q'>hi</body></message>",
                "<message from='a@x/r' to='b@x' id=\"1\" type='chat'><body from='q'>hi</body></message>",
            ),
            (
                "<p:message xmlns:p='jabber:client' p:to='k' from='>' />",
                "<p:message from='a@x/r' to='b@x' xmlns:p='jabber:client' p:to='k'/>",
            ),
        ] {
            let mut out = Vec::new();
            pass_on(&mut out, stanza.as_bytes(), Id::Kept, "a@x/r", "b@x");
            assert_eq!(String::from_utf8(out).unwrap(), passed, "{stanza}");
        }
    }

    #[test]
    fn what_is_shown_again_has_no_id() {
        let mut out = Vec::new();
        pass_on(&mut out, b"<presence id='t'><show>away</show></presence>", Id::Removed, "a", "b");
        assert_eq!(out, b"<presence from='a' to='b'><show>away</show></presence>");
    }

    #[test]
    fn an_empty_stanza_is_known_from_one_with_content() {
        for (stanza, empty) in [
            ("<presence/>", true),
            ("<presence id='/>' />", true),
            ("<presence></presence>", true),
            ("<presence a='></'><x/></presence>", false),
        ] {
            assert_eq!(is_empty(stanza.as_bytes()), empty, "{stanza}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_passing_on_panic(stanza: Vec<u8>) {
            pass_on(&mut Vec::new(), &stanza, Id::Kept, "a", "b");
            is_empty(&stanza);
        }
    }
}
