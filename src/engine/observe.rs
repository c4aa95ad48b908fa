//! Observes the server beside the load: processes of this machine, the embedded server's threads, pages of metrics.
//!
//! Each source has a thread of its own that is pinned to nothing and looks once a second, as near to the second's
//! beginning as it wakes up; never a worker. A look that fails is a gap and a counted fault, and the run goes on. What
//! looking costs stands in the result: the time each look took, and the threads' CPU time among the generator's.
//!
//! It refuses, before the run: a process that is not there, several that are not one server, and the generator itself.

mod exposition;
mod process;
mod scrape;

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::Epoch;
use crate::profile::Observe;
use crate::results::{Reading, SourceLayout};
use crate::units::Offset;

pub use process::ProcessError;

/// Why nothing can be observed. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// A process that will not do.
    #[error("[observe]: {0}")]
    Process(#[from] ProcessError),
    /// A page that cannot be read.
    #[error(
        "[observe]: cannot read {url}: {why}; is the exporter running? Without it, leave this source out of the profile"
    )]
    Page {
        /// Where it should be.
        url: String,
        /// Why.
        why: String,
    },
    /// A column that does not count what the profile says it does.
    #[error(
        "[observe]: {url} says that {metric} is a {kind}, and `cpu` must only grow; list it under `metrics` instead"
    )]
    NotCounter {
        /// The page.
        url: String,
        /// The metric.
        metric: String,
        /// What the page says it is.
        kind: String,
    },
    /// No thread or runtime to read with.
    #[error("[observe]: cannot start reading: {0}")]
    Thread(#[from] std::io::Error),
}

/// Something that can be looked at.
trait Source: Send {
    /// What it is, and its columns.
    fn layout(&self) -> SourceLayout;

    /// Looks once.
    fn look(&mut self) -> Look;
}

/// What a look showed.
#[derive(Debug, Default)]
struct Look {
    /// A value for each column; empty where the look failed.
    values: Vec<Option<f64>>,
    /// The processes looked at, where they are others than before.
    processes: Option<Vec<(u32, String)>>,
    /// What went wrong, a line each.
    faults: Vec<String>,
}

/// Sources that are there and can be read.
#[derive(Default)]
pub struct Observer {
    sources: Vec<Box<dyn Source>>,
    /// Worth knowing before the run.
    pub warnings: Vec<String>,
}

impl Observer {
    /// Finds every source, and looks at it once.
    pub fn find(wanted: &[Observe]) -> Result<Self, ObserveError> {
        let mut observer = Self::default();
        for one in wanted {
            let source: Box<dyn Source> = match one {
                Observe::Process(process) => process::find(process)?,
                Observe::Prometheus(wanted) => {
                    let (source, warnings) = scrape::find(wanted)?;
                    observer.warnings.extend(warnings);
                    Box::new(source)
                }
            };
            observer.sources.push(source);
        }
        Ok(observer)
    }

    /// The sources and their columns, each under a name of its own: two of one page are told apart by a number.
    pub fn layouts(&self) -> Vec<SourceLayout> {
        let mut layouts: Vec<SourceLayout> = self.sources.iter().map(|source| source.layout()).collect();
        let mut taken: HashSet<String> = layouts.iter().map(|layout| layout.name.clone()).collect();
        let mut seen: HashSet<String> = HashSet::new();
        for layout in &mut layouts {
            if !seen.insert(layout.name.clone()) {
                let own = layout.name.clone();
                let free = (2..=taken.len() + 2)
                    .map(|number| format!("{own} #{number}"))
                    .find(|name| !taken.contains(name));
                layout.name = free.unwrap_or(own);
                taken.insert(layout.name.clone());
            }
        }
        layouts
    }

    /// Begins to look, from the epoch on.
    pub fn start(self, epoch: Epoch) -> std::io::Result<Observing> {
        let (outlet, readings) = channel();
        let mut observing = Observing { readings, watches: Vec::new() };
        for (number, source) in self.sources.into_iter().enumerate() {
            let (stop, stopped) = channel();
            let watch = Watch { number: number as u16, source, epoch, outlet: outlet.clone(), stopped };
            let thread = std::thread::Builder::new()
                .name(format!("xb-observe-{number}"))
                .spawn(move || watch.run())?;
            observing.watches.push((stop, thread));
        }
        Ok(observing)
    }
}

/// Sources being looked at. Dropping it ends that.
pub struct Observing {
    readings: Receiver<Reading>,
    watches: Vec<(Sender<()>, JoinHandle<()>)>,
}

impl Observing {
    /// What was read since the last time.
    pub fn take(&self) -> Vec<Reading> {
        self.readings.try_iter().collect()
    }

    /// Ends it: waits for looks under way, each of which is bounded, and gives the last readings.
    pub fn end(mut self) -> Vec<Reading> {
        let (stops, threads): (Vec<_>, Vec<_>) = self.watches.drain(..).unzip();
        drop(stops);
        for thread in threads {
            // One that panicked has nothing more to say; what it read before is here.
            let _ = thread.join();
        }
        self.take()
    }
}

/// One source's thread.
struct Watch {
    number: u16,
    source: Box<dyn Source>,
    epoch: Epoch,
    outlet: Sender<Reading>,
    stopped: Receiver<()>,
}

impl Watch {
    /// The clock does not tell how far ahead the epoch is: until then it is asked this often.
    const BEFORE_EPOCH: Duration = Duration::from_millis(2);

    fn run(mut self) {
        while self.epoch.now() == Offset::ZERO {
            if self.waits(Self::BEFORE_EPOCH) {
                return;
            }
        }
        loop {
            let reading = self.read();
            let now = self.epoch.now();
            let next = Offset::from_nanos((u64::from(now.second()) + 1) * 1_000_000_000);
            if self.outlet.send(reading).is_err() || self.waits(next.since(now)) {
                return;
            }
        }
    }

    /// Waits; true if it is over meanwhile.
    fn waits(&self, length: Duration) -> bool {
        self.stopped.recv_timeout(length) != Err(RecvTimeoutError::Timeout)
    }

    fn read(&mut self) -> Reading {
        let before = self.epoch.now();
        let Look { values, processes, faults } = self.source.look();
        let took = self.epoch.now().since(before);
        // To the microsecond, which is more than any of it is exact to.
        let whole = |value: f64| (value * 1e6).round() / 1e6;
        let values = values.into_iter().map(|value| value.map(whole)).collect();
        let (source, at_s) = (self.number, whole((before + took / 2).as_secs_f64()));
        Reading { source, at_s, took_us: took.as_micros() as u64, values, processes, faults }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Page(&'static str);

    impl Source for Page {
        fn layout(&self) -> SourceLayout {
            SourceLayout { name: self.0.to_owned(), ..SourceLayout::default() }
        }

        fn look(&mut self) -> Look {
            Look::default()
        }
    }

    #[test]
    fn two_sources_of_one_name_are_told_apart() {
        let told = |names: [&'static str; 4]| -> Vec<String> {
            let sources = names.map(|name| Box::new(Page(name)) as Box<dyn Source>).into();
            let observer = Observer { sources, warnings: Vec::new() };
            observer.layouts().into_iter().map(|layout| layout.name).collect()
        };
        assert_eq!(told(["a", "b", "a", "a"]), ["a", "b", "a #2", "a #3"]);
        assert_eq!(told(["a", "a #2", "a", "a #2"]), ["a", "a #2", "a #3", "a #2 #2"]);
    }
}
