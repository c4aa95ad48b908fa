//! The `xmpp-bench` command: everything is in the library.

use std::process::ExitCode;

/// Many small buffers of many users: the system's allocator keeps more of what is freed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    xmpp_bench::cli::main()
}
