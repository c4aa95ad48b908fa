//! Files somebody forged, servers that say what they like, and files that were cut.

use xmpp_bench::report::{Run, csv, hlog, html, markdown};
use xmpp_bench::results::{
    Buckets, ErrorCount, IntervalHistogram, RunResult, ServerIdentity, TlsFacts, file,
};

use crate::page::{assert_sound, kept, run_of};
use crate::world;

/// Texts that would like to be more than text.
pub const HOSTILE: &[&str] = &[
    "</script><script>window.pwned=1</script>",
    "</style><img src=x onerror=window.pwned=1>",
    "\"><svg onload=window.pwned=1>",
    "' onmouseover='window.pwned=1' x='",
    "<!--",
    "-->",
    "]]>",
    "<![CDATA[",
    "&lt;b&gt;&#x3c;i&#x3e;",
    "</title></textarea></pre></table><h1>owned</h1>",
    "\u{202e}drowssap\u{2066} \u{200f}\u{feff}\u{200b}",
    "\0\u{1b}[31m\r\n\t\u{7f}\u{85}\u{2028}\u{fffe}",
    "javascript:window.pwned=1",
    "=HYPERLINK(\"http://example.org\")",
    "| a | b |\n|---|---|\n# no `x` ``",
    "@everyone <b>",
];

/// A result in which everything a peer or a file can say is hostile.
pub fn hostile() -> RunResult {
    let all = HOSTILE.join(" ");
    let mut result = world::valid();
    result.profile.name.clone_from(&all);
    result.profile.text.clone_from(&all);
    result.profile.overrides = vec![all.clone()];
    result.run_id.clone_from(&all);
    result.started.clone_from(&all);
    result.command = vec![all.clone()];
    result.tool.name.clone_from(&all);
    result.host.system.clone_from(&all);
    result.host.kernel = Some(all.clone());
    result.host.preflight = vec![all.clone()];
    result.target.urls = vec![all.clone()];
    result.target.domain.clone_from(&all);
    result.target.trust.clone_from(&all);
    result.target.tls =
        Some(TlsFacts { version: all.clone(), cipher: all.clone(), mode: all.clone(), ..Default::default() });
    result.target.identity =
        Some(ServerIdentity { name: all.clone(), version: all.clone(), os: Some(all.clone()) });
    result.verdict.notes = vec![all.clone()];
    for evidence in &mut result.verdict.evidence {
        evidence.predicate.clone_from(&all);
        evidence.window.clone_from(&all);
        evidence.phase = Some(all.clone());
    }
    for slo in &mut result.slo {
        slo.name.clone_from(&all);
        slo.bound.clone_from(&all);
        slo.phase.clone_from(&all);
        slo.population.of.clone_from(&all);
        slo.reason.clone_from(&all);
    }
    for phase in &mut result.phases {
        phase.name = format!("{all} {}", phase.name);
        rename(&mut phase.operations);
    }
    rename(&mut result.operations);
    rename(&mut result.series.operations);
    for series in result.series.operations.values_mut() {
        series.outcomes = HOSTILE.iter().map(|text| ((*text).to_owned(), vec![(3, 5)])).collect();
    }
    result.errors = HOSTILE
        .iter()
        .map(|text| ErrorCount {
            class: (*text).to_owned(),
            step: (*text).to_owned(),
            condition: (*text).to_owned(),
            count: 7,
            example: (*text).to_owned(),
        })
        .collect();
    result
}

/// Gives each operation a hostile name of its own.
fn rename<T>(operations: &mut std::collections::BTreeMap<String, T>) {
    let old = std::mem::take(operations);
    operations.extend(old.into_iter().map(|(name, value)| (format!("{name}{}", HOSTILE.join(" ")), value)));
}

#[test]
fn hostile_text_stays_text_in_every_form() {
    let runs = run_of(&HOSTILE.join(" "), hostile());
    let parsed = assert_sound(&html::render(&runs));
    for text in [
        "</script><script>window.pwned=1</script>",
        "[U+202E]drowssap[U+2066]",
        "␀␛[31m␍␊␉␡[U+0085][U+2028][U+FFFE]",
    ] {
        assert!(parsed.text.contains(text), "{text} is shown");
    }
    let lines = csv::render(&runs, csv::Rows::Seconds);
    assert_eq!(lines.lines().count(), 1 + runs[0].seconds(), "no text breaks a line");
    assert!(!csv::render(&runs, csv::Rows::Operations).contains('\u{1b}'));
    let log = hlog::render(&runs[0]);
    assert!(log.lines().all(|line| line.starts_with(['#', '"']) || line.starts_with("Tag=")), "{log}");
    let text = markdown::render(&runs);
    let outside = outside_code(&text);
    assert!(!outside.contains(['<', '@', '\u{1b}', '\u{202e}', '[']), "{outside}");
    let two = Run::all([(HOSTILE.join(" "), hostile()), ("b".to_owned(), hostile())]);
    assert_sound(&html::render(&two));
}

/// Markdown without its code spans (`CommonMark` 0.31, section 6.1: a span ends at a run of backticks as long as the one that
/// opens it).
fn outside_code(text: &str) -> String {
    let mut rest = text;
    let mut outside = String::new();
    while let Some(start) = rest.find('`') {
        outside.push_str(&rest[..start]);
        let fence = rest[start..].chars().take_while(|&c| c == '`').count();
        let body = &rest[start + fence..];
        let mut at = 0;
        let end = loop {
            let next = at + body[at..].find('`').expect("every span is closed");
            let run = body[next..].chars().take_while(|&c| c == '`').count();
            if run == fence {
                break next + run;
            }
            at = next + run;
        };
        rest = &body[end..];
    }
    outside.push_str(rest);
    outside
}

#[test]
fn forged_numbers_make_a_page_that_says_so_and_never_a_panic() {
    let mut result = kept("quickstart-prosody.json");
    result.series.seconds = u32::MAX;
    result.phases[0].start_s = -1e300;
    result.phases[0].end_s = 1e300;
    result.phases[2].start_s = 1e18;
    result.verdict.evidence[0].bound = f64::MAX;
    result.generator.workers[0].busy = 1e300;
    let series = result.series.operations.get_mut("message.delivery").expect("it has messages");
    series.asked = vec![u64::MAX; 40];
    series.done = vec![];
    series.errors = vec![u64::MAX; 3];
    series.outcomes = [("lost".to_owned(), vec![(u32::MAX, 3), (1, u64::MAX), (1, u64::MAX)])].into();
    series.response.push(IntervalHistogram {
        start_s: u32::MAX,
        length_s: 0,
        buckets: Buckets(vec![(1, 1)]),
    });
    series.response.push(IntervalHistogram {
        start_s: 1,
        length_s: 1,
        buckets: Buckets(vec![(u16::MAX, u64::MAX)]),
    });
    let ping = result.operations.get_mut("ping").expect("it has pings");
    ping.figures.attempts = u64::MAX;
    ping.figures.response_us.histogram = "nonsense".into();
    let login = result.operations.get_mut("login").expect("it has logins");
    login.figures.response_us.mean = Some(-1e300);
    result.series.users_online = vec![Some(u64::MAX), None, Some(0)];
    let runs = run_of("forged.json", result);
    let parsed = assert_sound(&html::render(&runs));
    assert!(parsed.text.contains("the file contradicts itself"), "it is said");
    for text in [
        csv::render(&runs, csv::Rows::Seconds),
        csv::render(&runs, csv::Rows::Operations),
        hlog::render(&runs[0]),
        markdown::render(&runs),
    ] {
        assert!(!text.is_empty());
    }
}

/// Every cut of a result, and of the journal of the same run, is either refused in words or a report.
#[test]
fn a_file_cut_anywhere_is_refused_in_words_or_read_as_far_as_it_goes() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = folder.path().join("cut.json");
    let mut result = world::valid();
    // A short file, so that every cut can be tried.
    result.phases.clear();
    result.operations.retain(|name, _| name == "ping");
    result.series.operations.retain(|name, _| name == "ping");
    let whole = serde_json::to_vec(&result).expect("it is written");
    for end in 0..whole.len() {
        std::fs::write(&path, &whole[..end]).expect("it is written");
        let error = file::read(&path).expect_err("half a file is no result").to_string();
        assert!(error.contains("cut.json"), "{end}: {error}");
        assert!(end == 0 || error.contains("is cut short"), "{end}: {error}");
    }
}
