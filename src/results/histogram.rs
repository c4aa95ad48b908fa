//! One histogram for every time that is measured: HDR, 1 µs to 1 h, three significant digits.
//!
//! Values come in as signed nanoseconds and are kept as whole microseconds, the rest cut off. What is below zero is a
//! bug of ours: it is recorded as zero and counted. What is above an hour is recorded as an hour and counted. So
//! nothing is ever dropped, and the count is the number of values given.
//!
//! Invariants: merging loses nothing, in any order; everything reported follows from the bucket counts alone, so two
//! histograms with equal buckets report equal numbers; a fresh one is small and grows only as far as its values do.
//!
//! This module refuses to give a quantile that its population does not support ([`Quantile::is_supported_by`]).

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram as Hdr;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attempted, Distribution, Extended};
use crate::units::Quantile;

/// The largest value kept, microseconds: one hour.
pub const MAX_MICROS: u64 = 3_600_000_000;
const DIGITS: u8 = 3;
/// Values below this have buckets of their own: 2 · 10^digits, rounded up to a power of two.
const SUB_BUCKETS: u64 = 2_048;
const HALF: u64 = SUB_BUCKETS / 2;
/// One more than the bucket of [`MAX_MICROS`].
const BUCKETS: usize = bucket_of(MAX_MICROS) as usize + 1;

/// Times of one kind, in buckets.
#[derive(Clone, Debug)]
pub struct Histogram {
    inner: Hdr<u64>,
    clamped: u64,
    negative: u64,
}

/// The buckets of a histogram that hold anything: index and count, in rising order of the index.
///
/// Bucket `i` below 2048 holds the value `i`. Above, with `k = i / 1024 − 1` and `s = i mod 1024 + 1024`, it holds
/// the values from `s · 2^k` to `(s + 1) · 2^k − 1`. All in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Buckets(pub Vec<(u16, u64)>);

/// Why a text or a list of buckets is not a histogram of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistogramError {
    /// Not base 64.
    #[error("the histogram is not base 64")]
    NotBase64,
    /// Not HdrHistogram V2 + deflate.
    #[error("the histogram is not in HdrHistogram's V2 + deflate form: {0}")]
    NotV2(&'static str),
    /// Another range or precision than ours.
    #[error("the histogram has another shape than 1 µs to 1 h with three digits")]
    OtherShape,
    /// A bucket that does not exist, or counts beyond 2^63.
    #[error("the histogram has bucket {index} with count {count}, which cannot be")]
    Impossible {
        /// The bucket.
        index: u64,
        /// Its count.
        count: u64,
    },
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Histogram {
    /// Equal buckets and equal counters, whatever the capacity.
    fn eq(&self, other: &Self) -> bool {
        self.clamped == other.clamped
            && self.negative == other.negative
            && self.inner.len() == other.inner.len()
            && self.recorded().eq(other.recorded())
    }
}

impl Histogram {
    /// An empty one.
    pub fn new() -> Self {
        let mut inner =
            Hdr::new_with_bounds(1, 2, DIGITS).expect("1..2 with 3 digits are bounds HDR accepts");
        inner.auto(true);
        Self { inner, clamped: 0, negative: 0 }
    }

    /// Records a time in nanoseconds.
    pub fn record_nanos(&mut self, nanos: i64) {
        self.negative += u64::from(nanos < 0);
        self.record_micros(nanos.max(0) as u64 / 1_000);
    }

    /// Records a time in microseconds.
    pub fn record_micros(&mut self, micros: u64) {
        self.clamped += u64::from(micros > MAX_MICROS);
        self.put(micros.min(MAX_MICROS), 1);
    }

    /// Adds another's values, losing nothing.
    pub fn merge(&mut self, other: &Self) {
        self.inner.add(&other.inner).expect("an auto-resizing histogram holds whatever another one does");
        self.clamped += other.clamped;
        self.negative += other.negative;
    }

    /// Forgets everything but keeps the room.
    pub fn clear(&mut self) {
        self.inner.reset();
        self.clamped = 0;
        self.negative = 0;
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.inner.len()
    }

    /// How many were above an hour and were recorded as an hour.
    pub const fn clamped(&self) -> u64 {
        self.clamped
    }

    /// How many were below zero and were recorded as zero. Must stay 0.
    pub const fn negative(&self) -> u64 {
        self.negative
    }

    /// The lower edge of the lowest bucket that holds anything, microseconds.
    pub fn min(&self) -> Option<u64> {
        (self.count() > 0).then(|| self.inner.min())
    }

    /// The upper edge of the highest bucket that holds anything, microseconds.
    pub fn max(&self) -> Option<u64> {
        (self.count() > 0).then(|| self.inner.max())
    }

    /// The mean of the buckets' midpoints, microseconds.
    pub fn mean(&self) -> Option<f64> {
        (self.count() > 0).then(|| self.inner.mean())
    }

    /// The value at a quantile, microseconds: the upper edge of its bucket; nothing if the count does not support it.
    pub fn quantile(&self, quantile: Quantile) -> Option<u64> {
        self.attempted(quantile, 0).finite()
    }

    /// The value at a quantile of these values and `infinite` more that rank above all of them.
    pub fn attempted(&self, quantile: Quantile, infinite: u64) -> Extended<u64> {
        self.buckets().quantile(quantile, infinite)
    }

    /// Everything the result file says of these values, with `infinite` attempts that never completed.
    pub fn distribution(&self, infinite: u64) -> Distribution {
        let buckets = self.buckets();
        let completed = |quantile| buckets.quantile(quantile, 0).finite();
        let attempted = |quantile| buckets.quantile(quantile, infinite);
        Distribution {
            count: self.count(),
            min: self.min(),
            mean: self.mean(),
            p50: completed(Quantile::P50),
            p90: completed(Quantile::P90),
            p99: completed(Quantile::P99),
            p99_9: completed(Quantile::P99_9),
            max: self.max(),
            clamped: self.clamped,
            negative: self.negative,
            histogram: self.encode(),
            attempted: Attempted {
                count: self.count().saturating_add(infinite),
                p50: attempted(Quantile::P50),
                p90: attempted(Quantile::P90),
                p99: attempted(Quantile::P99),
                p99_9: attempted(Quantile::P99_9),
            },
        }
    }

    /// The buckets that hold anything.
    pub fn buckets(&self) -> Buckets {
        Buckets(self.recorded().collect())
    }

    /// Adds buckets, losing nothing; nothing is added if any of them cannot be.
    pub fn add_buckets(&mut self, buckets: &Buckets) -> Result<(), HistogramError> {
        buckets.check()?;
        for &(index, count) in &buckets.0 {
            self.put(value_of(index), count);
        }
        Ok(())
    }

    /// Adds what another histogram counted as clamped and negative; the buckets of those values come by
    /// [`Histogram::add_buckets`].
    pub const fn add_counters(&mut self, clamped: u64, negative: u64) {
        self.clamped += clamped;
        self.negative += negative;
    }

    /// Base 64 of HdrHistogram V2 + deflate, always declaring the full range. The counters do not travel with it.
    pub fn encode(&self) -> String {
        let mut whole = Hdr::new_with_bounds(1, MAX_MICROS, DIGITS)
            .expect("1 µs..1 h with 3 digits are bounds HDR accepts");
        whole.add(&self.inner).expect("no value is above the full range");
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&whole, &mut bytes).expect("writing to memory does not fail");
        STANDARD.encode(bytes)
    }

    /// Reads what [`Histogram::encode`] wrote, or what any HDR tool wrote with the same range and precision.
    ///
    /// Bounded whatever the text says: the library's own decoder believes the sizes it is told.
    pub fn decode(text: &str) -> Result<Self, HistogramError> {
        let payload = inflate(text)?;
        let mut histogram = Self::new();
        histogram.add_buckets(&read_counts(&payload)?)?;
        Ok(histogram)
    }

    fn put(&mut self, micros: u64, count: u64) {
        self.inner.record_n(micros, count).expect("an auto-resizing histogram holds anything up to an hour");
    }

    fn recorded(&self) -> impl Iterator<Item = (u16, u64)> {
        self.inner.iter_recorded().map(|step| (bucket_of(step.value_iterated_to()), step.count_at_value()))
    }
}

impl Buckets {
    /// The sum of all counts.
    pub fn count(&self) -> u64 {
        self.0.iter().fold(0, |sum, &(_, count)| sum.saturating_add(count))
    }

    /// The value at a quantile of these values and `infinite` more that rank above all of them, microseconds: the
    /// upper edge of its bucket, or nothing if the population does not support it.
    pub fn quantile(&self, quantile: Quantile, infinite: u64) -> Extended<u64> {
        let population = self.count().saturating_add(infinite);
        if population == 0 || !quantile.is_supported_by(population) {
            return Extended::Unsupported;
        }
        let rank = rank(quantile, population);
        let mut seen = 0u64;
        let reached = self.0.iter().find(|&&(_, count)| {
            seen = seen.saturating_add(count);
            seen >= rank
        });
        reached.map_or(Extended::Infinite, |&(bucket, _)| Extended::Finite(last_of(bucket)))
    }

    /// Whether every bucket exists and all counts together can be counted.
    pub fn check(&self) -> Result<(), HistogramError> {
        let mut total = 0u64;
        for &(index, count) in &self.0 {
            let impossible = || HistogramError::Impossible { index: index.into(), count };
            total = total.checked_add(count).filter(|&sum| sum <= COUNT_MAX).ok_or_else(impossible)?;
            if usize::from(index) >= BUCKETS {
                return Err(impossible());
            }
        }
        Ok(())
    }
}

/// More than any run can count, and far from where sums overflow.
const COUNT_MAX: u64 = 1 << 48;

/// The bucket a value lies in.
pub const fn bucket_of(micros: u64) -> u16 {
    if micros < SUB_BUCKETS {
        return micros as u16;
    }
    let shift = micros.ilog2() as u64 - HALF.ilog2() as u64;
    (shift * HALF + (micros >> shift)) as u16
}

/// The lowest value of a bucket.
pub const fn value_of(bucket: u16) -> u64 {
    let bucket = bucket as u64;
    if bucket < SUB_BUCKETS {
        return bucket;
    }
    let shift = bucket / HALF - 1;
    (bucket % HALF + HALF) << shift
}

/// The highest value of a bucket.
pub const fn last_of(bucket: u16) -> u64 {
    value_of(bucket.saturating_add(1)).saturating_sub(1)
}

/// The rank, from 1, of the smallest value that at least this share of `count` values does not exceed.
fn rank(quantile: Quantile, count: u64) -> u64 {
    let exact = quantile.as_fraction() * count as f64;
    let nearest = exact.round();
    // A fraction such as 0.999 is not exact in binary: what is a whole number but for that is a whole number.
    let whole = if (exact - nearest).abs() < 1e-6 { nearest } else { exact.ceil() };
    (whole as u64).clamp(1, count)
}

const COOKIE_V2: u32 = 0x1c84_9313;
const COOKIE_V2_DEFLATE: u32 = 0x1c84_9314;
/// Cookie, payload length, normalizing offset, digits, lowest, highest, ratio.
const HEADER: usize = 4 + 4 + 4 + 4 + 8 + 8 + 8;
/// A count takes at most nine bytes.
const PAYLOAD_MAX: u64 = (HEADER + BUCKETS * 9) as u64;
const TEXT_MAX: usize = PAYLOAD_MAX as usize * 2;

fn inflate(text: &str) -> Result<Vec<u8>, HistogramError> {
    if text.len() > TEXT_MAX {
        return Err(HistogramError::NotV2("too long"));
    }
    let bytes = STANDARD.decode(text).map_err(|_| HistogramError::NotBase64)?;
    let (head, body) = bytes.split_at_checked(8).ok_or(HistogramError::NotV2("too short"))?;
    if be_u32(head) != COOKIE_V2_DEFLATE {
        return Err(HistogramError::NotV2("wrong cookie"));
    }
    let mut payload = Vec::new();
    let inflated = ZlibDecoder::new(body).take(PAYLOAD_MAX).read_to_end(&mut payload);
    inflated.map_err(|_| HistogramError::NotV2("it does not inflate"))?;
    Ok(payload)
}

fn read_counts(payload: &[u8]) -> Result<Buckets, HistogramError> {
    let (head, counts) = payload.split_at_checked(HEADER).ok_or(HistogramError::NotV2("too short"))?;
    if be_u32(head) != COOKIE_V2 {
        return Err(HistogramError::NotV2("wrong inner cookie"));
    }
    let ours = be_u32(&head[8..]) == 0
        && be_u32(&head[12..]) == u32::from(DIGITS)
        && be_u64(&head[16..]) == 1
        && be_u64(&head[24..]) == MAX_MICROS
        && be_u64(&head[32..]) == 1f64.to_bits();
    if !ours {
        return Err(HistogramError::OtherShape);
    }
    if be_u32(&head[4..]) as usize != counts.len() {
        return Err(HistogramError::NotV2("cut short"));
    }
    runs(counts)
}

/// Counts as zig-zag variable-length numbers, a negative one being a run of empty buckets.
fn runs(mut counts: &[u8]) -> Result<Buckets, HistogramError> {
    let mut buckets = Buckets::default();
    let mut index = 0u64;
    while !counts.is_empty() {
        let (number, rest) = varint(counts).ok_or(HistogramError::NotV2("cut short"))?;
        counts = rest;
        let half = number >> 1;
        let empty_run = number & 1 == 1;
        let step = if empty_run { half.saturating_add(1) } else { 1 };
        if !empty_run && half > 0 {
            let impossible = HistogramError::Impossible { index, count: half };
            buckets.0.push((u16::try_from(index).map_err(|_| impossible)?, half));
        }
        index = index.saturating_add(step);
    }
    Ok(buckets)
}

/// LEB128 of at most nine bytes, the ninth taken whole.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (place, &byte) in bytes.iter().take(9).enumerate() {
        let last = place == 8 || byte < 0x80;
        let bits = if place == 8 { u64::from(byte) } else { u64::from(byte & 0x7f) };
        value |= bits << (7 * place);
        if last {
            return Some((value, &bytes[place + 1..]));
        }
    }
    None
}

fn be_u32(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |value, &byte| value << 8 | u32::from(byte))
}

fn be_u64(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |value, &byte| value << 8 | u64::from(byte))
}
