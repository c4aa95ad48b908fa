//! What bare rustls costs: full handshakes with the chain verified, and the memory of connections kept open.

use std::fs::read_to_string;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore};
use xmpp_bench::plan::arrivals::ProcessCursor;
use xmpp_bench::units::Offset;

use crate::{Outcome, cpu_seconds, monotonic, process};

/// Opens `users` connections at the plan's instants, one after the other, and keeps them.
pub(crate) fn logins(address: SocketAddr, ca_file: &str, users: u32, rate: f64) -> Outcome<()> {
    let config = Arc::new(config(ca_file)?);
    let mut arrivals = ProcessCursor::new(process(rate, f64::from(users) / rate, false));
    let mut open = Vec::with_capacity(users as usize);
    let epoch = monotonic();
    let cpu_before = cpu_seconds();
    let mut pss_before = 0;
    while let Some(arrival) = arrivals.peek() {
        let now = Offset::from_nanos(monotonic() - epoch);
        std::thread::sleep(arrival.at.since(now));
        open.push(handshake(address, &config)?);
        arrivals.advance();
        if open.len() == users as usize / 10 {
            pss_before = pss_bytes()?;
        }
    }
    let cpu_s = cpu_seconds() - cpu_before;
    let grown = open.len() - users as usize / 10;
    let per_connection = (pss_bytes()? as f64 - pss_before as f64) / grown as f64;
    print(open.len(), cpu_s, per_connection);
    Ok(())
}

fn config(ca_file: &str) -> Outcome<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca_file)? {
        roots.add(certificate?)?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"xmpp-client".to_vec()];
    Ok(config)
}

fn handshake(address: SocketAddr, config: &Arc<ClientConfig>) -> Outcome<(TcpStream, ClientConnection)> {
    let mut socket = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut session = ClientConnection::new(Arc::clone(config), ServerName::try_from("localhost")?)?;
    while session.is_handshaking() {
        session.complete_io(&mut socket)?;
    }
    while session.wants_write() {
        session.write_tls(&mut socket)?;
    }
    if session.handshake_kind() != Some(HandshakeKind::Full) {
        return Err("a handshake that was not full".into());
    }
    Ok((socket, session))
}

/// Proportional set size of this process.
fn pss_bytes() -> Outcome<u64> {
    let text = read_to_string("/proc/self/smaps_rollup")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).ok_or("no Pss")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}

#[allow(clippy::print_stdout, reason = "its result")]
fn print(count: usize, cpu_s: f64, pss: f64) {
    println!(
        "{{\"what\":\"tls-logins\",\"count\":{count},\"cpu_s\":{cpu_s:.6},\"pss_bytes_each\":{pss:.0}}}"
    );
}
