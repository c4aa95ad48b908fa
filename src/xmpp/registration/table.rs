//! The table of the registration: what to do about what came, and where that leads.

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
    /// The form.
    Form,
    /// The answer to the form filled in.
    Answer,
    /// Nothing: the account is there.
    Done,
    /// Nothing: it failed.
    Failed,
}

/// What can come. Features are split by what they allow next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Header,
    OffersTls,
    /// Features after which registering may begin.
    Offers,
    Proceed,
    TlsFailure,
    Secured,
    Result,
    Conflict,
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
    AskForm,
    FillIn,
    /// Done: the account is new.
    Created,
    /// Done: the account was there before.
    Existed,
    Ignore,
    /// End it: the server said no.
    Refused,
    /// End it: the server ended the stream.
    Ended,
    /// End it: this may not come here.
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
        (S::Failed,    _)              => (A::Ignore,  S::Failed),
        (S::Done,      _)              => (A::Ignore,  S::Done),
        (_,            I::StreamError) => (A::Refused, S::Failed),
        (_,            I::Close)       => (A::Ended,   S::Failed),

        (S::Header,    I::Header)      => (A::Note,    S::Features),
        (S::Features,  I::OffersTls)   => (A::AskTls,  S::Proceed),
        (S::Features,  I::Offers)      => (A::AskForm, S::Form),

        (S::Proceed,   I::Proceed)     => (A::Secure,  S::Handshake),
        (S::Proceed,   I::TlsFailure)  => (A::Refused, S::Failed),
        (S::Handshake, I::Secured)     => (A::Open,    S::Header),

        (S::Form,      I::Result)      => (A::FillIn,  S::Answer),
        (S::Form,      I::Conflict)    => (A::Refused, S::Failed),
        (S::Form,      I::Refusal)     => (A::Refused, S::Failed),
        (S::Form,      I::Stanza)      => (A::Ignore,  S::Form),
        (S::Answer,    I::Result)      => (A::Created, S::Done),
        (S::Answer,    I::Conflict)    => (A::Existed, S::Done),
        (S::Answer,    I::Refusal)     => (A::Refused, S::Failed),
        (S::Answer,    I::Stanza)      => (A::Ignore,  S::Answer),
        _                              => (A::Violation, S::Failed),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    const STATES: [State; 8] = [
        State::Header,
        State::Features,
        State::Proceed,
        State::Handshake,
        State::Form,
        State::Answer,
        State::Done,
        State::Failed,
    ];
    const INPUTS: [Input; 13] = [
        Input::Header,
        Input::OffersTls,
        Input::Offers,
        Input::Proceed,
        Input::TlsFailure,
        Input::Secured,
        Input::Result,
        Input::Conflict,
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
                writeln!(text, "{state:<9} {input:<11} {action:<9} {next:?}").unwrap();
            }
        }
        insta::assert_snapshot!(text);
    }

    /// An account is called there only by the answer to a form that was filled in.
    #[test]
    fn only_an_answer_leads_to_an_account() {
        for state in STATES {
            for input in INPUTS {
                let (_, next) = transition(state, input);
                assert!(
                    next != State::Done || matches!(state, State::Answer | State::Done),
                    "{state:?} {input:?}"
                );
            }
        }
    }
}
