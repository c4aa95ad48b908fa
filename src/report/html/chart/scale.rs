//! From values to heights, and where the ticks stand.

/// How values lie along an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// Nothing to be measured: no ticks, and everything lies at the lower end.
    Nothing,
    /// Evenly, from zero or below.
    Linear {
        /// The least value shown, zero where none is negative.
        min: f64,
        /// The greatest value shown.
        max: f64,
        /// From one tick to the next.
        step: f64,
    },
    /// By orders of magnitude; both ends are above zero.
    Log {
        /// The least value shown.
        min: f64,
        /// The greatest value shown.
        max: f64,
    },
}

impl Scale {
    /// Even, from zero to a round value no less than `greatest`.
    pub fn linear(greatest: f64) -> Self {
        let greatest = if greatest.is_finite() && greatest > 0.0 { greatest.min(1e18) } else { 1.0 };
        Self::up_to(greatest, round_step(greatest, TICKS))
    }

    /// Even, from a round value no more than `least` and zero to one no less than `greatest` and zero.
    pub fn spanning(least: f64, greatest: f64) -> Self {
        let bounded = |value: f64| if value.is_finite() { value.clamp(-1e18, 1e18) } else { 0.0 };
        let (least, greatest) = (bounded(least).min(0.0), bounded(greatest).max(0.0));
        if least >= 0.0 {
            return Self::linear(greatest);
        }
        let step = round_step(greatest - least, TICKS);
        Self::Linear { min: (least / step).floor() * step, max: (greatest / step).ceil() * step, step }
    }

    /// Even from zero, in steps that are round where thousands are 1,024.
    pub fn bytes(greatest: f64) -> Self {
        let greatest = if greatest.is_finite() && greatest >= TICKS { greatest.min(1e18) } else { TICKS };
        Self::up_to(greatest, (greatest / TICKS).log2().ceil().exp2())
    }

    fn up_to(greatest: f64, step: f64) -> Self {
        Self::Linear { min: 0.0, max: (greatest / step).ceil() * step, step }
    }

    /// By orders of magnitude, around all the values of one and more; what is less lies at the lower end. Nothing where none
    /// is finite.
    pub fn log(values: impl Iterator<Item = f64>) -> Self {
        let finite: Vec<f64> =
            values.filter(|value| value.is_finite()).map(|value| value.min(1e18)).collect();
        if finite.is_empty() {
            return Self::Nothing;
        }
        let usable = finite.into_iter().filter(|value| *value >= 1.0);
        let (least, greatest) = usable.fold((f64::INFINITY, 0.0f64), |(least, greatest), value| {
            (least.min(value), greatest.max(value))
        });
        if least > greatest {
            return Self::Log { min: 1.0, max: 10.0 };
        }
        let (min, max) = (ladder_at_most(least), ladder_at_least(greatest));
        Self::Log { min, max: if max > min { max } else { ladder_at_least(min * 1.5) } }
    }

    /// Where a value lies between the axis' ends, 0 to 1; what is beyond them is at the end.
    pub fn place(self, value: f64) -> f64 {
        let place = match self {
            Self::Nothing => 0.0,
            Self::Linear { min, max, .. } => (value - min) / (max - min),
            Self::Log { min, max } => (value.max(min) / min).ln() / (max / min).ln(),
        };
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Values to be labelled, rising.
    pub fn ticks(self) -> Vec<f64> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Linear { min, max, step } => {
                let (first, last) = ((min / step).round() as i64, (max / step).round() as i64);
                (first..=last).map(|index| index as f64 * step).collect()
            }
            Self::Log { min, max } => {
                let (first, last) = (min.log10().floor() as i32, max.log10().ceil() as i32);
                let decades = (max / min).log10();
                let steps: &[f64] = match decades {
                    d if d <= 2.0 => &[1.0, 2.0, 5.0],
                    d if d <= 3.5 => &[1.0, 3.0],
                    _ => &[1.0],
                };
                let skip = (decades / 6.0).ceil().max(1.0) as usize;
                let all = (first..=last).step_by(skip);
                let ticks = all.flat_map(|power| steps.iter().map(move |step| step * 10f64.powi(power)));
                ticks.filter(|tick| (min * 0.999..=max * 1.001).contains(tick)).collect()
            }
        }
    }
}

/// Ticks an axis has about.
const TICKS: f64 = 5.0;

/// The round step (1, 2 or 5 of some power of ten) of which `greatest` has no more than `count`.
fn round_step(greatest: f64, count: f64) -> f64 {
    let rough = greatest / count;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= rough * 0.999);
    step.unwrap_or(10.0) * power
}

const LADDER: [f64; 4] = [1.0, 2.0, 5.0, 10.0];

fn ladder_at_most(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    LADDER.iter().rev().map(|step| step * power).find(|&edge| edge <= value * 1.0001).unwrap_or(power)
}

fn ladder_at_least(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    LADDER.iter().map(|step| step * power).find(|&edge| edge >= value * 0.9999).unwrap_or(10.0 * power)
}

/// Seconds at which a time axis is labelled.
pub fn time_ticks(seconds: f64) -> Vec<u64> {
    const STEPS: [u64; 17] =
        [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400];
    let step = STEPS.into_iter().find(|&step| seconds / step as f64 <= 7.0).unwrap_or(86_400);
    (0..=(seconds / step as f64) as u64).map(|index| index * step).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(Scale::linear(317.0).ticks(), [0.0, 100.0, 200.0, 300.0, 400.0]);
        assert_eq!(Scale::linear(1.4).ticks(), [0.0, 0.5, 1.0, 1.5]);
        assert_eq!(Scale::spanning(-3.0, 11.0).ticks(), [-5.0, 0.0, 5.0, 10.0, 15.0]);
        assert_eq!(Scale::spanning(-3.0, -2.0).ticks(), [-3.0, -2.0, -1.0, 0.0]);
        assert_eq!(Scale::log([f64::INFINITY].into_iter()).ticks(), [0.0; 0]);
        assert_eq!(
            Scale::bytes(3.0e6).ticks(),
            [0.0, 1.0, 2.0, 3.0].map(|mebibytes| mebibytes * 1_048_576.0)
        );
        assert_eq!(Scale::log([430.0, 2_600.0].into_iter()), Scale::Log { min: 200.0, max: 5_000.0 });
        assert_eq!(
            Scale::log([430.0, 2_600.0].into_iter()).ticks(),
            [200.0, 500.0, 1_000.0, 2_000.0, 5_000.0]
        );
        assert_eq!(Scale::log([3.0, 3e9].into_iter()).ticks(), [1e2, 1e4, 1e6, 1e8]);
        assert_eq!(time_ticks(31.0), [0, 5, 10, 15, 20, 25, 30]);
        assert_eq!(time_ticks(3_600.0), [0, 600, 1_200, 1_800, 2_400, 3_000, 3_600]);
    }

    proptest! {
        #[test]
        fn every_value_has_its_place_and_order_is_kept(a in proptest::num::f64::ANY, b in 0.0..1e12f64, c in 0.0..1e12f64) {
            for scale in [
                Scale::linear(b), Scale::spanning(-c, b), Scale::spanning(a, b), Scale::bytes(b), Scale::log([a, b, c].into_iter())
            ] {
                prop_assert!((0.0..=1.0).contains(&scale.place(a)));
                prop_assert!(scale.place(b.min(c)) <= scale.place(b.max(c)));
                let ticks = scale.ticks();
                prop_assert!((1..=12).contains(&ticks.len()), "{:?}: {:?}", scale, ticks);
            }
        }
    }
}
