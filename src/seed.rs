//! Counter-based randomness: every draw is a function of (run seed, stream, index) and of nothing else.
//!
//! So a worker can make the draws of its own share of the plan without making anybody else's, and one, two or
//! four workers plan the identical run. The generator is `SplitMix64`, written out here because the library's small
//! generators may change between versions, and a seed printed in a result must mean the same run for ever.
//!
//! Nothing here is fit for secrets: nonces come from the operating system.

use std::convert::Infallible;

use rand::TryRng;

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Which independent sequence of draws is meant. Streams of different activities never share a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream(pub u64);

impl Stream {
    /// How many arrivals fall into a cell of an activity's cumulative rate, and where.
    pub const fn arrivals(activity: u16) -> Self {
        Self(0x0100_0000 | activity as u64)
    }

    /// Who sends, who receives and how much, for an activity's n-th arrival.
    pub const fn choices(activity: u16) -> Self {
        Self(0x0200_0000 | activity as u64)
    }

    /// The order in which a group's users log in.
    pub const fn login_order(group: u16) -> Self {
        Self(0x0300_0000 | group as u64)
    }

    /// The fixed phase each user has in a periodic activity.
    pub const fn phases(activity: u16) -> Self {
        Self(0x0400_0000 | activity as u64)
    }

    /// How long a session lasts, by the number of the end before it.
    pub const fn sessions(activity: u16) -> Self {
        Self(0x0600_0000 | activity as u64)
    }

    /// The order in which users are seated in an activity's rooms; drawn under no run's seed.
    pub const fn seats(activity: u16) -> Self {
        Self(0x0700_0000 | activity as u64)
    }

    /// Which stretches of a series a bootstrap draws again; drawn under no run's seed.
    pub const fn resamples(series: u16) -> Self {
        Self(0x0800_0000 | series as u64)
    }

    /// What the embedded server's faults do to the n-th copy.
    pub const fn faults() -> Self {
        Self(0x0500_0000)
    }
}

/// The generator for one index of one stream; use it as any [`rand::Rng`].
#[derive(Clone, Debug)]
pub struct Draw {
    state: u64,
}

impl Draw {
    /// The draws belonging to `index` of `stream` under `run_seed`.
    pub const fn new(run_seed: u64, stream: Stream, index: u64) -> Self {
        let key = mix(run_seed ^ mix(stream.0.wrapping_mul(GOLDEN)));
        Self { state: mix(key.wrapping_add(index.wrapping_mul(GOLDEN))) }
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// Uniform in 0..1, never 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in `0..bound`; zero for a bound of zero. The bias is below 2⁻³² for any population we can hold.
    pub const fn below(&mut self, bound: u32) -> u32 {
        (((self.bits() >> 32) * bound as u64) >> 32) as u32
    }
}

impl TryRng for Draw {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.bits() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.bits())
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        for chunk in target.chunks_mut(8) {
            chunk.copy_from_slice(&self.bits().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// A fixed shuffle of `0..len` and its inverse, both by arithmetic alone: nothing is stored per element.
#[derive(Clone, Copy, Debug)]
pub struct Permutation {
    len: u64,
    factor: u64,
    inverse: u64,
    shift: u64,
}

impl Permutation {
    /// The shuffle that `draw` picks among the affine ones of `0..len`.
    pub fn new(len: u32, draw: &mut Draw) -> Self {
        let len = u64::from(len.max(1));
        let shift = draw.bits() % len;
        let mut factor = draw.bits() % len;
        let inverse = loop {
            if let Some(inverse) = modular_inverse(factor, len) {
                break inverse;
            }
            factor = (factor + 1) % len;
        };
        Self { len, factor, inverse, shift }
    }

    /// Where `index` goes.
    pub const fn apply(&self, index: u32) -> u32 {
        ((index as u64 * self.factor + self.shift) % self.len) as u32
    }

    /// What `apply` sends to `index`.
    pub const fn invert(&self, index: u32) -> u32 {
        ((index as u64 + self.len - self.shift) % self.len * self.inverse % self.len) as u32
    }
}

const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// The inverse of `value` modulo `modulus`, if they have no common factor (extended Euclid).
fn modular_inverse(value: u64, modulus: u64) -> Option<u64> {
    if modulus == 1 {
        return Some(0);
    }
    let (mut r0, mut r1) = (i128::from(modulus), i128::from(value));
    let (mut t0, mut t1) = (0i128, 1i128);
    while r1 != 0 {
        let quotient = r0 / r1;
        (r0, r1) = (r1, r0 - quotient * r1);
        (t0, t1) = (t1, t0 - quotient * t1);
    }
    (r0 == 1).then(|| t0.rem_euclid(i128::from(modulus)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_seed_stream_and_index_only() {
        let first = Draw::new(7, Stream::choices(1), 42).bits();
        assert_eq!(first, Draw::new(7, Stream::choices(1), 42).bits());
        for other in [
            Draw::new(8, Stream::choices(1), 42).bits(),
            Draw::new(7, Stream::choices(2), 42).bits(),
            Draw::new(7, Stream::arrivals(1), 42).bits(),
            Draw::new(7, Stream::choices(1), 43).bits(),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn draws_are_pinned_so_that_an_old_seed_means_the_same_run() {
        assert_eq!(Draw::new(1, Stream::arrivals(0), 0).bits(), 5_362_540_412_564_816_741);
    }

    #[test]
    fn neighbouring_indices_are_uniform_and_uncorrelated() {
        let count = 100_000;
        let draws: Vec<f64> = (0..count).map(|i| Draw::new(3, Stream::choices(0), i).unit()).collect();
        let mean = draws.iter().sum::<f64>() / count as f64;
        let lagged: f64 =
            draws.windows(2).map(|w| (w[0] - 0.5) * (w[1] - 0.5)).sum::<f64>() / (count - 1) as f64 * 12.0;
        assert!((mean - 0.5).abs() < 0.005, "mean {mean}");
        assert!(lagged.abs() < 0.01, "lag-1 correlation {lagged}");
    }

    proptest::proptest! {
        #[test]
        fn a_permutation_is_undone_by_its_inverse(len in 1u32..5_000, seed: u64, probe: u32) {
            let permutation = Permutation::new(len, &mut Draw::new(seed, Stream::login_order(0), 0));
            let index = probe % len;
            let image = permutation.apply(index);
            proptest::prop_assert!(image < len);
            proptest::prop_assert_eq!(permutation.invert(image), index);
        }
    }
}
