//! One simulated user as a machine.
