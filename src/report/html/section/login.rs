//! What a login is made of: the mean of each step, one after the other in a bar.
//!
//! Means add up, percentiles do not: so the bar is of means, and the percentiles of each step stand in the table.

use crate::report::html::chart::{Bar, Figure, Key, Table, bars, stack_class};
use crate::report::html::context::{Context, section};
use crate::report::html::markup::Markup;
use crate::report::runs::Run;
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

/// What of a login's mean lies in none of its steps: waiting for its turn, and from one step to the next.
fn rest(run: &Run, steps: &[&str]) -> Option<f64> {
    let known: f64 = steps.iter().filter_map(|step| mean(run, step)).sum();
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
        caption: "Mean of each step over all logins of the run that got so far, in the order they happen."
            .to_owned(),
        picture: bars(
            "Mean of each step of a login, stacked; the numbers follow in a table",
            &all,
            Unit::Micros,
        ),
        keys,
        table: table(context, steps),
    }
}

const REST: &str = "waiting, in no step";

fn parts(run: &Run, steps: &[&str]) -> Vec<(usize, f64)> {
    let own = steps.iter().enumerate().filter_map(|(index, step)| Some((index, mean(run, step)?)));
    own.chain(rest(run, steps).map(|rest| (steps.len(), rest))).collect()
}

fn table(context: &Context<'_>, steps: &[&str]) -> Table {
    let mut table = Table::new(&["step", "attempts", "mean", "p50", "p90", "p99"]);
    for run in context.runs {
        let whose = if context.single().is_some() { String::new() } else { format!("{} ", run.letter) };
        for step in steps.iter().copied().chain(["login"]) {
            let Some(figures) = login(run, step).map(|operation| &operation.figures) else { continue };
            let times = &figures.response_us;
            let mean =
                times.mean.map_or_else(|| tables::MISSING.to_owned(), |mean| quantity(mean, Unit::Micros));
            let percentiles =
                [times.attempted.p50, times.attempted.p90, times.attempted.p99].map(tables::time);
            let head = [format!("{whose}{step}"), show_count(figures.attempts), mean];
            table.rows.push(head.into_iter().chain(percentiles).collect());
        }
        if let Some(rest) = rest(run, steps) {
            let missing = || tables::MISSING.to_owned();
            let head = [format!("{whose}{REST}"), missing(), quantity(rest, Unit::Micros)];
            table.rows.push(head.into_iter().chain([missing(), missing(), missing()]).collect());
        }
    }
    table
}
