//! Interval histograms in HdrHistogram's log format 1.3, for the tools that read it.
//!
//! One line per operation and interval, tagged with the operation's name: response times of what completed, by the second it
//! was intended in, microseconds. What never completed has no time and is in no line; the report and the result file count it.
//!
//! The library writes start times as they are given and nothing of its format's version; and tools read a log of start
//! times without a base as they see fit. So a log says its version, and its start times are seconds since a base that is
//! the run's own start.

use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram as Hdr;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::report::html::seen;
use crate::report::overlay::Run;
use crate::results::IntervalHistogram;
use crate::results::histogram::{MAX_MICROS, value_of};

/// The heading tools skip.
const LEGEND: &str =
    "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";
const DIGITS: u8 = 3;

/// The log of one run.
pub fn render(run: &Run) -> String {
    let mut log = head(run);
    log.extend_from_slice(LEGEND.as_bytes());
    let mut lines: Vec<(&IntervalHistogram, String)> = Vec::new();
    for (name, series) in &run.result.series.operations {
        let usable = series.response.iter().filter(|interval| interval.buckets.check().is_ok());
        lines.extend(usable.map(|interval| (interval, tag(name))));
    }
    // Readers expect rising start times; a stable sort leaves operations in their order.
    lines.sort_by_key(|(interval, _)| interval.start_s);
    let mut serializer = V2DeflateSerializer::new();
    let mut writer = IntervalLogWriterBuilder::new()
        .begin_log_with(&mut log, &mut serializer)
        .expect("writing to memory does not fail");
    for (interval, tag) in &lines {
        let (start, length) = (seconds(interval.start_s), seconds(interval.length_s));
        let written = writer.write_histogram(&histogram(interval), start, length, Tag::new(tag));
        written.expect("writing to memory does not fail, and buckets were checked");
    }
    String::from_utf8(log).unwrap_or_default()
}

fn head(run: &Run) -> Vec<u8> {
    let result = &run.result;
    // An instant that nobody can read, or one before 1970, is no reason to have no log.
    let started = humantime::parse_rfc3339_weak(&result.started).ok();
    let started = started.filter(|at| *at >= SystemTime::UNIX_EPOCH).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut log = Vec::new();
    IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment(&format!(
            "[Logged with {} {}: run {}, profile {}]",
            seen(&result.tool.name),
            seen(&result.tool.version),
            seen(&result.run_id),
            seen(&result.profile.name)
        ))
        .add_comment("[Response times of completed operations, from their intended instant; all values and maxima in microseconds]")
        .with_start_time(started)
        .with_base_time(started)
        .begin_log_with(&mut log, &mut V2DeflateSerializer::new())
        .expect("writing to memory does not fail");
    log
}

fn histogram(interval: &IntervalHistogram) -> Hdr<u64> {
    let mut histogram =
        Hdr::new_with_bounds(1, MAX_MICROS, DIGITS).expect("1 µs..1 h with 3 digits are bounds HDR accepts");
    for &(bucket, count) in &interval.buckets.0 {
        histogram.saturating_record_n(value_of(bucket).min(MAX_MICROS), count);
    }
    histogram
}

const fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds as u64)
}

/// A name as a tag: without what the format separates by.
fn tag(name: &str) -> String {
    seen(name).chars().map(|c| if c == ',' || c.is_whitespace() { '_' } else { c }).collect()
}
