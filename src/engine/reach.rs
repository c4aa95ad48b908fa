//! How a target is reached: its addresses, whom to trust there, and how a group's users negotiate. Shared by everything
//! that connects to a profile's target, so that what a run needs is what `accounts` needs.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use crate::clock::Epoch;
use crate::engine::exit::ExitCode;
use crate::engine::keys::KeyFile;
use crate::machine::Transport;
use crate::net::{self, DerivePool, DriverConfig, KeyCache, TlsClient, TlsError};
use crate::profile::{Endpoint, Group, Mechanism as Allowed, Target, Tls, Trust};
use crate::xmpp::{ClientConfig, Mechanism, Negotiation, TlsPolicy};

/// Why a target cannot be reached. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// A target's name has no address.
    #[error("cannot resolve `{host}`: {reason}; check target.url")]
    Resolve {
        /// The name.
        host: String,
        /// Why.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Threads cannot be started.
    #[error("cannot start the threads that derive keys: {0}")]
    Threads(#[from] std::io::Error),
}

impl ReachError {
    /// The exit code that goes with it.
    pub const fn code(&self) -> ExitCode {
        match self {
            Self::Resolve { .. } => ExitCode::CannotConnect,
            Self::Tls(_) => ExitCode::Usage,
            Self::Threads(_) => ExitCode::Internal,
        }
    }
}

/// The addresses of a target's endpoints, in order; `own_server` is where the embedded one listens. Names are resolved
/// once, so that no login waits for it.
pub fn resolve(
    target: &Target,
    own_server: Option<SocketAddr>,
) -> Result<Vec<(SocketAddr, Transport)>, ReachError> {
    let endpoints = target.endpoints.iter();
    endpoints
        .map(|endpoint| match endpoint {
            Endpoint::Loopback => {
                let address =
                    own_server.expect("the caller starts the server a loopback: target needs, or refuses it");
                Ok((address, Transport::Tcp))
            }
            Endpoint::Tcp { host, port } => Ok((look_up(host, *port)?, Transport::Tcp)),
            Endpoint::DirectTls { host, port } => Ok((look_up(host, *port)?, Transport::DirectTls)),
        })
        .collect()
}

/// The first address of a name.
fn look_up(host: &str, port: u16) -> Result<SocketAddr, ReachError> {
    let fail = |reason: String| ReachError::Resolve { host: host.to_owned(), reason };
    let mut found = (host, port).to_socket_addrs().map_err(|error| fail(error.to_string()))?;
    found.next().ok_or_else(|| fail("it has no address".to_owned()))
}

/// A driver for a target: source addresses, TLS, key derivation. `own_ca` vouches for the embedded server, PEM.
pub fn driver_config(
    target: &Target,
    own_ca: Option<&Arc<str>>,
    epoch: Epoch,
    keys: &Arc<KeyFile>,
) -> Result<DriverConfig, ReachError> {
    let mut driver = DriverConfig::new(epoch);
    driver.source_addresses.clone_from(&target.source_addresses);
    let all_in_the_clear = target.tls == Tls::Off
        && !target.endpoints.iter().any(|endpoint| matches!(endpoint, Endpoint::DirectTls { .. }));
    if !all_in_the_clear {
        driver.tls_client = Some(TlsClient::new(&target.domain, &trust(target, own_ca))?);
    }
    let threads = std::thread::available_parallelism().map_or(1, |cpus| cpus.get().div_ceil(2)).min(4);
    let cache: Arc<dyn KeyCache> = Arc::clone(keys) as _;
    driver.derive = Some(DerivePool::start("xb-derive", threads, Some(cache))?);
    Ok(driver)
}

fn trust(target: &Target, own_ca: Option<&Arc<str>>) -> net::Trust {
    if let Some(pem) = own_ca {
        return net::Trust::CaPem(Arc::clone(pem));
    }
    match &target.trust {
        Trust::System => net::Trust::System,
        Trust::CaFile { pem, .. } => net::Trust::CaPem(Arc::clone(pem)),
        Trust::Pin(pin) => net::Trust::Pin(*pin),
        Trust::Insecure => net::Trust::Insecure,
    }
}

/// How a group's users negotiate with a target.
pub fn client_config(target: &Target, group: &Group) -> ClientConfig {
    ClientConfig {
        domain: target.domain.clone(),
        tls: match target.tls {
            Tls::Required => TlsPolicy::Required,
            Tls::Preferred => TlsPolicy::Preferred,
            Tls::Off => TlsPolicy::Off,
        },
        mechanisms: group.auth.iter().map(|allowed| mechanism(*allowed)).collect(),
        plain_without_tls: group.plain_without_tls,
        plain_authzid: false,
    }
}

const fn mechanism(allowed: Allowed) -> Mechanism {
    match allowed {
        Allowed::ScramSha256 => Mechanism::ScramSha256,
        Allowed::ScramSha1 => Mechanism::ScramSha1,
        Allowed::Plain => Mechanism::Plain,
        Allowed::Anonymous => Mechanism::Anonymous,
    }
}

/// Unpredictable bytes for SCRAM (RFC 5802 section 5.1), from the operating system.
pub fn nonce() -> [u8; Negotiation::NONCE_LEN] {
    use rand::TryRng as _;
    let mut bytes = [0; Negotiation::NONCE_LEN];
    // The operating system's generator fails on no system we run on; a nonce of zeros would only weaken a test login.
    let _ = rand::rngs::SysRng.try_fill_bytes(&mut bytes);
    bytes
}
