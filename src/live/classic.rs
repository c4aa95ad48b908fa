//! Prometheus' classic buckets of a histogram.

use crate::results::Histogram;
use crate::results::histogram::last_of;

/// The upper edges, microseconds: from what a server on this machine takes to what nobody waits for.
pub const EDGES_US: [u64; 18] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// A histogram in buckets that can be added up by whoever scrapes them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Classic {
    /// How many values are at most each of [`EDGES_US`]: cumulative. A value the histogram knows only to a thousandth counts
    /// by the upper end of what it may be, so that none is shown as faster than it was.
    pub at_most: [u64; EDGES_US.len()],
    /// How many values there are.
    pub count: u64,
    /// Their sum, seconds, from the middles of the histogram's own buckets.
    pub sum_s: f64,
}

impl Classic {
    /// The buckets of a histogram.
    pub fn of(histogram: &Histogram) -> Self {
        let mut at_most = [0; EDGES_US.len()];
        for &(bucket, count) in &histogram.buckets().0 {
            let first = EDGES_US.partition_point(|&edge| edge < last_of(bucket));
            at_most.iter_mut().skip(first).for_each(|sum| *sum += count);
        }
        let count = histogram.count();
        Self { at_most, count, sum_s: histogram.mean().unwrap_or(0.0) * count as f64 / 1e6 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_from_the_first_edge_it_is_not_above() {
        let mut histogram = Histogram::new();
        for micros in [1, 100, 101, 1_000, 59_000_000, 60_000_000, 70_000_000] {
            histogram.record_micros(micros);
        }
        let classic = Classic::of(&histogram);
        assert_eq!(classic.count, 7);
        assert_eq!(classic.at_most[..4], [2, 3, 3, 4], "100 µs, 250 µs, 500 µs, 1 ms");
        assert_eq!(
            classic.at_most[16..],
            [4, 5],
            "a minute is known to a thousandth, and may have been more"
        );
        assert!((classic.sum_s / 189.001_202 - 1.0).abs() < 1e-3, "{}", classic.sum_s);
    }

    proptest::proptest! {
        #[test]
        fn none_is_shown_faster_than_it_was_nor_slower_by_more_than_a_thousandth(
            values in proptest::collection::vec(0_u64..100_000_000, 1..200)
        ) {
            let mut histogram = Histogram::new();
            for &micros in &values {
                histogram.record_micros(micros);
            }
            let classic = Classic::of(&histogram);
            for (edge, count) in EDGES_US.into_iter().zip(classic.at_most) {
                let truly = values.iter().filter(|&&micros| micros <= edge).count() as u64;
                let surely = values.iter().filter(|&&micros| micros as f64 <= edge as f64 * 0.999).count() as u64;
                proptest::prop_assert!(surely <= count && count <= truly, "{}: {}", edge, count);
            }
        }
    }
}
