//! Key derivation off the workers: a small pool of threads with a cache in front.
//!
//! A PBKDF2 of 10,000 rounds takes milliseconds; on a worker it would be everybody's latency. The pool's threads give
//! way to the workers (nice 10): what waits is login lag.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::Sha256;

use super::inbox::InboxSender;
use crate::machine::{Channel, Derivation, Hash};

/// Keeps derived keys, so that a user's second login costs no derivation. Must be quick: it is asked on the worker.
pub trait KeyCache: Send + Sync {
    /// The key of a derivation made before.
    fn get(&self, job: &Derivation) -> Option<Vec<u8>>;

    /// Keeps a key.
    fn put(&self, job: &Derivation, key: &[u8]);
}

/// Threads that run PBKDF2, named after their owner so that their CPU time can be told apart; shared by all workers of a process. They end when it is dropped.
pub struct DerivePool {
    cache: Option<Arc<dyn KeyCache>>,
    jobs: Arc<Jobs>,
}

impl DerivePool {
    /// A pool of 1 to 4 threads named `NAME-N` (the kernel shows 15 bytes), with a cache asked first.
    pub fn start(name: &str, threads: usize, cache: Option<Arc<dyn KeyCache>>) -> io::Result<Arc<Self>> {
        let jobs = Arc::new(Jobs::default());
        let pool = Arc::new(Self { cache, jobs });
        for number in 0..threads.clamp(1, 4) {
            let (jobs, cache) = (Arc::clone(&pool.jobs), pool.cache.clone());
            std::thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || work(&jobs, cache.as_deref()))?;
        }
        Ok(pool)
    }

    /// The key, if it is known.
    pub(super) fn cached(&self, job: &Derivation) -> Option<Vec<u8>> {
        self.cache.as_ref()?.get(job)
    }

    /// Derives elsewhere; the answer goes to the worker's inbox. Bounded by what a worker lets wait.
    pub(super) fn submit(
        &self,
        channel: Channel,
        generation: u32,
        derivation: Derivation,
        answer_to: InboxSender<Answer>,
    ) {
        self.jobs.lock().waiting.push_back(Job { channel, generation, derivation, answer_to });
        self.jobs.changed.notify_one();
    }
}

impl Drop for DerivePool {
    fn drop(&mut self) {
        self.jobs.lock().over = true;
        self.jobs.changed.notify_all();
    }
}

/// PBKDF2-HMAC (RFC 8018 section 5.2) with a key as long as the hash's output: RFC 5802's `Hi`.
pub fn derive(job: &Derivation) -> Vec<u8> {
    let password = job.password.as_bytes();
    match job.hash {
        Hash::Sha1 => {
            let mut key = vec![0; 20];
            pbkdf2_hmac::<Sha1>(password, &job.salt, job.iterations, &mut key);
            key
        }
        Hash::Sha256 => {
            let mut key = vec![0; 32];
            pbkdf2_hmac::<Sha256>(password, &job.salt, job.iterations, &mut key);
            key
        }
    }
}

/// What comes back to a worker, for one life of one channel.
#[derive(Debug)]
pub(super) enum Answer {
    /// A derived key.
    Derived { channel: Channel, generation: u32, key: Vec<u8> },
    /// A look-up's result.
    Resolved { channel: Channel, generation: u32, result: Result<Vec<SocketAddr>, String> },
}

struct Job {
    channel: Channel,
    generation: u32,
    derivation: Derivation,
    answer_to: InboxSender<Answer>,
}

#[derive(Default)]
struct Jobs {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    over: bool,
}

impl Jobs {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a job; none when the pool is over.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.over {
                return None;
            }
            if let Some(job) = state.waiting.pop_front() {
                return Some(job);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn work(jobs: &Jobs, cache: Option<&dyn KeyCache>) {
    // Where it isn't allowed the threads merely do not give way.
    let _ = rustix::process::nice(10);
    while let Some(Job { channel, generation, derivation, answer_to }) = jobs.next() {
        let key = derive(&derivation);
        if let Some(cache) = cache {
            cache.put(&derivation, &key);
        }
        // A worker that has ended needs no answer.
        let _ = answer_to.try_send(Answer::Derived { channel, generation, key });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::hex;

    #[test]
    fn the_vectors_of_rfc_6070_and_their_sha_256_sisters() {
        let job = |hash, iterations| Derivation {
            hash,
            password: "password".into(),
            salt: b"salt".to_vec(),
            iterations,
        };
        assert_eq!(hex(&derive(&job(Hash::Sha1, 1))), "0c60c80f961f0e71f3a9b524af6012062fe037a6");
        assert_eq!(hex(&derive(&job(Hash::Sha1, 4096))), "4b007901b765489abead49d926f721d065a429c1");
        assert_eq!(
            hex(&derive(&job(Hash::Sha256, 4096))),
            "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a"
        );
    }
}
