//! What control groups leave this process of the machine (cgroups(7)): a container's limits, which nothing else shows.
//!
//! Both hierarchies are read, version 2 (`cpu.max`, `memory.max`) and version 1 (`cpu.cfs_quota_us`, `memory.limit_in_bytes`). A
//! limit of any group above ours binds us too, so the least of all of them counts. Where nothing can be read nothing is said.

use std::fs;
use std::path::Path;

/// See the module text. `None`: no limit, or none that can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ControlGroup {
    /// Processors, as CPU time per time.
    pub cpus: Option<f64>,
    /// Memory, bytes.
    pub memory_bytes: Option<u64>,
}

impl ControlGroup {
    /// Of this process.
    pub fn own() -> Self {
        let memberships = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::read(&memberships, Path::new("/sys/fs/cgroup"))
    }

    /// By what `/proc/self/cgroup` says, under the place where the hierarchies are mounted.
    fn read(memberships: &str, root: &Path) -> Self {
        let mut found = Self::default();
        for line in memberships.lines() {
            let mut fields = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
            for group in Path::new(path.trim_start_matches('/')).ancestors() {
                let text = |hierarchy: &str, file: &str| {
                    fs::read_to_string(root.join(hierarchy).join(group).join(file)).ok()
                };
                for controller in controllers.split(',') {
                    found.note(match controller {
                        "" => Self {
                            cpus: cpu_max(text("", "cpu.max")),
                            memory_bytes: number(text("", "memory.max")),
                        },
                        "cpu" => Self {
                            cpus: share(text("cpu", "cpu.cfs_quota_us"), text("cpu", "cpu.cfs_period_us")),
                            memory_bytes: None,
                        },
                        "memory" => {
                            let bytes = number(text("memory", "memory.limit_in_bytes"));
                            Self { cpus: None, memory_bytes: bytes.filter(|bytes| *bytes < UNLIMITED) }
                        }
                        _ => Self::default(),
                    });
                }
            }
        }
        found
    }

    fn note(&mut self, other: Self) {
        self.cpus = [self.cpus, other.cpus].into_iter().flatten().reduce(f64::min);
        self.memory_bytes = [self.memory_bytes, other.memory_bytes].into_iter().flatten().min();
    }
}

/// Version 1 says "no limit" with the largest number of whole pages.
const UNLIMITED: u64 = 1 << 62;

/// `max 100000`, or quota and period in microseconds.
fn cpu_max(text: Option<String>) -> Option<f64> {
    let text = text?;
    let (quota, period) = text.trim().split_once(' ')?;
    share(Some(quota.to_owned()), Some(period.to_owned()))
}

/// A quota that is no number, or -1, is none.
fn share(quota: Option<String>, period: Option<String>) -> Option<f64> {
    let (quota, period) = (number(quota)?, number(period)?);
    (period > 0).then(|| quota as f64 / period as f64)
}

fn number(text: Option<String>) -> Option<u64> {
    text?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(memberships: &str, files: &[(&str, &str)]) -> ControlGroup {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        ControlGroup::read(memberships, root.path())
    }

    #[test]
    fn the_least_limit_of_all_groups_above_counts() {
        let both = |cpus, memory_bytes| ControlGroup { cpus, memory_bytes };
        for (memberships, files, expected) in [
            (
                "0::/a/b\n",
                &[
                    ("a/b/cpu.max", "150000 100000\n"),
                    ("a/cpu.max", "max 100000\n"),
                    ("a/b/memory.max", "max\n"),
                    ("a/memory.max", "1073741824\n"),
                    ("memory.max", "2147483648\n"),
                ][..],
                both(Some(1.5), Some(1 << 30)),
            ),
            // In a namespace of its own a container's group is the root; without one the path leads nowhere.
            ("0::/\n", &[("cpu.max", "50000 100000")][..], both(Some(0.5), None)),
            ("0::/elsewhere/x\n", &[("memory.max", "4096")][..], both(None, Some(4096))),
            (
                "4:memory:/m\n2:cpu,cpuacct:/c\n1:name=systemd:/\n",
                &[
                    ("memory/m/memory.limit_in_bytes", "536870912\n"),
                    ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
                    ("cpu/c/cpu.cfs_quota_us", "-1\n"),
                    ("cpu/c/cpu.cfs_period_us", "100000\n"),
                    ("cpu/cpu.cfs_quota_us", "200000\n"),
                    ("cpu/cpu.cfs_period_us", "100000\n"),
                ][..],
                both(Some(2.0), Some(512 << 20)),
            ),
            ("", &[][..], both(None, None)),
            (
                "rubbish\n0::\n3:memory:/x\n",
                &[("cpu.max", "1 0"), ("memory.max", "-7"), ("memory/x/memory.limit_in_bytes", "many")][..],
                both(None, None),
            ),
        ] {
            assert_eq!(limits(memberships, files), expected, "{memberships}");
        }
    }
}
