//! Why a login failed, by who is at fault.

use crate::xmpp::sasl::scram::ScramError;
use crate::xmpp::{Element, ReadError, StreamCondition, StreamError, namespaces};

/// Who is at fault for a failed login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Blame {
    /// A considered answer of the server (`not-authorized`).
    Server,
    /// The server asks to slow down.
    Throttled,
    /// The server enforces a rule.
    Policy,
    /// The server broke the protocol, or sent what is refused.
    Protocol,
    /// What was asked cannot be: no acceptable mechanism, no TLS.
    Misuse,
}

/// Why a login failed. What has to be said to the server about it was written already; the caller closes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{condition} during {step}: {text}")]
pub struct Failure {
    /// Who is at fault.
    pub blame: Blame,
    /// Where: `stream`, `starttls`, `tls`, `auth`, `bind`, `session`, `register`.
    pub step: &'static str,
    /// The defined condition, or a short name of ours.
    pub condition: &'static str,
    /// The peer's text or an explanation. The peer's may be as long as a stanza: cut it before keeping it.
    pub text: String,
    /// Where the server sent us, if it did (`see-other-host`).
    pub see_other_host: Option<String>,
}

impl Failure {
    pub(in crate::xmpp) fn new(
        blame: Blame,
        step: &'static str,
        condition: &'static str,
        text: impl Into<String>,
    ) -> Self {
        Self { blame, step, condition, text: text.into(), see_other_host: None }
    }

    /// The server did what it may not do here.
    pub(in crate::xmpp) fn violation(step: &'static str, text: impl Into<String>) -> Self {
        Self::new(Blame::Protocol, step, "protocol-violation", text)
    }

    pub(in crate::xmpp) fn from_scram(error: ScramError) -> Self {
        let (blame, condition) = match error {
            ScramError::Credentials => (Blame::Misuse, "credentials-not-ascii"),
            ScramError::TooFewIterations(_) | ScramError::TooManyIterations => {
                (Blame::Policy, "scram-iterations")
            }
            ScramError::Refused => (Blame::Server, "scram-refused"),
            ScramError::Signature => (Blame::Protocol, "scram-signature"),
            _ => (Blame::Protocol, "scram-exchange"),
        };
        Self::new(blame, "auth", condition, error.to_string())
    }

    /// A `<stream:error/>`.
    pub(in crate::xmpp) fn from_stream_error(step: &'static str, element: &Element<'_>) -> Self {
        let error = StreamError::parse(element);
        let blame = match error.condition {
            StreamCondition::ResourceConstraint => Blame::Throttled,
            StreamCondition::PolicyViolation => Blame::Policy,
            _ => Blame::Server,
        };
        let mut failure = Self::new(blame, step, error.condition.as_str(), error.text.unwrap_or_default());
        failure.see_other_host = error.host;
        failure
    }

    /// A SASL `<failure/>` (RFC 6120 section 6.5).
    pub(in crate::xmpp) fn from_sasl(element: &Element<'_>) -> Self {
        const CONDITIONS: [(&str, Blame); 11] = [
            ("aborted", Blame::Protocol),
            ("account-disabled", Blame::Server),
            ("credentials-expired", Blame::Server),
            ("encryption-required", Blame::Policy),
            ("incorrect-encoding", Blame::Server),
            ("invalid-authzid", Blame::Server),
            ("invalid-mechanism", Blame::Server),
            ("malformed-request", Blame::Server),
            ("mechanism-too-weak", Blame::Policy),
            ("not-authorized", Blame::Server),
            ("temporary-auth-failure", Blame::Server),
        ];
        let named = element.children().find(|child| child.local() != "text");
        let name = named.as_ref().map_or("", |child| child.local());
        let text = element.child_text("text");
        match CONDITIONS.iter().find(|(condition, _)| *condition == name) {
            Some((condition, blame)) => Self::new(*blame, "auth", condition, text.unwrap_or_default()),
            None => Self::new(Blame::Server, "auth", "unknown-failure", text.unwrap_or_else(|| name.into())),
        }
    }

    /// An iq of type `error` (RFC 6120 sections 7.6.2 and 8.3.3). A rule that is told with `wait` is a request to slow
    /// down.
    pub fn from_iq(step: &'static str, iq: &Element<'_>) -> Self {
        const CONDITIONS: [(&str, Blame); 14] = [
            ("bad-request", Blame::Server),
            ("conflict", Blame::Server),
            ("feature-not-implemented", Blame::Server),
            ("forbidden", Blame::Policy),
            ("internal-server-error", Blame::Server),
            ("item-not-found", Blame::Server),
            ("jid-malformed", Blame::Misuse),
            ("not-acceptable", Blame::Policy),
            ("not-allowed", Blame::Policy),
            ("not-authorized", Blame::Server),
            ("policy-violation", Blame::Policy),
            ("registration-required", Blame::Policy),
            ("resource-constraint", Blame::Throttled),
            ("service-unavailable", Blame::Server),
        ];
        let error = iq.child("error", &iq.namespace());
        let children = || {
            error.iter().flat_map(Element::children).filter(|child| child.namespace() == namespaces::STANZAS)
        };
        let text = children().find(|child| child.local() == "text").map(|text| text.text().into_owned());
        let name =
            children().find(|child| child.local() != "text").map_or("", |child| child.local()).to_owned();
        let waits = error.as_ref().and_then(Element::stanza_type).is_some_and(|kind| kind == "wait");
        match CONDITIONS.iter().find(|(condition, _)| *condition == name) {
            Some((condition, Blame::Policy)) if waits => {
                Self::new(Blame::Throttled, step, condition, text.unwrap_or_default())
            }
            Some((condition, blame)) => Self::new(*blame, step, condition, text.unwrap_or_default()),
            None => Self::new(Blame::Server, step, "undefined-condition", text.unwrap_or(name)),
        }
    }
}

impl From<ReadError> for Failure {
    /// Of what cannot be read; [`super::Negotiation::handle_unreadable`] knows the step.
    fn from(error: ReadError) -> Self {
        Self::new(Blame::Protocol, "stream", error.condition().as_str(), error.to_string())
    }
}
