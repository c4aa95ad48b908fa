//! Facts of the host and of this process: what a preflight names and a result keeps.
//!
//! Everything is read from the kernel each time it is asked. A fact that cannot be read is `None`, never a guess.

use std::fs;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use procfs::CurrentSI;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sha2::Sha256;

use super::control_group::ControlGroup;
use crate::units::{ByteCount, hex};

/// What bounds a run on this host.
#[derive(Clone, Debug, PartialEq)]
pub struct HostFacts {
    /// The kernel's release, as `uname -r` shows it.
    pub kernel: String,
    /// The machine type, as `uname -m` shows it.
    pub architecture: String,
    /// Tells this machine from others of its kind; see `machine` below.
    pub machine: Option<String>,
    /// What control groups leave this process.
    pub control_group: ControlGroup,
    /// CPUs this process may run on.
    pub cpus: usize,
    /// CPUs that are online, at least those.
    pub cpus_online: usize,
    /// The CPU's model name.
    pub cpu_model: Option<String>,
    /// Memory of the host.
    pub memory: Option<ByteCount>,
    /// The kernel's clock source; other than `tsc` a reading may cost a microsecond.
    pub clock_source: Option<String>,
    /// Threads or processes this user may have (`RLIMIT_NPROC`); none is unlimited.
    pub processes: Option<u64>,
    /// Soft limit on descriptors (`RLIMIT_NOFILE`); none is unlimited.
    pub descriptors_soft: Option<u64>,
    /// Hard limit on descriptors; none is unlimited.
    pub descriptors_hard: Option<u64>,
    /// First and last ephemeral port (`net.ipv4.ip_local_port_range`).
    pub local_ports: Option<(u16, u16)>,
    /// `net.core.somaxconn`.
    pub listen_backlog: Option<u32>,
}

impl HostFacts {
    /// Memory there is for this process: the machine's, or what control groups leave of it.
    pub fn memory_for_us(&self) -> Option<ByteCount> {
        let left = self.control_group.memory_bytes.map(ByteCount);
        [self.memory, left].into_iter().flatten().min()
    }
}

/// Reads the facts of this host.
pub fn host() -> HostFacts {
    let name = rustix::system::uname();
    let descriptors = getrlimit(Resource::Nofile);
    let cpus = allowed_cpus();
    HostFacts {
        kernel: name.release().to_string_lossy().into_owned(),
        architecture: name.machine().to_string_lossy().into_owned(),
        machine: line("/etc/machine-id").and_then(|id| machine(&id)),
        control_group: ControlGroup::own(),
        cpus,
        cpus_online: online_cpus().unwrap_or(0).max(cpus),
        cpu_model: cpu_model(),
        memory: field_kib("/proc/meminfo", "MemTotal:"),
        clock_source: line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        processes: getrlimit(Resource::Nproc).current,
        descriptors_soft: descriptors.current,
        descriptors_hard: descriptors.maximum,
        local_ports: local_ports(),
        listen_backlog: line("/proc/sys/net/core/somaxconn").and_then(|text| text.parse().ok()),
    }
}

/// Raises the soft limit on descriptors to the hard one; returns the soft limit that holds then (none is unlimited).
pub fn raise_descriptor_limit() -> Option<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Refused at worst: what holds is read back.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current
}

/// CPU time of one thread of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadCpu {
    /// The kernel's thread number.
    pub id: i32,
    /// The thread's name, at most 15 bytes of it.
    pub name: String,
    /// CPU time in all, to the nanosecond where the kernel keeps scheduler statistics.
    pub total: Duration,
    /// CPU time in user mode, in steps of the kernel's tick.
    pub user: Duration,
    /// CPU time in the kernel, in steps of its tick.
    pub system: Duration,
}

/// CPU times of this process's threads, by their number. A thread that ends meanwhile is left out.
pub fn threads() -> Vec<ThreadCpu> {
    let Ok(tasks) = procfs::process::Process::myself().and_then(|process| process.tasks()) else {
        return Vec::new();
    };
    let mut threads: Vec<_> = tasks.flatten().filter_map(|task| thread_cpu(&task)).collect();
    threads.sort_by_key(|thread| thread.id);
    threads
}

fn thread_cpu(task: &procfs::process::Task) -> Option<ThreadCpu> {
    let stat = task.stat().ok()?;
    let tick = |ticks: u64| Duration::from_secs_f64(ticks as f64 / procfs::ticks_per_second() as f64);
    let (user, system) = (tick(stat.utime), tick(stat.stime));
    let exact = task.schedstat().ok().map(|times| Duration::from_nanos(times.sum_exec_runtime));
    Some(ThreadCpu { id: task.tid, name: stat.comm, total: exact.unwrap_or(user + system), user, system })
}

/// Memory of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident set.
    pub rss: ByteCount,
    /// Proportional set: pages shared with others count by their share.
    pub pss: ByteCount,
}

/// Memory of this process now. The kernel walks all its pages for it: milliseconds for a large process, so never on a
/// worker.
pub fn memory() -> Option<Memory> {
    const FILE: &str = "/proc/self/smaps_rollup";
    Some(Memory { rss: field_kib(FILE, "Rss:")?, pss: field_kib(FILE, "Pss:")? })
}

/// Descriptors this process has open.
pub fn open_descriptors() -> Option<usize> {
    procfs::process::Process::myself().and_then(|process| process.fd_count()).ok()
}

/// A digest of a machine's id for this program alone: whoever reads a result cannot say which machine it was made on, and two
/// results of one machine agree (machine-id(5) asks for a keyed digest). None for an image that has no id yet.
fn machine(id: &str) -> Option<String> {
    const KEY: &[u8] = b"xmpp-bench host.machine";
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| {
        let mut keyed = Hmac::<Sha256>::new_from_slice(KEY).expect("keys of any length will do");
        keyed.update(id.as_bytes());
        hex(&keyed.finalize().into_bytes()[..8])
    })
}

fn line(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

/// A `Name:   123 kB` field.
fn field_kib(path: &str, name: &str) -> Option<ByteCount> {
    let text = fs::read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = value.split_whitespace().next()?.parse().ok()?;
    Some(ByteCount(kib * 1024))
}

/// By affinity alone: what control groups leave of their time stands by itself.
fn allowed_cpus() -> usize {
    let affinity = rustix::thread::sched_getaffinity(None);
    affinity.map_or_else(
        |_| std::thread::available_parallelism().map_or(1, usize::from),
        |cpus| cpus.count() as usize,
    )
}

fn online_cpus() -> Option<usize> {
    Some(procfs::KernelStats::current().ok()?.cpu_time.len())
}

fn cpu_model() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(value.trim_start_matches([' ', '\t', ':']).trim_end().to_owned())
}

fn local_ports() -> Option<(u16, u16)> {
    let text = line("/proc/sys/net/ipv4/ip_local_port_range")?;
    let mut ports = text.split_whitespace().map(str::parse);
    Some((ports.next()?.ok()?, ports.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_described() {
        let facts = host();
        assert!(facts.kernel.starts_with(|first: char| first.is_ascii_digit()), "{}", facts.kernel);
        assert!(facts.cpus >= 1 && facts.cpus <= facts.cpus_online);
        let (first, last) = facts.local_ports.expect("Linux has a port range");
        assert!(first < last);
        assert!(raise_descriptor_limit() >= facts.descriptors_soft);
    }

    #[test]
    fn a_machine_has_a_name_of_its_own_that_does_not_tell_its_id() {
        let id = "0123456789abcdef0123456789abcdef";
        let name = machine(id).expect("an id");
        assert_eq!((name.len(), machine(id)), (16, Some(name.clone())));
        assert_ne!(machine("0123456789abcdef0123456789abcdee"), Some(name.clone()));
        for none in ["", "uninitialized", "0123"] {
            assert_eq!(machine(none), None, "{none}");
        }
    }

    #[test]
    fn this_process_is_measured() {
        let worker = std::thread::Builder::new().name("xb-worker-7".into()).spawn(|| {
            let spent: u64 = (0..20_000_000_u64).fold(0, |sum, number| sum ^ number.wrapping_mul(31));
            (spent, threads())
        });
        let (_, threads) = worker.expect("a thread starts").join().expect("and ends");
        let own = threads.iter().find(|thread| thread.name == "xb-worker-7").expect("is listed");
        assert!(own.total > Duration::ZERO);
        let memory = memory().expect("Linux tells");
        assert!(memory.pss.0 > 0 && memory.pss <= memory.rss);
        assert!(open_descriptors().expect("Linux tells") >= 3);
    }
}
