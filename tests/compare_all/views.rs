//! What a person, a pull request and a pipeline read, as reviewed; and that nothing a file says becomes markup.

use xmpp_bench::compare::{Comparison, Judgement, Options, Run, compare, comparison_schema};

use crate::runs::{Values, around, compared, result, template};

const OFF: [f64; 8] = [0.99, 1.0, 1.01, 1.02, 0.98, 1.005, 0.995, 1.015];
const BASE: Values = Values { p50: 457.0, p99: 1_633.0, loss: 0.0 };

/// Eight against eight: the median a little better, p99 a third worse, some loss.
fn mixed() -> Comparison {
    let turned: Vec<f64> = OFF.iter().rev().copied().collect();
    let new = Values { p50: BASE.p50 * 0.97, p99: BASE.p99 * 1.34, loss: 0.000_4 };
    let gates = ["message.delivery.p50 <= +10%", "message.delivery.p99 <= +10%", "message.loss <= +0.03pp"];
    let gates = gates.iter().map(|text| text.parse().unwrap()).collect();
    compared(&around(BASE, &OFF), &around(new, &turned), &Options { gates, ..Options::default() })
}

#[test]
fn eight_against_eight_as_reviewed() {
    let comparison = mixed();
    insta::assert_snapshot!("table_80", comparison.text(80, false));
    insta::assert_snapshot!("table_200", comparison.text(200, false));
    insta::assert_snapshot!("markdown", comparison.markdown());
    insta::assert_snapshot!("junit", comparison.junit());
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&comparison).unwrap());
}

#[test]
fn few_runs_and_single_runs_as_reviewed() {
    let (base, new) = (around(BASE, &OFF), around(Values { p50: 600.0, ..BASE }, &OFF));
    insta::assert_snapshot!(
        "four_runs",
        compared(&base[..4], &new[..4], &Options::default()).text(80, false)
    );
    let real = |name: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("results").join(name);
        Run::of(name, &xmpp_bench::results::file::read(&path).unwrap())
    };
    let single =
        compare(&[real("quickstart-prosody.json")], &[real("quickstart-ejabberd.json")], &Options::default());
    insta::assert_snapshot!("single_runs", single.unwrap().text(80, false));
}

#[test]
fn nothing_is_wider_than_the_terminal_and_colour_only_repeats_words() {
    let comparison = mixed();
    for width in [80, 100, 200] {
        let plain = comparison.text(width, false);
        for line in plain.lines() {
            assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
        }
        let coloured = comparison.text(width, true);
        assert!(coloured.contains("\u{1b}[1;31m"), "{coloured}");
        let stripped = ["\u{1b}[1;31m", "\u{1b}[1;32m", "\u{1b}[1;33m", "\u{1b}[0m"];
        assert_eq!(stripped.iter().fold(coloured, |text, code| text.replace(code, "")), plain);
    }
}

#[test]
fn the_json_is_as_its_schema_says_and_comes_back_as_it_was() {
    let comparison = mixed();
    let value = serde_json::to_value(&comparison).unwrap();
    let validator = jsonschema::validator_for(&comparison_schema()).unwrap();
    let wrong: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(value["schema"], "xmpp-bench/comparison/1.2");
    assert_eq!(serde_json::from_value::<Comparison>(value).unwrap(), comparison);
}

/// Everything a file's author chooses.
const HOSTILE: &str = "x</testcase>]]>\"'&`|<img src=x onerror=alert(1)>\u{1b}[31m\n# @all [a](javascript:1) \u{0}\u{fffe}\u{202e}";

fn hostile() -> Comparison {
    let side = |name: &str| -> Vec<Run> {
        let one = |seed: u64| {
            let mut result = result(&template(), seed, name, BASE);
            let operation = result.operations.remove("message.delivery").unwrap();
            result.operations.insert(HOSTILE.to_owned(), operation);
            result.profile.activities = vec![xmpp_bench::results::Activity {
                operations: vec![HOSTILE.to_owned()],
                ..Default::default()
            }];
            HOSTILE.clone_into(&mut result.profile.name);
            result.host.kernel = Some(format!("{name}{HOSTILE}"));
            let identity = result.target.identity.as_mut().unwrap();
            (identity.name, identity.version) = (HOSTILE.to_owned(), HOSTILE.to_owned());
            result.target.urls = vec![HOSTILE.to_owned()];
            Run::of(&format!("{HOSTILE}{name}{seed}"), &result)
        };
        (1..=5).map(one).collect()
    };
    compare(&side("base"), &side("new"), &Options::default()).unwrap()
}

#[test]
fn what_files_say_stays_text() {
    let comparison = hostile();
    let table = comparison.text(80, false);
    assert!(table.chars().all(|c| c == '\n' || !c.is_control()) && !table.contains('\u{202e}'), "{table:?}");
    let markdown = comparison.markdown();
    for markup in ["<img", "](javascript", "@all", "`|<", "\n#  @"] {
        assert!(!markdown.contains(markup), "`{markup}` got through:\n{markdown}");
    }
    let columns = |line: &str| line.matches('|').count();
    let rows: Vec<&str> = markdown.lines().filter(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 3 && rows.iter().all(|line| columns(line) == 8), "{rows:#?}");
}

/// A second parser, strict, which shares nothing with the writer.
#[test]
fn junit_is_xml_whatever_files_say() {
    use rxml::{Event, Parse};
    for (comparison, cases, troubles) in [(mixed(), 3, 2), (hostile(), 3, 0)] {
        let text = comparison.junit();
        let mut parser = rxml::Parser::default();
        let mut input = text.as_bytes();
        let (mut depth, mut seen, mut trouble) = (0usize, 0, 0);
        while let Some(event) =
            parser.parse(&mut input, true).unwrap_or_else(|error| panic!("{error:?}: {text}"))
        {
            match event {
                Event::StartElement(_, (_, name), _) => {
                    depth += 1;
                    seen += usize::from(name.as_str() == "testcase");
                    trouble += usize::from(matches!(name.as_str(), "failure" | "error"));
                }
                Event::EndElement(_) => depth -= 1,
                _ => {}
            }
        }
        assert_eq!((depth, seen, trouble), (0, cases, troubles), "{text}");
        assert!(text.contains(&format!("tests=\"{cases}\"")), "{text}");
    }
}

#[test]
fn what_matters_is_said_first() {
    let comparison = mixed();
    let worse: Vec<&str> = comparison
        .rows
        .iter()
        .filter(|row| row.judgement == Judgement::Worse)
        .map(|row| row.measure.as_str())
        .collect();
    assert!(worse.contains(&"message.delivery.p99") && worse.contains(&"message.loss"), "{worse:?}");
    let trifle = comparison.rows.iter().find(|row| row.measure == "message.delivery.p50").unwrap();
    assert_eq!(trifle.judgement, Judgement::Trifle, "three percent are no news: {trifle:?}");
}
