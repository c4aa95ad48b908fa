//! TLS for both roles: what is trusted, what is offered, what is told about a finished handshake.

use std::path::{Path, PathBuf};

/// What makes a server's certificate good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The operating system's roots.
    System,
    /// The certificates of a PEM file, and no others.
    CaFile(PathBuf),
    /// A leaf with this SHA-256, whatever its name, dates and issuer.
    Pin([u8; 32]),
    /// Anything. Signatures are still checked.
    Insecure,
}

/// A TLS set-up that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that could not be read as PEM.
    #[error("cannot read {what} from {}: {reason}", path.display())]
    File {
        /// What was looked for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The system has no roots.
    #[error("no trusted certificates found on this system ({0}): name a CA file, a pin, or say insecure")]
    NoSystemRoots(String),
    /// A domain that cannot stand in a certificate.
    #[error("`{0}` cannot be a server's name in TLS: write an ASCII host name or an address")]
    Name(String),
    /// rustls refused.
    #[error("TLS set-up refused: {0}")]
    Rustls(String),
}

/// How channels that were opened are secured.
#[derive(Clone)]
pub struct TlsClient {}

impl TlsClient {
    /// For servers of one XMPP domain.
    pub fn new(domain: &str, trust: &Trust) -> Result<Self, TlsError> {
        let _ = (domain, trust);
        Ok(Self {})
    }
}

/// How channels that were accepted are secured.
#[derive(Clone)]
pub struct TlsServer {}

impl TlsServer {
    /// From PEM texts: the chain, leaf first, and its key.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let _ = (chain, key);
        Ok(Self {})
    }

    /// From PEM files.
    pub fn from_files(chain: &Path, key: &Path) -> Result<Self, TlsError> {
        let _ = (chain, key);
        Ok(Self {})
    }
}
