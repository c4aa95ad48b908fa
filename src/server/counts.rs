//! What the embedded server counts, where it hands bytes over, sharing nothing with what the generator records.
//!
//! One thread adds, any thread reads: [`Counters`] are plain atomics without ordering between them, so a snapshot
//! taken in mid-flight may be a stanza ahead in one column. After the server has stopped it is exact.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Totals since the server's start.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Counts { $($(#[$doc])* pub $name: u64,)+ }

        /// The live form of [`Counts`].
        #[derive(Debug, Default)]
        pub struct Counters { $($(#[$doc])* pub $name: Counter,)+ }

        impl Counters {
            /// All of them as they stand.
            pub fn snapshot(&self) -> Counts {
                Counts { $($name: self.$name.get(),)+ }
            }
        }

        impl Counts {
            /// Name and value of each, in order, for a summary.
            pub fn rows(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)+].into_iter()
            }
        }
    };
}

counters! {
    /// Connections accepted.
    accepted,
    /// Connections ended, by whomever.
    closed,
    /// Sessions that bound a resource.
    logins,
    /// Accounts registered.
    registered,
    /// SASL attempts answered with a failure.
    auth_failures,
    /// Stream errors sent.
    stream_errors,
    /// Messages read (room messages apart).
    messages_in,
    /// Room messages read.
    groupchats_in,
    /// Presence stanzas read.
    presences_in,
    /// Requests (get, set) read.
    iqs_in,
    /// Requests answered by the server itself, with a result or an error.
    iqs_answered,
    /// Message copies handed to write (room messages apart), surplus ones included.
    messages_out,
    /// Room message copies handed to write, the sender's own included.
    groupchats_out,
    /// Earlier room messages and subjects handed to write for those who joined.
    history_out,
    /// Presence copies handed to write, echoes, probe answers and occupants included.
    presences_out,
    /// Requests and answers passed on between users.
    iqs_out,
    /// Stanza errors sent in answer to messages and presence.
    errors_out,
    /// Copies the loss fault took.
    dropped,
    /// Surplus copies handed to write.
    duplicated,
    /// Copies handed to write after a later one.
    reordered,
    /// Tracked copies nobody could be given.
    undeliverable,
    /// Tracked copies handed to write that the kernel took whole.
    written,
    /// Tracked copies handed to write whose connection ended first.
    unwritten,
    /// Sessions cut without notice.
    cut,
}

/// One number, added to by one thread.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add_one(&self) {
        // A single writer needs no locked instruction.
        self.0.store(self.0.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
