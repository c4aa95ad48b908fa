//! TLS for both roles: what is trusted, what is offered, what is told about a finished handshake.
//!
//! Every choice that costs the server or the client CPU is made here and nowhere else: the provider is *ring*, given to
//! each configuration explicitly and installed nowhere; key exchange offers X25519, P-256, P-384 in this order; sessions
//! are never resumed, so that every login is a full handshake and none of them profits from another.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::NoServerSessionStorage;
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::{Accept, Connect, TlsAcceptor, TlsConnector, TlsStream};

use super::verify::{AnyLeaf, PinnedLeaf};
use crate::machine::Secured;
use crate::units::Offset;

/// The protocol direct TLS names (XEP-0368 section 3).
const ALPN: &[u8] = b"xmpp-client";

/// What makes a server's certificate good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The operating system's roots.
    System,
    /// The certificates of a PEM file, and no others.
    CaFile(PathBuf),
    /// The certificates of a PEM text, and no others.
    CaPem(Arc<str>),
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
    /// A PEM text that holds no certificate or key.
    #[error("cannot read {what}: {reason}")]
    Pem {
        /// What was looked for.
        what: &'static str,
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
    Rustls(#[from] rustls::Error),
}

/// How channels that were opened are secured. Cheap to clone.
#[derive(Clone)]
pub struct TlsClient {
    after_starttls: Arc<ClientConfig>,
    direct: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl TlsClient {
    /// For servers of one XMPP domain, which is the name their certificate must be for (RFC 6120 section 13.7).
    pub fn new(domain: &str, trust: &Trust) -> Result<Self, TlsError> {
        let name = ServerName::try_from(domain.to_owned()).map_err(|_| TlsError::Name(domain.to_owned()))?;
        let mut config = client_config(trust)?;
        config.resumption = Resumption::disabled();
        let mut direct = config.clone();
        direct.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { after_starttls: Arc::new(config), direct: Arc::new(direct), name })
    }

    /// A copy that shares no reference counts with this one, for a worker of its own.
    #[must_use]
    pub fn unshared(&self) -> Self {
        let own = |config: &Arc<ClientConfig>| Arc::new(ClientConfig::clone(config));
        Self { after_starttls: own(&self.after_starttls), direct: own(&self.direct), name: self.name.clone() }
    }

    pub(super) fn begin(&self, stream: TcpStream, direct: bool, buffer: usize) -> Handshake {
        let config = if direct { &self.direct } else { &self.after_starttls };
        let connector = TlsConnector::from(Arc::clone(config));
        Handshake::Client(
            connector.connect_with(self.name.clone(), stream, |tls| tls.set_buffer_limit(Some(buffer))),
        )
    }
}

/// How channels that were accepted are secured. Cheap to clone.
#[derive(Clone)]
pub struct TlsServer {
    after_starttls: Arc<ServerConfig>,
    direct: Arc<ServerConfig>,
}

impl TlsServer {
    /// From PEM texts: the chain, leaf first, and its key.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let unreadable = |what| move |reason: String| TlsError::Pem { what, reason };
        let chain = certificates(chain).map_err(unreadable("a certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| unreadable("a private key")(error.to_string()))?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        let mut direct = config.clone();
        direct.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { after_starttls: Arc::new(config), direct: Arc::new(direct) })
    }

    /// From PEM files.
    pub fn from_files(chain: &Path, key: &Path) -> Result<Self, TlsError> {
        Self::from_pem(&read_file("a certificate", chain)?, &read_file("a private key", key)?)
    }

    pub(super) fn begin(&self, stream: TcpStream, direct: bool, buffer: usize) -> Handshake {
        let config = if direct { &self.direct } else { &self.after_starttls };
        let acceptor = TlsAcceptor::from(Arc::clone(config));
        Handshake::Server(acceptor.accept_with(stream, |tls| tls.set_buffer_limit(Some(buffer))))
    }
}

/// A handshake under way.
pub(super) enum Handshake {
    Client(Connect<TcpStream>),
    Server(Accept<TcpStream>),
}

impl Handshake {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<TlsStream<TcpStream>>> {
        match self {
            Self::Client(connect) => Pin::new(connect).poll(cx).map_ok(TlsStream::Client),
            Self::Server(accept) => Pin::new(accept).poll(cx).map_ok(TlsStream::Server),
        }
    }
}

/// What is told about a finished handshake.
pub(super) fn secured(stream: &TlsStream<TcpStream>, started: Offset) -> Secured {
    let (_, tls) = stream.get_ref();
    let version = tls.protocol_version();
    let chain = tls.peer_certificates().unwrap_or_default();
    Secured {
        started,
        version: version.map_or_else(String::new, |version| format!("{version:?}")),
        cipher: tls
            .negotiated_cipher_suite()
            .map_or_else(String::new, |suite| format!("{:?}", suite.suite())),
        resumed: matches!(tls.handshake_kind(), Some(HandshakeKind::Resumed)),
        leaf_sha256: chain.first().map(|leaf| fingerprint(leaf)),
        certificates: chain.len() as u32,
        exporter: if version == Some(ProtocolVersion::TLSv1_3) { exporter(stream) } else { None },
    }
}

/// `tls-exporter` channel-binding data (RFC 9266 section 2): this label, an empty context, 32 bytes.
fn exporter(stream: &TlsStream<TcpStream>) -> Option<[u8; 32]> {
    const LABEL: &[u8] = b"EXPORTER-Channel-Binding";
    match stream {
        TlsStream::Client(tls) => tls.get_ref().1.export_keying_material([0; 32], LABEL, Some(b"")),
        TlsStream::Server(tls) => tls.get_ref().1.export_keying_material([0; 32], LABEL, Some(b"")),
    }
    .ok()
}

/// SHA-256 of a certificate's DER.
pub(super) fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(certificate.as_ref()).into()
}

fn provider() -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    provider.kx_groups = vec![ring::kx_group::X25519, ring::kx_group::SECP256R1, ring::kx_group::SECP384R1];
    Arc::new(provider)
}

fn client_config(trust: &Trust) -> Result<ClientConfig, TlsError> {
    let provider = provider();
    let algorithms = provider.signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = match trust {
        Trust::System => builder.with_root_certificates(system_roots()?).with_no_client_auth(),
        Trust::CaFile(path) => builder.with_root_certificates(file_roots(path)?).with_no_client_auth(),
        Trust::CaPem(pem) => builder.with_root_certificates(pem_roots(pem.as_bytes())?).with_no_client_auth(),
        Trust::Pin(pin) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(PinnedLeaf::new(*pin, algorithms)))
            .with_no_client_auth(),
        Trust::Insecure => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyLeaf::new(algorithms)))
            .with_no_client_auth(),
    };
    Ok(config)
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        let reason = found.errors.first().map_or_else(|| "none installed".to_owned(), ToString::to_string);
        return Err(TlsError::NoSystemRoots(reason));
    }
    Ok(roots)
}

fn file_roots(path: &Path) -> Result<RootCertStore, TlsError> {
    const WHAT: &str = "a CA certificate";
    let unreadable = |reason: String| TlsError::File { what: WHAT, path: path.to_owned(), reason };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&read_file(WHAT, path)?).map_err(unreadable)? {
        roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
    }
    Ok(roots)
}

fn pem_roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let unreadable = |reason: String| TlsError::Pem { what: "a CA certificate", reason };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem).map_err(unreadable)? {
        roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
    }
    Ok(roots)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    if found.is_empty() { Err("no PEM section CERTIFICATE in it".to_owned()) } else { Ok(found) }
}

fn read_file(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| TlsError::File {
        what,
        path: path.to_owned(),
        reason: error.to_string(),
    })
}
