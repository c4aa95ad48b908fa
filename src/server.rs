//! The embedded server without I/O: accounts, roster, routing, faults, truth.
