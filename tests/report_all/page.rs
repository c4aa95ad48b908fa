use std::path::Path;

use xmpp_bench::report::{RUNS_MAX, Run, html};
use xmpp_bench::results::{RunResult, file};

use crate::parsed::{Parsed, parse};
use crate::world;

pub fn kept(name: &str) -> RunResult {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("results").join(name);
    file::read(&path).expect("results in the repository are readable")
}

/// The chart of this title, with its table.
pub fn chart<'a>(page: &'a str, title: &str) -> &'a str {
    let title = format!("<strong>{title}</strong>");
    let chart = &page[page.find(&title).unwrap_or_else(|| panic!("no {title}"))..];
    &chart[..chart.find("</figure>").expect("its end")]
}

pub fn run_of(name: &str, result: RunResult) -> Vec<Run> {
    Run::all([(name.to_owned(), result)])
}

/// Everything a page may be made of.
const ELEMENTS: &[&str] = &[
    "defs",
    "pattern",
    "a",
    "bdi",
    "body",
    "details",
    "div",
    "figcaption",
    "figure",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "head",
    "header",
    "html",
    "li",
    "line",
    "main",
    "meta",
    "nav",
    "ol",
    "p",
    "path",
    "pre",
    "rect",
    "script",
    "section",
    "span",
    "strong",
    "style",
    "summary",
    "svg",
    "table",
    "tbody",
    "td",
    "text",
    "th",
    "thead",
    "title",
    "tr",
    "ul",
];
const ATTRIBUTES: &[&str] = &[
    "patternUnits",
    "aria-hidden",
    "aria-label",
    "aria-labelledby",
    "charset",
    "class",
    "content",
    "d",
    "data-bottom",
    "data-column-s",
    "data-columns",
    "data-left",
    "data-right",
    "data-seconds",
    "data-top",
    "height",
    "href",
    "http-equiv",
    "id",
    "lang",
    "name",
    "role",
    "scope",
    "tabindex",
    "viewBox",
    "width",
    "x",
    "x1",
    "x2",
    "y",
    "y1",
    "y2",
];

/// What every page owes, whatever it is about.
pub fn assert_sound(page: &str) -> Parsed {
    let parsed = parse(page);
    for element in parsed.elements.keys() {
        assert!(ELEMENTS.contains(&element.as_str()), "<{element}> is none of ours");
    }
    for attribute in &parsed.attributes {
        assert!(ATTRIBUTES.contains(&attribute.as_str()), "{attribute}= is none of ours");
    }
    let distinct: std::collections::BTreeSet<&String> = parsed.ids.iter().collect();
    assert_eq!(distinct.len(), parsed.ids.len(), "an id stands twice: {:?}", parsed.ids);
    for link in &parsed.links {
        let anchor = link.strip_prefix('#').expect("links stay in the page");
        assert!(parsed.ids.iter().any(|id| id == anchor), "{link} leads nowhere");
    }
    for (element, count) in [("script", 1), ("style", 1), ("h1", 1), ("main", 1), ("title", 1)] {
        assert_eq!(parsed.count(element), count, "<{element}>");
    }
    let pictures = page.matches("role=\"img\"").count();
    assert_eq!(pictures, parsed.count("figure"), "every figure has its picture");
    assert!(parsed.count("table") >= pictures, "every picture has its table");
    assert_eq!(parsed.count("figure"), parsed.count("figcaption"));
    parsed
}

#[test]
fn every_result_kept_becomes_a_sound_page_that_says_its_verdict_first() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
    let mut seen = 0;
    for folder in [folder.clone(), folder.join("profiles")] {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let Ok(result) = file::read(&path) else { continue };
            let state = result.verdict.state.as_str();
            let kinds = ["message", "groupchat", "presence"].into_iter().zip([
                result.ledger.message,
                result.ledger.groupchat,
                result.ledger.presence,
            ]);
            let owed: Vec<_> =
                kinds.filter(|(_, counts)| counts.expected > 0).map(|(kind, _)| kind).collect();
            let page = html::render(&run_of("a.json", result));
            let parsed = assert_sound(&page);
            let place =
                |what: &str| page.find(what).unwrap_or_else(|| panic!("{}: no {what}", path.display()));
            assert!(place(&format!("<p class=\"state\">{state}</p>")) < place("id=\"figures\""));
            for section in
                ["latency", "percentiles", "throughput", "users", "login", "errors", "ledger", "generator"]
            {
                assert!(parsed.ids.iter().any(|id| id == section), "{}: {section}", path.display());
            }
            let ledger = &page[place("id=\"ledger\"")..];
            assert!(owed.iter().all(|kind| ledger.contains(&format!("<th scope=\"row\">{kind}</th>"))));
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen}");
}

#[test]
fn several_results_lie_over_each_other() {
    let runs = Run::all([
        ("prosody.json".to_owned(), kept("quickstart-prosody.json")),
        ("ejabberd.json".to_owned(), kept("quickstart-ejabberd.json")),
    ]);
    let page = html::render(&runs);
    assert_sound(&page);
    for words in [
        "A: prosody.json",
        "B: ejabberd.json",
        "line r0",
        "line r1",
        "A p50",
        "B p50",
        "A done",
        "B done",
        "Over the measured phases; logins, and what happened in none of them, over the whole run.",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let many = (0..RUNS_MAX + 3).map(|number| (format!("{number}.json"), world::valid()));
    let runs = Run::all(many);
    assert_eq!(runs.len(), RUNS_MAX);
    assert_sound(&html::render(&runs));
}

/// A stream is opened three times in a login: its bar is three times its mean, and all bars are the login's.
#[test]
fn the_steps_of_a_login_add_up_to_it() {
    let result = kept("quickstart-prosody.json");
    let mean = |name: &str| result.operations[name].figures.response_us.mean.expect("there were some");
    let page = html::render(&run_of("a.json", result.clone()));
    let section = &page[page.find("id=\"login-steps\"").expect("the figure")..];
    let per_login = |row: &str| -> f64 {
        let row = &section[section.find(&format!("<th scope=\"row\">{row}</th>")).expect("its row")..];
        let cell =
            row.split("<td class=\"n\">").nth(1).expect("a cell").split("</td>").next().expect("its end");
        let (number, unit) = cell.split_once('\u{a0}').expect("a number and its unit");
        number.parse::<f64>().expect("a number") * if unit == "ms" { 1_000.0 } else { 1.0 }
    };
    let stream = per_login("login.stream");
    assert!((stream - 3.0 * mean("login.stream")).abs() < 100.0, "{stream}");
    let steps =
        ["tcp", "tls", "stream", "auth", "bind", "roster"].map(|step| per_login(&format!("login.{step}")));
    let all = steps.iter().sum::<f64>() + per_login("waiting, in no step");
    assert!((all - mean("login")).abs() < 150.0, "{all} of {}: within what three digits lose", mean("login"));
}

#[test]
fn a_run_that_observed_its_server_shows_its_cpu_and_memory_and_what_the_load_cost() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/results_all/corpus/1.2-observed.json");
    let result = file::read(&corpus).expect("a result that stays readable");
    let runs = run_of("observed.json", result);
    let page = html::render(&runs);
    let parsed = assert_sound(&page);
    let section = &page[page.find("id=\"server\"").expect("the section")..];
    for words in
        ["<strong>CPU, share of one core</strong>", "<strong>memory</strong>", "of CPU per 1,000 messages"]
    {
        assert!(section.contains(words), "{words}");
    }
    assert!(parsed.links.iter().any(|link| link == "#server"));
    assert!(xmpp_bench::report::markdown::render(&runs).contains("### Server, observed beside the load"));
}

#[test]
fn what_is_missing_is_a_gap_and_what_never_completed_is_beyond_every_deadline() {
    use xmpp_bench::results::{LedgerCounts, Totals, VerdictState, assemble};
    use xmpp_bench::sample::Outcome;
    let mut totals = Totals::new(world::layout()).expect("a small layout");
    // A fifth of those intended in the seconds 4 to 6 is lost.
    world::feed(&mut totals, 20_000, |n| {
        if (4_000..8_000).contains(&n) && n % 5 == 0 { Outcome::Lost } else { Outcome::Ok }
    });
    totals.close_interval();
    let counts = LedgerCounts::default();
    let conclusion = world::conclusion(VerdictState::Valid, Vec::new(), counts);
    let result = assemble(world::preamble(), &totals, conclusion, true);
    let page = html::render(&run_of("a.json", result));
    assert_sound(&page);
    let bands = &page[page.find("id=\"latency-message-delivery\"").expect("the figure")..];
    let bands = &bands[..bands.find("</figure>").expect("its end")];
    let row = |second: &str| {
        let start = bands.find(&format!("<th scope=\"row\">{second}</th>")).expect("a row");
        let row = &bands[start..];
        row[..row.find("</tr>").expect("its end")].replace("<td class=\"n\">", "|").replace("</td>", "")
    };
    assert!(row("0:00").ends_with("|0|0|–|–|–"), "{}", row("0:00"));
    assert!(row("0:02").contains("|2,000|0|1"), "{}", row("0:02"));
    assert!(
        row("0:04").contains("|2,000|400|") && row("0:04").ends_with("|&gt; deadline|&gt; deadline"),
        "{}",
        row("0:04")
    );
    let errors = &page[page.find("id=\"errors-a-message-delivery\"").expect("the figure")..];
    assert!(errors.contains("<span>lost: 800</span>"), "told by class");
}
