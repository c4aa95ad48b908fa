//! A run, watched while it goes on: a page that draws itself, and metrics for Prometheus.
//!
//! Once a second a [`Snapshot`] is published; everything served is made of the last one, on a thread of its own, and no
//! worker ever waits for it. [`metrics`] turns it into Prometheus' text, [`Point`]s go to the page as server-sent events
//! and are kept, ever more coarsely, for those who come later; [`serve`] listens.
//!
//! It refuses addresses that others can reach unless told so by name, more than a bounded number of connections, and
//! clients that do not read. It measures nothing: it shows what the coordinator has folded already.

mod classic;
pub mod metrics;
mod point;
pub mod serve;
mod snapshot;

pub use classic::{Classic, EDGES_US};
pub use point::{Point, Points};
pub use serve::{Live, LiveError};
pub use snapshot::{Drawn, Facts, ObservedNow, Operation, OperationNow, Over, Snapshot};
