//! The `xmpp-bench` command.

fn main() {}
