//! What a counter grew by, from its readings.
//!
//! A counter that falls has begun anew, or one of those it adds up has gone. What it grew by in that step nobody can say: the
//! step is left out, its time too, and it is counted, so that whoever shows a sum can say that it is a least one.

use super::{Column, ObservedSource};

/// From one reading of a counter to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The second the later reading was made in.
    pub second: usize,
    /// When the earlier one was made, seconds since the run's epoch.
    pub from_s: f64,
    /// When the later one was.
    pub to_s: f64,
    /// What the counter grew by; nothing where it fell.
    pub growth: Option<f64>,
}

impl Step {
    /// Growth per second; nothing where it fell.
    pub fn rate(&self) -> Option<f64> {
        let rate = self.growth? / (self.to_s - self.from_s);
        rate.is_finite().then_some(rate)
    }
}

/// All steps of a column; seconds in which nothing was read make one longer.
pub fn steps(source: &ObservedSource, column: &Column) -> impl Iterator<Item = Step> {
    let readings = source.at_s.iter().zip(&column.values).enumerate();
    let mut readings = readings.filter_map(|(second, (at, value))| Some((second, (*at)?, (*value)?)));
    let mut before = readings.next();
    readings.filter_map(move |(second, to_s, value)| {
        let (_, from_s, level) = before.replace((second, to_s, value))?;
        let grown = value - level;
        let growth = (grown.is_finite() && grown >= 0.0).then_some(grown);
        (to_s > from_s).then_some(Step { second, from_s, to_s, growth })
    })
}

/// What a counter grew by in several steps.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Growth {
    /// The sum over the steps in which it did not fall.
    pub by: f64,
    /// How long those took, seconds.
    pub time_s: f64,
    /// The steps in which it fell: what it grew by in them is in no number.
    pub falls: u64,
}

impl Growth {
    /// The sum of these steps; nothing if there is none in which the counter did not fall.
    pub fn over(steps: impl Iterator<Item = Step>) -> Option<Self> {
        let mut sum = Self::default();
        for step in steps {
            match step.growth {
                Some(growth) => {
                    sum.by += growth;
                    sum.time_s += step.to_s - step.from_s;
                }
                None => sum.falls += 1,
            }
        }
        (sum.time_s > 0.0).then_some(sum)
    }

    /// Growth per second.
    pub fn rate(&self) -> f64 {
        self.by / self.time_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An exporter that counts processor seconds is restarted: 100 to 160, then 0 to 130.
    #[test]
    fn a_counter_that_began_anew_grew_by_both_its_lives() {
        let source = ObservedSource {
            at_s: [0.0, 10.0, 20.0, 21.0, 40.0, 61.0].map(Some).to_vec(),
            ..ObservedSource::default()
        };
        let values = vec![Some(100.0), Some(130.0), Some(160.0), Some(0.0), None, Some(130.0)];
        let column = Column { values, ..Column::default() };
        let growth = Growth::over(steps(&source, &column)).expect("it grew");
        assert_eq!(growth, Growth { by: 190.0, time_s: 60.0, falls: 1 });
        assert!((growth.rate() - 190.0 / 60.0).abs() < 1e-9);
        let seconds: Vec<(usize, Option<f64>)> =
            steps(&source, &column).map(|step| (step.second, step.growth)).collect();
        assert_eq!(seconds, [(1, Some(30.0)), (2, Some(30.0)), (3, None), (5, Some(130.0))]);
    }

    #[test]
    fn one_reading_tells_no_growth() {
        let source = ObservedSource { at_s: vec![Some(0.0), None], ..ObservedSource::default() };
        let column = Column { values: vec![Some(7.0), None], ..Column::default() };
        assert_eq!(Growth::over(steps(&source, &column)), None);
        // Nor do two of one instant.
        let source = ObservedSource { at_s: vec![Some(3.0), Some(3.0)], ..source };
        let column = Column { values: vec![Some(7.0), Some(9.0)], ..column };
        assert_eq!(steps(&source, &column).count(), 0);
    }
}
