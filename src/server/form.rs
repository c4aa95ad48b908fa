//! Stanzas passed on: their bytes as they came, with `from` and `to` in place of their own.
//!
//! A [`Form`] is made once per stanza and written once per recipient, so that a copy costs what its bytes cost and no
//! second look at them. The stanza has passed the strict level, and its stream binds no prefixes of its own, so that it
//! means the same on every recipient's stream.

use crate::xmpp::write::attribute;

/// Whether a stanza that is passed on keeps its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Id {
    Kept,
    /// Shown again later (a probe's answer): not the stanza its sender tracks.
    Removed,
}

/// A stanza ready to be written to anybody: all of it but the `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form {
    bytes: Vec<u8>,
    name_end: usize,
    to_at: usize,
}

impl Form {
    pub(super) fn new(stanza: &[u8], id: Id, from: &str) -> Self {
        let (name, tag) = cut_name(stanza);
        let mut bytes = Vec::with_capacity(stanza.len() + from.len() + 16);
        bytes.extend_from_slice(name);
        attribute(&mut bytes, "from", from);
        let to_at = bytes.len();
        let rest = keep_attributes(&mut bytes, tag, |name| match name {
            b"from" | b"to" => false,
            b"id" => id == Id::Kept,
            _ => true,
        });
        bytes.extend_from_slice(rest);
        Self { bytes, name_end: name.len(), to_at }
    }

    /// Appends the stanza, addressed to `to`.
    pub(super) fn write(&self, out: &mut Vec<u8>, to: &str) {
        out.extend_from_slice(&self.bytes[..self.to_at]);
        attribute(out, "to", to);
        out.extend_from_slice(&self.bytes[self.to_at..]);
    }

    /// Puts elements behind the stanza's own content.
    #[must_use]
    pub(super) fn with(mut self, elements: &str) -> Self {
        if self.bytes.ends_with(b"/>") {
            self.bytes.truncate(self.bytes.len() - 2);
            self.bytes.push(b'>');
            self.bytes.extend_from_slice(elements.as_bytes());
            self.bytes.extend_from_slice(b"</");
            self.bytes.extend_from_within(self.name_end.min(1)..self.name_end);
            self.bytes.push(b'>');
        } else {
            let end = memchr::memrchr(b'<', &self.bytes).unwrap_or(self.bytes.len());
            self.bytes.splice(end..end, elements.bytes());
        }
        self
    }

    /// How many bytes it is without the address.
    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// Whether a stanza is nothing but its start tag.
pub(super) fn is_empty(stanza: &[u8]) -> bool {
    let rest = keep_attributes(&mut Vec::new(), cut_name(stanza).1, |_| false);
    rest.starts_with(b"/") || rest.starts_with(b"></")
}

/// A stanza's `<` and name, and what follows them.
pub(super) fn cut_name(stanza: &[u8]) -> (&[u8], &[u8]) {
    let end = stanza.iter().position(|byte| b" \t\r\n/>".contains(byte)).unwrap_or(stanza.len());
    stanza.split_at(end)
}

/// Appends those attributes of a start tag whose names are to be kept; returns what follows the last one.
pub(super) fn keep_attributes<'a>(
    out: &mut Vec<u8>,
    mut tag: &'a [u8],
    is_kept: impl Fn(&[u8]) -> bool,
) -> &'a [u8] {
    while let Some((whole, name, after)) = next_attribute(tag) {
        if is_kept(name) {
            out.push(b' ');
            out.extend_from_slice(whole);
        }
        tag = after;
    }
    tag.trim_ascii_start()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(stanza: &str, id: Id) -> String {
        let mut out = Vec::new();
        Form::new(stanza.as_bytes(), id, "a@x/r").write(&mut out, "b@x");
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_stanza_is_passed_on_with_its_addresses_and_nothing_else_changed() {
        for (stanza, expected) in [
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
            assert_eq!(passed(stanza, Id::Kept), expected, "{stanza}");
        }
    }

    #[test]
    fn what_is_shown_again_has_no_id() {
        assert_eq!(
            passed("<presence id='t'><show>away</show></presence>", Id::Removed),
            "<presence from='a@x/r' to='b@x'><show>away</show></presence>"
        );
    }

    #[test]
    fn more_content_goes_behind_what_is_there() {
        for (stanza, expected) in [
            ("<presence/>", "<presence from='a' to='b'><x/></presence>"),
            ("<c:presence xmlns:c='k' />", "<c:presence from='a' to='b' xmlns:c='k'><x/></c:presence>"),
            ("<presence></presence >", "<presence from='a' to='b'><x/></presence >"),
            ("<presence id='/>'><y/></presence>", "<presence from='a' to='b' id='/>'><y/><x/></presence>"),
        ] {
            let mut out = Vec::new();
            Form::new(stanza.as_bytes(), Id::Kept, "a").with("<x/>").write(&mut out, "b");
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{stanza}");
        }
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
            Form::new(&stanza, Id::Kept, "a").with("<x/>").write(&mut Vec::new(), "b");
            is_empty(&stanza);
        }
    }
}
