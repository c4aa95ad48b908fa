//! Presence of an occupant as the room tells it: made once, written to everybody.
//!
//! The readers' copies differ in the address, in the real JID (for the owner alone) and in the status codes.

use crate::server::form::{cut_name, keep_attributes};
use crate::server::muc::CONTENT_MAX;
use crate::server::reply::push;
use crate::xmpp::Element;
use crate::xmpp::namespaces::{MUC, MUC_USER};
use crate::xmpp::write::attribute;

/// Everything but the readers' own parts.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    bytes: Vec<u8>,
    to_at: usize,
    jid_at: usize,
    codes_at: usize,
}

/// What one reader's copy says beside that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    pub(super) to: &'a str,
    /// Who is behind the nick.
    pub(super) jid: Option<&'a str>,
    /// Status codes (XEP-0045 section 15.6.2).
    pub(super) codes: &'a [&'static str],
}

/// What a notice says of its occupant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Item<'a> {
    pub(super) affiliation: &'a str,
    pub(super) role: &'a str,
    /// The nick it will have.
    pub(super) nick: Option<&'a str>,
    /// Elements inside the item, and behind it.
    pub(super) inside: &'a str,
    pub(super) behind: &'a str,
}

impl Notice {
    /// Presence with the content of `own`, if there is one; without a type it is available.
    pub(super) fn new(own: Option<&Element<'_>>, from: &str, kind: Option<&str>, item: Item<'_>) -> Self {
        let (name, tag) = own.map_or((&b"<presence"[..], &b""[..]), |own| cut_name(own.bytes()));
        let mut bytes = name.to_vec();
        attribute(&mut bytes, "from", from);
        let to_at = bytes.len();
        if let Some(kind) = kind {
            attribute(&mut bytes, "type", kind);
        }
        keep_attributes(&mut bytes, tag, |name| !matches!(name, b"from" | b"to" | b"id" | b"type"));
        bytes.push(b'>');
        own.inspect(|own| push_content(&mut bytes, own));
        push(&mut bytes, &format!("<x xmlns='{MUC_USER}'><item"));
        attribute(&mut bytes, "affiliation", item.affiliation);
        attribute(&mut bytes, "role", item.role);
        if let Some(nick) = item.nick {
            attribute(&mut bytes, "nick", nick);
        }
        let jid_at = bytes.len();
        match item.inside {
            "" => push(&mut bytes, "/>"),
            inside => push(&mut bytes, &format!(">{inside}</item>")),
        }
        push(&mut bytes, item.behind);
        let codes_at = bytes.len();
        push(&mut bytes, "</x></");
        bytes.extend_from_slice(name.get(1..).unwrap_or_default());
        bytes.push(b'>');
        Self { bytes, to_at, jid_at, codes_at }
    }

    /// Appends one reader's copy.
    pub(super) fn write(&self, out: &mut Vec<u8>, reader: Reader<'_>) {
        out.extend_from_slice(&self.bytes[..self.to_at]);
        attribute(out, "to", reader.to);
        out.extend_from_slice(&self.bytes[self.to_at..self.jid_at]);
        if let Some(jid) = reader.jid {
            attribute(out, "jid", jid);
        }
        out.extend_from_slice(&self.bytes[self.jid_at..self.codes_at]);
        for code in reader.codes {
            push(out, "<status code='");
            push(out, code);
            push(out, "'/>");
        }
        out.extend_from_slice(&self.bytes[self.codes_at..]);
    }
}

/// A presence's children, as long as they are few; what is for the room alone, and what only a room may say, left out.
fn push_content(bytes: &mut Vec<u8>, own: &Element<'_>) {
    let start = bytes.len();
    for child in own.children().filter(|child| !child.is("x", MUC) && !child.is("x", MUC_USER)) {
        bytes.extend_from_slice(child.bytes());
    }
    if bytes.len() - start > CONTENT_MAX {
        bytes.truncate(start);
    }
}
