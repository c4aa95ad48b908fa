//! `[observe]`: what is watched of the server while the run goes on, on the run's own time axis.
//!
//! Each table is one source: a process of this machine with its descendants, or what a server or an exporter tells
//! Prometheus. How they are read is the engine's to say.

use std::fmt;

/// One source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observe {
    /// A process and its descendants.
    Process(ObservedProcess),
    /// A page of metrics.
    Prometheus(Box<Scrape>),
}

/// Which process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObservedProcess {
    /// The one of this number.
    Pid(u32),
    /// Those of this name.
    Named(String),
    /// The embedded server's threads, which are this process's own.
    EmbeddedServer,
}

/// A page of metrics, and what is wanted of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scrape {
    /// A name or an IP address (without brackets).
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path and the query, from the slash on.
    pub path: String,
    /// The columns kept, in the profile's order, none twice; [`Scrape::cpu`] and [`Scrape::memory`] are among them.
    pub metrics: Vec<Selector>,
    /// Which of them counts the server's CPU seconds.
    pub cpu: Option<usize>,
    /// Which of them is the server's memory in bytes.
    pub memory: Option<usize>,
}

impl Observe {
    /// Whether the server's processor time will be known of it.
    pub fn knows_cpu(&self) -> bool {
        match self {
            Self::Process(_) => true,
            Self::Prometheus(scrape) => scrape.cpu.is_some(),
        }
    }

    /// Whether the server's memory will be: the embedded server shares it with the generator.
    pub fn knows_memory(&self) -> bool {
        match self {
            Self::Process(process) => *process != ObservedProcess::EmbeddedServer,
            Self::Prometheus(scrape) => scrape.memory.is_some(),
        }
    }

    /// Whether both are the same, so that what is used would be counted twice. Two servers may be on one page.
    pub(super) fn is_same_source(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Process(own), Self::Process(theirs)) => own == theirs,
            (Self::Prometheus(own), Self::Prometheus(theirs)) => own.is_same(theirs),
            _ => false,
        }
    }
}

impl Scrape {
    fn is_same(&self, other: &Self) -> bool {
        let roles =
            |one: &Self| [one.cpu, one.memory].map(|role| role.map(|index| one.metrics[index].clone()));
        let (own, theirs) = (roles(self), roles(other));
        let counts_the_same = own.iter().zip(&theirs).any(|(own, theirs)| own.is_some() && own == theirs);
        let counts_nothing = own.iter().chain(&theirs).all(Option::is_none);
        // Names of hosts have no case (RFC 4343).
        let is_one_page = self.host.eq_ignore_ascii_case(&other.host)
            && (self.port, &self.path) == (other.port, &other.path);
        is_one_page && (counts_the_same || counts_nothing)
    }

    /// The address as a person writes it.
    pub fn url(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("http://{host}:{}{}", self.port, self.path)
    }
}

/// The series of one metric that have these labels; their values are added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// The metric's name.
    pub metric: String,
    /// Labels a series must have, and with what values.
    pub labels: Vec<(String, String)>,
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.metric)?;
        if !self.labels.is_empty() {
            let labels: Vec<String> =
                self.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
            write!(f, "{{{}}}", labels.join(","))?;
        }
        Ok(())
    }
}

impl fmt::Display for Observe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(ObservedProcess::Pid(pid)) => write!(f, "process {pid}"),
            Self::Process(ObservedProcess::Named(name)) => write!(f, "process {name}"),
            Self::Process(ObservedProcess::EmbeddedServer) => f.write_str("the embedded server's threads"),
            Self::Prometheus(scrape) => f.write_str(&scrape.url()),
        }
    }
}
