//! What the server keeps of one connection.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::machine::Hash;
use crate::sample::UserIndex;
use crate::server::routes::AccountId;
use crate::server::truth::CopyLine;
use crate::xmpp::sasl::Mechanism;
use crate::xmpp::sasl::scram::{ScramKeys, ScramServer};
use crate::xmpp::{Limits, StreamReader};

/// One connection. An idle one owns no buffer: the reader keeps only an unfinished element, and `unwritten` is empty.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) serial: u64,
    /// Out while its items are handled.
    pub(super) reader: Option<StreamReader>,
    pub(super) secured: bool,
    /// Whether our header of the current stream was sent.
    pub(super) opened: bool,
    pub(super) state: State,
    /// Whether a derived key is on its way.
    pub(super) deriving: bool,
    /// Bytes written to the channel so far.
    pub(super) written: u64,
    /// Copies handed to write and not yet taken by the kernel, each with the offset of its end.
    pub(super) unwritten: VecDeque<(u64, CopyLine)>,
}

/// How far a connection has come.
#[derive(Debug)]
pub(super) enum State {
    /// Not authenticated.
    Login { failures: u8, exchange: Option<Box<Exchange>> },
    /// Told to begin TLS.
    Securing,
    /// As this localpart; a resource comes next.
    Authenticated(Arc<str>),
    /// Online.
    Bound(Bound),
    /// Nothing is read any more; the transport's end will follow.
    Closing,
}

/// Who is online on a connection.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub(super) account: AccountId,
    pub(super) full: Arc<str>,
}

/// A SASL exchange that has begun.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it lives in a box, and only while a login lasts")]
pub(super) enum Exchange {
    /// The client sent no initial response: it comes next.
    Initial(Mechanism),
    /// SCRAM, challenged.
    Scram(ScramExchange),
}

/// A SCRAM exchange whose challenge was sent.
pub(super) struct ScramExchange {
    pub(super) scram: ScramServer,
    pub(super) hash: Hash,
    pub(super) local: Arc<str>,
    pub(super) user: UserIndex,
    /// The accounts' changes when it began.
    pub(super) changes: u64,
    /// None until the derivation's answer.
    pub(super) keys: Option<ScramKeys>,
    /// The client's last message, if it came before the keys.
    pub(super) response: Option<Vec<u8>>,
}

impl std::fmt::Debug for ScramExchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ScramExchange({})", self.local)
    }
}

impl Session {
    pub(super) fn new(serial: u64, limits: Limits) -> Self {
        Self {
            serial,
            reader: Some(StreamReader::new(limits)),
            secured: false,
            opened: false,
            state: State::login(),
            deriving: false,
            written: 0,
            unwritten: VecDeque::new(),
        }
    }

    pub(super) const fn bound(&self) -> Option<&Bound> {
        match &self.state {
            State::Bound(bound) => Some(bound),
            _ => None,
        }
    }
}

impl State {
    pub(super) const fn login() -> Self {
        Self::Login { failures: 0, exchange: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_small_and_owns_no_buffer() {
        let session = Session::new(1, Limits::default());
        assert!(size_of::<Session>() <= 256, "{} bytes", size_of::<Session>());
        assert_eq!(session.unwritten.capacity(), 0);
        assert_eq!(session.reader.map(|reader| reader.kept()), Some(0));
    }
}
