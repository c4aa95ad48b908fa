//! What a login is made of: the time spent in each step, one after the other in a bar.
//!
//! Means add up, percentiles do not: so the bar is of means, and the percentiles of each step stand in the table. A step may
//! happen several times in a login (a stream is opened anew after TLS and after authentication), so what counts is the
//! time all of them took, over the logins.

use crate::report::html::chart::{Bar, Figure, Key, Table, bars, stack_class};
use crate::report::html::context::{Context, section};
use crate::report::html::markup::Markup;
use crate::report::overlay::Run;
use crate::report::summary::{quantity, tables};
use crate::results::{Operation, Unit};
use crate::units::show_count;

/// The section, if anybody logged in.
pub fn write(page: &mut Markup, context: &Context<'_>) {
    let steps = steps(context.runs);
    if steps.is_empty() {
        return;
    }
    section(page, "login", "Login anatomy", |page| figure(context, &steps).write(page));
}

/// Steps in the order in which they happen.
const ORDER: [&str; 9] = [
    "login.tcp",
    "login.tls",
    "login.stream",
    "login.auth",
    "login.bind",
    "login.session",
    "login.sm",
    "login.roster",
    "login.presence",
];
const STEPS_MAX: usize = 9;

/// The steps any of the runs has, in their order; those not known here come last.
fn steps(runs: &[Run]) -> Vec<&str> {
    let has = |name: &str| runs.iter().any(|run| mean(run, name).is_some());
    let mut steps: Vec<&str> = ORDER.into_iter().filter(|name| has(name)).collect();
    let mut others: Vec<&str> = runs
        .iter()
        .flat_map(|run| run.result.operations.keys())
        .map(String::as_str)
        .filter(|name| name.starts_with("login.") && !ORDER.contains(name) && has(name))
        .collect();
    others.sort_unstable();
    others.dedup();
    steps.extend(others);
    steps.truncate(STEPS_MAX);
    steps
}

fn login<'a>(run: &'a Run, name: &str) -> Option<&'a Operation> {
    run.result.operations.get(name)
}

fn mean(run: &Run, name: &str) -> Option<f64> {
    login(run, name)?.figures.response_us.mean.filter(|mean| mean.is_finite() && *mean >= 0.0)
}

/// What a step takes of a login on average, microseconds: its mean as often as it happened, over the logins.
fn share(run: &Run, name: &str) -> Option<f64> {
    let times = &login(run, name)?.figures.response_us;
    let logins = login(run, "login")?.figures.response_us.count;
    (logins > 0).then_some(mean(run, name)? * times.count as f64 / logins as f64)
}

/// What of a login's mean lies in none of its steps: waiting for its turn, and from one step to the next.
fn rest(run: &Run, steps: &[&str]) -> Option<f64> {
    let known: f64 = steps.iter().filter_map(|step| share(run, step)).sum();
    Some(mean(run, "login")? - known).filter(|rest| *rest > 0.0)
}

fn figure(context: &Context<'_>, steps: &[&str]) -> Figure {
    let bar = |run: &Run| Bar {
        label: if context.single().is_some() { "mean".to_owned() } else { run.letter.to_owned() },
        parts: parts(run, steps),
    };
    let all: Vec<Bar> = context.runs.iter().map(bar).collect();
    let mut keys: Vec<Key> = steps
        .iter()
        .enumerate()
        .map(|(index, step)| Key::area(stack_class(index), format!("{}: {step}", index + 1)))
        .collect();
    keys.push(Key::area(stack_class(steps.len()), format!("{}: {REST}", steps.len() + 1)));
    Figure {
        id: "login-steps".to_owned(),
        title: "Steps of a login".to_owned(),
        caption: CAPTION.to_owned(),
        picture: bars(
            "Time a login spends in each step on average, stacked; the numbers follow in a table",
            &all,
            Unit::Micros,
        ),
        keys,
        table: table(context, steps),
    }
}

const CAPTION: &str = "Time spent in each step per completed login, on average over the whole run, in the order the steps begin; \
                       a step that happens several times in a login counts as often, and so do the steps of logins that failed.";

const REST: &str = "waiting, in no step";

fn parts(run: &Run, steps: &[&str]) -> Vec<(usize, f64)> {
    let own = steps.iter().enumerate().filter_map(|(index, step)| Some((index, share(run, step)?)));
    own.chain(rest(run, steps).map(|rest| (steps.len(), rest))).collect()
}

fn table(context: &Context<'_>, steps: &[&str]) -> Table {
    let mut table = Table::new(&["step", "per login", "attempts", "mean", "p50", "p90", "p99"]);
    for run in context.runs {
        let whose = if context.single().is_some() { String::new() } else { format!("{} ", run.letter) };
        for step in steps.iter().copied().chain(["login"]) {
            let Some(figures) = login(run, step).map(|operation| &operation.figures) else { continue };
            let times = &figures.response_us;
            let shown = |micros: Option<f64>| {
                micros.map_or_else(|| tables::MISSING.to_owned(), |micros| quantity(micros, Unit::Micros))
            };
            let part = if step == "login" { mean(run, step) } else { share(run, step) };
            let percentiles =
                [times.attempted.p50, times.attempted.p90, times.attempted.p99].map(tables::time);
            let head =
                [format!("{whose}{step}"), shown(part), show_count(figures.attempts), shown(times.mean)];
            table.rows.push(head.into_iter().chain(percentiles).collect());
        }
        if let Some(rest) = rest(run, steps) {
            let missing = || tables::MISSING.to_owned();
            let head = [format!("{whose}{REST}"), quantity(rest, Unit::Micros)];
            table.rows.push(head.into_iter().chain(std::iter::repeat_with(missing).take(5)).collect());
        }
    }
    table
}
