//! What the process sees of itself: CPU per thread, memory, descriptors. Looked at by the coordinator, never by a worker.
//!
//! Threads of ours are named `xb-…`; the process's first is `main`. Those that libraries start (tokio resolves names on one) come
//! and go under names of their own: they are added up as `others`, ended ones included.

use std::collections::BTreeMap;

use crate::net::facts::{self, ThreadCpu};
use crate::results::{Generator, ThreadRole, ThreadUse};

/// Memory is asked for once in so many seconds: the kernel walks all pages for the answer.
const MEMORY_EVERY: u32 = 5;

const MAIN: &str = "main";
const OTHERS: &str = "others";

/// See the module text.
#[derive(Debug, Default)]
pub struct OwnUse {
    /// Threads that are none of ours, by number, as they were last seen.
    others: BTreeMap<i32, Used>,
    /// What those had used whose number went to a new one.
    replaced: Used,
}

/// Processor time, seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Used {
    user_s: f64,
    system_s: f64,
}

impl OwnUse {
    /// Looks once. Threads that have ended keep what was last seen of them.
    pub fn look(&mut self, second: u32, generator: &mut Generator) {
        let main = std::process::id() as i32;
        for thread in facts::threads() {
            self.note(main, &thread, &mut generator.threads);
        }
        if let Some(descriptors) = facts::open_descriptors() {
            generator.descriptors.note(descriptors as u64);
        }
        if second.is_multiple_of(MEMORY_EVERY)
            && let Some(memory) = facts::memory()
        {
            generator.memory_bytes.note(memory.pss.0);
        }
    }

    fn note(&mut self, main: i32, seen: &ThreadCpu, threads: &mut Vec<ThreadUse>) {
        let used = Used::of(seen);
        let (name, used) = if seen.id == main {
            (MAIN, used)
        } else if seen.name.starts_with("xb-") {
            (seen.name.as_str(), used)
        } else {
            (OTHERS, self.others_with(seen.id, used))
        };
        let now = ThreadUse {
            role: role_of(name),
            name: name.to_owned(),
            user_s: used.user_s,
            system_s: used.system_s,
        };
        match threads.iter_mut().find(|thread| thread.name == now.name) {
            Some(thread) => *thread = now,
            None => threads.push(now),
        }
    }

    /// All of the others, with what is now known of one.
    fn others_with(&mut self, id: i32, used: Used) -> Used {
        let before = self.others.insert(id, used).unwrap_or_default();
        // The kernel's numbers come round again: a thread that has used less than before is another one.
        if used.total() < before.total() {
            self.replaced = self.replaced.and(before);
        }
        self.others.values().fold(self.replaced, |sum, one| sum.and(*one))
    }
}

impl Used {
    /// The kernel's split into user and system is by ticks, its sum is exact: the split is scaled to the sum.
    fn of(seen: &ThreadCpu) -> Self {
        let ticks = (seen.user + seen.system).as_secs_f64();
        let total = seen.total.as_secs_f64();
        let share = if ticks > 0.0 { seen.user.as_secs_f64() / ticks } else { 1.0 };
        Self { user_s: total * share, system_s: total * (1.0 - share) }
    }

    const fn total(self) -> f64 {
        self.user_s + self.system_s
    }

    const fn and(self, other: Self) -> Self {
        Self { user_s: self.user_s + other.user_s, system_s: self.system_s + other.system_s }
    }
}

fn role_of(name: &str) -> ThreadRole {
    if name.starts_with("xb-worker") {
        ThreadRole::Worker
    } else if name.starts_with("xb-server") {
        ThreadRole::Server
    } else {
        ThreadRole::Helper
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn thread(id: i32, name: &str, seconds: u64) -> ThreadCpu {
        let total = Duration::from_secs(seconds);
        ThreadCpu { id, name: name.to_owned(), total, user: total, system: Duration::ZERO }
    }

    /// Name and seconds of what is known after these looks, one after the other.
    fn after(looks: &[&[ThreadCpu]]) -> Vec<(String, f64)> {
        let (mut own, mut threads) = (OwnUse::default(), Vec::new());
        for look in looks {
            look.iter().for_each(|seen| own.note(100, seen, &mut threads));
        }
        threads.into_iter().map(|thread| (thread.name, thread.user_s + thread.system_s)).collect()
    }

    #[test]
    fn a_thread_of_a_library_does_not_stand_in_for_the_main_one() {
        let first = [
            thread(100, "xmpp-bench", 50),
            thread(101, "xb-worker-0", 7),
            thread(102, "tokio-rt-worker", 1),
            thread(103, "tokio-rt-worker", 2),
        ];
        let expected = [("main", 50.0), ("xb-worker-0", 7.0), ("others", 3.0)];
        let expected = expected.map(|(name, seconds)| (name.to_owned(), seconds));
        assert_eq!(after(&[&first]), expected);
    }

    #[test]
    fn others_that_ended_are_still_counted_and_a_number_may_come_round_again() {
        let looks: [&[ThreadCpu]; 3] = [
            &[thread(7, "tokio-rt-worker", 4), thread(8, "tokio-rt-worker", 2)],
            &[thread(8, "tokio-rt-worker", 3)],
            &[thread(7, "pool", 1)],
        ];
        assert_eq!(after(&looks[..2]), [("others".to_owned(), 7.0)]);
        assert_eq!(after(&looks), [("others".to_owned(), 8.0)], "4 and 1 of two threads, and 3");
    }
}
