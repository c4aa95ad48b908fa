//! What a result says about its circumstances: the program, the profile, the machine, the server, and itself.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The program that made the result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// `xmpp-bench`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Profile {
    /// The profile's name or path, as it was given.
    pub name: String,
    /// The whole TOML text, passwords blotted out: with the seed it says everything the run did.
    pub text: String,
    /// What the command line changed, each as `key=value`, passwords blotted out.
    pub overrides: Vec<String>,
    /// The activities as planned.
    #[serde(default)]
    pub activities: Vec<Activity>,
    /// What accounts files held, for groups that have one.
    #[serde(default)]
    pub accounts_files: Vec<AccountsFile>,
}

/// A file with a group's accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountsFile {
    /// The group.
    pub group: String,
    /// Where it was read from.
    pub path: String,
    /// SHA-256 of the names its users have (the JIDs before the `@`), each with a line feed after it, in order; hexadecimal.
    pub names_sha256: String,
}

/// One activity as planned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Activity {
    /// Its kind (`message`).
    pub kind: String,
    /// The rate asked for over the whole population, events per second, at full scale.
    pub rate_per_s: f64,
    /// The operations it measures.
    pub operations: Vec<String>,
}

/// The machine the generator ran on. What could not be found out is null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// The operating system and its architecture (`linux x86_64`).
    pub system: String,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// The processor's model name.
    pub cpu_model: Option<String>,
    /// Tells this machine from others of its kind: a digest made for this purpose of the machine's own id (machine-id(5)), which is
    /// not to be published itself.
    #[serde(default)]
    pub machine: Option<String>,
    /// Processors this process may run on.
    pub cpus: u32,
    /// Memory of the machine, bytes.
    pub memory_bytes: Option<u64>,
    /// What the kernel tells the time by (`tsc`).
    pub clocksource: Option<String>,
    /// Where the run's epoch lies on the system's monotonic clock, nanoseconds: what other programs on this machine
    /// wrote down by that clock can be laid beside the run.
    #[serde(default)]
    pub epoch_monotonic_ns: Option<u64>,
    /// The limits that bind a load generator.
    pub limits: HostLimits,
    /// What the preflight found wanting, one line each.
    #[serde(default)]
    pub preflight: Vec<String>,
}

/// Limits of the machine that bind a load generator. What could not be found out is null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostLimits {
    /// File descriptors this process may open.
    pub descriptors: Option<u64>,
    /// First port handed out for outgoing connections.
    pub port_first: Option<u16>,
    /// Last port handed out for outgoing connections.
    pub port_last: Option<u16>,
    /// Threads or processes this user may have.
    pub processes: Option<u64>,
    /// CPU time control groups leave us, in processors (`1.5`).
    pub cpu_quota: Option<String>,
    /// Memory control groups leave us, bytes.
    pub memory_bytes: Option<u64>,
}

/// The server under test.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// The addresses asked for (`xmpp://127.0.0.1:5222`).
    pub urls: Vec<String>,
    /// The XMPP domain.
    pub domain: String,
    /// Whether certificates were not verified.
    pub insecure: bool,
    /// How trust was decided: `system`, `ca_file`, `pin`, `insecure`, `none`.
    pub trust: String,
    /// What TLS agreed on; null where none was used.
    pub tls: Option<TlsFacts>,
    /// What the server says it is (XEP-0092); null where it does not say.
    pub identity: Option<ServerIdentity>,
    /// SASL mechanisms offered to the user who looked, on its last stream before it proved who it is; in the server's order.
    #[serde(default)]
    pub mechanisms: Vec<String>,
    /// Logins by the mechanism they used.
    #[serde(default)]
    pub mechanisms_used: BTreeMap<String, u64>,
    /// Stream features offered to that user, on any of its streams, by namespace.
    #[serde(default)]
    pub features: Vec<String>,
    /// Share of messages between users of different targets, 0 to 1.
    #[serde(default)]
    pub cross_target_share: f64,
}

/// What TLS agreed on, from the first connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TlsFacts {
    /// `TLSv1.3`.
    pub version: String,
    /// The cipher suite.
    pub cipher: String,
    /// `starttls` or `direct`.
    pub mode: String,
    /// Handshakes that were done in full.
    pub handshakes_full: u64,
    /// Handshakes that resumed an earlier session.
    pub handshakes_resumed: u64,
    /// The server's certificate.
    pub certificate: Option<Certificate>,
}

/// The server's certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Certificate {
    /// SHA-256 of its DER form, hexadecimal.
    pub sha256: String,
    /// Length of the chain sent, certificates.
    pub chain: u32,
}

/// What the server says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerIdentity {
    /// Its name.
    pub name: String,
    /// Its version; empty where it tells none.
    pub version: String,
    /// Its operating system, if it tells.
    pub os: Option<String>,
}

impl fmt::Display for ServerIdentity {
    /// `Prosody 0.12.3`; the name alone where it tells no version.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name.as_str(), self.version.as_str()) {
            (name, "") => f.write_str(name),
            (name, version) => write!(f, "{name} {version}"),
        }
    }
}

/// SCRAM keys derived and remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyCache {
    /// Logins whose key was in the cache.
    pub hits: u64,
    /// Logins whose key had to be derived.
    pub misses: u64,
}

/// What the generator saw of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Generator {
    /// Each worker, in each phase.
    pub workers: Vec<WorkerUse>,
    /// Each thread over the whole run.
    pub threads: Vec<ThreadUse>,
    /// Share of sessions whose stanzas are held against the strict level of XML once they are online; until then all are.
    #[serde(default)]
    pub strict_share: f64,
    /// Memory of this process, bytes.
    pub memory_bytes: Gauge,
    /// File descriptors open.
    pub descriptors: Gauge,
    /// Local ports in use for outgoing connections.
    pub ports: Gauge,
    /// Entries open in the ledger.
    pub ledger_entries: Gauge,
    /// Bytes waiting in queues because peers do not read.
    pub queued_bytes: Gauge,
}

/// A level watched over the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gauge {
    /// The highest level seen.
    pub max: u64,
    /// The last level seen.
    pub last: u64,
    /// The limit it must stay below; null where there is none or it is not known.
    pub limit: Option<u64>,
}

impl Gauge {
    /// Notes a level.
    pub fn note(&mut self, level: u64) {
        self.max = self.max.max(level);
        self.last = level;
    }
}

/// One worker in one phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerUse {
    /// The worker's number.
    pub worker: u32,
    /// The phase's name.
    pub phase: String,
    /// Share of the phase its loop was busy, 0 to 1.
    pub busy: f64,
    /// Turns of its loop.
    pub turns: u64,
    /// The 99th percentile of its turns, microseconds; null where there are too few.
    pub turn_p99_us: Option<u64>,
    /// Its longest turn, microseconds.
    pub turn_max_us: u64,
    /// Users it owned.
    pub users: u32,
    /// Bytes written in the phase's seconds; those of the drain are the last phase's.
    pub bytes_out: u64,
    /// Bytes read, likewise.
    pub bytes_in: u64,
}

/// What a thread is there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ThreadRole {
    /// Drives users.
    Worker,
    /// Runs the embedded server: load, not generator.
    Server,
    /// Everything else: recording, key derivation, progress.
    #[default]
    Helper,
}

/// One thread over the whole run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadUse {
    /// The thread's name.
    pub name: String,
    /// What it is there for.
    pub role: ThreadRole,
    /// Processor time in user mode, seconds.
    pub user_s: f64,
    /// Processor time in the kernel, seconds.
    pub system_s: f64,
}
