//! Simulated runs: correlated seconds, heavy tails, and run-to-run noise as real repeats had it.

use xmpp_bench::results::{Attempted, Extended, RunResult};
use xmpp_bench::seed::{Draw, Stream};
use xmpp_bench::units::Quantile;

/// The ten seeds every simulation here goes through.
pub const SEEDS: [u64; 10] = [11, 23, 37, 41, 59, 67, 73, 89, 97, 101];

/// How one run lay about the mean of its repeats, as logarithms.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deviation {
    /// Its median.
    pub median: f64,
    /// Its p99 beside that: how much wider than its median's deviation would make it.
    pub tail: f64,
}

/// The deviations of real repeats: the runs of both servers in these folders of `results/` (`scripts/versus`).
pub fn recorded(folders: &[&str], operation: &str) -> Vec<Deviation> {
    let mut found = Vec::new();
    for folder in folders {
        for side in ["a-", "b-"] {
            found.extend(deviations(&repeats(folder, side), operation));
        }
    }
    found
}

/// How repeats of one measurement of processor time lay about their mean: the figures of the file in `results/` whose name begins so, our
/// own side, three repeats each. Such repeats lie closer than those of a latency: a quiet machine's.
pub fn recorded_costs(file: &str, figures: &str) -> Vec<Deviation> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("results").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut found = Vec::new();
    for figure in value["figures"].as_array().unwrap() {
        let repeats = figure["ours"]["all"].as_array();
        let Some(repeats) = repeats.filter(|_| figure["name"].as_str().unwrap().starts_with(figures)) else {
            continue;
        };
        let logs: Vec<f64> = repeats.iter().map(|value| value.as_f64().unwrap().ln()).collect();
        found.extend(about_their_mean(&logs).map(|median| Deviation { median, tail: 0.0 }));
    }
    assert!(found.len() >= 9, "{file} has too few repeats of `{figures}`");
    found
}

/// The deviations of real repeats over sockets: both sides of every comparison of a kind in the newest `results/trials-DATE.json`,
/// eight runs each (`scripts/trials`).
pub fn recorded_trials(kind: &str, operation: &str) -> Vec<Deviation> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_of_trials =
        |path: &std::path::PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("trials-");
    let path = paths.filter(is_of_trials).max().expect("scripts/trials was run once");
    let file: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut found = Vec::new();
    for trial in file["trials"].as_array().unwrap().iter().filter(|trial| trial["kind"] == kind) {
        for side in ["base_runs", "new_runs"] {
            let off = |figure: &str| -> Vec<f64> {
                let measure = format!("{operation}.{figure}");
                let row =
                    trial["rows"].as_array().unwrap().iter().find(|row| row["measure"] == measure.as_str());
                let runs = row.unwrap()[side].as_array().unwrap().iter();
                let logs: Vec<f64> = runs.map(|micros| micros.as_f64().unwrap().ln()).collect();
                about_their_mean(&logs).collect()
            };
            found.extend(deviations_of(off("p50"), off("p99")));
        }
    }
    assert!(found.len() >= 160, "ten comparisons of two sides of eight runs: {}", found.len());
    found
}

/// Deviations of repeats from their mean, widened by what the mean of so few takes of their spread.
fn about_their_mean(logs: &[f64]) -> impl Iterator<Item = f64> {
    let mean = logs.iter().sum::<f64>() / logs.len() as f64;
    let wider = (logs.len() as f64 / (logs.len() as f64 - 1.0)).sqrt();
    logs.iter().map(move |log| (log - mean) * wider)
}

fn repeats(folder: &str, side: &str) -> Vec<RunResult> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("results").join(folder);
    let paths = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(side)).collect();
    paths.sort();
    let results: Vec<RunResult> =
        paths.iter().map(|path| xmpp_bench::results::file::read(path).unwrap()).collect();
    assert!(results.len() >= 8, "{} has {} repeats of side {side}", folder.display(), results.len());
    results
}

fn deviations(repeats: &[RunResult], operation: &str) -> Vec<Deviation> {
    let off = |pick: fn(&Attempted) -> Extended<u64>| -> Vec<f64> {
        let figures = repeats.iter().map(|run| &run.operations[operation].figures.response_us.attempted);
        let logs: Vec<f64> = figures.map(|times| (pick(times).finite().unwrap() as f64).ln()).collect();
        about_their_mean(&logs).collect()
    };
    deviations_of(off(|times| times.p50), off(|times| times.p99)).collect()
}

fn deviations_of(medians: Vec<f64>, p99s: Vec<f64>) -> impl Iterator<Item = Deviation> {
    let both = medians.into_iter().zip(p99s);
    both.map(|(median, p99)| Deviation { median, tail: p99 - median })
}

/// How the medians of neighbouring seconds vary in a real run: the standard deviation of their logarithms, and their lag-1
/// correlation.
pub fn recorded_seconds(file: &str, operation: &str) -> (f64, f64) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("results").join(file);
    let result = xmpp_bench::results::file::read(&path).unwrap();
    let measured = result.phases.iter().find(|phase| phase.measured).unwrap();
    let seconds = &result.series.operations[operation].response;
    let inside =
        seconds.iter().filter(|one| (measured.start_s..measured.end_s).contains(&f64::from(one.start_s)));
    let medians: Vec<f64> =
        inside.map(|one| one.buckets.quantile(Quantile::P50, 0).finite().unwrap() as f64).collect();
    let mean = medians.iter().map(|value| value.ln()).sum::<f64>() / medians.len() as f64;
    let off: Vec<f64> = medians.iter().map(|value| value.ln() - mean).collect();
    let squares: f64 = off.iter().map(|value| value * value).sum();
    let neighbours: f64 = off.windows(2).map(|pair| pair[0] * pair[1]).sum();
    ((squares / (off.len() - 1) as f64).sqrt(), (neighbours / squares).max(0.0))
}

/// One simulated run.
pub struct Simulated {
    /// The response times of each second, microseconds; infinite where lost.
    pub seconds: Vec<Vec<f64>>,
}

/// What runs are like.
pub struct World<'a> {
    /// Deviations of whole runs, to be drawn from.
    pub noise: &'a [Deviation],
    /// How far the level of a second lies off, as a standard deviation of logarithms, and how it is correlated with the next.
    pub level: f64,
    pub correlation: f64,
    pub seconds: usize,
    pub per_second: usize,
    /// The median, microseconds.
    pub median: f64,
    /// The share that is lost.
    pub loss: f64,
}

impl World<'_> {
    pub fn run(&self, draw: &mut Draw) -> Simulated {
        let whole = self.noise[draw.below(self.noise.len() as u32) as usize];
        let step = self.level * (1.0 - self.correlation.powi(2)).sqrt();
        let mut level = self.level * normal(draw);
        let mut second = || {
            level = self.correlation * level + step * normal(draw);
            let mut time = || {
                if draw.unit() < self.loss {
                    return f64::INFINITY;
                }
                let body = self.median * (whole.median + level).exp() * (0.25 * normal(draw)).exp();
                // One in twenty waits long: a Pareto tail, its scale a matter of the run too.
                let waits = draw.unit() < 0.05;
                if waits {
                    body * 5.0 * whole.tail.exp() * (1.0 - draw.unit()).powf(-1.0 / 2.5)
                } else {
                    body
                }
            };
            (0..self.per_second).map(|_| time()).collect()
        };
        Simulated { seconds: (0..self.seconds).map(|_| second()).collect() }
    }
}

impl Simulated {
    pub fn sorted(&self) -> Vec<f64> {
        let mut all: Vec<f64> = self.seconds.iter().flatten().copied().collect();
        all.sort_by(f64::total_cmp);
        all
    }
}

/// The value at a quantile of sorted values, nearest rank.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((share * sorted.len() as f64).ceil() as usize).max(1) - 1]
}

/// Nearly standard normal: the sum of four uniform numbers.
fn normal(draw: &mut Draw) -> f64 {
    ((0..4).map(|_| draw.unit()).sum::<f64>() - 2.0) * 3f64.sqrt()
}

pub fn draw(seed: u64, index: u64) -> Draw {
    Draw::new(seed, Stream::choices(0), index)
}

/// The one-sided upper 95 % bound of a rate of which `found` of `tried` were seen (Clopper and Pearson).
pub fn upper_bound(found: usize, tried: usize) -> f64 {
    let chance_of_no_more = |rate: f64| {
        let mut term = tried as f64 * (1.0 - rate).ln();
        let mut sum = term.exp();
        for k in 1..=found {
            term += ((tried - k + 1) as f64 / k as f64).ln() + (rate / (1.0 - rate)).ln();
            sum += term.exp();
        }
        sum
    };
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if chance_of_no_more(middle) > 0.05 { low = middle } else { high = middle }
    }
    high
}

#[test]
fn the_bound_is_the_textbooks() {
    // No event in 59 trials: below 5 %. 5 in 100: 10.2 %.
    assert!((upper_bound(0, 59) - 0.0495).abs() < 0.0005, "{}", upper_bound(0, 59));
    assert!((upper_bound(5, 100) - 0.1022).abs() < 0.0005, "{}", upper_bound(5, 100));
}
