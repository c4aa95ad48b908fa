//! Facts of the host and of this process: what a preflight names and a result keeps.

use std::time::Duration;

use crate::units::ByteCount;

/// What bounds a run on this host. A fact that cannot be read is `None`, never a guess.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFacts {
    /// The kernel's release, as `uname -r` shows it.
    pub kernel: String,
    /// The machine type, as `uname -m` shows it.
    pub architecture: String,
    /// CPUs this process may run on.
    pub cpus: usize,
    /// The CPU's model name.
    pub cpu_model: Option<String>,
    /// Memory of the host.
    pub memory: Option<ByteCount>,
    /// The kernel's clock source; other than `tsc` a reading may cost a microsecond.
    pub clock_source: Option<String>,
    /// Soft limit on descriptors (`RLIMIT_NOFILE`).
    pub descriptors_soft: Option<u64>,
    /// Hard limit on descriptors.
    pub descriptors_hard: Option<u64>,
    /// First and last ephemeral port (`net.ipv4.ip_local_port_range`).
    pub local_ports: Option<(u16, u16)>,
    /// `net.core.somaxconn`.
    pub listen_backlog: Option<u32>,
}

/// Reads the facts of this host.
pub fn host() -> HostFacts {
    HostFacts {
        kernel: String::new(),
        architecture: String::new(),
        cpus: 1,
        cpu_model: None,
        memory: None,
        clock_source: None,
        descriptors_soft: None,
        descriptors_hard: None,
        local_ports: None,
        listen_backlog: None,
    }
}

/// Raises the soft limit on descriptors to the hard one; returns what holds now.
pub fn raise_descriptor_limit() -> Option<u64> {
    None
}

/// CPU time of one thread of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadCpu {
    /// The kernel's thread number.
    pub id: i32,
    /// The thread's name, at most 15 bytes of it.
    pub name: String,
    /// CPU time in user mode, in steps of the kernel's tick.
    pub user: Duration,
    /// CPU time in the kernel.
    pub system: Duration,
}

/// CPU times of this process's threads.
pub fn threads() -> Vec<ThreadCpu> {
    Vec::new()
}

/// Memory of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident set.
    pub rss: ByteCount,
    /// Proportional set: pages shared with others count by their share.
    pub pss: ByteCount,
}

/// Memory of this process now.
pub fn memory() -> Option<Memory> {
    None
}

/// Descriptors this process has open.
pub fn open_descriptors() -> Option<usize> {
    None
}
