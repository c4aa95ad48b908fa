//! A page of metrics as a source.

use std::time::Duration;

use super::exposition::{self, Sums};
use super::{Look, ObserveError, Source};
use crate::net::http::{HttpError, PageAddress, PageReader};
use crate::profile::{Scrape, Selector};
use crate::results::{ColumnKind, ColumnLayout, ColumnUnit, SourceKind, SourceLayout};

/// A page that takes longer is a gap: the next second's is due.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The largest page that is read, bytes.
const SIZE_MAX: usize = 8 << 20;
/// What is asked for: the oldest form, which every exporter writes.
const ACCEPT: &str = "text/plain;version=0.0.4;q=1,text/plain;q=0.5,*/*;q=0.1";

/// See the module text.
pub(super) struct Page {
    reader: PageReader,
    address: PageAddress,
    wanted: Scrape,
    counters: Vec<bool>,
}

/// Reads the page once. A metric that is not on it yet may come with the first load, so that is only a warning.
pub(super) fn find(wanted: &Scrape) -> Result<(Page, Vec<String>), ObserveError> {
    let address = PageAddress { host: wanted.host.clone(), port: wanted.port, path: wanted.path.clone() };
    let mut page = Page {
        reader: PageReader::new(TIMEOUT, SIZE_MAX)?,
        address,
        wanted: wanted.clone(),
        counters: Vec::new(),
    };
    let sums =
        page.read().map_err(|error| ObserveError::Page { url: wanted.url(), why: error.to_string() })?;
    if let Some((metric, kind)) = page.no_counter(&sums) {
        let (metric, kind) = (metric.to_owned(), kind.to_owned());
        return Err(ObserveError::NotCounter { url: wanted.url(), metric, kind });
    }
    let only_grows = |(column, selector): (usize, &Selector)| {
        // Where the page does not say what it is, the profile does.
        wanted.cpu == Some(column) || exposition::is_counter(&selector.metric, &sums.types)
    };
    page.counters = wanted.metrics.iter().enumerate().map(only_grows).collect();
    let absent = wanted.metrics.iter().zip(&sums.values).filter(|(_, value)| value.is_none());
    let warnings = absent.map(|(selector, _)| is_absent(selector, &sums, &wanted.url())).collect();
    Ok((page, warnings))
}

fn is_absent(selector: &Selector, sums: &Sums, url: &str) -> String {
    let name = &selector.metric;
    if sums.names.contains(name) {
        return format!("[observe]: {url} has {name}, but no series {selector} yet");
    }
    let likeness = |other: &String| strsim::jaro_winkler(name, other);
    let nearest = sums.names.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let like = nearest.filter(|one| likeness(one) > 0.8);
    let like = like.map_or_else(String::new, |like| format!("; did you mean {like}?"));
    format!("[observe]: {url} has no {name} yet{like}")
}

impl Page {
    fn read(&self) -> Result<Sums, HttpError> {
        let body = self.reader.get(&self.address, ACCEPT)?;
        Ok(exposition::read(&String::from_utf8_lossy(&body), &self.wanted.metrics))
    }

    /// The metric that ought to count CPU seconds, and what it is, where the page says that it counts nothing.
    fn no_counter<'a>(&'a self, sums: &'a Sums) -> Option<(&'a str, &'a str)> {
        let metric = self.wanted.metrics.get(self.wanted.cpu?)?.metric.as_str();
        Some((metric, exposition::other_than_counter(metric, &sums.types)?))
    }
}

impl Source for Page {
    fn layout(&self) -> SourceLayout {
        let columns = self.wanted.metrics.iter().zip(&self.counters);
        let columns = columns.map(|(selector, counter)| ColumnLayout {
            name: selector.to_string(),
            unit: unit_of(&selector.metric),
            kind: if *counter { ColumnKind::Counter } else { ColumnKind::Gauge },
            meaning: String::new(),
        });
        SourceLayout {
            kind: SourceKind::Prometheus,
            name: self.wanted.url(),
            columns: columns.collect(),
            cpu: self.wanted.cpu,
            memory: self.wanted.memory,
        }
    }

    fn look(&mut self) -> Look {
        match self.read() {
            Ok(mut sums) => {
                let slips = (sums.bad_lines > 0).then(|| "lines of the page could not be read".to_owned());
                // A metric that was not there before the run may turn out to be another than its name says.
                let other = self.no_counter(&sums).map(|(metric, kind)| {
                    format!("{metric} is a {kind} and counts no CPU seconds: it is left out")
                });
                if let (Some(_), Some(cpu)) = (&other, self.wanted.cpu) {
                    sums.values[cpu] = None;
                }
                let faults = slips.into_iter().chain(other).collect();
                Look { values: sums.values, faults, ..Look::default() }
            }
            Err(error) => Look { faults: vec![error.to_string()], ..Look::default() },
        }
    }
}

/// The unit a metric's name ends in, by Prometheus' custom.
fn unit_of(name: &str) -> ColumnUnit {
    let name = ["_total", "_sum"].into_iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
    match name.rsplit('_').next() {
        Some("seconds") => ColumnUnit::Seconds,
        Some("bytes") => ColumnUnit::Bytes,
        Some("ratio") => ColumnUnit::Share,
        _ => ColumnUnit::Count,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// An exporter that answers each visitor with the next of these pages, and the source that reads `metric` off it as CPU seconds.
    fn reading(metric: &str, pages: Vec<&'static str>) -> Result<Page, ObserveError> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it listens").port();
        std::thread::spawn(move || {
            for page in pages {
                let (mut stream, _) = listener.accept().expect("a visitor");
                let _ = stream.read(&mut [0; 4_096]);
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", page.len());
                let _ = stream.write_all((head + page).as_bytes());
            }
        });
        let wanted = Scrape {
            host: "127.0.0.1".to_owned(),
            port,
            path: "/metrics".to_owned(),
            metrics: vec![Selector { metric: metric.to_owned(), labels: Vec::new() }],
            cpu: Some(0),
            memory: None,
        };
        find(&wanted).map(|(page, _)| page)
    }

    #[test]
    fn what_the_page_calls_a_gauge_counts_no_cpu_seconds() {
        let page = "# TYPE server_cpu_seconds gauge\nserver_cpu_seconds 0.5\n";
        let refused = reading("server_cpu_seconds", vec![page]).err().expect("it is refused");
        let text = refused.to_string();
        assert!(text.contains("server_cpu_seconds is a gauge, and `cpu` must only grow"), "{text}");
    }

    #[test]
    fn what_turns_out_to_be_a_gauge_only_later_is_left_out_and_said() {
        let pages = vec!["other 1\n", "# TYPE server_cpu_seconds gauge\nserver_cpu_seconds 0.5\n"];
        let mut page = reading("server_cpu_seconds", pages).expect("it may come yet");
        assert_eq!(page.layout().columns[0].kind, ColumnKind::Counter, "the profile says so");
        let look = page.look();
        assert_eq!(look.values, [None]);
        assert_eq!(look.faults, ["server_cpu_seconds is a gauge and counts no CPU seconds: it is left out"]);
    }

    #[test]
    fn a_page_that_does_not_say_what_it_is_is_believed() {
        let pages = vec!["server_cpu_seconds 3\n", "server_cpu_seconds 4\n"];
        let mut page = reading("server_cpu_seconds", pages).expect("it is read");
        assert_eq!(page.layout().columns[0].kind, ColumnKind::Counter);
        let look = page.look();
        assert_eq!((look.values, look.faults), (vec![Some(4.0)], Vec::new()));
    }
}
