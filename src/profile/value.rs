//! The values profiles speak in: paces, arrivals, sizes.

use std::f64::consts::{SQRT_2, TAU};
use std::fmt;
use std::time::Duration;

use rand::Rng;

use crate::units::{Rate, show_duration};

/// How often something happens, before the phases' factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// This often in all, however many users are online (`rate = "200/s"`).
    Total(Rate),
    /// This often per planned-online user (`rate = "2/min per user"`).
    PerUser(Rate),
    /// Every so long for each planned-online user, each at its own fixed phase (`every = "5s"`).
    Every(Duration),
    /// At the end of each session, for activities that end them (`session = "exponential(5min)"`).
    Session(DurationDistribution),
}

impl Pace {
    /// The rate over all of `online` users at a phase factor of 1.
    pub fn over(self, online: u32) -> Rate {
        let users = f64::from(online);
        let per_second = match self {
            Self::Total(rate) => rate.as_per_second(),
            Self::PerUser(rate) => rate.as_per_second() * users,
            Self::Every(period) => users / period.as_secs_f64(),
            Self::Session(length) => users / length.mean().as_secs_f64(),
        };
        Rate::per_second(per_second).unwrap_or(Rate::ZERO)
    }

    /// The factor that holds before the first phase. A total rate rises from nothing, since nobody is online yet; what
    /// each user does grows with the users alone.
    pub const fn factor_before_first_phase(self) -> f64 {
        match self {
            Self::Total(_) => 0.0,
            Self::PerUser(_) | Self::Every(_) | Self::Session(_) => 1.0,
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Total(rate) => write!(f, "{rate}"),
            Self::PerUser(rate) => write!(f, "{rate} per user"),
            Self::Every(period) => write!(f, "every {}", show_duration(*period)),
            Self::Session(length) => write!(f, "after sessions of {length}"),
        }
    }
}

/// How the instants of an activity with a rate are spread. A periodic activity ([`Pace::Every`]) has no use for it and
/// carries [`Arrivals::Constant`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Arrivals {
    /// A Poisson process: independent users.
    #[default]
    Poisson,
    /// Equal spacing.
    Constant,
}

impl Arrivals {
    /// The spelling in a profile.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Poisson => "poisson",
            Self::Constant => "constant",
        }
    }
}

/// How large a body is, bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SizeDistribution {
    /// Always this many.
    Fixed(u32),
    /// Every whole number from the first to the second, both included, equally often.
    Uniform(u32, u32),
    /// Log-normal: half are smaller than `median_bytes`; `sigma` is the standard deviation of the logarithm. What falls
    /// outside the bounds takes the nearer bound, so that the rare giant cannot overrun a server's stanza limit.
    LogNormal {
        /// The median, bytes.
        median_bytes: f64,
        /// The standard deviation of the natural logarithm.
        sigma: f64,
        /// The smallest size drawn, bytes: a token's length.
        min: u32,
        /// The largest size drawn, bytes.
        max: u32,
    },
}

impl SizeDistribution {
    /// One size. Draws from `draw` the same number of times whatever the outcome, by arithmetic written out here, so
    /// that a seed means the same sizes with every version of any library.
    pub fn sample(&self, draw: &mut impl Rng) -> u32 {
        match *self {
            Self::Fixed(bytes) => bytes,
            Self::Uniform(low, high) => {
                let choices = u64::from(high - low) + 1;
                low + (((draw.next_u64() >> 32) * choices) >> 32) as u32
            }
            Self::LogNormal { median_bytes, sigma, min, max } => {
                let bytes = median_bytes * (sigma * standard_normal(draw)).exp();
                (bytes.round().clamp(0.0, f64::from(u32::MAX)) as u32).clamp(min, max)
            }
        }
    }

    /// The expected size, bytes, after clamping.
    pub fn mean_bytes(&self) -> f64 {
        match *self {
            Self::Fixed(bytes) => f64::from(bytes),
            Self::Uniform(low, high) => f64::midpoint(f64::from(low), f64::from(high)),
            Self::LogNormal { median_bytes, sigma, min, max } => {
                clamped_log_normal_mean(median_bytes, sigma, f64::from(min), f64::from(max))
            }
        }
    }

    /// The largest size ever drawn, bytes.
    pub const fn max_bytes(&self) -> u32 {
        match *self {
            Self::Fixed(bytes) => bytes,
            Self::Uniform(_, high) => high,
            Self::LogNormal { max, .. } => max,
        }
    }
}

impl fmt::Display for SizeDistribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(bytes) => write!(f, "{bytes} bytes"),
            Self::Uniform(low, high) => write!(f, "uniform({low}, {high}) bytes"),
            Self::LogNormal { median_bytes, sigma, .. } => {
                write!(f, "lognormal({median_bytes}, {sigma}) bytes")
            }
        }
    }
}

/// How long something lasts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DurationDistribution {
    /// Always this long.
    Fixed(Duration),
    /// Anything from the first to the second, equally likely.
    Uniform(Duration, Duration),
    /// Memoryless, with this mean.
    Exponential(Duration),
    /// Log-normal: half are shorter than `median`; `sigma` is the standard deviation of the logarithm.
    LogNormal {
        /// The median.
        median: Duration,
        /// The standard deviation of the natural logarithm.
        sigma: f64,
    },
}

impl DurationDistribution {
    /// The longest ever drawn: a heavy tail must not outlive every run by more than this.
    const LONGEST: Duration = Duration::from_hours(24 * 7);

    /// One duration. Draws twice whatever the outcome, so that a seed means the same for ever.
    pub fn sample(&self, draw: &mut impl Rng) -> Duration {
        let (first, second) = (unit(draw), unit(draw));
        let drawn = match *self {
            Self::Fixed(duration) => duration.as_secs_f64(),
            Self::Uniform(low, high) => {
                (high.as_secs_f64() - low.as_secs_f64()).mul_add(first, low.as_secs_f64())
            }
            Self::Exponential(mean) => -mean.as_secs_f64() * first.ln(),
            Self::LogNormal { median, sigma } => {
                let normal = (-2.0 * first.ln()).sqrt() * (TAU * second).cos();
                median.as_secs_f64() * (sigma * normal).exp()
            }
        };
        Duration::from_secs_f64(drawn.clamp(0.0, Self::LONGEST.as_secs_f64()))
    }

    /// The expected duration, before the longest is cut off.
    pub fn mean(&self) -> Duration {
        match *self {
            Self::Fixed(duration) | Self::Exponential(duration) => duration,
            Self::Uniform(low, high) => (low + high) / 2,
            Self::LogNormal { median, sigma } => median.mul_f64((sigma * sigma / 2.0).exp()),
        }
    }
}

impl fmt::Display for DurationDistribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(duration) => write!(f, "{}", show_duration(*duration)),
            Self::Uniform(low, high) => {
                write!(f, "uniform({}, {})", show_duration(*low), show_duration(*high))
            }
            Self::Exponential(mean) => write!(f, "exponential({})", show_duration(*mean)),
            Self::LogNormal { median, sigma } => write!(f, "lognormal({}, {sigma})", show_duration(*median)),
        }
    }
}

/// How many occupants rooms have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RoomSizes {
    /// All the same.
    Fixed(u32),
    /// From the first to the second, in even steps.
    Uniform(u32, u32),
    /// By rank: the largest has `max`, the n-th `max / n^exponent`, none fewer than two.
    Zipf {
        /// How steeply sizes fall.
        exponent: f64,
        /// The largest room.
        max: u32,
    },
}

impl RoomSizes {
    /// The sizes of so many rooms, the largest first: of a distribution its quantiles, so that nothing is left to chance.
    pub fn of(&self, rooms: u32) -> Vec<u32> {
        (0..rooms)
            .map(|rank| match *self {
                Self::Fixed(size) => size,
                Self::Uniform(low, high) => {
                    let share = if rooms > 1 { f64::from(rank) / f64::from(rooms - 1) } else { 0.5 };
                    f64::from(high - low).mul_add(-share, f64::from(high)).round() as u32
                }
                Self::Zipf { exponent, max } => {
                    ((f64::from(max) / f64::from(rank + 1).powf(exponent)).round() as u32).max(2)
                }
            })
            .collect()
    }
}

/// A standard normal number by the transform of Box and Muller; two draws, always.
fn standard_normal(draw: &mut impl Rng) -> f64 {
    let radius = unit(draw).ln().mul_add(-2.0, 0.0).sqrt();
    radius * (TAU * unit(draw)).cos()
}

/// Uniform in 0..1, never 0, so that its logarithm exists.
fn unit(draw: &mut impl Rng) -> f64 {
    ((draw.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

fn clamped_log_normal_mean(median: f64, sigma: f64, min: f64, max: f64) -> f64 {
    if sigma == 0.0 {
        return median.clamp(min, max);
    }
    let low = (min / median).ln() / sigma;
    let high = (max / median).ln() / sigma;
    let inside = (sigma * sigma / 2.0).exp() * (normal_below(high - sigma) - normal_below(low - sigma));
    min * normal_below(low) + median * inside + max * (1.0 - normal_below(high))
}

/// The standard normal distribution function, to 2·10⁻⁷ (Abramowitz and Stegun 7.1.26): for estimates only.
fn normal_below(z: f64) -> f64 {
    let x = z.abs() / SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let series = t
        * (0.254_829_592
            + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    let error_function = 1.0 - series * (-x * x).exp();
    if z >= 0.0 { f64::midpoint(1.0, error_function) } else { (1.0 - error_function) / 2.0 }
}
