//! The table of the negotiation: what to do about what came, and where that leads.

/// What the machine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The server's stream header.
    Header,
    /// Its features.
    Features,
    /// The answer to `<starttls/>`.
    Proceed,
    /// The TLS handshake.
    Handshake,
    /// The server-first-message of SCRAM.
    Challenge,
    /// The derived key.
    Key,
    /// The server-final-message of SCRAM.
    Signature,
    /// `<success/>`, the signature having come as a challenge.
    Verified,
    /// `<success/>` of a mechanism of one message.
    Verdict,
    /// The answer to the bind request.
    Bind,
    /// The answer to the session request.
    Session,
    /// Nothing: the session is bound.
    Bound,
    /// Nothing: it failed.
    Failed,
}

/// What can come. Features are split by what they allow next, results by what is due next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Header,
    OffersTls,
    OffersScram,
    OffersSimple,
    OffersBind,
    Proceed,
    TlsFailure,
    Secured,
    Challenge,
    Key,
    Success,
    SaslFailure,
    Result,
    ResultSessionDue,
    Refusal,
    Stanza,
    StreamError,
    Close,
    Unknown,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Check and keep the header.
    Note,
    AskTls,
    Secure,
    /// Write a stream header.
    Open,
    StartScram,
    StartSimple,
    Derive,
    Prove,
    /// Check the signature in a challenge; answer with an empty response.
    Verify,
    /// Check the signature in `<success/>`; begin the stream anew.
    VerifyRestart,
    Restart,
    AskBind,
    /// Adopt the address; ask for a session.
    AdoptAskSession,
    /// Adopt the address; done.
    Adopt,
    /// Done.
    Finish,
    Ignore,
    /// End the login: the server said no.
    Refused,
    /// End the login: the server ended the stream.
    Ended,
    /// End the login: this may not come here.
    Violation,
}

/// The table. What has no row is a violation.
#[expect(clippy::match_same_arms, reason = "a table has a row for each pair")]
#[rustfmt::skip]
pub(super) const fn transition(state: State, input: Input) -> (Action, State) {
    use Action as A;
    use Input as I;
    use State as S;
    match (state, input) {
        (S::Failed,    _)                   => (A::Ignore,          S::Failed),
        (_,            I::StreamError)      => (A::Refused,         S::Failed),
        (_,            I::Close)            => (A::Ended,           S::Failed),

        (S::Header,    I::Header)           => (A::Note,            S::Features),
        (S::Features,  I::OffersTls)        => (A::AskTls,          S::Proceed),
        (S::Features,  I::OffersScram)      => (A::StartScram,      S::Challenge),
        (S::Features,  I::OffersSimple)     => (A::StartSimple,     S::Verdict),
        (S::Features,  I::OffersBind)       => (A::AskBind,         S::Bind),

        (S::Proceed,   I::Proceed)          => (A::Secure,          S::Handshake),
        (S::Proceed,   I::TlsFailure)       => (A::Refused,         S::Failed),
        (S::Handshake, I::Secured)          => (A::Open,            S::Header),

        (S::Challenge, I::Challenge)        => (A::Derive,          S::Key),
        (S::Challenge, I::SaslFailure)      => (A::Refused,         S::Failed),
        (S::Key,       I::Key)              => (A::Prove,           S::Signature),
        (S::Key,       I::SaslFailure)      => (A::Refused,         S::Failed),
        (S::Signature, I::Challenge)        => (A::Verify,          S::Verified),
        (S::Signature, I::Success)          => (A::VerifyRestart,   S::Header),
        (S::Signature, I::SaslFailure)      => (A::Refused,         S::Failed),
        (S::Verified,  I::Success)          => (A::Restart,         S::Header),
        (S::Verified,  I::SaslFailure)      => (A::Refused,         S::Failed),
        (S::Verdict,   I::Success)          => (A::Restart,         S::Header),
        (S::Verdict,   I::SaslFailure)      => (A::Refused,         S::Failed),

        (S::Bind,      I::ResultSessionDue) => (A::AdoptAskSession, S::Session),
        (S::Bind,      I::Result)           => (A::Adopt,           S::Bound),
        (S::Bind,      I::Refusal)          => (A::Refused,         S::Failed),
        (S::Bind,      I::Stanza)           => (A::Ignore,          S::Bind),
        (S::Session,   I::Result)           => (A::Finish,          S::Bound),
        (S::Session,   I::Refusal)          => (A::Refused,         S::Failed),
        (S::Session,   I::Stanza)           => (A::Ignore,          S::Session),
        _                                   => (A::Violation,       S::Failed),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    const STATES: [State; 13] = [
        State::Header,
        State::Features,
        State::Proceed,
        State::Handshake,
        State::Challenge,
        State::Key,
        State::Signature,
        State::Verified,
        State::Verdict,
        State::Bind,
        State::Session,
        State::Bound,
        State::Failed,
    ];
    const INPUTS: [Input; 19] = [
        Input::Header,
        Input::OffersTls,
        Input::OffersScram,
        Input::OffersSimple,
        Input::OffersBind,
        Input::Proceed,
        Input::TlsFailure,
        Input::Secured,
        Input::Challenge,
        Input::Key,
        Input::Success,
        Input::SaslFailure,
        Input::Result,
        Input::ResultSessionDue,
        Input::Refusal,
        Input::Stanza,
        Input::StreamError,
        Input::Close,
        Input::Unknown,
    ];

    #[test]
    fn the_whole_matrix_is_as_reviewed() {
        let mut text = String::new();
        for state in STATES {
            for input in INPUTS {
                let (action, next) = transition(state, input);
                let [state, input, action] =
                    [format!("{state:?}"), format!("{input:?}"), format!("{action:?}")];
                writeln!(text, "{state:<9} {input:<16} {action:<15} {next:?}").unwrap();
            }
        }
        insta::assert_snapshot!(text);
    }

    /// No way leads to a session but over an authentication, and none past the server's proof.
    #[test]
    fn only_success_leads_past_authentication() {
        for state in STATES {
            for input in INPUTS {
                let (action, _) = transition(state, input);
                let restarts = matches!(action, Action::Restart | Action::VerifyRestart);
                assert!(!restarts || input == Input::Success, "{state:?} {input:?}");
                let unproven = matches!(state, State::Challenge | State::Key);
                assert!(!(restarts && unproven), "{state:?} {input:?}");
            }
        }
    }
}
