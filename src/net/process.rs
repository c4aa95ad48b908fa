//! Processes of this machine: who they are, and what they take of it.
//!
//! Everything is read from the kernel each time it is asked. What cannot be read, because the process has ended or is
//! somebody else's, is `None`.

use std::path::Path;
use std::time::Duration;

use procfs::process::{Process, Stat};

use crate::units::ByteCount;

/// A process as the kernel shows it at an instant. Its threads are in all of it, those that have ended in its CPU time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessSight {
    /// Its number.
    pub pid: u32,
    /// When it began, in ticks after the machine did: with the number it tells processes apart that had one number in turn.
    pub began: u64,
    /// Its parent's number.
    pub parent: u32,
    /// Its name, at most 15 bytes of it.
    pub name: String,
    /// CPU time in user mode and in the kernel, in steps of the kernel's tick.
    pub cpu: Duration,
    /// Resident memory.
    pub resident: ByteCount,
    /// Its threads.
    pub threads: u64,
}

/// One process; `None` where there is none of that number, or only what is left of it until its parent asks.
pub fn sight(pid: u32) -> Option<ProcessSight> {
    let process = Process::new(i32::try_from(pid).ok()?).ok()?;
    from_stat(&process.stat().ok()?)
}

/// All processes that can be seen.
pub fn all() -> Vec<ProcessSight> {
    let Ok(processes) = procfs::process::all_processes() else { return Vec::new() };
    processes.flatten().filter_map(|process| from_stat(&process.stat().ok()?)).collect()
}

fn from_stat(stat: &Stat) -> Option<ProcessSight> {
    if matches!(stat.state, 'Z' | 'X') {
        return None;
    }
    let ticks = (stat.utime + stat.stime) as f64;
    Some(ProcessSight {
        pid: u32::try_from(stat.pid).ok()?,
        began: stat.starttime,
        parent: u32::try_from(stat.ppid).unwrap_or(0),
        name: stat.comm.clone(),
        cpu: Duration::from_secs_f64(ticks / procfs::ticks_per_second() as f64),
        resident: ByteCount(stat.rss * procfs::page_size()),
        threads: u64::try_from(stat.num_threads).unwrap_or(0),
    })
}

/// What else a process is called: by its program's file, by what it was called with, and by the script it runs.
pub fn also_called(pid: u32) -> Vec<String> {
    let Some(process) = i32::try_from(pid).ok().and_then(|pid| Process::new(pid).ok()) else {
        return Vec::new();
    };
    let file = |path: &Path| Some(path.file_name()?.to_string_lossy().into_owned());
    let program = process.exe().ok().and_then(|path| file(&path));
    let words = process.cmdline().unwrap_or_default();
    let called = words.iter().take(2).filter_map(|word| file(Path::new(word)));
    program.into_iter().chain(called).collect()
}

/// Descriptors a process has open; `None` where it is not for us to know.
pub fn descriptors(pid: u32) -> Option<u64> {
    let process = Process::new(i32::try_from(pid).ok()?).ok()?;
    Some(process.fd_count().ok()? as u64)
}

/// This process's number.
pub fn own() -> u32 {
    std::process::id()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen_as_its_own_parents_child() {
        let seen = sight(own()).expect("it runs");
        assert_eq!(seen.parent, std::os::unix::process::parent_id());
        assert!(seen.resident.0 > 0 && seen.threads >= 1, "{seen:?}");
        assert!(descriptors(own()).expect("its own") >= 3);
        assert!(all().iter().any(|one| (one.pid, one.began) == (seen.pid, seen.began)));
        assert!(also_called(own()).len() >= 2, "program and first word");
    }

    #[test]
    fn what_has_ended_is_not_seen_though_nobody_asked_for_it() {
        let mut child = std::process::Command::new("true").spawn().expect("it starts");
        let pid = child.id();
        let mut tries = 0;
        while sight(pid).is_some() && tries < 1_000 {
            std::thread::sleep(Duration::from_millis(5));
            tries += 1;
        }
        assert_eq!(sight(pid), None, "a zombie takes nothing");
        child.wait().expect("it ended");
        assert_eq!(descriptors(pid), None);
    }
}
