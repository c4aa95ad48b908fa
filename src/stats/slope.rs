//! The straight line through a series, with an interval that does not take neighbouring seconds for independent: the
//! standard error is widened by the residuals' own autocorrelation.

/// The straight line through a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slope {
    /// Change of the value per step.
    pub per_step: f64,
    /// The slope's standard error, corrected for lag-1 autocorrelation of the residuals.
    pub standard_error: f64,
    /// Points it was fitted to.
    pub points: usize,
}

impl Slope {
    /// Least squares over evenly spaced `values`; `None` below eight points, where no interval would mean anything.
    pub fn fit(values: &[f64]) -> Option<Self> {
        let steps: Vec<f64> = (0..values.len()).map(|step| step as f64).collect();
        Self::over(&steps, values)
    }

    /// Least squares of `values` over `steps`, in the order they were observed; `None` below eight points, and where the
    /// steps are all the same.
    pub fn over(steps: &[f64], values: &[f64]) -> Option<Self> {
        const POINTS_MIN: usize = 8;
        let points = values.len().min(steps.len());
        if points < POINTS_MIN {
            return None;
        }
        let count = points as f64;
        let middle = steps.iter().sum::<f64>() / count;
        let mean = values.iter().sum::<f64>() / count;
        let pairs = || steps.iter().zip(values);
        let spread: f64 = steps.iter().map(|step| (step - middle).powi(2)).sum();
        if spread <= 0.0 {
            return None;
        }
        let per_step = pairs().map(|(step, value)| (step - middle) * (value - mean)).sum::<f64>() / spread;
        let residuals: Vec<f64> =
            pairs().map(|(step, value)| value - mean - per_step * (step - middle)).collect();
        let effective = effective_sample_size(&residuals).max(3.0);
        let variance =
            residuals.iter().map(|r| r * r).sum::<f64>() / (effective - 2.0).max(1.0) * (effective / count);
        Some(Self { per_step, standard_error: (variance / spread * (count / effective)).sqrt(), points })
    }

    /// The interval of the slope that holds the truth with probability 99.9 % (two-sided, normal quantile 3.29 widened
    /// for few points).
    pub fn interval(&self) -> (f64, f64) {
        const NORMAL_QUANTILE: f64 = 3.29;
        let freedom = (self.points as f64 - 2.0).max(1.0);
        // The first term of the Cornish-Fisher expansion of Student's t around the normal quantile.
        let quantile = NORMAL_QUANTILE + (NORMAL_QUANTILE.powi(3) + NORMAL_QUANTILE) / (4.0 * freedom);
        (self.per_step - quantile * self.standard_error, self.per_step + quantile * self.standard_error)
    }
}

/// How many independent observations a series is worth, by its lag-1 autocorrelation (an AR(1) model): `n·(1−ρ)/(1+ρ)`.
/// Negative correlation earns nothing.
pub fn effective_sample_size(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    if values.len() < 3 {
        return count;
    }
    let mean = values.iter().sum::<f64>() / count;
    let variance: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    if variance <= 0.0 {
        return count;
    }
    let covariance: f64 = values.windows(2).map(|w| (w[0] - mean) * (w[1] - mean)).sum();
    let correlation = (covariance / variance).clamp(0.0, 0.99);
    count * (1.0 - correlation) / (1.0 + correlation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::{Draw, Stream};

    fn noise(seed: u64, count: usize) -> Vec<f64> {
        (0..count as u64).map(|i| Draw::new(seed, Stream::choices(0), i).unit() - 0.5).collect()
    }

    #[test]
    fn a_steady_series_is_hardly_ever_called_growing() {
        let alarms = (0..2_000).filter(|&seed| {
            let slope = Slope::fit(&noise(seed, 20)).expect("enough points");
            slope.interval().0 > 0.0
        });
        let count = alarms.count();
        assert!(
            count <= 8,
            "{count} of 2000, where 1 is the stated rate and 8 has probability below one in 10^5"
        );
    }

    #[test]
    fn a_growing_series_is_found() {
        for seed in 0..50 {
            let series: Vec<f64> =
                noise(seed, 20).iter().enumerate().map(|(i, v)| v * 4.0 + i as f64).collect();
            let slope = Slope::fit(&series).expect("enough points");
            assert!(slope.interval().0 > 0.0 && (slope.per_step - 1.0).abs() < 0.3, "{slope:?}");
        }
    }

    #[test]
    fn a_slope_is_per_unit_of_what_it_is_taken_over() {
        let steps: Vec<f64> = (0..20).map(|i| 50.0 * f64::from(i) + f64::from(i % 3)).collect();
        let values: Vec<f64> = steps.iter().map(|step| 7.0 + 3.0 * step).collect();
        let slope = Slope::over(&steps, &values).expect("enough points");
        assert!((slope.per_step - 3.0).abs() < 1e-9, "{slope:?}");
        assert_eq!(Slope::over(&[4.0; 20], &values), None, "nothing changed");
    }

    #[test]
    fn correlated_noise_is_worth_fewer_points() {
        let mut level = 0.0;
        let walk: Vec<f64> = noise(3, 1_000)
            .iter()
            .map(|step| {
                level = level * 0.9 + step;
                level
            })
            .collect();
        assert!(effective_sample_size(&walk) < 120.0);
        assert!(effective_sample_size(&noise(3, 1_000)) > 800.0);
    }
}
