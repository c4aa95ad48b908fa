use proptest::prelude::*;
use xmpp_bench::results::histogram::{MAX_MICROS, bucket_of, value_of};
use xmpp_bench::results::{Buckets, Extended, Histogram, HistogramError};
use xmpp_bench::units::Quantile;

/// Percentiles as thousandths, so that the oracle can rank in whole numbers.
const QUANTILES: [(Quantile, u64); 4] =
    [(Quantile::P50, 500), (Quantile::P90, 900), (Quantile::P99, 990), (Quantile::P99_9, 999)];

fn filled(micros: &[u64]) -> Histogram {
    let mut histogram = Histogram::new();
    for &value in micros {
        histogram.record_micros(value);
    }
    histogram
}

/// The value that at least `thousandths` of all values do not exceed; infinite ones rank last.
fn oracle(micros: &[u64], infinite: u64, thousandths: u64) -> Extended<u64> {
    let population = micros.len() as u64 + infinite;
    if population * (1_000 - thousandths) < 10_000 {
        return Extended::Unsupported;
    }
    let mut sorted = micros.to_vec();
    sorted.sort_unstable();
    let rank = (population * thousandths).div_ceil(1_000);
    sorted.get(rank as usize - 1).map_or(Extended::Infinite, |&value| Extended::Finite(value))
}

/// Times of every size: uniform in their logarithm.
fn times() -> impl Strategy<Value = Vec<u64>> {
    let time = (0u32..32, any::<u32>()).prop_map(|(bits, value)| u64::from(value) >> bits);
    prop::collection::vec(time.prop_map(|value| value.min(MAX_MICROS)), 0..11_000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn percentiles_lie_in_the_bucket_of_the_naive_ones(micros in times(), infinite in 0u64..300) {
        let histogram = filled(&micros);
        for (quantile, thousandths) in QUANTILES {
            for infinite in [0, infinite] {
                let ours = histogram.attempted(quantile, infinite).map(bucket_of);
                prop_assert_eq!(ours, oracle(&micros, infinite, thousandths).map(bucket_of), "{}", quantile);
            }
            prop_assert_eq!(histogram.quantile(quantile), histogram.attempted(quantile, 0).finite());
        }
        prop_assert_eq!(histogram.min().map(bucket_of), micros.iter().copied().min().map(bucket_of));
        prop_assert_eq!(histogram.max().map(bucket_of), micros.iter().copied().max().map(bucket_of));
        prop_assert_eq!(histogram.count(), micros.len() as u64);
    }

    #[test]
    fn a_histogram_survives_its_text_and_its_buckets(micros in times()) {
        let histogram = filled(&micros);
        prop_assert_eq!(&Histogram::decode(&histogram.encode()).expect("our own"), &histogram);
        let mut rebuilt = Histogram::new();
        rebuilt.add_buckets(&histogram.buckets()).expect("our own");
        prop_assert_eq!(rebuilt.encode(), histogram.encode());
        prop_assert_eq!(rebuilt, histogram);
    }

    #[test]
    fn merging_is_recording_everything_in_one(a in times(), b in times()) {
        let mut merged = filled(&a);
        merged.merge(&filled(&b));
        let whole = filled(&[a, b].concat());
        prop_assert_eq!(merged.distribution(9), whole.distribution(9));
        prop_assert_eq!(merged, whole);
    }

    #[test]
    fn every_value_lies_in_its_bucket_and_within_a_thousandth(micros in 0..=MAX_MICROS) {
        let (low, next) = (value_of(bucket_of(micros)), value_of(bucket_of(micros) + 1));
        prop_assert!(low <= micros && micros < next);
        prop_assert!((next - low) * 1_000 <= micros.max(1_000));
    }

    #[test]
    fn no_text_makes_decoding_panic(text in "[A-Za-z0-9+/=]{0,200}", flips in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..8)) {
        let _ = Histogram::decode(&text);
        let mut broken = filled(&[1, 2, 3_000, 70_000_000]).encode().into_bytes();
        for (place, byte) in flips {
            let place = place.index(broken.len());
            broken[place] = byte & 0x7f;
        }
        let _ = Histogram::decode(&String::from_utf8_lossy(&broken));
    }
}

#[test]
fn negative_times_are_zero_and_counted_and_long_ones_an_hour_and_counted() {
    let mut histogram = Histogram::new();
    for nanos in [-1, -5_000_000, i64::MIN, 999, 1_000, 7_200_000_000_000, i64::MAX] {
        histogram.record_nanos(nanos);
    }
    assert_eq!((histogram.count(), histogram.negative(), histogram.clamped()), (7, 3, 2));
    let buckets: Vec<_> = histogram.buckets().0;
    assert_eq!(buckets, [(0, 4), (1, 1), (bucket_of(MAX_MICROS), 2)]);
}

#[test]
fn an_empty_histogram_says_nothing() {
    let distribution = Histogram::new().distribution(0);
    assert_eq!((distribution.min, distribution.max, distribution.mean), (None, None, None));
    assert_eq!(distribution.attempted.p50, Extended::Unsupported);
    assert_eq!(Histogram::decode(&distribution.histogram), Ok(Histogram::new()));
}

#[test]
fn two_percent_lost_put_p99_beyond_every_deadline() {
    let distribution = filled(&vec![1_000; 4_900]).distribution(100);
    assert_eq!(distribution.attempted.p90, Extended::Finite(1_000));
    assert_eq!(distribution.attempted.p99, Extended::Infinite);
    assert_eq!(distribution.attempted.p99_9, Extended::Unsupported, "5,000 attempts are too few for p99.9");
    assert_eq!(distribution.p99, Some(1_000), "of the completed ones");
}

#[test]
fn what_other_hdr_tools_write_is_read() {
    use base64::Engine;
    use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
    let mut theirs = hdrhistogram::Histogram::<u64>::new_with_bounds(1, MAX_MICROS, 3).expect("bounds");
    let values = [1, 2_047, 2_048, 1_000_000, MAX_MICROS];
    for value in values {
        theirs.record(value).expect("in range");
    }
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(&theirs, &mut bytes).expect("memory");
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    assert_eq!(Histogram::decode(&text), Ok(filled(&values)));
}

#[test]
fn buckets_that_cannot_be_are_refused() {
    let mut histogram = Histogram::new();
    let beyond = bucket_of(MAX_MICROS) + 1;
    for buckets in [vec![(beyond, 1)], vec![(1, u64::MAX)], vec![(1, 1 << 47), (2, 1 << 47), (3, 1)]] {
        let refused = histogram.add_buckets(&Buckets(buckets));
        assert!(matches!(refused, Err(HistogramError::Impossible { .. })), "{refused:?}");
    }
    assert_eq!(histogram, Histogram::new(), "nothing was added");
}
