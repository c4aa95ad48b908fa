//! One connection's input: bytes in, stream items out.
//!
//! Whole items are shown in place, in the caller's read buffer. Only an unfinished one is kept, in a `Vec` that
//! exists just as long; an idle connection owns no buffer.
//!
//! The visitor answers each item with a [`Flow`]: [`Flow::Restart`] when the stream begins anew with the next byte
//! (after SASL), [`Flow::Stop`] when nothing more may be read from this channel as it is (STARTTLS: what was
//! pipelined behind `<proceed/>` in the clear is an attack, and is reported as left over).

use super::framer::{Frame, FrameError, FrameKind, Framer, Limits, Scan};
use super::strict::{self, StrictError};
use super::{Element, Header, StreamCondition, StreamNamespaces, namespaces, scan};

/// One item of a stream.
#[derive(Debug)]
pub enum Item<'a> {
    /// The stream began.
    Header(Header),
    /// A whole first-level element.
    Element(Element<'a>),
    /// The stream ended.
    Close,
}

/// How to go on after an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// With the next item.
    Continue,
    /// With a new stream: its header comes next.
    Restart,
    /// Not at all; bytes left over are dropped and counted.
    Stop,
}

/// Why a stream cannot be read on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The framer refused it.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The strict level refused it.
    #[error(transparent)]
    Strict(#[from] StrictError),
    /// The header is none of an XMPP stream.
    #[error(transparent)]
    Header(#[from] super::header::HeaderError),
    /// A root tag that cannot be read (only where the strict level is off).
    #[error("a start tag that cannot be read")]
    Tag,
}

impl ReadError {
    /// The stream error to answer with.
    pub const fn condition(&self) -> StreamCondition {
        match self {
            Self::Frame(error) => error.condition(),
            Self::Strict(error) => error.condition(),
            Self::Header(error) => error.condition(),
            Self::Tag => StreamCondition::NotWellFormed,
        }
    }
}

/// The input of one connection. See the module text.
#[derive(Debug)]
pub struct StreamReader {
    framer: Framer,
    strict: bool,
    namespaces: StreamNamespaces,
    tail: Vec<u8>,
}

impl StreamReader {
    /// At the beginning of a stream; strict.
    pub fn new(limits: Limits) -> Self {
        Self {
            framer: Framer::new(limits),
            strict: true,
            namespaces: StreamNamespaces::default(),
            tail: Vec::new(),
        }
    }

    /// Whether whole elements are held against [`super::strict`]. Headers always are.
    pub fn set_strict(&mut self, strict: bool) {
        self.strict = strict;
    }

    /// Begins anew, as after STARTTLS: a header comes next. Bytes kept are dropped; the strict setting stays.
    pub fn restart(&mut self) {
        self.framer = Framer::new(self.framer.limits());
        self.namespaces = StreamNamespaces::default();
        self.tail = Vec::new();
    }

    /// Bytes of an unfinished item that are kept.
    pub fn kept(&self) -> usize {
        self.tail.len()
    }

    /// Shows every item that `bytes` completes to `visit`. Returns how many bytes were left over when the visitor
    /// said [`Flow::Stop`], else zero. After an error the reader is of no further use.
    pub fn push<E: From<ReadError>>(
        &mut self,
        bytes: &[u8],
        mut visit: impl FnMut(Item<'_>) -> Result<Flow, E>,
    ) -> Result<usize, E> {
        if self.tail.is_empty() {
            let end = self.run(bytes, &mut visit)?;
            return Ok(match end {
                End::Waiting(consumed) => {
                    self.tail = bytes[consumed..].to_vec();
                    0
                }
                End::Stopped(left) => left,
            });
        }
        let mut tail = std::mem::take(&mut self.tail);
        tail.extend_from_slice(bytes);
        match self.run(&tail, &mut visit)? {
            End::Stopped(left) => Ok(left),
            End::Waiting(0) => {
                self.tail = tail;
                Ok(0)
            }
            End::Waiting(consumed) => {
                self.tail = tail[consumed..].to_vec();
                Ok(0)
            }
        }
    }

    fn run<E: From<ReadError>>(
        &mut self,
        bytes: &[u8],
        visit: &mut impl FnMut(Item<'_>) -> Result<Flow, E>,
    ) -> Result<End, E> {
        let mut begin = 0;
        loop {
            let frame = match self.framer.next(&bytes[begin..]).map_err(ReadError::from)? {
                Scan::More { consumed } => return Ok(End::Waiting(begin + consumed)),
                Scan::Frame(frame) => frame,
            };
            let item = self.item(&frame, &bytes[begin..][frame.range.clone()])?;
            begin += frame.range.end;
            match visit(item)? {
                Flow::Continue => {}
                Flow::Restart => self.restart(),
                Flow::Stop => return Ok(End::Stopped(bytes.len() - begin)),
            }
        }
    }

    fn item<'a>(&'a mut self, frame: &Frame, bytes: &'a [u8]) -> Result<Item<'a>, ReadError> {
        match frame.kind {
            FrameKind::Header => {
                let header = Header::parse(bytes)?;
                self.namespaces = header.namespaces.clone();
                Ok(Item::Header(header))
            }
            FrameKind::Element => {
                if self.strict {
                    strict::check(bytes, &self.namespaces)?;
                }
                Element::parse(bytes, &self.namespaces).map(Item::Element).map_err(|_| ReadError::Tag)
            }
            FrameKind::Close if self.is_stream_end(bytes) => Ok(Item::Close),
            FrameKind::Close => Err(ReadError::Tag),
        }
    }

    /// Whether an end tag is the stream's. (Empty where the header was an empty-element tag.)
    fn is_stream_end(&self, tag: &[u8]) -> bool {
        let name = tag.strip_prefix(b"</").and_then(|tag| tag.strip_suffix(b">")).map(<[u8]>::trim_ascii_end);
        name.is_none_or(|name| {
            let (prefix, local) = scan::split_name(name);
            local == b"stream" && self.namespaces.resolve(scan::text(prefix)) == Some(namespaces::STREAMS)
        })
    }
}

/// Where a run over some bytes ended.
enum End {
    /// Before an unfinished item, which begins after this many bytes.
    Waiting(usize),
    /// The visitor stopped it with this many bytes left.
    Stopped(usize),
}

#[cfg(test)]
mod tests;
