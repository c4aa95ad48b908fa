//! Putting a result together. A finished run and a journal left by a killed one go the same way.

use serde::{Deserialize, Serialize};

use super::{
    EndedEarly, Exit, ExitReason, Generator, Host, KeyCache, Layout, Ledgers, Observed, ObservedSource,
    Phase, Profile, RoomOrder, RunResult, SCHEMA, SchemaVersion, Series, Slo, SourceLayout, Target, Tool,
    Totals, Traffic, Verdict, VerdictState, derive,
};

/// What is known before a run begins; the journal's header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preamble {
    /// The schema's version.
    pub schema: SchemaVersion,
    /// The program.
    pub tool: Tool,
    /// Names the run.
    pub run_id: String,
    /// When it begins, RFC 3339.
    pub started: String,
    /// The command line, passwords blotted out.
    pub command: Vec<String>,
    /// The seed.
    pub seed: u64,
    /// What is asked for.
    pub profile: Profile,
    /// The machine.
    pub host: Host,
    /// The server, as far as it is known before the first login.
    pub target: Target,
    /// Phases, operations and groups.
    pub layout: Layout,
    /// What is observed of the server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observe: Vec<SourceLayout>,
}

/// What is known only at the end; the journal's last record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conclusion {
    /// Why the run ended before its plan did, if it did.
    #[serde(default)]
    pub ended_early: Option<EndedEarly>,
    /// Whether the numbers can be trusted.
    pub verdict: Verdict,
    /// The exit code and its reasons.
    pub exit: Exit,
    /// Objectives and what became of them.
    pub slo: Vec<Slo>,
    /// The server, with all that was learnt of it.
    pub target: Target,
    /// SCRAM keys.
    pub keys: KeyCache,
    /// What the generator saw of itself.
    pub generator: Generator,
    /// The accounts per phase, settled.
    pub ledgers: Vec<Ledgers>,
    /// Stanzas written and read, per phase; empty where nobody counted.
    #[serde(default)]
    pub stanzas: Vec<(u64, u64)>,
    /// Whether rooms kept one order.
    #[serde(default)]
    pub room_order: Option<RoomOrder>,
    /// What was read of the server. The journal holds it as readings, interval by interval.
    #[serde(skip)]
    pub observed: Vec<ObservedSource>,
}

impl Conclusion {
    /// What can be said of a run that never came to its end: open entries are indeterminate, the verdict is
    /// interrupted, objectives are not judged. `end_s` is when it was last heard of, seconds since its epoch.
    pub fn of_a_killed_run(
        preamble: &Preamble,
        mut ledgers: Vec<Ledgers>,
        generator: Generator,
        keys: KeyCache,
        end_s: f64,
    ) -> Self {
        ledgers.iter_mut().for_each(Ledgers::close);
        let note = "the run was killed before its end: this is what its journal holds".to_owned();
        Self {
            ended_early: Some(EndedEarly { reason: "killed".to_owned(), at_s: end_s }),
            verdict: Verdict {
                state: VerdictState::Interrupted,
                evidence: Vec::new(),
                notes: vec![note.clone()],
            },
            exit: Exit { code: 130, reasons: vec![ExitReason { code: 130, reason: note }] },
            slo: Vec::new(),
            target: preamble.target.clone(),
            keys,
            generator,
            ledgers,
            stanzas: Vec::new(),
            room_order: None,
            observed: Vec::new(),
        }
    }
}

/// The result of a run. `complete` says whether the run itself came to its end and drew the conclusion.
pub fn assemble(preamble: Preamble, totals: &Totals, conclusion: Conclusion, complete: bool) -> RunResult {
    let Conclusion {
        ended_early,
        verdict,
        exit,
        slo,
        target,
        keys,
        generator,
        ledgers,
        stanzas,
        room_order,
        observed,
    } = conclusion;
    let series = totals.series();
    let phases = with_traffic(totals.phases(&ledgers), &stanzas, &series);
    let until_s = ended_early.as_ref().map_or(f64::INFINITY, |early| early.at_s);
    let observed = (!observed.is_empty())
        .then(|| Observed { derived: derive(&observed, &series, &phases, until_s), sources: observed });
    RunResult {
        schema: SCHEMA,
        complete,
        ended_early,
        verdict,
        exit,
        tool: preamble.tool,
        run_id: preamble.run_id,
        started: preamble.started,
        command: preamble.command,
        seed: preamble.seed,
        profile: preamble.profile,
        host: preamble.host,
        target,
        slo,
        operations: totals.operations(),
        ledger: Ledgers::sum(&ledgers),
        phases,
        errors: totals.errors(),
        keys,
        generator,
        series,
        room_order,
        observed,
    }
}

/// The phases with what went over the wire in each: bytes are of its whole seconds.
fn with_traffic(mut phases: Vec<Phase>, stanzas: &[(u64, u64)], series: &Series) -> Vec<Phase> {
    for (phase, &(written, read)) in phases.iter_mut().zip(stanzas) {
        // A run that ended early has no later seconds.
        let sum = |column: &[u64]| -> u64 {
            column.iter().take(phase.end_s as usize).skip(phase.start_s as usize).sum()
        };
        phase.traffic = Some(Traffic::of(written, read, sum(&series.bytes_out), sum(&series.bytes_in)));
    }
    phases
}
