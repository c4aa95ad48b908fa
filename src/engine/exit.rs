//! Exit codes: public, documented, and decided in one place.

use crate::results::{Exit, ExitReason, GENERATOR_LIMITED, Slo, SloState, VerdictState};

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// All is well. A verdict of server-limited is well: the numbers are true.
    Ok = 0,
    /// A bug of xmpp-bench.
    Internal = 1,
    /// The command line or the profile cannot be used.
    Usage = 2,
    /// Nobody could connect or log in.
    CannotConnect = 3,
    /// An objective failed or is undecided.
    Objective = 4,
    /// A comparison found a regression.
    Regression = 5,
    /// A comparison has too little evidence.
    NotEnoughEvidence = 6,
    /// The measurement cannot be trusted, or measured nothing.
    NotTrustworthy = 7,
    /// Interrupted by its user.
    Interrupted = 130,
}

impl ExitCode {
    /// Every code with what it means, for `--help` and the docs.
    pub const MEANINGS: &[(Self, &str)] = &[
        (Self::Ok, "ok"),
        (Self::Internal, "internal error"),
        (Self::Usage, "usage or profile error"),
        (Self::CannotConnect, "cannot connect or log in"),
        (Self::Objective, "an SLO failed or is undecided"),
        (Self::Regression, "regression found"),
        (Self::NotEnoughEvidence, "not enough evidence"),
        (Self::NotTrustworthy, "measurement not trustworthy"),
        (Self::Interrupted, "interrupted"),
    ];

    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Which of several comes first: 130, 1, 2, 3, 7, then the rest in order.
    const fn rank(code: u8) -> u8 {
        match code {
            130 => 0,
            1 => 1,
            2 => 2,
            3 => 3,
            7 => 4,
            other => other + 5,
        }
    }
}

/// The code a number stands for; an unknown one can only come from a bug.
pub fn code_of(number: u8) -> ExitCode {
    let known = ExitCode::MEANINGS.iter().map(|(known, _)| *known).find(|known| known.code() == number);
    known.unwrap_or(ExitCode::Internal)
}

/// Puts reasons in order and takes the first one's code.
pub fn decide(mut reasons: Vec<(ExitCode, String)>) -> Exit {
    reasons.sort_by_key(|(code, _)| ExitCode::rank(code.code()));
    let code = reasons.first().map_or(0, |(code, _)| code.code());
    let reasons =
        reasons.into_iter().map(|(code, reason)| ExitReason { code: code.code(), reason }).collect();
    Exit { code, reasons }
}

/// What a run's verdict and objectives say about the exit code.
pub fn reasons_of(state: VerdictState, slos: &[Slo]) -> Vec<(ExitCode, String)> {
    let mut reasons = Vec::new();
    match state {
        VerdictState::Interrupted => {
            reasons.push((ExitCode::Interrupted, "the run was interrupted".to_owned()));
        }
        VerdictState::GeneratorLimited => {
            reasons.push((ExitCode::NotTrustworthy, GENERATOR_LIMITED.to_owned()));
        }
        VerdictState::ServerLimited | VerdictState::Valid => {}
    }
    for slo in slos {
        let what = match slo.state {
            SloState::Passed => continue,
            SloState::Failed => "failed",
            SloState::Undecided => "is undecided",
        };
        let text = format!("SLO {} {} {what} in phase {}: {}", slo.name, slo.bound, slo.phase, slo.reason);
        reasons.push((ExitCode::Objective, text));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_serious_reason_decides_and_all_are_kept() {
        let order = [130, 1, 2, 3, 7, 4, 5, 6];
        let mut reasons: Vec<(ExitCode, String)> =
            ExitCode::MEANINGS[1..].iter().map(|(code, text)| (*code, (*text).to_owned())).collect();
        for code in order {
            let exit = decide(reasons.clone());
            assert_eq!(exit.code, code);
            assert_eq!(exit.reasons.len(), reasons.len());
            reasons.retain(|(kept, _)| kept.code() != code);
        }
        assert_eq!(decide(reasons), Exit { code: 0, reasons: vec![] });
    }
}
