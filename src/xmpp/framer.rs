//! Cuts an XML stream into its header, its first-level elements and its end, from pieces of any size.
//!
//! The framer is all that an idle connection keeps. It owns no buffer: the caller shows it what has not been
//! consumed yet, and it remembers how far it looked, so that no byte is scanned twice however slowly bytes arrive.
//! (Of an incomplete character at the end of a piece up to three bytes are looked at again.)
//!
//! What it checks, on every byte of every connection: size and depth ([`Limits`]), UTF-8, that there is no DTD, no
//! comment and no processing instruction (an XML declaration may open the stream), no text but white space at stream
//! level, the header first and nothing after the end. All else about well-formedness is [`super::strict`]'s.
//!
//! After STARTTLS and after SASL a new stream begins: use a new framer.

use std::ops::Range;

use super::StreamCondition;

/// Bounds on what one item of a stream may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest header or first-level element, in bytes.
    pub stanza_bytes_max: u32,
    /// The deepest nesting; a first-level element has depth 1.
    pub depth_max: u16,
}

impl Default for Limits {
    /// 10 MiB and 256 levels.
    fn default() -> Self {
        Self { stanza_bytes_max: 10 << 20, depth_max: 256 }
    }
}

/// What an item of a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// The stream's start tag, with the XML declaration before it if there is one.
    Header,
    /// A whole first-level element.
    Element,
    /// The stream's end tag. The range is empty where the header was an empty-element tag.
    Close,
}

/// One whole item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: FrameKind,
    /// Where it lies in the buffer shown; all before its end is consumed.
    pub range: Range<usize>,
}

/// What a look at the buffer found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scan {
    /// A whole item. Show the buffer from `range.end` on next.
    Frame(Frame),
    /// An unfinished item begins after this many bytes of white space, which are consumed. Show the buffer from
    /// there on next, with more bytes at its end.
    More {
        /// Leading bytes that will not be looked at again.
        consumed: usize,
    },
}

/// Why a stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// An item beyond [`Limits::stanza_bytes_max`].
    #[error("an element is larger than {0} bytes")]
    TooLarge(u32),
    /// Nesting beyond [`Limits::depth_max`].
    #[error("elements are nested deeper than {0}")]
    TooDeep(u16),
    /// `<!DOCTYPE` or another declaration.
    #[error("a document type declaration")]
    Declaration,
    /// `<!--`.
    #[error("a comment")]
    Comment,
    /// `<?`, anywhere but as the XML declaration that opens a stream.
    #[error("a processing instruction")]
    Instruction,
    /// Bytes that are not UTF-8.
    #[error("bytes that are not UTF-8")]
    Encoding,
    /// Text between first-level elements, or around the stream.
    #[error("text outside of an element")]
    StrayText,
    /// A tag that cannot be one.
    #[error("malformed markup")]
    Malformed,
    /// Anything but white space after the stream's end.
    #[error("data after the end of the stream")]
    AfterEnd,
}

impl FrameError {
    /// The stream error to answer with (RFC 6120 section 4.9.3).
    pub const fn condition(self) -> StreamCondition {
        match self {
            Self::TooLarge(_) | Self::TooDeep(_) => StreamCondition::PolicyViolation,
            Self::Declaration | Self::Comment | Self::Instruction => StreamCondition::RestrictedXml,
            Self::Encoding => StreamCondition::UnsupportedEncoding,
            Self::StrayText | Self::Malformed | Self::AfterEnd => StreamCondition::NotWellFormed,
        }
    }
}

/// The resumable scanner. See the module text.
#[derive(Clone, Copy, Debug)]
pub struct Framer {
    limits: Limits,
    /// How much of the unfinished item has been scanned.
    at: u32,
    /// Open elements, the stream's own included.
    depth: u16,
    state: State,
    /// Bytes of an incomplete character before `at`.
    partial: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first byte: the only place for an XML declaration.
    Start,
    /// Before the header.
    Prolog,
    /// Between first-level elements.
    Between,
    /// In the content of an element.
    Content,
    /// Behind `<`; whether it is the stream's first byte.
    Markup { first: bool },
    /// In a start tag, outside of quotes.
    StartTag,
    /// In an attribute's value, up to this quote.
    Quoted(u8),
    /// In an end tag.
    EndTag,
    /// Behind `<!` and this many bytes of `[CDATA[`.
    Bang(u8),
    /// In a CDATA section.
    CData,
    /// Behind `<?` and this many bytes of `xml`.
    Question(u8),
    /// In the XML declaration.
    Declaration,
    /// The header was an empty-element tag: the end is still to be told.
    EmptyStream,
    /// Behind the stream's end.
    Ended,
}

impl Framer {
    /// At the beginning of a stream.
    pub const fn new(limits: Limits) -> Self {
        Self { limits, at: 0, depth: 0, state: State::Start, partial: 0 }
    }

    /// The bounds it holds.
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Finds the next item in `buffer`, which begins where the last answer said.
    pub fn next(&mut self, buffer: &[u8]) -> Result<Scan, FrameError> {
        if self.state == State::EmptyStream {
            self.state = State::Ended;
            return Ok(Scan::Frame(Frame { kind: FrameKind::Close, range: 0..0 }));
        }
        let start = if self.at == 0 { self.skip_space(buffer)? } else { 0 };
        let item = &buffer[start..];
        let within = &item[..item.len().min(self.limits.stanza_bytes_max as usize)];
        let from = self.at as usize;
        let found = self.scan(within)?;
        self.check_encoding(within, from)?;
        match found {
            Some(kind) => {
                let end = start + self.at as usize;
                self.at = 0;
                Ok(Scan::Frame(Frame { kind, range: start..end }))
            }
            None if item.len() > within.len() => Err(FrameError::TooLarge(self.limits.stanza_bytes_max)),
            None => Ok(Scan::More { consumed: start }),
        }
    }

    /// The white space before an item. At the very beginning it rules out an XML declaration.
    fn skip_space(&mut self, buffer: &[u8]) -> Result<usize, FrameError> {
        let start = buffer.iter().position(|&byte| !is_space(byte)).unwrap_or(buffer.len());
        if start > 0 && self.state == State::Start {
            self.state = State::Prolog;
        }
        match buffer.get(start) {
            Some(_) if self.state == State::Ended => Err(FrameError::AfterEnd),
            None | Some(b'<') => Ok(start),
            Some(&byte) => Err(stray(byte)),
        }
    }

    /// Scans on to the end of the item or of what there is.
    fn scan(&mut self, item: &[u8]) -> Result<Option<FrameKind>, FrameError> {
        let mut at = self.at as usize;
        let mut found = None;
        while found.is_none() && at < item.len() {
            at = match self.state {
                State::Content => self.content(item, at),
                State::StartTag => match memchr::memchr3(b'>', b'"', b'\'', &item[at..]) {
                    None => item.len(),
                    Some(ahead) if item[at + ahead] == b'>' => {
                        found = self.end_start_tag(item[at + ahead - 1] == b'/')?;
                        at + ahead + 1
                    }
                    Some(ahead) => {
                        self.state = State::Quoted(item[at + ahead]);
                        at + ahead + 1
                    }
                },
                State::Quoted(quote) => self.seek(item, at, quote, State::StartTag),
                State::EndTag => match memchr::memchr(b'>', &item[at..]) {
                    None => item.len(),
                    Some(ahead) => {
                        found = self.end_end_tag();
                        at + ahead + 1
                    }
                },
                State::Markup { first } => self.markup(item[at], first).map(|()| at + 1)?,
                _ => self.rare(item, at)?,
            };
        }
        self.at = at as u32;
        Ok(found)
    }

    fn content(&mut self, item: &[u8], at: usize) -> usize {
        self.seek(item, at, b'<', State::Markup { first: false })
    }

    /// Goes behind the next `byte` and to `then`, or to the end of what there is.
    fn seek(&mut self, item: &[u8], at: usize, byte: u8, then: State) -> usize {
        match memchr::memchr(byte, &item[at..]) {
            Some(ahead) => {
                self.state = then;
                at + ahead + 1
            }
            None => item.len(),
        }
    }

    /// The states a stanza seldom passes through.
    fn rare(&mut self, item: &[u8], at: usize) -> Result<usize, FrameError> {
        let byte = item[at];
        self.state = match self.state {
            state @ (State::Start | State::Prolog | State::Between | State::Ended | State::EmptyStream) => {
                if is_space(byte) {
                    state
                } else if byte == b'<' && state == State::Ended {
                    return Err(FrameError::AfterEnd);
                } else if byte == b'<' {
                    State::Markup { first: state == State::Start }
                } else {
                    return Err(stray(byte));
                }
            }
            State::Bang(matched) => self.bang(matched, byte)?,
            State::Question(matched) => question(matched, byte)?,
            State::CData => return Ok(self.close_at(item, at, b"]]>", State::Content)),
            State::Declaration => return Ok(self.close_at(item, at, b"?>", State::Prolog)),
            state => state,
        };
        Ok(at + 1)
    }

    /// Goes behind the next `>`, and to `then` if it ends `close`.
    fn close_at(&mut self, item: &[u8], at: usize, close: &[u8], then: State) -> usize {
        let Some(ahead) = memchr::memchr(b'>', &item[at..]) else { return item.len() };
        let end = at + ahead + 1;
        if item[..end].ends_with(close) {
            self.state = then;
        }
        end
    }

    /// The byte behind `<`.
    fn markup(&mut self, byte: u8, first: bool) -> Result<(), FrameError> {
        self.state = match byte {
            b'/' if self.depth > 0 => State::EndTag,
            b'!' => State::Bang(0),
            b'?' if first => State::Question(0),
            b'?' => return Err(FrameError::Instruction),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b':' | 0x80.. => State::StartTag,
            _ => return Err(FrameError::Malformed),
        };
        Ok(())
    }

    fn bang(&self, matched: u8, byte: u8) -> Result<State, FrameError> {
        const OPENING: &[u8] = b"[CDATA[";
        match (matched, byte) {
            (0, b'-') => Err(FrameError::Comment),
            (0, b'A'..=b'Z' | b'a'..=b'z') => Err(FrameError::Declaration),
            (0, b'[') if self.depth < 2 => Err(FrameError::StrayText),
            _ if byte != OPENING[usize::from(matched)] => Err(FrameError::Malformed),
            _ if usize::from(matched) + 1 == OPENING.len() => Ok(State::CData),
            _ => Ok(State::Bang(matched + 1)),
        }
    }

    fn end_start_tag(&mut self, empty: bool) -> Result<Option<FrameKind>, FrameError> {
        if self.depth > self.limits.depth_max {
            return Err(FrameError::TooDeep(self.limits.depth_max));
        }
        let (kind, state) = match (self.depth, empty) {
            (0, true) => (Some(FrameKind::Header), State::EmptyStream),
            (0, false) => (Some(FrameKind::Header), State::Between),
            (1, true) => (Some(FrameKind::Element), State::Between),
            _ => (None, State::Content),
        };
        if !empty {
            self.depth = self.depth.checked_add(1).ok_or(FrameError::TooDeep(self.limits.depth_max))?;
        }
        self.state = state;
        Ok(kind)
    }

    fn end_end_tag(&mut self) -> Option<FrameKind> {
        self.depth -= 1;
        let (kind, state) = match self.depth {
            0 => (Some(FrameKind::Close), State::Ended),
            1 => (Some(FrameKind::Element), State::Between),
            _ => (None, State::Content),
        };
        self.state = state;
        kind
    }

    /// Whether what was scanned since `from` goes on being UTF-8.
    fn check_encoding(&mut self, item: &[u8], from: usize) -> Result<(), FrameError> {
        let begin = from - usize::from(self.partial);
        let scanned = &item[begin..self.at as usize];
        self.partial = match std::str::from_utf8(scanned) {
            Ok(_) => 0,
            Err(error) if error.error_len().is_none() => (scanned.len() - error.valid_up_to()) as u8,
            Err(_) => return Err(FrameError::Encoding),
        };
        Ok(())
    }
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// What stands where only white space may: bytes that never occur in UTF-8 (as at the head of UTF-16) or text.
const fn stray(byte: u8) -> FrameError {
    match byte {
        0xc0 | 0xc1 | 0xf5.. => FrameError::Encoding,
        _ => FrameError::StrayText,
    }
}

/// `<?` may only open `<?xml `.
const fn question(matched: u8, byte: u8) -> Result<State, FrameError> {
    match (matched, byte) {
        (0, b'x') | (1, b'm') | (2, b'l') => Ok(State::Question(matched + 1)),
        (3, _) if is_space(byte) => Ok(State::Declaration),
        _ => Err(FrameError::Instruction),
    }
}

#[cfg(test)]
mod tests;
