//! Reading `[slo]`: names out of what this profile measures, and conditions on them.

use super::super::document::{Entry, Table, Value, shorten};
use super::super::keys::Reported;
use super::super::phase::Phase;
use super::super::problem::{Notebook, Wrong, did_you_mean, suggestion};
use super::super::registry::{KindSpec, Vocabulary};
use super::super::slo::{Bound, Comparison, Condition, Metric, Slo, Statistic};
use crate::units::{Quantile, parse_duration};

/// More objectives than this are a mistake.
const SLOS_MAX: usize = 1_000;

/// What can be measured, here and elsewhere.
pub(in crate::profile) struct Measurable<'a> {
    /// The kinds this profile's activities have.
    pub(in crate::profile) used: Vec<&'a KindSpec>,
    /// All kinds there are.
    pub(in crate::profile) kinds: &'a [KindSpec],
    pub(in crate::profile) vocabulary: &'a Vocabulary,
    /// The phases, where they could be read.
    pub(in crate::profile) phases: Option<&'a [Phase]>,
}

/// Reads the whole table.
pub(in crate::profile) fn read(
    table: &Table,
    measurable: &Measurable<'_>,
    notebook: &Notebook,
) -> Result<Vec<Slo>, Reported> {
    let mut slos = Vec::new();
    let mut result = Ok(());
    for entry in table.entries.iter().take(SLOS_MAX) {
        match slo(entry, measurable, notebook) {
            Ok(slo) => slos.push(slo),
            Err(reported) => result = Err(reported),
        }
    }
    if let Some(entry) = table.entries.get(SLOS_MAX) {
        return Err(notebook.say(&entry.place, format!("there are more than {SLOS_MAX} objectives"), ""));
    }
    result.map(|()| slos)
}

fn slo(entry: &Entry, measurable: &Measurable<'_>, notebook: &Notebook) -> Result<Slo, Reported> {
    let say = |place, wrong: Wrong| {
        notebook.say(
            place,
            format!("`{}` {}", shorten(&entry.key), wrong.message),
            wrong.help.unwrap_or_default(),
        )
    };
    let (phase, name) = split(&entry.key);
    let metric = measurable.metric(entry, name).map_err(|wrong| say(&entry.place, wrong))?;
    if let Some(phase) = phase {
        measurable.check_phase(phase, &metric).map_err(|wrong| say(&entry.place, wrong))?;
    }
    let Value::Text(text) = &entry.node.value else {
        let wrong = Wrong::new(format!("must be a condition, not {}", entry.node.value.describe()));
        return Err(say(&entry.node.place, wrong.help(example(&metric))));
    };
    let condition = condition(text, &metric).map_err(|wrong| say(&entry.node.place, wrong))?;
    Ok(Slo {
        name: entry.key.clone(),
        phase: phase.map(str::to_owned),
        text: text.clone(),
        metric,
        condition,
    })
}

/// The phase an objective names, and the rest: `steady/ping.p99`.
fn split(name: &str) -> (Option<&str>, &str) {
    name.split_once('/').map_or((None, name), |(phase, rest)| (Some(phase), rest))
}

impl Measurable<'_> {
    fn metric(&self, entry: &Entry, name: &str) -> Result<Metric, Wrong> {
        if let Value::Table(_) = entry.node.value {
            let wrong = Wrong::new("is a table: the name of an objective has dots in it");
            return Err(wrong.help("put the whole name in quotes: \"message.delivery.p99\" = \"<= 250ms\""));
        }
        if let Some(metric) = self.operation_metric(name)? {
            return Ok(metric);
        }
        if let Some((ledger, column)) = name.rsplit_once('.')
            && self.ledgers().any(|known| known == ledger)
            && self.vocabulary.ledger_columns.contains(&column)
        {
            return Ok(Metric::Ledger { ledger: ledger.to_owned(), column: column.to_owned() });
        }
        Err(self.unknown(name))
    }

    /// Whether an objective on `metric` can be held against this phase alone.
    fn check_phase(&self, name: &str, metric: &Metric) -> Result<(), Wrong> {
        let Some(phases) = self.phases else { return Ok(()) };
        let Some(phase) = phases.iter().find(|phase| phase.name == name) else {
            let known = phases.iter().map(|phase| phase.name.as_str());
            let wrong = Wrong::new(format!("names no phase of this profile: \"{}\"", shorten(name)));
            return Err(wrong.help(did_you_mean(name, known)));
        };
        let is_about_logins =
            metric.operation().is_some_and(|operation| self.vocabulary.operations.contains(&operation));
        if phase.measure || is_about_logins {
            return Ok(());
        }
        let wrong = Wrong::new(format!("names a phase that is not measured: `{name}`"));
        Err(wrong.help("set measure = true in it, or name another; only logins are held against any phase"))
    }

    /// The metric of the longest operation whose name begins `name`, if there is one.
    fn operation_metric(&self, name: &str) -> Result<Option<Metric>, Wrong> {
        let fits = |operation: &&str| name.strip_prefix(*operation).is_some_and(|rest| rest.starts_with('.'));
        let Some(operation) = self.operations().filter(fits).max_by_key(|operation| operation.len()) else {
            return Ok(None);
        };
        let statistic = &name[operation.len() + 1..];
        if statistic == "rate" {
            return Ok(Some(Metric::Throughput(operation.to_owned())));
        }
        if let Some(statistic) = self::statistic(statistic) {
            return Ok(Some(Metric::Response(operation.to_owned(), statistic)));
        }
        if self.vocabulary.outcomes.contains(&statistic) {
            let outcome = statistic.to_owned();
            return Ok(Some(Metric::Outcome { operation: operation.to_owned(), outcome }));
        }
        if statistic.contains('.') || self.ledgers().any(|ledger| ledger == operation) {
            return Ok(None);
        }
        let wrong = Wrong::new(format!("is no statistic of `{operation}`"));
        let outcomes = self.vocabulary.outcomes.iter().copied();
        Err(wrong.help(match suggestion(statistic, ["mean", "max", "rate"].into_iter().chain(outcomes)) {
            Some(known) => format!("did you mean \"{operation}.{known}\"?"),
            None => "known are percentiles like p50, p99, p99.9, mean, max, rate, and how operations end: failed, \
                     timeout, unsent and so on"
                .to_owned(),
        }))
    }

    fn unknown(&self, name: &str) -> Wrong {
        let family = name.split('.').next().unwrap_or(name);
        let elsewhere = self.kinds.iter().find(|spec| {
            let measures = spec.operations.iter().any(|operation| name.starts_with(&format!("{operation}.")));
            !self.used.contains(spec) && (measures || spec.kind == family)
        });
        if let Some(spec) = elsewhere {
            let wrong = Wrong::new("is not measured by any activity of this profile");
            return wrong
                .help(format!("add an [[activity]] of kind \"{}\", or leave the objective out", spec.kind));
        }
        let wrong = Wrong::new("is nothing this profile measures");
        if self.operations().any(|operation| operation == name) {
            return wrong.help(format!("say which of its figures: \"{name}.p99\"?"));
        }
        let names = self.names(name);
        match suggestion(name, names.iter().map(String::as_str)) {
            Some(known) => wrong.help(format!("did you mean \"{known}\"?")),
            None => wrong.help(format!("known here: {}", self.examples(family).join(", "))),
        }
    }

    /// What `name` may have been meant to be: a figure of an operation where it ends in a statistic, else a ledger's column too.
    fn names(&self, name: &str) -> Vec<String> {
        let figure = name.rsplit_once('.').map(|(_, end)| end).filter(|end| statistic(end).is_some());
        let operations = self.operations().map(|name| format!("{name}.{}", figure.unwrap_or("p99")));
        let columns = self.ledgers().filter(|_| figure.is_none()).flat_map(|ledger| self.columns(ledger));
        operations.chain(columns).collect()
    }

    /// Names to choose from: all of a family that is known, else a few of each, for all would fill the screen.
    fn examples(&self, family: &str) -> Vec<String> {
        let within = |name: &&str| name.split('.').next() == Some(family);
        let figures = self.operations().filter(within).map(|name| format!("{name}.p99"));
        let columns = self.ledgers().filter(within).flat_map(|ledger| self.columns(ledger));
        let family: Vec<String> = figures.chain(columns).collect();
        if !family.is_empty() {
            return family;
        }
        let is_step = |name: &str| {
            name.rsplit_once('.').is_some_and(|(whole, _)| self.operations().any(|one| one == whole))
        };
        let whole = self.operations().filter(|name| !is_step(name)).map(|name| format!("{name}.p99"));
        whole.chain(self.ledgers().map(|ledger| format!("{ledger}.lost"))).collect()
    }

    fn columns(&self, ledger: &str) -> impl Iterator<Item = String> {
        self.vocabulary.ledger_columns.iter().map(move |column| format!("{ledger}.{column}"))
    }

    fn operations(&self) -> impl Iterator<Item = &str> {
        let own = self.used.iter().flat_map(|spec| spec.operations);
        own.chain(self.vocabulary.operations).copied()
    }

    fn ledgers(&self) -> impl Iterator<Item = &str> {
        self.used.iter().filter_map(|spec| spec.ledger)
    }
}

fn statistic(text: &str) -> Option<Statistic> {
    match text {
        "mean" => Some(Statistic::Mean),
        "max" => Some(Statistic::Max),
        _ => quantile(text).map(Statistic::Percentile),
    }
}

/// `p50`, `p99.9`, or as result files spell it, `p99_9`.
fn quantile(text: &str) -> Option<Quantile> {
    let number = text.strip_prefix('p')?;
    let digits =
        |part: &str| !part.is_empty() && part.len() <= 6 && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = number.split_once(['.', '_']).unwrap_or((number, "0"));
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    // One division of whole numbers: 99.9 / 100 would be a neighbour of 0.999.
    let places = i32::try_from(fraction.len()).ok()? + 2;
    let share = format!("{whole}{fraction}").parse::<f64>().ok()? / 10f64.powi(places);
    (share > 0.0 && share < 1.0).then(|| Quantile::new(share))?
}

fn condition(text: &str, metric: &Metric) -> Result<Condition, Wrong> {
    const COMPARISONS: [(&str, Comparison); 5] = [
        ("<=", Comparison::AtMost),
        (">=", Comparison::AtLeast),
        ("==", Comparison::Equal),
        ("<", Comparison::Below),
        (">", Comparison::Above),
    ];
    let wrong =
        || Wrong::new(format!("must be a condition, not \"{}\"", shorten(text))).help(example(metric));
    let found = COMPARISONS
        .into_iter()
        .find_map(|(sign, comparison)| Some((sign, comparison, text.trim().strip_prefix(sign)?.trim())));
    let (sign, comparison, bound) = found.ok_or_else(wrong)?;
    let bound = self::bound(bound, metric).ok_or_else(|| match metric {
        Metric::Response(..) if bound.parse::<u64>().is_ok() => {
            wrong().help(format!("a time has a unit: \"{sign} {bound}ms\"?"))
        }
        _ => wrong(),
    })?;
    if comparison == Comparison::Equal && !matches!(bound, Bound::Count(_)) {
        return Err(Wrong::new("can be held equal to a count only").help("use <= or >="));
    }
    Ok(Condition { comparison, bound })
}

fn bound(text: &str, metric: &Metric) -> Option<Bound> {
    match metric {
        Metric::Response(..) => parse_duration(text).ok().map(Bound::Time),
        Metric::Throughput(_) => text.parse().ok().map(Bound::Rate),
        Metric::Outcome { .. } | Metric::Ledger { .. } => match text.strip_suffix('%') {
            Some(percent) => {
                let percent: f64 = percent.trim().parse().ok()?;
                (0.0..=100.0).contains(&percent).then_some(Bound::Share(percent / 100.0))
            }
            None => text.parse().ok().map(Bound::Count),
        },
    }
}

const fn example(metric: &Metric) -> &'static str {
    match metric {
        Metric::Response(..) => "write it like \"<= 250ms\"",
        Metric::Throughput(_) => "write it like \">= 99/s\"",
        Metric::Outcome { .. } => "write it like \"== 0\", or as a share of the attempts: \"< 1%\"",
        Metric::Ledger { .. } => "write it like \"== 0\", or as a share of the expected ones: \"< 1%\"",
    }
}
