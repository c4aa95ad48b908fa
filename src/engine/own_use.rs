//! What the process sees of itself: CPU per thread, memory, descriptors. Looked at by the coordinator, never by a worker.

use crate::net::facts::{self, ThreadCpu};
use crate::results::{Generator, ThreadRole, ThreadUse};

/// Memory is asked for once in so many seconds: the kernel walks all pages for the answer.
const MEMORY_EVERY: u32 = 5;

/// Looks once. Threads that have ended keep what was last seen of them.
pub fn look(second: u32, generator: &mut Generator) {
    for thread in facts::threads() {
        note_thread(&mut generator.threads, &thread);
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

fn note_thread(threads: &mut Vec<ThreadUse>, seen: &ThreadCpu) {
    // The kernel's split into user and system is by ticks, its sum is exact: the split is scaled to the sum.
    let ticks = (seen.user + seen.system).as_secs_f64();
    let total = seen.total.as_secs_f64();
    let share = if ticks > 0.0 { seen.user.as_secs_f64() / ticks } else { 1.0 };
    let name = if seen.name.starts_with("xb-") { seen.name.clone() } else { "main".to_owned() };
    let now =
        ThreadUse { role: role_of(&name), user_s: total * share, system_s: total * (1.0 - share), name };
    match threads.iter_mut().find(|thread| thread.name == now.name) {
        Some(thread) => *thread = now,
        None => threads.push(now),
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
