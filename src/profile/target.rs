//! `[target]`: where the users connect to, and whom they trust there.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Where the users connect to.
#[derive(Clone, Debug)]
pub struct Target {
    /// One or more endpoints. Users are spread over them round robin, by index.
    pub endpoints: Vec<Endpoint>,
    /// The XMPP domain the users belong to.
    pub domain: String,
    /// What to do about STARTTLS on `xmpp:` and `loopback:` endpoints.
    pub tls: Tls,
    /// Which certificates are believed.
    pub trust: Trust,
    /// The local addresses connections leave from, round robin by user index; empty for the system's choice.
    pub source_addresses: Vec<IpAddr>,
}

impl Target {
    /// The endpoint of a user: fixed by its index, so that no sharding can change it.
    pub fn endpoint_of(&self, user: u32) -> &Endpoint {
        &self.endpoints[user as usize % self.endpoints.len()]
    }

    /// The local address a user's connections leave from, if the profile says so. Users of one endpoint are spread
    /// over all addresses, however the numbers of endpoints and addresses divide each other.
    pub fn source_address_of(&self, user: u32) -> Option<IpAddr> {
        let turn = user as usize / self.endpoints.len();
        (!self.source_addresses.is_empty()).then(|| self.source_addresses[turn % self.source_addresses.len()])
    }

    /// Whether the embedded server is a target.
    pub fn uses_loopback(&self) -> bool {
        self.endpoints.contains(&Endpoint::Loopback)
    }
}

/// One address of a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `xmpp://host:port`: TCP, then STARTTLS as [`Target::tls`] says (RFC 6120).
    Tcp {
        /// A name or an IP address (without brackets).
        host: String,
        /// 5222 unless told otherwise.
        port: u16,
    },
    /// `xmpps://host:port`: TLS from the first byte (XEP-0368).
    DirectTls {
        /// A name or an IP address (without brackets).
        host: String,
        /// 5223 unless told otherwise.
        port: u16,
    },
    /// `loopback:`: the embedded server, on a port of its choice.
    Loopback,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self {
            Self::Tcp { host, port } => ("xmpp", host, port),
            Self::DirectTls { host, port } => ("xmpps", host, port),
            Self::Loopback => return f.write_str("loopback:"),
        };
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

/// What to do about STARTTLS (RFC 6120 §5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tls {
    /// A login without it fails.
    #[default]
    Required,
    /// Used where offered.
    Preferred,
    /// Never used.
    Off,
}

impl Tls {
    /// The spelling in a profile.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Preferred => "preferred",
            Self::Off => "off",
        }
    }
}

/// Which certificates are believed. With [`Endpoint::Loopback`] the embedded server's own is believed as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// What the system's store vouches for.
    #[default]
    System,
    /// What these certificates vouch for.
    CaFile {
        /// Where they were read from.
        path: PathBuf,
        /// The file's text, PEM.
        pem: Arc<str>,
    },
    /// The one whose public key (`SubjectPublicKeyInfo`) or whole DER has this SHA-256.
    Pin([u8; 32]),
    /// Any. The result says so.
    Insecure,
}
