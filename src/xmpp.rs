//! The protocol without I/O, both roles: framer, stanza views and builders, JID, SASL, negotiation.
//!
//! Bytes come in through a [`StreamReader`], which cuts them into items ([`Framer`]), holds them against the rules
//! of XML streams ([`strict`]) and shows them as views ([`Header`], [`Element`]). Bytes go out through the builders
//! in [`mod@write`]. Between them stands [`Negotiation`], the client's way from an open connection to a bound session,
//! [`Registration`], its way to a new account, [`mod@version`], what software a server is, and [`sasl`], both halves of the mechanisms.
//!
//! Invariants:
//! - Nothing here reads a clock, draws a random number or opens a socket. What must be unpredictable (nonces) is
//!   handed in; what is slow (PBKDF2) is asked for as a [`crate::machine::Derivation`].
//! - No input panics, and no input takes more memory than the [`Limits`] say.
//! - Reading a plain stanza of a known shape allocates nothing.
//!
//! What it refuses: DTDs, processing instructions, comments, encodings other than UTF-8 (RFC 6120 section 11), and
//! guessing at what a peer may have meant.

pub mod condition;
pub mod element;
pub mod framer;
pub mod header;
pub mod jid;
pub mod muc;
pub mod namespaces;
pub mod negotiation;
pub mod reader;
pub mod registration;
pub mod roster;
pub mod sasl;
mod scan;
pub mod strict;
pub mod version;
pub mod write;

pub use condition::StreamCondition;
pub use element::{Element, ElementKind};
pub use framer::{Frame, FrameError, FrameKind, Framer, Limits, Scan};
pub use header::{Header, StreamError};
pub use jid::Jid;
pub use namespaces::{ContentNamespace, StreamNamespaces};
pub use negotiation::{
    Blame, Bound, ClientConfig, Credentials, Failure, Negotiation, Offered, Progress, Step, TlsPolicy,
};
pub use reader::{Flow, Item, ReadError, StreamReader};
pub use registration::{Registered, Registration};
pub use roster::{RosterItem, Subscription};
pub use sasl::Mechanism;
pub use version::Software;
