//! `serve`: the embedded server on its own, for trying things out, for calibration, and as a known truth.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Args;

use crate::cli::{Failure, load, terminal};
use crate::clock::Epoch;
use crate::engine::exit::ExitCode;
use crate::loopback::{Loopback, LoopbackError, LoopbackOptions};
use crate::server::options::{Admission, StartTls};
use crate::server::{Directory, Population, ServerOptions};

/// `xmpp-bench serve`
#[derive(Debug, Args)]
#[command(
    after_help = "It is not a product server: it binds loopback only unless told otherwise, and anybody may log in.\n\n\
    Examples:\n  xmpp-bench serve --listen 127.0.0.1:5222 --ca-out ca.pem\n  \
    xmpp-bench serve --profile profiles/quickstart.toml --fault delay=5ms,loss=1% --truth truth.jsonl\n  \
    xmpp-bench serve --fault freeze=2s@10s\n  \
    xmpp-bench serve --accounts 0 --known-only --register --empty-rosters"
)]
pub(super) struct ServeArgs {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5222")]
    listen: SocketAddr,
    /// Listen for direct TLS as well.
    #[arg(long, value_name = "ADDRESS")]
    direct_tls: Option<SocketAddr>,
    /// Allow addresses others can reach. Anybody may log in to this server.
    #[arg(long)]
    allow_remote: bool,
    /// Accounts, passwords, contacts and domain as in this profile.
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// The domain served, without a profile.
    #[arg(long, default_value = "localhost")]
    domain: String,
    /// How many accounts `u0`, `u1`, … with passwords `p0`, `p1`, … have a roster, without a profile.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    accounts: u32,
    /// Contacts of each of these accounts.
    #[arg(long, value_name = "N", default_value_t = 20)]
    contacts: u32,
    /// Refuse everybody who has no account.
    #[arg(long)]
    known_only: bool,
    /// Let accounts be registered, changed and cancelled in-band (XEP-0077).
    #[arg(long)]
    register: bool,
    /// Begin with empty rosters, whatever the contacts are.
    #[arg(long)]
    empty_rosters: bool,
    /// STARTTLS: `required`, `offered` or `absent`.
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Tls::Required)]
    tls: Tls,
    /// What to do wrong: `delay=5ms,loss=1%,duplicate=0.5%,reorder=1%,freeze=2s@10s,cut=10%@15s`.
    #[arg(long, value_name = "FAULTS")]
    fault: Option<String>,
    /// The seed of the faults' draws.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write down here, per token, what was really done.
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Write the certificate authority here, for `target.ca_file`.
    #[arg(long, value_name = "FILE")]
    ca_out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Tls {
    Required,
    Offered,
    Absent,
}

pub(super) fn run(args: &ServeArgs) -> Result<(), Failure> {
    let (options, directory) = options(args)?;
    let stop = super::run::listen_for_signals()?;
    crate::net::facts::raise_descriptor_limit();
    let server = Loopback::start(&options, directory).map_err(|error| match error {
        LoopbackError::NotLoopback(_) => Failure::usage(format!("{error} with --allow-remote")),
        _ => Failure::new(ExitCode::CannotConnect, error.to_string()),
    })?;
    if let Some(path) = &args.ca_out {
        std::fs::write(path, server.ca_pem())
            .map_err(|error| Failure::usage(format!("cannot write `{}`: {error}", path.display())))?;
    }
    announce(args, &server);
    // Either a signal comes or the listener is gone.
    let _ = stop.recv();
    let freezes = server.freezes();
    let counts = server.stop().map_err(|error| Failure::new(ExitCode::Internal, error.to_string()))?;
    for freeze in freezes {
        terminal::say(&format!("frozen from {} to {}", freeze.started, freeze.ended));
    }
    let text = serde_json::to_string(&counts)
        .map_err(|error| Failure::new(ExitCode::Internal, error.to_string()))?;
    terminal::print(&format!("{text}\n"))
}

fn options(args: &ServeArgs) -> Result<(LoopbackOptions, Box<dyn Directory>), Failure> {
    let (mut server, directory): (ServerOptions, Box<dyn Directory>) = match &args.profile {
        Some(name) => {
            let profile = load::profile(name, &[])?;
            (load::server_options(&profile), Box::new(Population::new(profile.groups.clone())))
        }
        None => (
            ServerOptions::new(&args.domain),
            Box::new(Population::counted("u{n}", "p{n}", args.accounts, args.contacts)),
        ),
    };
    server.starttls = match args.tls {
        Tls::Required => StartTls::Required,
        Tls::Offered => StartTls::Offered,
        Tls::Absent => StartTls::Absent,
    };
    server.plain_without_tls |= server.starttls != StartTls::Required;
    if args.known_only {
        server.admission = Admission::Known;
    }
    server.registration = args.register;
    server.empty_rosters = args.empty_rosters;
    server.faults = load::faults(args.fault.as_deref())?;
    server.seed = args.seed;
    let mut options = LoopbackOptions::new(server, Epoch::start());
    options.address = args.listen;
    options.direct_tls = args.direct_tls;
    options.allow_remote = args.allow_remote;
    options.truth_file.clone_from(&args.truth);
    Ok((options, directory))
}

fn announce(args: &ServeArgs, server: &Loopback) {
    let address = server.address();
    terminal::say(
        "xmpp-bench's embedded server: for measuring with, not for serving people. Ctrl-C ends it.",
    );
    let host = if address.ip().is_unspecified() { IpAddr::from([127, 0, 0, 1]) } else { address.ip() };
    let mut hint = format!("--target xmpp://{}", SocketAddr::new(host, address.port()));
    if let Some(path) = &args.ca_out {
        hint += &format!(" --set target.ca_file={}", path.display());
    }
    terminal::say(&format!("listening on {address}; reach it with {hint}"));
    if let Some(address) = server.direct_tls_address() {
        terminal::say(&format!("direct TLS on {address}"));
    }
}
