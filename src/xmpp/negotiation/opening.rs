//! What every client's stream begins with, whatever it is for: holding the server's header and its offer of TLS against
//! what was asked for. One set of rules for logging in and for registering.

use super::{Blame, Failure, Features, TlsPolicy};
use crate::xmpp::{ContentNamespace, Header, StreamCondition, header};

/// Holds a server's header against the RFC. What cannot be gone on with fails now, its stream error written; what is
/// merely wrong is an objection, to be told when features come: a stream error in their place explains more.
pub(in crate::xmpp) fn check_header(
    header: &Header,
    domain: &str,
    out: &mut Vec<u8>,
) -> Result<Option<Failure>, Failure> {
    let fatal = match header.version {
        _ if header.content != ContentNamespace::Client => Some(StreamCondition::InvalidNamespace),
        Some((major, _)) if major >= 1 => None,
        _ => Some(StreamCondition::UnsupportedVersion),
    };
    if let Some(condition) = fatal {
        header::write_error(out, condition, None);
        let text = "the server's stream is of an unsupported kind or version";
        return Err(Failure::new(Blame::Protocol, "stream", condition.as_str(), text));
    }
    let from = header.from.as_deref().unwrap_or(domain);
    if !from.eq_ignore_ascii_case(domain) {
        return Ok(Some(Failure::violation("stream", "the stream is from another domain")));
    }
    let has_id = header.id.as_deref().is_some_and(|id| !id.is_empty());
    Ok((!has_id).then(|| Failure::violation("stream", "the stream has no id")))
}

/// Whether STARTTLS comes next; fails where the policy and the server's offer cannot both be had.
pub(in crate::xmpp) fn tls_is_due(
    policy: TlsPolicy,
    offered: &Features,
    secured: bool,
) -> Result<bool, Failure> {
    let misuse = |condition, text| Err(Failure::new(Blame::Misuse, "starttls", condition, text));
    match (policy, offered.starttls) {
        _ if secured => Ok(false),
        (TlsPolicy::Required | TlsPolicy::Preferred, true) => Ok(true),
        (TlsPolicy::Required, false) => {
            misuse("tls-not-offered", "the server does not offer STARTTLS, which is required")
        }
        (TlsPolicy::Off, _) if offered.starttls_required => {
            misuse("tls-required", "the server requires STARTTLS, which is off")
        }
        (TlsPolicy::Preferred | TlsPolicy::Off, _) => Ok(false),
    }
}
