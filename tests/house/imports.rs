//! The import table, and what it says of a file.

use super::source::Source;

/// Which modules a module may import, beside itself. A line here is the reviewed decision that the arrow is right.
///
/// The order is the direction: a module imports only what stands above it. `a::b` allows that submodule alone.
const TABLE: &[(&str, &[&str])] = &[
    ("units", &[]),
    ("seed", &[]),
    ("machine", &["units"]),
    ("sample", &["units"]),
    ("xmpp", &["units", "machine"]),
    ("profile", &["units", "xmpp::jid"]),
    // A bootstrap draws: by the counter-based generators, so that the same files give the same intervals.
    ("stats", &["units", "seed"]),
    // A result is written in the words of measurement: columns, outcomes, samples.
    // What it derives from its series, it derives with the uncertainty that goes with it.
    ("results", &["units", "sample", "stats"]),
    ("topology", &["units", "seed", "profile"]),
    ("server", &["units", "seed", "topology", "profile", "machine", "sample", "xmpp"]),
    ("plan", &["units", "seed", "profile", "topology"]),
    ("activity", &["units", "seed", "profile", "topology", "xmpp", "machine", "sample"]),
    ("user", &["units", "seed", "profile", "topology", "xmpp", "machine", "sample", "activity"]),
    ("record", &["units", "sample", "results"]),
    ("clock", &["units"]),
    ("net", &["units", "clock", "machine"]),
    (
        "loopback",
        &["units", "seed", "topology", "profile", "machine", "sample", "xmpp", "server", "clock", "net"],
    ),
    (
        "engine",
        &[
            "units", "seed", "machine", "sample", "xmpp", "profile", "stats", "results", "topology", "plan",
            "activity", "user", "record", "clock", "net",
        ],
    ),
    // It connects as a run does: how a target is reached, keys, exit codes and commands are the engine's.
    (
        "accounts",
        &[
            "units",
            "seed",
            "machine",
            "sample",
            "xmpp",
            "profile",
            "topology",
            "user",
            "clock",
            "net",
            "engine::reach",
            "engine::coordinator::Command",
        ],
    ),
    ("report", &["units", "results", "stats"]),
    // Tables look alike everywhere; what a comparison says is its own.
    ("compare", &["units", "seed", "sample", "results", "stats", "report::table"]),
    ("live", &["sample", "results"]),
    ("cli", &["*"]),
    ("main", &["cli"]),
];

/// Modules without I/O: bytes and time come as arguments.
const PURE: &[&str] = &[
    "units", "seed", "machine", "sample", "xmpp", "profile", "stats", "topology", "server", "plan",
    "activity", "user", "record",
];

/// What a pure module doesn't name. Addresses (`std::net::SocketAddr`, `IpAddr`) are plain data, and may be.
const IO: &[&str] = &[
    "tokio",
    "tokio_rustls",
    "rustls",
    "socket2",
    "nix",
    "rustix",
    "mio",
    "std::fs",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::process",
    "std::thread",
    "std::env",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::net::ToSocketAddrs",
    "std::net::*",
    "std::net::self",
    "std::os::unix::net",
];

/// The edges of a file that the table doesn't allow.
pub fn findings(source: &Source) -> Vec<String> {
    let here = source.module();
    let Some(from) = here.first() else { return Vec::new() };
    let Some((_, allowed)) = TABLE.iter().find(|(module, _)| module == from) else {
        return vec![format!(
            "{}:1: imports: `{from}` stands in no line of the table; add one to tests/house/imports.rs and to the map in src/lib.rs",
            source.path
        )];
    };
    let roots = ["crate", "super", "xmpp_bench"];
    let edges = source.paths(&roots).into_iter().filter_map(|path| {
        let mut module = here.clone();
        module.extend(path.inside);
        Some((path.line, resolve(&module, &path.segments)?))
    });
    let forbidden = edges.filter(|(_, target)| target[0] != *from && !allows(allowed, target));
    forbidden
        .map(|(line, target)| {
            format!(
                "{}:{line}: imports: `{from}` may not import `{}` (it may: {}); move what both need into a module both \
                 may import, pass it in as an argument or a trait, or amend the table in tests/house/imports.rs and say why",
                source.path,
                target.join("::"),
                if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") },
            )
        })
        .collect()
}

/// Where a path leads, from the library's root; `None` for the root itself.
fn resolve(module: &[String], segments: &[String]) -> Option<Vec<String>> {
    let ups = segments.iter().take_while(|segment| *segment == "super").count();
    let mut target = if ups == 0 { Vec::new() } else { module[..module.len().saturating_sub(ups)].to_vec() };
    target.extend(segments[ups.max(1)..].iter().cloned());
    (!target.is_empty()).then_some(target)
}

fn allows(allowed: &[&str], target: &[String]) -> bool {
    allowed.iter().any(|entry| {
        *entry == "*" || {
            let mut entry = entry.split("::").zip(target).map(|(wanted, is)| wanted == is);
            entry.all(|same| same)
        } && entry.split("::").count() <= target.len()
    })
}

/// The sockets, files, threads and clocks a pure file names.
pub fn impurities(source: &Source) -> Vec<String> {
    let here = source.module();
    let Some(module) = here.first().filter(|module| PURE.contains(&module.as_str())) else {
        return Vec::new();
    };
    let roots: Vec<_> = IO.iter().filter_map(|path| path.split("::").next()).collect();
    let io = source.paths(&roots).into_iter().filter_map(|path| {
        let name = path.segments.join("::");
        let named = |io: &&&str| {
            name == **io || name.starts_with(&format!("{io}::")) || name == format!("{io}::self")
        };
        IO.iter().find(named).map(|_| (path.line, name.clone()))
    });
    io.map(|(line, name)| {
        format!(
            "{}:{line}: purity: `{module}` does no I/O and reads no clock, but names `{name}`; take bytes, text or an \
             Offset as an argument, and leave the rest to `net`, `clock`, `engine` or `cli`",
            source.path
        )
    })
    .collect()
}

#[test]
fn a_forbidden_edge_is_found() {
    let cases = [
        ("src/net.rs", "use crate::xmpp::Framer;", "xmpp::Framer"),
        ("src/net/tls.rs", "\n\nfn f() { crate::user::login() }", "user::login"),
        ("src/net/tls.rs", "use super::super::engine;", "engine"),
        ("src/units.rs", "use super::seed::Seed;", "seed::Seed"),
        ("src/units.rs", "mod inner { use super::super::seed::Seed; }", "seed::Seed"),
        ("src/plan.rs", "use crate::{units::Offset, server::{Account, Room}};", "server::Account"),
        ("src/profile.rs", "use crate::xmpp::stanza::Message;", "xmpp::stanza::Message"),
        ("src/profile.rs", "use crate::xmpp;", "xmpp"),
        ("src/engine.rs", "type S = crate::loopback::Loopback;", "loopback::Loopback"),
        ("src/main.rs", "use xmpp_bench::engine::run;", "engine::run"),
        ("src/record.rs", "macro_rules! m { () => { $crate::net::now() } }", "net::now"),
    ];
    for (path, text, target) in cases {
        let found = findings(&Source::new(path, text));
        let wanted = format!("may not import `{target}`");
        assert!(found.iter().any(|finding| finding.contains(&wanted)), "{path}: {text}: {found:?}");
    }
}

#[test]
fn a_finding_says_where_what_and_what_to_do() {
    let found = findings(&Source::new("src/net/tls.rs", "//! TLS.\n\nuse crate::user::User;\n"));
    let expected = "src/net/tls.rs:3: imports: `net` may not import `user::User` (it may: units, clock, machine); move \
                    what both need into a module both may import, pass it in as an argument or a trait, or amend the \
                    table in tests/house/imports.rs and say why";
    assert_eq!(found, [expected]);
}

#[test]
fn an_allowed_edge_is_no_finding() {
    let cases = [
        ("src/net.rs", "use crate::units::Offset; use crate::net::tls::Config;"),
        ("src/net/tls.rs", "use super::Socket; use super::{Config, Kind}; use super::super::units::Offset;"),
        ("src/profile/load.rs", "use crate::xmpp::jid::Jid;"),
        ("src/user.rs", "mod login { use super::Step; } use crate::activity::Ping;"),
        ("src/user.rs", "#[cfg(test)] mod tests { use crate::server::Server; }"),
        ("src/user/tests.rs", "use crate::server::Server;"),
        ("src/cli/run.rs", "use crate::{engine, loopback, server};"),
        ("src/lib.rs", "pub use crate::engine::run;"),
        ("src/units.rs", "/// See [`crate::cli`]. \nconst HELP: &str = \"crate::engine\";"),
    ];
    for (path, text) in cases {
        assert_eq!(findings(&Source::new(path, text)), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn io_in_a_pure_module_is_found_and_addresses_are_none() {
    for text in [
        "use tokio::net::TcpStream;",
        "use std::{collections::HashMap, fs};",
        "use std::fs::File;",
        "fn f() { std::thread::sleep(d) }",
        "use std::net::{SocketAddr, TcpListener};",
        "use std::net::{self};",
        "use std::time::{Duration, Instant};",
        "use ::tokio::spawn;",
    ] {
        assert_eq!(impurities(&Source::new("src/xmpp/sasl.rs", text)).len(), 1, "{text}");
        assert_eq!(impurities(&Source::new("src/net/tcp.rs", text)).len(), 0, "{text}");
    }
    for text in ["use std::net::{IpAddr, SocketAddr};", "use std::time::Duration;", "use std::io::Write;"] {
        assert_eq!(impurities(&Source::new("src/xmpp/sasl.rs", text)).len(), 0, "{text}");
    }
}

#[test]
fn the_table_is_the_library_and_has_no_cycle() {
    let library = Source::all("src").into_iter().find(|source| source.path == "src/lib.rs").unwrap();
    let mut declared: Vec<_> =
        library.code.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    declared.push("main");
    declared.sort_unstable();
    let mut listed: Vec<_> = TABLE.iter().map(|(module, _)| *module).collect();
    listed.sort_unstable();
    assert_eq!(listed, declared, "the table in tests/house/imports.rs and the modules of src/lib.rs differ");
    for (row, (module, allowed)) in TABLE.iter().enumerate() {
        for entry in allowed.iter().filter(|entry| **entry != "*") {
            let top = entry.split("::").next().unwrap();
            let above = TABLE[..row].iter().any(|(name, _)| *name == top);
            assert!(above, "`{module}` may import `{entry}`, which does not stand above it");
        }
    }
}
