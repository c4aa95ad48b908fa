//! Reading `[observe]`, which may stand once or as a list.

use super::super::document::shorten;
use super::super::keys::{Frame, Given, Keys, Readable, Reported};
use super::super::observe::{Observe, ObservedProcess, Scrape, Selector};
use super::super::problem::Wrong;
use super::super::registry::{KeySpec, Presence, Shape};
use super::super::target::Target;
use super::target::host_and_port;
use super::texts;

/// The keys of `[observe]`.
pub const OBSERVE_KEYS: &[KeySpec] = &[
    KeySpec {
        name: "process",
        shape: Shape::Text,
        presence: Presence::Optional,
        doc: "a process of this machine and its descendants, by name (\"beam.smp\"); \"loopback:\" for the embedded server's threads",
    },
    KeySpec {
        name: "pid",
        shape: Shape::Integer(1, PID_MAX),
        presence: Presence::Optional,
        doc: "a process of this machine and its descendants, by number",
    },
    KeySpec {
        name: "prometheus",
        shape: Shape::Text,
        presence: Presence::Optional,
        doc: "a page of metrics instead of a process: \"http://127.0.0.1:9100/metrics\"",
    },
    KeySpec {
        name: "metrics",
        shape: Shape::Texts,
        presence: Presence::Optional,
        doc: "the metrics kept of that page: names, with labels if wanted ('node_load1', 'x_total{mode=\"user\"}'); matching series are added up",
    },
    KeySpec {
        name: "cpu",
        shape: Shape::Text,
        presence: Presence::Optional,
        doc: "the metric of that page that counts the server's CPU seconds, and says so by its name: \"process_cpu_seconds_total\"",
    },
    KeySpec {
        name: "memory",
        shape: Shape::Text,
        presence: Presence::Optional,
        doc: "the metric of that page that is the server's memory in bytes; a name that says another unit is an error",
    },
];

/// The kernel's largest process number.
const PID_MAX: u64 = 1 << 22;
/// More sources than this are a mistake: each has a thread.
pub(in crate::profile) const SOURCES_MAX: usize = 16;
/// More columns of one source than this are a mistake.
const METRICS_MAX: usize = 64;
/// The longest selector, bytes.
const SELECTOR_MAX: usize = 1_000;

/// The keys that go with `prometheus`.
const OF_A_PAGE: [&str; 3] = ["metrics", "cpu", "memory"];

/// Reads one table; `before` are the sources of those before it.
pub(in crate::profile) fn read(
    mut keys: Keys<'_>,
    target: Option<&Target>,
    before: &[&Observe],
) -> Result<Observe, Reported> {
    let given: Vec<&str> = ["process", "pid", "prometheus"].into_iter().filter(|key| keys.has(key)).collect();
    if let [first, second, ..] = given[..] {
        let wrong = Wrong::new(format!("and `{first}` exclude each other"));
        return Err(keys.refuse(second, wrong.help("give each source a table of its own: [[observe]]")));
    }
    keys.all_known()?;
    if !keys.has("prometheus")
        && let Some(key) = OF_A_PAGE.into_iter().find(|key| keys.has(key))
    {
        let wrong = Wrong::new("is of a page of metrics, and no `prometheus` says which");
        return Err(keys.refuse(key, wrong.help("add prometheus = \"http://HOST:PORT/metrics\"")));
    }
    let Some(&kind) = given.first() else {
        let wrong = Wrong::new("[observe] does not say what is observed");
        return Err(keys.say_of("process", wrong.help("add `process`, `pid` or `prometheus`")));
    };
    let source = match kind {
        "process" => Observe::Process(read_process(&mut keys, target)?),
        "pid" => Observe::Process(ObservedProcess::Pid(keys.take("pid")?)),
        _ => Observe::Prometheus(Box::new(read_scrape(&mut keys)?)),
    };
    if before.iter().any(|other| other.is_same_source(&source)) {
        let wrong = Wrong::new("is a source that stands above already: what it uses would be counted twice");
        return Err(keys.refuse(
            kind,
            wrong.help("one table for each source; `metrics` takes as many of a page as are wanted"),
        ));
    }
    Ok(source)
}

fn read_process(keys: &mut Keys<'_>, target: Option<&Target>) -> Result<ObservedProcess, Reported> {
    let name: String = keys.take("process")?;
    if name == "loopback:" {
        return match target {
            Some(target) if !target.uses_loopback() => {
                let wrong = Wrong::new("is the embedded server, and the target is another one");
                Err(keys.refuse("process", wrong.help("name the process of the server under test")))
            }
            _ => Ok(ObservedProcess::EmbeddedServer),
        };
    }
    let wrong = if name.parse::<u32>().is_ok() {
        Wrong::new(format!("must be a name, not the number \"{name}\"")).help(format!("write pid = {name}"))
    } else if name.is_empty() || name.len() > 255 || name.contains('/') || name.chars().any(char::is_control)
    {
        Wrong::new(format!("must be a process's name, not \"{}\"", shorten(&name)))
            .help("the name as `ps -e` shows it, without a path; `pid` takes a number")
    } else if name.eq_ignore_ascii_case("loopback") {
        Wrong::new("must be written \"loopback:\", with the colon, for the embedded server's threads")
    } else {
        return Ok(ObservedProcess::Named(name));
    };
    Err(keys.refuse("process", wrong))
}

fn read_scrape(keys: &mut Keys<'_>) -> Result<Scrape, Reported> {
    let page = keys.take::<Page>("prometheus");
    let metrics = keys.find::<Selectors>("metrics").map(|list| list.map_or_else(Vec::new, |list| list.0));
    let cpu = keys.find::<Selector>("cpu");
    let memory = keys.find::<Selector>("memory");
    let (Page { host, port, path }, metrics) = (page?, metrics?);
    let mut scrape = Scrape { host, port, path, metrics, cpu: None, memory: None };
    scrape.cpu = cpu?.map(|selector| column_of(&mut scrape, selector));
    scrape.memory = memory?.map(|selector| column_of(&mut scrape, selector));
    if scrape.metrics.is_empty() {
        return Err(keys.missing("metrics"));
    }
    if let Some(cpu) = scrape.cpu
        && !counts_seconds(&scrape.metrics[cpu].metric)
    {
        let wrong = Wrong::new(format!(
            "must count seconds, and `{}` does not say that it does",
            scrape.metrics[cpu].metric
        ));
        return Err(keys.refuse(
            "cpu",
            wrong.help(
                "its name would end in _seconds_total; list it under `metrics`, where any unit will do",
            ),
        ));
    }
    if let Some(memory) = scrape.memory
        && let Some(unit) = unit_of(&scrape.metrics[memory].metric).filter(|unit| *unit != "bytes")
    {
        let metric = &scrape.metrics[memory].metric;
        let wrong = Wrong::new(format!("must be in bytes, and `{metric}` says that it is in {unit}"));
        let help = "its name would end in _bytes; list it under `metrics`, where any unit will do";
        return Err(keys.refuse("memory", wrong.help(help)));
    }
    Ok(scrape)
}

/// Whether a metric's name says, as Prometheus wants it to, that it is in seconds: neither a share, nor milliseconds, nor ticks.
fn counts_seconds(name: &str) -> bool {
    let name = ["_total", "_sum"].into_iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
    name == "seconds" || name.ends_with("_seconds") || name.ends_with(":seconds")
}

/// The unit a metric's name ends in, if it is one memory might be told in. Many names end in none.
fn unit_of(name: &str) -> Option<&'static str> {
    const UNITS: [&str; 21] = [
        "bytes",
        "kb",
        "kib",
        "kbytes",
        "kilobytes",
        "kibibytes",
        "mb",
        "mib",
        "mbytes",
        "megabytes",
        "mebibytes",
        "gb",
        "gib",
        "gbytes",
        "gigabytes",
        "gibibytes",
        "pages",
        "words",
        "percent",
        "ratio",
        "seconds",
    ];
    let name = name.strip_suffix("_total").unwrap_or(name);
    let last = name.rsplit(['_', ':']).next()?;
    UNITS.iter().find(|unit| unit.eq_ignore_ascii_case(last)).copied()
}

fn column_of(scrape: &mut Scrape, selector: Selector) -> usize {
    let known = scrape.metrics.iter().position(|one| *one == selector);
    known.unwrap_or_else(|| {
        scrape.metrics.push(selector);
        scrape.metrics.len() - 1
    })
}

struct Page {
    host: String,
    port: u16,
    path: String,
}

impl Readable for Page {
    fn read(value: &Given<'_>, _: Frame<'_>) -> Result<Self, Wrong> {
        const HELP: &str = "write it like \"http://127.0.0.1:9100/metrics\"";
        let text = value.text("an address").map_err(|wrong| wrong.help(HELP))?;
        let wrong = |what: &str| Wrong::new(format!("{what}: \"{}\"", shorten(text))).help(HELP);
        let rest = match text.split_once("://") {
            Some(("http", rest)) => rest,
            Some(("https", _)) => {
                return Err(wrong("must begin with http").help(
                    "pages are read without encryption: from this machine, or through a tunnel (ssh -L)",
                ));
            }
            _ => return Err(wrong("must begin with http://")),
        };
        let (authority, path) = rest.find('/').map_or((rest, "/metrics"), |slash| rest.split_at(slash));
        if authority.contains('@') {
            return Err(Wrong::new("must not hold a name or password").help(HELP));
        }
        let sane = |c: char| c.is_ascii_graphic() && c != '#';
        if path.len() > SELECTOR_MAX || !path.chars().all(sane) {
            return Err(wrong("must have a path of printable characters"));
        }
        let (host, port) = host_and_port(authority, text).map_err(|wrong| wrong.help(HELP))?;
        Ok(Self { host, port: port.unwrap_or(80), path: path.to_owned() })
    }
}

struct Selectors(Vec<Selector>);

impl Readable for Selectors {
    fn read(value: &Given<'_>, _: Frame<'_>) -> Result<Self, Wrong> {
        let texts = texts(value.0, "a metric")?;
        if texts.len() > METRICS_MAX {
            return Err(Wrong::new(format!(
                "must be no more than {METRICS_MAX} metrics, not {}",
                texts.len()
            )));
        }
        let mut all = Vec::new();
        for (text, node) in texts {
            let selector = selector(text).map_err(|wrong| wrong.at(&node.place))?;
            if all.contains(&selector) {
                return Err(Wrong::new(format!("names `{selector}` twice")).at(&node.place));
            }
            all.push(selector);
        }
        Ok(Self(all))
    }
}

impl Readable for Selector {
    fn read(value: &Given<'_>, _: Frame<'_>) -> Result<Self, Wrong> {
        selector(value.text("a metric")?)
    }
}

/// `name` or `name{label="value",…}`, as Prometheus writes a series.
fn selector(text: &str) -> Result<Selector, Wrong> {
    const HELP: &str = "write a name, or a name with labels: 'node_cpu_seconds_total{mode=\"user\"}'";
    let wrong = || Wrong::new(format!("must be a metric, not \"{}\"", shorten(text))).help(HELP);
    let text = text.trim();
    let (metric, labels) = match text.split_once('{') {
        Some((metric, rest)) => (metric.trim_end(), rest.strip_suffix('}').ok_or_else(wrong)?),
        None => (text, ""),
    };
    if text.len() > SELECTOR_MAX || !is_name(metric, true) {
        return Err(wrong());
    }
    let mut read = Vec::new();
    let mut rest = labels.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or_else(wrong)?;
        let name = name.trim();
        if name.ends_with('!') || after.starts_with('~') {
            return Err(Wrong::new("compares labels with = only").help(HELP));
        }
        let after = after.trim_start().strip_prefix('"').ok_or_else(wrong)?;
        let end = after.find('"').ok_or_else(wrong)?;
        if !is_name(name, false) || after[..end].contains('\\') {
            return Err(wrong());
        }
        read.push((name.to_owned(), after[..end].to_owned()));
        rest = after[end + 1..].trim_start();
        rest = match rest.strip_prefix(',') {
            Some(rest) => rest.trim_start(),
            None if rest.is_empty() => rest,
            None => return Err(wrong()),
        };
    }
    read.sort();
    if let Some([(name, _), _]) = read.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(Wrong::new(format!("names the label `{name}` twice")).help(HELP));
    }
    Ok(Selector { metric: metric.to_owned(), labels: read })
}

fn is_name(text: &str, colons: bool) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    text.starts_with(|c: char| inside(c) && !c.is_ascii_digit()) && text.chars().all(inside)
}
