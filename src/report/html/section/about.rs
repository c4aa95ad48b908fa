//! What was run: the server, the machine, the profile, the command.

use crate::report::html::chart::Table;
use crate::report::html::context::{Context, section};
use crate::report::html::markup::Markup;
use crate::report::overlay::Run;
use crate::report::summary::window_of;
use crate::results::{Host, Target};
use crate::units::{ByteCount, show_count, show_elapsed};

/// The section.
pub fn write(page: &mut Markup, context: &Context<'_>) {
    section(page, "about", "What was run", |page| {
        let facts: Vec<Vec<(&str, String)>> = context.runs.iter().map(facts).collect();
        let heads: Vec<String> = context
            .runs
            .iter()
            .map(|run| match context.single() {
                Some(_) => run.name.clone(),
                None => format!("{}: {}", run.letter, run.name),
            })
            .collect();
        let heads: Vec<&str> = [""].into_iter().chain(heads.iter().map(String::as_str)).collect();
        let mut table = Table::new(&heads);
        for (place, (name, _)) in facts.first().into_iter().flatten().enumerate() {
            let cells = facts.iter().filter_map(|facts| facts.get(place)).map(|(_, text)| text.clone());
            table.rows.push([(*name).to_owned()].into_iter().chain(cells).collect());
        }
        table.write(page, "What was run");
        for run in context.runs {
            phases(page, run);
        }
        for run in context.runs {
            profile(page, run);
        }
    });
}

fn facts(run: &Run) -> Vec<(&'static str, String)> {
    let result = &run.result;
    let or_dash = |text: Option<&String>| text.map_or_else(|| "–".to_owned(), Clone::clone);
    vec![
        ("server", server(&result.target)),
        ("target", result.target.urls.join(", ")),
        ("domain", result.target.domain.clone()),
        ("offered", offered(&result.target)),
        ("TLS", tls(&result.target)),
        ("profile", result.profile.name.clone()),
        (
            "overrides",
            if result.profile.overrides.is_empty() {
                "none".to_owned()
            } else {
                result.profile.overrides.join(", ")
            },
        ),
        ("seed", result.seed.to_string()),
        ("started", result.started.clone()),
        ("run", result.run_id.clone()),
        ("made by", format!("{} {}", result.tool.name, result.tool.version)),
        ("command", result.command.join(" ")),
        ("machine", machine(&result.host)),
        ("kernel", or_dash(result.host.kernel.as_ref())),
        (
            "preflight",
            if result.host.preflight.is_empty() {
                "nothing found wanting".to_owned()
            } else {
                result.host.preflight.join("; ")
            },
        ),
        ("exit code", result.exit.code.to_string()),
        (
            "ended early",
            result.ended_early.as_ref().map_or_else(
                || "no".to_owned(),
                |early| format!("{}, at {}", early.reason, show_elapsed(early.at_s.max(0.0) as u64)),
            ),
        ),
        (
            "complete",
            if result.complete {
                "yes".to_owned()
            } else {
                "no: from the journal of a run that was killed".to_owned()
            },
        ),
        ("schema", result.schema.to_string()),
    ]
}

fn server(target: &Target) -> String {
    target.identity.as_ref().map_or_else(
        || "does not say".to_owned(),
        |server| {
            let os = server.os.as_ref().map_or_else(String::new, |os| format!(" on {os}"));
            format!("{server}{os}")
        },
    )
}

fn offered(target: &Target) -> String {
    let names =
        |what: &str, names: &[String]| (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")));
    let both = [names("mechanisms", &target.mechanisms), names("features", &target.features)];
    let text = both.into_iter().flatten().collect::<Vec<_>>().join("; ");
    if text.is_empty() { "not written down".to_owned() } else { text }
}

fn tls(target: &Target) -> String {
    let Some(tls) = &target.tls else { return "none".to_owned() };
    let (full, resumed) = (show_count(tls.handshakes_full), show_count(tls.handshakes_resumed));
    format!(
        "{} {}, {}; {full} full handshakes, {resumed} resumed; trust: {}",
        tls.version, tls.cipher, tls.mode, target.trust
    )
}

fn machine(host: &Host) -> String {
    let memory = host.memory_bytes.map_or_else(String::new, |bytes| format!(", {}", ByteCount(bytes)));
    let model = host.cpu_model.as_ref().map_or_else(String::new, |model| format!(" ({model})"));
    format!("{}, {} CPUs{model}{memory}", host.system, host.cpus)
}

fn phases(page: &mut Markup, run: &Run) {
    let mut table = Table::new(&["phase", "from", "to", "measured"]);
    table.rows = run
        .result
        .phases
        .iter()
        .map(|phase| {
            let at = |seconds: f64| show_elapsed(seconds.clamp(0.0, 1e9) as u64);
            let window = window_of(&run.result, phase);
            if window.end_s <= window.start_s {
                return vec![phase.name.clone(), at(phase.start_s), "–".to_owned(), "not reached".to_owned()];
            }
            let measured = if phase.measured { "✓ yes" } else { "no" };
            vec![phase.name.clone(), at(window.start_s), at(window.end_s), measured.to_owned()]
        })
        .collect();
    table.write(page, &format!("Phases of {}", run.name));
}

fn profile(page: &mut Markup, run: &Run) {
    page.within("details", &[], |page| {
        page.leaf("summary", &[], &format!("Profile of {}", run.name));
        page.open("pre", &[("tabindex", "0")]);
        for (number, line) in run.result.profile.text.lines().enumerate() {
            if number > 0 {
                page.line();
            }
            page.text(line);
        }
        page.close();
    });
    page.line();
}
