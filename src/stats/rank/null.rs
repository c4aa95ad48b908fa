//! Null distributions of rank sums, exact by counting, and the normal tail for sizes beyond it.
//!
//! Ranks come doubled, so that mid-ranks are whole numbers. Counts are kept in `f64`, which is exact: the largest, all ways to
//! pick 25 of 50, is below 2^53.

/// The chance that a random choice of `pick` of these doubled ranks sums to at least `sum`.
pub(super) fn subset_tail(ranks: &[u32], pick: usize, sum: u32) -> f64 {
    let total: usize = ranks.iter().map(|&rank| rank as usize).sum();
    let width = total + 1;
    let mut ways = vec![0.0f64; (pick + 1) * width];
    ways[0] = 1.0;
    let mut reach = 0;
    for (seen, &rank) in ranks.iter().enumerate() {
        let rank = rank as usize;
        reach += rank;
        for chosen in (1..=pick.min(seen + 1)).rev() {
            let (before, after) = ways.split_at_mut(chosen * width);
            let from = &before[(chosen - 1) * width..][..=reach - rank];
            for (to, add) in after[rank..].iter_mut().zip(from) {
                *to += add;
            }
        }
    }
    let row = &ways[pick * width..];
    row[(sum as usize).min(total + 1).min(width)..].iter().sum::<f64>() / row.iter().sum::<f64>()
}

/// The chance that these doubled ranks, each with a random sign, have positive ones that sum to at least `sum`.
pub(super) fn sign_tail(ranks: &[u32], sum: u32) -> f64 {
    let total: usize = ranks.iter().map(|&rank| rank as usize).sum();
    let mut ways = vec![0.0f64; total + 1];
    ways[0] = 1.0;
    let mut reach = 0;
    for &rank in ranks {
        let rank = rank as usize;
        for at in (0..=reach).rev() {
            ways[at + rank] += ways[at];
        }
        reach += rank;
    }
    ways[(sum as usize).min(total + 1)..].iter().sum::<f64>() / ways.iter().sum::<f64>()
}

/// The chance that a normal number is at least so many standard deviations above its mean.
pub(in crate::stats) fn normal_tail(deviations: f64) -> f64 {
    libm::erfc(deviations / std::f64::consts::SQRT_2) / 2.0
}
