//! What whole runs are told with: a place for their files, the command, and the plan it ought to follow.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use xmpp_bench::activity::Features;
use xmpp_bench::clock::Epoch;
use xmpp_bench::loopback::truth_file;
use xmpp_bench::plan::{Action, Plan};
use xmpp_bench::profile::{Files, Input, Profile};
use xmpp_bench::results::{self, Distribution, Histogram, RunResult, VerdictState, journal};
use xmpp_bench::server::Truth;
use xmpp_bench::topology::Topology;
use xmpp_bench::units::{Offset, Quantile};

/// The longest a run here may take before it counts as hung.
const HUNG: Duration = Duration::from_mins(2);

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A run's place, held by one test at a time.
pub struct World {
    folder: TempDir,
    profile: String,
    _alone: MutexGuard<'static, ()>,
}

/// A run that ended.
pub struct Ended {
    pub code: i32,
    #[allow(dead_code, reason = "read by those that fail")]
    pub stderr: String,
    pub result: RunResult,
}

impl World {
    pub fn new(profile: &str) -> Self {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("profile.toml"), profile).unwrap();
        Self { folder, profile: profile.to_owned(), _alone: alone }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command, with nothing of the user's own in sight.
    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xmpp-bench"));
        command
            .current_dir(self.folder.path())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(self.path(&format!("{name}.out"))).unwrap())
            .stderr(std::fs::File::create(self.path(&format!("{name}.err"))).unwrap());
        command
    }

    /// `run profile.toml` with these options, in the background.
    pub fn start_run(&self, options: &[&str]) -> Running {
        let mut command = self.command("run");
        command.args(["run", "profile.toml", "--quiet", "--seed", "7", "--out", "result.json"]).args(options);
        Running(command.spawn().unwrap())
    }

    /// The same, to its end.
    pub fn run(&self, options: &[&str]) -> Ended {
        let running = self.start_run(options);
        self.end_of(running)
    }

    pub fn end_of(&self, mut running: Running) -> Ended {
        let code = running.wait();
        let stderr = self.text("run.err");
        assert!(!stderr.contains("panicked"), "{stderr}");
        let text = std::fs::read_to_string(self.path("result.json"))
            .unwrap_or_else(|error| panic!("exit code {code}, no result: {error}\n{stderr}"));
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let errors: Vec<String> = jsonschema::validator_for(&results::result_schema())
            .unwrap()
            .iter_errors(&json)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, Vec::<String>::new());
        let result: RunResult = serde_json::from_str(&text).unwrap();
        assert_eq!(results::check::contradictions(&result), Vec::<String>::new());
        assert_eq!(results::check::unaccounted(&result), Vec::<String>::new());
        assert_eq!(code, i32::from(result.exit.code), "{stderr}");
        eprintln!("verdict {}, exit {:?}", result.verdict.state.as_str(), result.exit);
        Ended { code, stderr, result }
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub fn truth(&self, name: &str) -> Truth {
        let truth = truth_file::load(&self.path(name)).unwrap();
        assert!(truth.end.is_some(), "the truth is whole");
        truth
    }

    /// What the plan wants of activity 0, by profile and seed alone.
    pub fn plan(&self, seed: u64) -> Vec<Action> {
        let input = Input { name: "profile.toml".to_owned(), text: self.profile.clone(), ..Input::default() };
        let profile =
            Profile::read(&input, &Features, &NoFiles).unwrap_or_else(|problems| panic!("{problems}"));
        let topology = Arc::new(Topology::new(&profile.groups));
        let plan = Arc::new(Plan::new(&profile, topology, seed));
        let mut cursor = plan.cursor(0, profile.users());
        std::iter::from_fn(|| cursor.take_due(Offset::MAX)).filter(|action| action.activity == 0).collect()
    }
}

/// A program in the background; it does not outlive its test.
pub struct Running(Child);

impl Running {
    pub fn new(child: Child) -> Self {
        Self(child)
    }

    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.0)
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    pub fn wait(&mut self) -> i32 {
        let clock = Epoch::start();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code().expect("it was not ended by a signal");
            }
            assert!(elapsed(clock) < HUNG, "still running after {HUNG:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something is there.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let clock = Epoch::start();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(elapsed(clock) < HUNG, "no {what} within {HUNG:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until the run's journal has come so far.
pub fn wait_until(world: &World, result: &str, seconds: f64) {
    wait_for("journal that far", || {
        let file = std::fs::File::open(world.path(&format!("{result}.journal"))).ok()?;
        let journal = journal::read(std::io::BufReader::new(file)).ok()?;
        (journal.end_s >= seconds).then_some(())
    });
}

/// Time since a clock was started.
pub fn elapsed(clock: Epoch) -> Duration {
    clock.now().since(Offset::ZERO)
}

/// A quantile of the completed, in seconds.
pub fn quantile(times: &Distribution, fraction: f64) -> f64 {
    let histogram = Histogram::decode(&times.histogram).unwrap();
    histogram.quantile(Quantile::new(fraction).unwrap()).expect("enough observations") as f64 / 1e6
}

/// The largest, in seconds.
pub fn max(times: &Distribution) -> f64 {
    times.max.expect("observations") as f64 / 1e6
}

/// The largest waits, as quantiles of `count` values of which all others are zero. `waits` are seconds.
pub fn quantile_of(waits: &mut [f64], count: usize, fraction: f64) -> f64 {
    waits.sort_by(f64::total_cmp);
    let rank = (fraction * count as f64).ceil() as usize;
    let zeros = count - waits.len();
    rank.checked_sub(zeros + 1).map_or(0.0, |index| waits[index])
}

pub fn is_generator_limited(result: &RunResult) -> bool {
    result.verdict.state == VerdictState::GeneratorLimited
}

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &Path) -> Result<String, String> {
        Err(format!("no file {} here", path.display()))
    }
}
