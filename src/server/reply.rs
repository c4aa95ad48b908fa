//! What the embedded server writes of its own: features, SASL answers, results, errors, presence.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::xmpp::namespaces::{BIND, REGISTRATION_FEATURE, SASL, SESSION, STANZAS, TLS};
use crate::xmpp::sasl::Mechanism;
use crate::xmpp::write::{attribute, escape};

/// What a stream's features hold; an empty list of mechanisms announces no SASL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Features<'a> {
    /// Offered, and whether it is required.
    pub(super) starttls: Option<bool>,
    pub(super) mechanisms: &'a [Mechanism],
    /// In-band registration.
    pub(super) register: bool,
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
    if features.register {
        push(out, &format!("<register xmlns='{REGISTRATION_FEATURE}'/>"));
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
    pub(super) const CONFLICT: Self = Self { kind: "cancel", condition: "conflict" };
    pub(super) const FORBIDDEN: Self = Self { kind: "auth", condition: "forbidden" };
    /// A room with as many occupants as it may have (XEP-0045 section 7.2.9).
    pub(super) const FULL: Self = Self { kind: "wait", condition: "service-unavailable" };
    pub(super) const JID_MALFORMED: Self = Self { kind: "modify", condition: "jid-malformed" };
    pub(super) const NOT_ACCEPTABLE: Self = Self { kind: "modify", condition: "not-acceptable" };
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
    denial_with(out, name, answer, "", denial);
}

/// The same, with some of what the stanza held before the error.
pub(super) fn denial_with(out: &mut Vec<u8>, name: &str, answer: Answer<'_>, held: &str, denial: Denial) {
    open(out, name, "error", answer);
    push(out, held);
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
