//! Prometheus' text format, as far as chosen series are wanted of it (version 0.0.4, and the lines of `OpenMetrics`, which are
//! the same for this purpose).
//!
//! The libraries for it either write only or are no longer kept; what is needed here is one pass over lines. A line that
//! cannot be read is counted and passed over: an exporter's slip must not cost the other metrics.

use std::collections::BTreeMap;

use crate::profile::Selector;

/// What a page holds of the series wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sums {
    /// For each selector the sum over the series that match; nothing where none does.
    pub(super) values: Vec<Option<f64>>,
    /// What each family of metrics is, by name.
    pub(super) types: BTreeMap<String, String>,
    /// The names of all samples.
    pub(super) names: std::collections::BTreeSet<String>,
    /// Lines that could not be read.
    pub(super) bad_lines: u64,
}

/// Reads a page.
pub(super) fn read(text: &str, wanted: &[Selector]) -> Sums {
    let mut sums = Sums { values: vec![None; wanted.len()], ..Sums::default() };
    for line in text.lines() {
        let line = line.trim();
        if let Some(comment) = line.strip_prefix('#') {
            let mut words = comment.split_whitespace();
            if let (Some("TYPE"), Some(name), Some(kind)) = (words.next(), words.next(), words.next()) {
                sums.types.insert(name.to_owned(), kind.to_owned());
            }
        } else if !line.is_empty() {
            match sample(line) {
                Some(sample) => add(&mut sums, &sample, wanted),
                None => sums.bad_lines += 1,
            }
        }
    }
    sums
}

/// Whether a sample of this name only grows, by what the page says or by how it is called.
pub(super) fn is_counter(name: &str, types: &BTreeMap<String, String>) -> bool {
    let family = |suffix: &str| name.strip_suffix(suffix).and_then(|family| types.get(family));
    if let Some(kind) = types.get(name).or_else(|| family("_total")) {
        return kind == "counter";
    }
    let parts = ["_bucket", "_count", "_sum"];
    if let Some(kind) = parts.into_iter().find_map(family) {
        return kind == "histogram" || kind == "summary";
    }
    name.ends_with("_total")
}

/// What the page says a sample of this name is, where it says so and that does not only grow.
pub(super) fn other_than_counter<'a>(name: &str, types: &'a BTreeMap<String, String>) -> Option<&'a str> {
    let kind = types.get(name).or_else(|| types.get(name.strip_suffix("_total")?))?;
    // Exporters that do not know, and say so.
    let says_nothing = ["untyped", "unknown"].contains(&kind.as_str());
    (!says_nothing && kind != "counter").then_some(kind.as_str())
}

struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, String)>,
    value: f64,
}

fn add(sums: &mut Sums, sample: &Sample<'_>, wanted: &[Selector]) {
    if !sums.names.contains(sample.name) {
        sums.names.insert(sample.name.to_owned());
    }
    for (selector, sum) in wanted.iter().zip(&mut sums.values) {
        let has = |(name, value): &(String, String)| {
            sample.labels.iter().any(|(own, is)| own == name && is == value)
        };
        // What is no number (NaN: nothing observed yet) adds nothing, and is nothing alone.
        if selector.metric == sample.name && selector.labels.iter().all(has) && sample.value.is_finite() {
            *sum = Some(sum.unwrap_or(0.0) + sample.value);
        }
    }
}

/// `name{label="value",…} value [timestamp] [# exemplar]`
fn sample(line: &str) -> Option<Sample<'_>> {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let end = line.find(|c| !inside(c))?;
    let (name, rest) = line.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let rest = rest.trim_start();
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = rest.split_whitespace().next()?;
    Some(Sample { name, labels, value: value.parse().ok()? })
}

/// The labels up to the closing brace, and what stands behind it.
fn labels(mut rest: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((labels, behind));
        }
        let (name, after) = rest.split_once('=')?;
        let (value, behind) = quoted(after.trim_start().strip_prefix('"')?)?;
        labels.push((name.trim(), value));
        rest = behind;
    }
}

/// The text up to the closing quote, and what stands behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(metric: &str, labels: &[(&str, &str)]) -> Selector {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Selector { metric: metric.to_owned(), labels }
    }

    const PAGE: &str = r#"
# HELP node_cpu_seconds_total Seconds the CPUs spent in each mode.
# TYPE node_cpu_seconds_total counter
node_cpu_seconds_total{cpu="0",mode="user"} 10.5
node_cpu_seconds_total{cpu="1",mode="user"} 2
node_cpu_seconds_total{cpu="1",mode="idle"} 1e3
# TYPE node_load1 gauge
node_load1 0.25 1700000000000
# TYPE rpc histogram
rpc_bucket{le="0.1"} 3 # {trace="abc"} 0.05
rpc_bucket{le="+Inf"} 4
rpc_sum 1.5
rpc_count 4
# TYPE jobs counter
jobs_total{path="a\\b\"c\nd",} 7
empty NaN
no value here
{name="x"} 1
broken{a="b} 1
"#;

    #[test]
    fn matching_series_are_added_up_and_the_rest_is_let_be() {
        let wanted = [
            selector("node_cpu_seconds_total", &[("mode", "user")]),
            selector("node_cpu_seconds_total", &[]),
            selector("node_load1", &[]),
            selector("rpc_bucket", &[("le", "0.1")]),
            selector("jobs_total", &[("path", "a\\b\"c\nd")]),
            selector("empty", &[]),
            selector("absent_total", &[]),
            selector("node_load1", &[("mode", "user")]),
        ];
        let sums = read(PAGE, &wanted);
        let expected = [Some(12.5), Some(1_012.5), Some(0.25), Some(3.0), Some(7.0), None, None, None];
        assert_eq!(sums.values, expected);
        assert_eq!(sums.bad_lines, 3, "no number, no name, no end");
    }

    #[test]
    fn what_only_grows_is_told_by_the_page_or_by_the_name() {
        let types = read(PAGE, &[]).types;
        for name in
            ["node_cpu_seconds_total", "jobs_total", "rpc_bucket", "rpc_sum", "rpc_count", "unknown_total"]
        {
            assert!(is_counter(name, &types), "{name}");
        }
        for name in ["node_load1", "unknown", "unknown_sum", "empty"] {
            assert!(!is_counter(name, &types), "{name}");
        }
    }

    #[test]
    fn a_page_may_say_that_something_is_no_counter_or_may_not_say() {
        let page = "# TYPE a_seconds gauge\n# TYPE b_seconds_total counter\n# TYPE c_seconds untyped\n\
                    # TYPE d_seconds counter\n# TYPE e_seconds gauge\n# TYPE f_seconds summary\n";
        let types = read(page, &[]).types;
        for (name, kind) in [("a_seconds", "gauge"), ("e_seconds_total", "gauge"), ("f_seconds", "summary")] {
            assert_eq!(other_than_counter(name, &types), Some(kind), "{name}");
        }
        for name in ["b_seconds_total", "c_seconds", "d_seconds_total", "f_seconds_sum", "g_seconds"] {
            assert_eq!(other_than_counter(name, &types), None, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_page_makes_the_reader_panic(text in "([a-z_:]{0,5}|[{}=\"\\\\, #\n0-9.+é]|TYPE|NaN|1e999)*") {
            let sums = read(&text, &[selector("a", &[]), selector("a", &[("b", "1")])]);
            proptest::prop_assert!(sums.values.iter().flatten().all(|value| value.is_finite()));
        }
    }
}
