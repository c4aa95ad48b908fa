//! The smallest cutting of markup, for views of framed elements. It checks nothing and never panics; what is not
//! well-formed yields fewer tokens or odd ones.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memchr3, memmem};

/// Longest reference looked for, in bytes: a text of nothing but `&` is read in linear time.
const REFERENCE_MAX: usize = 32;

/// A piece of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Text, references as they are.
    Text(&'a [u8]),
    /// The inside of a CDATA section.
    CData(&'a [u8]),
    /// A start tag's inside; whether it is an empty-element tag.
    Start(&'a [u8], bool),
    /// An end tag.
    End,
}

/// The tokens of some content, with the offset each begins at.
#[derive(Clone, Debug)]
pub(super) struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Where the next token begins.
    pub(super) const fn position(&self) -> usize {
        self.at
    }

    /// Goes behind the end tag of the element just begun.
    pub(super) fn skip_element(&mut self) {
        let mut depth = 1usize;
        while depth > 0 {
            match self.next() {
                Some(Token::Start(_, false)) => depth += 1,
                Some(Token::End) => depth -= 1,
                Some(_) => {}
                None => return,
            }
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        const CDATA: &[u8] = b"<![CDATA[";
        let rest = self.bytes.get(self.at..)?;
        let (token, len) = match rest {
            [] => return None,
            [b'<', b'/', ..] => (Token::End, memchr(b'>', rest)? + 1),
            [b'<', b'!', ..] => {
                let inside = rest.strip_prefix(CDATA)?;
                let len = memmem::find(inside, b"]]>")?;
                (Token::CData(&inside[..len]), CDATA.len() + len + 3)
            }
            [b'<', ..] => {
                let end = tag_end(rest)?;
                let tag = &rest[1..end];
                (
                    tag.strip_suffix(b"/").map_or(Token::Start(tag, false), |tag| Token::Start(tag, true)),
                    end + 1,
                )
            }
            _ => {
                let len = memchr(b'<', rest).unwrap_or(rest.len());
                (Token::Text(&rest[..len]), len)
            }
        };
        self.at += len;
        Some(token)
    }
}

/// Where the tag at the head of `bytes` has its `>`.
pub(super) fn tag_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr3(b'>', b'"', b'\'', &bytes[at..])?;
        match bytes[at] {
            b'>' => return Some(at),
            quote => at += memchr(quote, &bytes[at + 1..])? + 2,
        }
    }
}

/// A tag's inside as its name and the rest.
pub(super) fn split_tag(tag: &[u8]) -> (&[u8], &[u8]) {
    let end = tag.iter().position(u8::is_ascii_whitespace).unwrap_or(tag.len());
    tag.split_at(end)
}

/// A name as its prefix (empty if there is none) and its local part.
pub(super) fn split_name(name: &[u8]) -> (&[u8], &[u8]) {
    match memchr(b':', name) {
        Some(colon) => (&name[..colon], &name[colon + 1..]),
        None => (b"", name),
    }
}

/// The attributes of a tag, as (name, raw value).
#[derive(Clone, Debug)]
pub(super) struct Attributes<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let equals = memchr(b'=', self.0)?;
        let name = self.0[..equals].trim_ascii();
        let rest = &self.0[equals + 1..];
        let open = memchr2(b'"', b'\'', rest)?;
        let inside = &rest[open + 1..];
        let close = memchr(rest[open], inside)?;
        self.0 = &inside[close + 1..];
        Some((name, &inside[..close]))
    }
}

/// Raw text with its references replaced. What is no known reference stays as it is.
pub(super) fn unescape(raw: &[u8]) -> Cow<'_, str> {
    if memchr(b'&', raw).is_none() {
        return Cow::Borrowed(text(raw));
    }
    let mut out = String::with_capacity(raw.len());
    unescape_into(raw, &mut out);
    Cow::Owned(out)
}

/// An attribute's value: white space is spaces (XML 1.0 section 3.3.3), references are replaced.
pub(super) fn value(raw: &[u8]) -> Cow<'_, str> {
    if memchr3(b'\t', b'\n', b'\r', raw).is_none() {
        return unescape(raw);
    }
    let spaced = text(raw).replace("\r\n", " ").replace(['\t', '\n', '\r'], " ");
    Cow::Owned(unescape(spaced.as_bytes()).into_owned())
}

/// As [`unescape`], appended.
pub(super) fn unescape_into(raw: &[u8], out: &mut String) {
    let mut rest = text(raw);
    while let Some((before, behind)) = rest.split_once('&') {
        out.push_str(before);
        let semicolon = memchr(b';', &behind.as_bytes()[..behind.len().min(REFERENCE_MAX)]);
        let known = semicolon.and_then(|end| Some((reference(&behind[..end])?, &behind[end + 1..])));
        rest = if let Some((character, after)) = known {
            out.push(character);
            after
        } else {
            out.push('&');
            behind
        };
    }
    out.push_str(rest);
}

/// The character a reference stands for: one of the five predefined entities, or a character XML allows.
pub(super) fn reference(name: &str) -> Option<char> {
    let code = match name {
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "amp" => return Some('&'),
        "apos" => return Some('\''),
        "quot" => return Some('"'),
        _ => name.strip_prefix('#')?,
    };
    let (digits, radix) = code.strip_prefix('x').map_or((code, 10), |digits| (digits, 16));
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, radix).ok().and_then(char::from_u32).filter(|&c| is_character(c))
}

/// XML 1.0 `Char`.
pub(super) const fn is_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// Framed bytes are UTF-8; others read as empty.
pub(super) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
