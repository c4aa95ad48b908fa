//! Exact tests against counting by hand, against scipy's tables, and against their own inversion.

use proptest::prelude::*;

use super::*;

const INF: f64 = f64::INFINITY;

/// p by going through every way to deal the values to two sides: what the counting must agree with.
fn dealt_p(base: &[f64], new: &[f64]) -> f64 {
    let all: Vec<f64> = base.iter().chain(new).copied().collect();
    let rank = |value: f64| {
        let below = all.iter().filter(|&&other| other < value).count() as f64;
        let equal = all.iter().filter(|&&other| other == value).count() as f64;
        below + f64::midpoint(equal, 1.0)
    };
    let ranks: Vec<f64> = all.iter().map(|&value| rank(value)).collect();
    let observed: f64 = ranks[base.len()..].iter().sum();
    let deals = (0u32..1 << all.len()).filter(|deal| deal.count_ones() as usize == new.len());
    let sums = deals.map(|deal| (0..all.len()).filter(|i| deal >> i & 1 == 1).map(|i| ranks[i]).sum::<f64>());
    let (mut above, mut count) = (0.0, 0.0);
    for sum in sums {
        count += 1.0;
        above += f64::from(u8::from(sum >= observed - 1e-9));
    }
    above / count
}

#[test]
fn the_least_p_is_what_complete_separation_gives() {
    for runs in 1..=8 {
        let base: Vec<f64> = (0..runs).map(f64::from).collect();
        let new: Vec<f64> = base.iter().map(|value| value + 100.0).collect();
        for test in [
            ShiftTest::unpaired(&base, &new, Scale::Difference),
            ShiftTest::paired(&base, &new, Scale::Difference),
        ] {
            let least = test.design().least_p(true);
            assert!((test.p_two_sided(0.0) - least).abs() < 1e-12, "{:?}", test.design());
        }
    }
    let four = Design::Unpaired { base: 4, new: 4 };
    assert!((four.least_p(true) - 2.0 / 70.0).abs() < 1e-12, "four against four cannot go below 0.029");
}

#[test]
fn what_never_completed_ranks_last_and_ties_with_its_kind() {
    let lost = ShiftTest::unpaired(&[1.0, 2.0, 3.0, 4.0, 5.0], &[6.0, 7.0, INF, INF, INF], Scale::Ratio);
    assert!(lost.p_one_sided(0.0, Side::Above) < 0.005);
    assert_eq!(lost.estimate(), Some(INF), "most new runs never completed it");
    assert!(lost.interval(0.05).low > 0.0 && lost.interval(0.05).high == INF);
    let both = ShiftTest::paired(&[INF; 8], &[INF; 8], Scale::Ratio);
    assert_eq!(both.p_two_sided(0.0), 1.0);
    assert_eq!(both.estimate(), None, "nothing can be said of a shift between infinities");
    assert_eq!(both.interval(0.05), Interval { low: -INF, high: INF });
    let one = ShiftTest::paired(&[1.0, INF, 2.0, 3.0], &[2.0, INF, 4.0, 6.0], Scale::Ratio);
    assert!((one.estimate().unwrap() - 2f64.ln()).abs() < 1e-12);
    let zero = ShiftTest::unpaired(&[0.0; 6], &[0.0; 6], Scale::Difference);
    assert_eq!((zero.p_two_sided(0.0), zero.estimate()), (1.0, Some(0.0)));
}

#[test]
fn what_differs_by_rounding_alone_is_a_tie() {
    // The same tenth twice, up and down once: their logarithms differ in the last digit.
    let (base, new) = ([400.0, 440.0, 484.0], [440.0, 484.0, 440.0]);
    let test = ShiftTest::paired(&base, &new, Scale::Ratio);
    // All three ranks are 2: two of three above is the sum 4 of 6, and half of the eight deals reach it.
    assert!(close(test.p_one_sided(0.0, Side::Above), 0.5), "{}", test.p_one_sided(0.0, Side::Above));
    // Exactly on the bound in every pair: a tie speaks for neither side.
    let test = ShiftTest::paired(&[400.0; 8], &[440.0; 8], Scale::Ratio);
    let bound = 0.1f64.ln_1p();
    assert!(
        close(test.p_one_sided(bound, Side::Below), 1.0) && close(test.p_one_sided(bound, Side::Above), 1.0)
    );
    let test = ShiftTest::unpaired(&[0.1, 0.2], &[0.2, 0.3], Scale::Difference);
    assert!(close(test.p_one_sided(0.1, Side::Above), test.p_one_sided(0.1, Side::Below)));
}

#[test]
fn an_interval_agrees_with_its_test_where_rounding_meets_infinity() {
    let (base, new) = ([2.0, 4.0, 4.0, 3.0, 7.0, f64::INFINITY], [1.0, 1.0, 1.0, 6.0, 7.0, 1.0]);
    consistent(&ShiftTest::paired(&base, &new, Scale::Ratio), 0.171_066_876_889_441).unwrap();
}

#[test]
fn zeros_of_both_signs_are_one() {
    let (base, new) = ([0.0, -0.0, 0.0, 1.0, 2.0, 0.0], [-0.0, -0.0, 1.0, 3.0, 0.0, 2.0]);
    let positive = |values: &[f64]| values.iter().map(|value| value.abs()).collect::<Vec<_>>();
    for make in [ShiftTest::unpaired, ShiftTest::paired] {
        let (mixed, plain) = (
            make(&base, &new, Scale::Difference),
            make(&positive(&base), &positive(&new), Scale::Difference),
        );
        for shift in [-1.0, 0.0, 0.5] {
            assert_eq!(mixed.p_two_sided(shift), plain.p_two_sided(shift), "{shift}");
        }
    }
}

#[test]
fn the_approximation_for_many_runs_is_close_to_the_exact_distribution() {
    // The same data one run below the limit by both ways: the step from exact to approximate is no jump.
    let base: Vec<f64> = (0..25).map(|i| f64::from(i * 7 % 25)).collect();
    for shift in [2.0, 4.0, 6.0] {
        let new: Vec<f64> = base.iter().map(|value| value + shift + 0.1).collect();
        let Kind::Unpaired(test) = ShiftTest::unpaired(&base, &new, Scale::Difference).kind else { panic!() };
        let at = test.crossings().locate(0.0);
        let (exact, near) = (test.p(at, Side::Above, true), test.p(at, Side::Above, false));
        assert!((0.95..1.5).contains(&(near / exact)), "{exact} {near}");
        let Kind::Paired(test) = ShiftTest::paired(&base, &shuffled(&new), Scale::Difference).kind else {
            panic!()
        };
        let at = test.crossings().locate(0.0);
        let (exact, near) = (test.p(at, Side::Above, true), test.p(at, Side::Above, false));
        assert!((0.95..1.5).contains(&(near / exact)), "{exact} {near}");
    }
}

fn shuffled(values: &[f64]) -> Vec<f64> {
    (0..values.len()).map(|i| values[i * 11 % values.len()]).collect()
}

fn values(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    // Few distinct values, so that ties abound, and some that never completed.
    let value = prop_oneof![9 => (1u32..9).prop_map(f64::from), 1 => Just(INF)];
    proptest::collection::vec(value, len)
}

fn pairs(len: std::ops::Range<usize>) -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    len.prop_flat_map(|len| (values(len..len + 1), values(len..len + 1)))
}

proptest! {
    #[test]
    fn p_is_the_share_of_deals_at_least_as_extreme(base in values(1..6), new in values(1..6)) {
        let test = ShiftTest::unpaired(&base, &new, Scale::Ratio);
        prop_assert!((test.p_one_sided(0.0, Side::Above) - dealt_p(&base, &new)).abs() < 1e-9);
        prop_assert!((test.p_one_sided(0.0, Side::Below) - dealt_p(&new, &base)).abs() < 1e-9);
    }

    #[test]
    fn interval_and_p_never_contradict(base in values(2..9), new in values(2..9), level in 0.01f64..0.3) {
        consistent(&ShiftTest::unpaired(&base, &new, Scale::Ratio), level)?;
    }

    #[test]
    fn interval_and_p_never_contradict_in_pairs((base, new) in pairs(2..10), level in 0.01f64..0.3) {
        consistent(&ShiftTest::paired(&base, &new, Scale::Ratio), level)?;
    }

    #[test]
    fn sides_changed_is_sign_changed((base, new) in pairs(2..9)) {
        let make = [ShiftTest::unpaired, ShiftTest::paired];
        for make in make {
            let (one, other) = (make(&base, &new, Scale::Ratio), make(&new, &base, Scale::Ratio));
            prop_assert!((one.p_one_sided(0.0, Side::Above) - other.p_one_sided(0.0, Side::Below)).abs() < 1e-12);
            let (one, other) = (one.interval(0.2), other.interval(0.2));
            prop_assert!(close(one.low, -other.high) && close(one.high, -other.low), "{:?} {:?}", one, other);
        }
    }

    #[test]
    fn p_grows_with_the_shift_asked_about((base, new) in pairs(2..9), a in -3.0f64..3.0, b in -3.0f64..3.0) {
        for test in [ShiftTest::unpaired(&base, &new, Scale::Ratio), ShiftTest::paired(&base, &new, Scale::Ratio)] {
            let p = |shift| test.p_one_sided(shift, Side::Above);
            prop_assert!(p(a.min(b)) <= p(a.max(b)) + 1e-12);
        }
    }
}

fn close(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() < 1e-9
}

fn consistent(test: &ShiftTest, level: f64) -> Result<(), TestCaseError> {
    let Interval { low, high } = test.interval(level);
    prop_assert!(low <= high, "{} {}", low, high);
    if test.p_two_sided(0.0) <= level {
        prop_assert!(low >= 0.0 || high <= 0.0, "rejected, yet inside: {} {}", low, high);
    } else {
        prop_assert!(low <= 0.0 && high >= 0.0, "not rejected, yet outside: {} {}", low, high);
    }
    if let Some(estimate) = test.estimate() {
        prop_assert!(estimate >= low && estimate <= high, "{} {} {}", low, estimate, high);
    }
    Ok(())
}
