//! The truth: what the embedded server really did with every copy, as JSON lines.
//!
//! One object per line, told apart by `what`: a `header` first, then `copy`, `freeze` and `cut` lines in the order
//! they were settled, an `end` line last. A file without `end` was torn. All instants are nanoseconds since
//! the epoch whose place on the system's monotonic clock the header gives. A copy is settled when its last byte was
//! taken by the kernel (or never will be), so `written_ns` is the server's side of the same wire the report measures.
//!
//! This module refuses to touch files: it makes lines and reads them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::sample::{Token, TokenKind};
use crate::server::counts::Counts;
use crate::units::Offset;

/// The version of the format, in every header.
pub const SCHEMA: &str = "xmpp-bench/truth/1";

/// What was done with one copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Written, once, in its place.
    Delivered,
    /// Written after a later copy of the same sender, recipient and kind.
    Reordered,
    /// A surplus copy, written.
    Duplicated,
    /// Taken by the loss fault.
    Dropped,
    /// Nobody to give it to: no such session, or it had ended when the copy was due.
    Undeliverable,
    /// Handed to the transport, but the connection ended before the kernel took it.
    Unwritten,
}

impl Action {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 6] = [
        Self::Delivered,
        Self::Reordered,
        Self::Duplicated,
        Self::Dropped,
        Self::Undeliverable,
        Self::Unwritten,
    ];

    /// Whether the recipient's kernel was given it.
    pub const fn is_written(self) -> bool {
        matches!(self, Self::Delivered | Self::Reordered | Self::Duplicated)
    }
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`SCHEMA`].
    pub schema: String,
    /// What the server was told to do wrong, as it is written on the command line.
    pub faults: String,
    /// The seed of the faults' draws.
    pub seed: u64,
    /// The server's start, which the instants of freezes and cuts count from.
    pub start_ns: u64,
    /// Where offset zero lies on the system's monotonic clock.
    pub epoch_monotonic_ns: u64,
}

/// One copy of one tracked stanza, settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyLine {
    /// What the stanza's id says.
    #[serde(with = "token_text")]
    pub token: Token,
    /// The sender's bare JID.
    #[serde(with = "shared_text")]
    pub from: Arc<str>,
    /// The recipient's full JID; as addressed where there was no session.
    #[serde(with = "shared_text")]
    pub to: Arc<str>,
    /// What was done.
    pub action: Action,
    /// When the read that brought the stanza returned.
    pub received_ns: u64,
    /// When the copy was handed to write, if it was.
    pub handed_ns: Option<u64>,
    /// When the write that took its last byte returned, if it did.
    pub written_ns: Option<u64>,
    /// The delay really applied, handed − received, if it was handed.
    pub delay_ns: Option<u64>,
}

impl CopyLine {
    /// A line for a copy received at `received` and, if ever, handed to write at `handed`.
    pub fn new(
        action: Action,
        token: Token,
        (from, to): (Arc<str>, Arc<str>),
        received: Offset,
        handed: Option<Offset>,
    ) -> Self {
        Self {
            token,
            from,
            to,
            action,
            received_ns: received.as_nanos(),
            handed_ns: handed.map(Offset::as_nanos),
            written_ns: None,
            delay_ns: handed.map(|handed| handed.as_nanos().saturating_sub(received.as_nanos())),
        }
    }

    /// The same line, settled by the write that took its last byte.
    #[must_use]
    pub fn written(self, at: Offset) -> Self {
        Self { written_ns: Some(at.as_nanos()), ..self }
    }
}

/// A freeze as it was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreezeLine {
    /// The first instant at which nothing was handled.
    pub start_ns: u64,
    /// The first instant at which something was handled again.
    pub end_ns: u64,
}

/// A session that was closed without notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutLine {
    /// Its full JID.
    #[serde(with = "shared_text")]
    pub session: Arc<str>,
    /// When.
    pub at_ns: u64,
}

/// One line of a truth file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub enum Line {
    /// The first line.
    Header(Header),
    /// A copy.
    Copy(CopyLine),
    /// A freeze that has ended.
    Freeze(FreezeLine),
    /// A session cut.
    Cut(CutLine),
    /// The last line: the server's own totals.
    End(Counts),
}

impl Line {
    /// Appends the line and its newline.
    pub fn write(&self, text: &mut Vec<u8>) {
        // Serializing plain structs into a vector has no way to fail.
        if serde_json::to_writer(&mut *text, self).is_ok() {
            text.push(b'\n');
        }
    }
}

/// A truth file, loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// The first line.
    pub header: Header,
    /// All copies, in the order they were settled.
    pub copies: Vec<CopyLine>,
    /// All freezes.
    pub freezes: Vec<FreezeLine>,
    /// All sessions cut.
    pub cuts: Vec<CutLine>,
    /// The totals; none if the file was torn.
    pub end: Option<Counts>,
}

impl Truth {
    /// Reads a whole file's text. A last line without its newline is a torn tail and ignored.
    pub fn parse(text: &str) -> Result<Self, TruthError> {
        let complete = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let mut lines = complete.lines().enumerate().map(|(at, line)| {
            serde_json::from_str(line)
                .map_err(|error| TruthError { line: at + 1, problem: error.to_string() })
        });
        let header = match lines.next() {
            Some(Ok(Line::Header(header))) if header.schema == SCHEMA => header,
            Some(Err(error)) => return Err(error),
            _ => return Err(TruthError { line: 1, problem: format!("no header with schema {SCHEMA}") }),
        };
        let mut truth = Self { header, copies: vec![], freezes: vec![], cuts: vec![], end: None };
        for line in lines {
            match line? {
                Line::Header(_) => return Err(TruthError { line: 2, problem: "a second header".to_owned() }),
                Line::Copy(copy) => truth.copies.push(copy),
                Line::Freeze(freeze) => truth.freezes.push(freeze),
                Line::Cut(cut) => truth.cuts.push(cut),
                Line::End(counts) => truth.end = Some(counts),
            }
        }
        Ok(truth)
    }

    /// How many copies of a kind met this fate.
    pub fn count(&self, kind: TokenKind, action: Action) -> u64 {
        self.copies.iter().filter(|copy| copy.token.kind == kind && copy.action == action).count() as u64
    }
}

/// A line that is not what a truth file holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("truth file, line {line}: {problem}")]
pub struct TruthError {
    line: usize,
    problem: String,
}

mod token_text {
    use super::Token;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(token: &Token, serializer: S) -> Result<S::Ok, S::Error> {
        let text = token.encode();
        serializer.serialize_str(std::str::from_utf8(&text).map_err(serde::ser::Error::custom)?)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Token, D::Error> {
        let text = String::deserialize(deserializer)?;
        Token::decode(text.as_bytes()).ok_or_else(|| D::Error::custom("not a token"))
    }
}

mod shared_text {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(deserializer).map(Arc::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::UserIndex;

    fn lines() -> Vec<Line> {
        let token = Token {
            kind: TokenKind::Message,
            run: 3,
            sender: UserIndex(7),
            sequence: 9,
            intended: Offset::from_nanos(5),
        };
        let names = (Arc::from("u7@localhost"), Arc::from("u8@localhost/a\"b"));
        let at = Offset::from_nanos;
        let delivered =
            CopyLine::new(Action::Delivered, token, names.clone(), at(10), Some(at(30))).written(at(35));
        vec![
            Line::Header(Header {
                schema: SCHEMA.to_owned(),
                faults: "loss=1%".to_owned(),
                seed: 1,
                start_ns: 0,
                epoch_monotonic_ns: 1_000,
            }),
            Line::Copy(delivered),
            Line::Copy(CopyLine::new(Action::Dropped, token, names, at(11), None)),
            Line::Freeze(FreezeLine { start_ns: 1, end_ns: 2 }),
            Line::Cut(CutLine { session: "u7@localhost/r".into(), at_ns: 4 }),
            Line::End(Counts::default()),
        ]
    }

    fn text() -> String {
        let mut text = Vec::new();
        for line in lines() {
            line.write(&mut text);
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_file_is_read_back_as_it_was_written() {
        let truth = Truth::parse(&text()).unwrap();
        let copies: Vec<Line> = truth.copies.iter().cloned().map(Line::Copy).collect();
        assert_eq!(copies, lines()[1..3]);
        assert_eq!(truth.copies[0].delay_ns, Some(20));
        assert_eq!(truth.copies[1].written_ns, None);
        assert_eq!(truth.count(TokenKind::Message, Action::Dropped), 1);
        assert_eq!((truth.freezes.len(), truth.cuts.len(), truth.end), (1, 1, Some(Counts::default())));
    }

    #[test]
    fn the_lines_are_the_documented_ones() {
        let text = text();
        let copy = text.lines().nth(1).unwrap();
        assert_eq!(
            copy,
            "{\"what\":\"copy\",\"token\":\"xmAAADAAAHAAAAAJAAAAAAAF\",\"from\":\"u7@localhost\",\
             \"to\":\"u8@localhost/a\\\"b\",\"action\":\"delivered\",\"received_ns\":10,\"handed_ns\":30,\
             \"written_ns\":35,\"delay_ns\":20}"
        );
    }

    #[test]
    fn a_torn_file_keeps_what_was_whole() {
        let text = text();
        for end in text.find('\n').unwrap() + 1..text.len() {
            let truth = Truth::parse(&text[..end]).unwrap();
            assert_eq!(truth.end, None, "cut at {end}");
        }
        assert!(Truth::parse(&text[..10]).is_err());
    }

    #[test]
    fn what_is_no_truth_file_is_refused_with_the_line() {
        assert!(Truth::parse("").is_err());
        assert!(Truth::parse("{}\n").unwrap_err().to_string().starts_with("truth file, line 1"));
        let twice = text().replace("\"what\":\"freeze\"", "\"what\":\"thaw\"");
        assert!(Truth::parse(&twice).unwrap_err().to_string().starts_with("truth file, line 4"));
    }
}
