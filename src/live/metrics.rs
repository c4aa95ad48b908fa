//! A snapshot in Prometheus' text format (version 0.0.4).
//!
//! Names begin with `xmpp_bench_` and end in their unit; counters and histograms are over the whole run. [`METRICS`] is
//! the table of all of them, and nothing is written that does not stand in it. A count of nothing is written as 0: `rate()` does
//! not see what a series is born with. Labels are of the run's own making:
//! operations, phases, outcomes and classes, never what a peer said.

use std::fmt::Write as _;

use super::{Classic, EDGES_US, Snapshot};
use crate::sample::{LedgerCounts, LedgerKind};

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// A level.
    Gauge,
    /// Classic buckets, a sum and a count, all of which only grow.
    Histogram,
}

impl Kind {
    /// Prometheus' word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says, in one line.
    pub help: &'static str,
    write: fn(&mut Writer<'_>, &Snapshot),
}

/// Every metric, in the order they are served. One that has nothing to say is left out.
pub const METRICS: &[Metric] = &[
    Metric {
        name: "xmpp_bench_info",
        kind: Kind::Gauge,
        labels: &["version", "profile", "target"],
        help: "Always 1: the program, and what it runs against what.",
        write: |out, now| {
            let facts = &now.facts;
            out.sample(&[&facts.version, &facts.profile, &facts.target], 1.0);
        },
    },
    Metric {
        name: "xmpp_bench_stage_info",
        kind: Kind::Gauge,
        labels: &["stage"],
        help: "Always 1: what is going on, phases, draining, leaving or over.",
        write: |out, now| out.sample(&[now.stage], 1.0),
    },
    Metric {
        name: "xmpp_bench_phase_info",
        kind: Kind::Gauge,
        labels: &["phase"],
        help: "Always 1: the phase that is going on; absent when their time is over.",
        write: |out, now| {
            if !now.phase.is_empty() {
                out.sample(&[&now.phase], 1.0);
            }
        },
    },
    Metric {
        name: "xmpp_bench_elapsed_seconds",
        kind: Kind::Gauge,
        labels: &[],
        help: "Time since the run's epoch.",
        write: |out, now| out.sample(&[], now.elapsed_s),
    },
    Metric {
        name: "xmpp_bench_users_online",
        kind: Kind::Gauge,
        labels: &[],
        help: "Users online.",
        write: |out, now| out.sample(&[], now.online as f64),
    },
    Metric {
        name: "xmpp_bench_users_planned",
        kind: Kind::Gauge,
        labels: &[],
        help: "Users the plan wanted logged in at the end of the last second counted.",
        write: |out, now| out.sample(&[], now.planned as f64),
    },
    Metric {
        name: "xmpp_bench_planned_operations_per_second",
        kind: Kind::Gauge,
        labels: &["operation"],
        help: "What the plan asked for in the last second counted, of operations that an action makes one of.",
        write: |out, now| {
            for (operation, last) in now.facts.operations.iter().zip(&now.now) {
                last.asked_per_s.iter().for_each(|&rate| out.sample(&[&operation.name], rate));
            }
        },
    },
    Metric {
        name: "xmpp_bench_operations_total",
        kind: Kind::Counter,
        labels: &["operation", "phase", "outcome"],
        help: "Operations that ended, by the phase of their intended instant and by how they ended.",
        write: |out, now| {
            for operation in &now.operations {
                for (outcome, count) in &operation.outcomes {
                    out.sample(&[&operation.name, &operation.phase, outcome], *count as f64);
                }
            }
        },
    },
    Metric {
        name: "xmpp_bench_response_seconds",
        kind: Kind::Histogram,
        labels: &["operation", "phase"],
        help: "Response time of completed operations, from the intended instant to the answer.",
        write: |out, now| {
            for operation in &now.operations {
                out.histogram(&[&operation.name, &operation.phase], &operation.response);
            }
        },
    },
    Metric {
        name: "xmpp_bench_lag_seconds",
        kind: Kind::Histogram,
        labels: &["operation", "phase"],
        help: "How late the generator offered completed operations: its own doing, not the server's.",
        write: |out, now| {
            for operation in &now.operations {
                out.histogram(&[&operation.name, &operation.phase], &operation.lag);
            }
        },
    },
    Metric {
        name: "xmpp_bench_turn_p99_seconds",
        kind: Kind::Gauge,
        labels: &[],
        help: "Turn time of the worst worker in the last second, 99th percentile.",
        write: |out, now| {
            if let Some(turn) = now.turn_p99 {
                out.sample(&[], turn.as_secs_f64());
            }
        },
    },
    Metric {
        name: "xmpp_bench_ledger_copies",
        kind: Kind::Gauge,
        labels: &["kind", "column"],
        help: "The account of messages as it stands: copies expected, delivered, lost and so on.",
        write: |out, now| {
            for kind in LedgerKind::ALL {
                for (column, read) in LedgerCounts::COLUMNS {
                    out.sample(&[kind.as_str(), column], read(now.ledger.of(kind)) as f64);
                }
            }
        },
    },
    Metric {
        name: "xmpp_bench_ledger_open_entries",
        kind: Kind::Gauge,
        labels: &[],
        help: "Entries of the ledger that are not settled yet.",
        write: |out, now| out.sample(&[], now.open as f64),
    },
    Metric {
        name: "xmpp_bench_logins_total",
        kind: Kind::Counter,
        labels: &["result"],
        help: "Logins that succeeded (ok), and attempts that failed, retries included (failed).",
        write: |out, now| {
            out.sample(&["ok"], now.logins.0 as f64);
            out.sample(&["failed"], now.logins.1 as f64);
        },
    },
    Metric {
        name: "xmpp_bench_errors_total",
        kind: Kind::Counter,
        labels: &["class"],
        help: "Errors by who is at fault.",
        write: |out, now| now.errors.iter().for_each(|(class, count)| out.sample(&[class], *count as f64)),
    },
    Metric {
        name: "xmpp_bench_sent_bytes_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Bytes written to sockets.",
        write: |out, now| out.sample(&[], now.bytes_out as f64),
    },
    Metric {
        name: "xmpp_bench_received_bytes_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Bytes read from sockets.",
        write: |out, now| out.sample(&[], now.bytes_in as f64),
    },
    Metric {
        name: "xmpp_bench_generator_cpu_seconds_total",
        kind: Kind::Counter,
        labels: &["role"],
        help: "CPU time of this process by what its threads are for; server is the embedded one.",
        write: |out, now| now.cpu_s.iter().for_each(|(role, seconds)| out.sample(&[role], *seconds)),
    },
    Metric {
        name: "xmpp_bench_generator_memory_bytes",
        kind: Kind::Gauge,
        labels: &[],
        help: "Memory of this process (proportional set).",
        write: |out, now| out.sample(&[], now.memory_bytes as f64),
    },
    Metric {
        name: "xmpp_bench_generator_descriptors",
        kind: Kind::Gauge,
        labels: &[],
        help: "Descriptors this process has open.",
        write: |out, now| out.sample(&[], now.descriptors as f64),
    },
    Metric {
        name: "xmpp_bench_observed_up",
        kind: Kind::Gauge,
        labels: &["source"],
        help: "1 where the last reading of the observed server succeeded; 0 where it failed, or is old.",
        write: |out, now| {
            for one in &now.observed {
                one.is_up.iter().for_each(|&up| out.sample(&[&one.source], f64::from(u8::from(up))));
            }
        },
    },
    Metric {
        name: "xmpp_bench_observed_cpu_seconds_total",
        kind: Kind::Counter,
        labels: &["source"],
        help: "CPU time of the observed server; absent where it cannot be read.",
        write: |out, now| {
            for one in &now.observed {
                one.cpu_s.iter().for_each(|&value| out.sample(&[&one.source], value));
            }
        },
    },
    Metric {
        name: "xmpp_bench_observed_memory_bytes",
        kind: Kind::Gauge,
        labels: &["source"],
        help: "Memory of the observed server; absent where it cannot be read.",
        write: |out, now| {
            for one in &now.observed {
                one.memory_bytes.iter().for_each(|&value| out.sample(&[&one.source], value));
            }
        },
    },
    Metric {
        name: "xmpp_bench_observed_descriptors",
        kind: Kind::Gauge,
        labels: &["source"],
        help: "Descriptors the observed server has open; absent where they cannot be read.",
        write: |out, now| {
            for one in &now.observed {
                one.descriptors.iter().for_each(|&value| out.sample(&[&one.source], value));
            }
        },
    },
];

/// The whole page.
pub fn render(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for metric in METRICS {
        let mut writer = Writer { metric, text: &mut text, begun: false };
        (metric.write)(&mut writer, snapshot);
    }
    text
}

struct Writer<'a> {
    metric: &'a Metric,
    text: &'a mut String,
    begun: bool,
}

impl Writer<'_> {
    fn sample(&mut self, values: &[&str], value: f64) {
        self.line("", values, None, value);
    }

    fn histogram(&mut self, values: &[&str], classic: &Classic) {
        for (edge, count) in EDGES_US.iter().zip(classic.at_most) {
            let seconds = *edge as f64 / 1e6;
            self.line("_bucket", values, Some(&seconds.to_string()), count as f64);
        }
        self.line("_bucket", values, Some("+Inf"), classic.count as f64);
        self.line("_sum", values, None, classic.sum_s);
        self.line("_count", values, None, classic.count as f64);
    }

    fn line(&mut self, suffix: &str, values: &[&str], edge: Option<&str>, value: f64) {
        let Metric { name, kind, labels, help, .. } = *self.metric;
        if !std::mem::replace(&mut self.begun, true) {
            let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {}", kind.as_str());
        }
        let named = labels.iter().zip(values).map(|(label, value)| format!("{label}=\"{}\"", escaped(value)));
        let all: Vec<String> = named.chain(edge.map(|edge| format!("le=\"{edge}\""))).collect();
        let braces = if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) };
        let _ = writeln!(self.text, "{name}{suffix}{braces} {value}");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
