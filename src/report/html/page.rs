//! The page itself: its head with the policy, its parts in their order.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::chart::textures;
use super::context::Context;
use super::markup::Markup;
use super::section::{
    about, errors, generator, latency, ledger, login, observed, percentiles, summary, throughput, users,
};
use crate::report::overlay::Run;
use crate::results::EndedEarly;
use crate::units::show_elapsed;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The sections, as the page's own contents list them.
const CONTENTS: [(&str, &str); 12] = [
    ("#verdict", "Verdict"),
    ("#figures", "Figures"),
    ("#latency", "Latency"),
    ("#percentiles", "Percentiles"),
    ("#throughput", "Throughput"),
    ("#users", "Users"),
    ("#login", "Login"),
    ("#errors", "Errors"),
    ("#ledger", "Account"),
    ("#generator", "Generator"),
    ("#server", "Server"),
    ("#about", "What was run"),
];

/// The report of one result, or of several laid over each other.
pub fn render(runs: &[Run]) -> String {
    let context = Context::new(runs);
    let mut page = Markup::new();
    page.verbatim("<!DOCTYPE html>\n");
    page.open("html", &[("lang", "en")]);
    head(&mut page, &title(runs));
    page.open("body", &[]);
    textures(&mut page);
    page.leaf("a", &[("class", "skip"), ("href", "#verdict")], "To the verdict");
    page.within("header", &[], |page| {
        page.leaf("h1", &[], &title(runs));
        intro(page, &context);
    });
    let mut main = Markup::new();
    sections(&mut main, &context);
    contents(&mut page, &main);
    page.within("main", &[], |page| page.append(main));
    page.within("footer", &[], |page| page.text(FOOTER));
    page.within("script", &[], |page| page.verbatim(SCRIPT));
    let mut text = page.into_text();
    text.push('\n');
    text
}

const FOOTER: &str = "Made by xmpp-bench. The result file holds more: every histogram whole, and every second. Never average \
                      percentiles; add histograms.";

fn sections(page: &mut Markup, context: &Context<'_>) {
    summary::verdicts(page, context);
    summary::write(page, context);
    latency::write(page, context);
    percentiles::write(page, context);
    throughput::write(page, context);
    users::write(page, context);
    login::write(page, context);
    errors::write(page, context);
    ledger::write(page, context);
    generator::write(page, context);
    observed::write(page, context);
    about::write(page, context);
}

fn title(runs: &[Run]) -> String {
    match runs {
        [run] => {
            let server = run.result.target.identity.as_ref();
            let server =
                server.map_or_else(|| run.result.target.domain.clone(), |server| server.name.clone());
            format!("{} on {server}", run.result.profile.name)
        }
        _ => format!("{} results", runs.len()),
    }
}

fn head(page: &mut Markup, title: &str) {
    page.within("head", &[], |page| {
        page.empty("meta", &[("charset", "utf-8")]);
        page.empty("meta", &[("http-equiv", "Content-Security-Policy"), ("content", &policy())]);
        page.empty("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
        page.empty("meta", &[("name", "color-scheme"), ("content", "light dark")]);
        page.empty("meta", &[("name", "referrer"), ("content", "no-referrer")]);
        page.leaf("title", &[], &format!("{title} – xmpp-bench"));
        page.within("style", &[], |page| page.verbatim(STYLE));
    });
}

/// Nothing is fetched, sent, framed or run but what stands in the page, known by its hash.
fn policy() -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let (style, script) = (hash(STYLE), hash(SCRIPT));
    format!("default-src 'none'; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'")
}

fn intro(page: &mut Markup, context: &Context<'_>) {
    if context.runs.len() > 1 {
        page.within("ol", &[("class", "runs")], |page| {
            for (index, run) in context.runs.iter().enumerate() {
                page.within("li", &[], |page| {
                    page.within("svg", &[("viewBox", "0 0 28 12"), ("aria-hidden", "true")], |page| {
                        page.empty("path", &[("class", super::chart::run_class(index)), ("d", "M0 6H28")]);
                    });
                    page.leaf("bdi", &[], &format!("{}: {}", run.letter, run.name));
                });
            }
        });
        if !context.phases_agree() {
            page.leaf("p", &[("class", "note")], PHASES_DIFFER);
        }
        for run in context.runs {
            if let Some(EndedEarly { reason, at_s }) = &run.result.ended_early {
                let at = show_elapsed(at_s.clamp(0.0, 1e9) as u64);
                let text = format!("{} ended before its plan did, at {at}: {reason}.", run.letter);
                page.leaf("p", &[("class", "note")], &text);
            }
        }
    }
    if !context.left_out.is_empty() {
        page.leaf("p", &[("class", "note")], &format!("No charts for {}.", context.left_out.join(", ")));
    }
}

const PHASES_DIFFER: &str =
    "The runs' phases differ: those drawn behind charts of several are the first run's.";

fn contents(page: &mut Markup, main: &Markup) {
    page.within("nav", &[("aria-label", "Contents")], |page| {
        page.open("ul", &[]);
        for (anchor, name) in CONTENTS {
            if main.has_id(anchor.trim_start_matches('#')) {
                page.within("li", &[], |page| page.leaf("a", &[("href", anchor)], name));
            }
        }
        page.close();
    });
    page.line();
}
