//! Channels under TLS: both ways in, what is told, and every way a certificate can be wrong.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use sha2::{Digest, Sha256};
use xmpp_bench::machine::{Channel, CloseCause, CloseMode, Event, Outbox, Request, Secured, Transport};
use xmpp_bench::net::{DriverConfig, Limits, TlsClient, TlsServer, Trust};
use xmpp_bench::units::Offset;

use super::support::*;

const ONE: Channel = Channel(1);

/// A CA, and a leaf for `localhost` signed by it.
struct Certificates {
    directory: tempfile::TempDir,
    leaf_sha256: [u8; 32],
    server: TlsServer,
}

impl Certificates {
    fn new(change: impl FnOnce(&mut CertificateParams)) -> Self {
        Self::by("one authority", change)
    }

    /// From the authority of this name; two of the same name still have keys of their own.
    fn by(authority: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.distinguished_name.push(DnType::CommonName, authority);
        let ca_certificate = ca.self_signed(&ca_key).unwrap();
        let issuer = Issuer::new(ca, ca_key);

        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        change(&mut params);
        let leaf = params.signed_by(&key, &issuer).unwrap();

        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), ca_certificate.pem()).unwrap();
        Self {
            leaf_sha256: Sha256::digest(leaf.der()).into(),
            server: TlsServer::from_pem(leaf.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap(),
            directory,
        }
    }

    fn ca_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }
}

fn serving(certificates: &Certificates) -> DriverConfig {
    DriverConfig { tls_server: Some(certificates.server.clone()), ..plain() }
}

fn trusting(domain: &str, trust: &Trust) -> DriverConfig {
    DriverConfig { tls_client: Some(TlsClient::new(domain, trust).unwrap()), ..plain() }
}

/// Says `ready` and secures the channel when asked to; echoes everything else.
fn upgrading(steer: &mut Steer, now: Offset, channel: Channel, event: &Event<'_>, out: &mut Outbox) {
    if matches!(event, Event::Data(b"secure?")) {
        out.write(channel, |bytes| bytes.extend_from_slice(b"ready"));
        out.request(Request::StartTls(channel));
    } else {
        echo(steer, now, channel, event, out);
    }
}

/// Asks to secure the channel, then sends `payload`.
fn asking(
    payload: Vec<u8>,
) -> impl FnMut(&mut Steer, Offset, Channel, &Event<'_>, &mut Outbox) + Send + 'static {
    move |_, _, channel, event, out| match event {
        Event::Opened(_) => {
            out.write(channel, |bytes| bytes.extend_from_slice(b"secure?"));
        }
        Event::Data(b"ready") => out.request(Request::StartTls(channel)),
        Event::Secured(_) => {
            out.write(channel, |bytes| bytes.extend_from_slice(&payload));
        }
        _ => {}
    }
}

fn secured(steer: &Steer, channel: Channel) -> Secured {
    let facts = steer.told(channel).into_iter().find_map(|told| match told {
        Told::Secured(facts) => Some(*facts),
        _ => None,
    });
    facts.expect("the channel was secured")
}

#[test]
fn a_stream_is_secured_in_its_middle_and_both_ends_know_the_same_of_it() {
    in_time(|| {
        let certificates = Certificates::new(|_| {});
        let (listeners, address) = listener(Transport::Tcp);
        let server = start("xb-server-0", serving(&certificates), listeners, upgrading);
        let payload: Vec<u8> = (0..600_000_u32).map(|number| (number % 251) as u8).collect();
        let config = trusting("localhost", &Trust::CaFile(certificates.ca_file()));
        let client = start("xb-worker-0", config, vec![], asking(payload.clone()));
        client.run(move |_, _, out| out.request(open(1, address, Transport::Tcp)));
        let whole = payload.len() + b"ready".len();
        client.until(move |steer| steer.received(ONE).len() == whole);
        client.run(|_, _, out| out.request(Request::Close(ONE, CloseMode::Finish)));
        client.until(|steer| steer.cause(ONE).is_some());

        let (client, server) = (client.stop(), server.stop());
        let accepted = server.log[0].channel;
        assert_eq!(client.received(ONE)[5..], payload);
        let sent = (payload.len() + b"secure?".len()) as u64;
        assert!(client.told(ONE).contains(&Told::Sent(sent)), "offsets count the machine's own bytes");

        let (ours, theirs) = (secured(&client, ONE), secured(&server, accepted));
        assert_eq!(ours.version, "TLSv1_3");
        assert_eq!((&ours.version, &ours.cipher), (&theirs.version, &theirs.cipher));
        assert_eq!(ours.leaf_sha256, Some(certificates.leaf_sha256));
        assert_eq!(theirs.leaf_sha256, None);
        assert_eq!((ours.certificates, theirs.certificates), (1, 0));
        assert!(ours.exporter.is_some() && ours.exporter == theirs.exporter);
        assert!(!ours.resumed && ours.started > Offset::ZERO);
        assert_eq!(client.cause(ONE), Some(CloseCause::Asked));
        assert_eq!(server.cause(accepted), Some(CloseCause::Finished), "close_notify came");
        assert_eq!((client.stats.handshakes, client.stats.established), (1, 0));
    });
}

#[test]
fn direct_tls_never_resumes_a_session() {
    in_time(|| {
        let certificates = Certificates::new(|_| {});
        let (listeners, address) = listener(Transport::DirectTls);
        let server = start("xb-server-0", serving(&certificates), listeners, echo);
        let config = trusting("localhost", &Trust::CaFile(certificates.ca_file()));
        let client = start("xb-worker-0", config, vec![], |_, _, channel, event, out| match event {
            // Written before the handshake: kept, and sent under TLS.
            Event::Opened(_) => {
                out.write(channel, |bytes| bytes.extend_from_slice(b"early "));
            }
            Event::Secured(_) => {
                out.write(channel, |bytes| bytes.extend_from_slice(b"late"));
            }
            _ => {}
        });
        for number in 0..3 {
            let channel = Channel(number);
            client.run(move |_, _, out| out.request(open(number, address, Transport::DirectTls)));
            client.until(move |steer| steer.received(channel) == b"early late");
            client.run(move |_, _, out| out.request(Request::Close(channel, CloseMode::Finish)));
            client.until(move |steer| steer.cause(channel).is_some());
        }
        let client = client.stop();
        for number in 0..3 {
            assert!(!secured(&client, Channel(number)).resumed);
        }
        server.stop();
    });
}

/// What a client that trusts so is told at the end, and the server too.
fn refused(certificates: &Certificates, domain: &str, trust: &Trust) -> (CloseCause, CloseCause) {
    let (listeners, address) = listener(Transport::DirectTls);
    let server = start("xb-server-0", serving(certificates), listeners, echo);
    let client = start("xb-worker-0", trusting(domain, trust), vec![], listen);
    client.run(move |_, _, out| out.request(open(1, address, Transport::DirectTls)));
    client.until(|steer| steer.cause(ONE).is_some());
    server.until(|steer| steer.log.len() > 1);
    let (client, server) = (client.stop(), server.stop());
    let accepted = server.log[0].channel;
    (client.cause(ONE).unwrap(), server.cause(accepted).unwrap())
}

#[test]
fn a_wrong_certificate_is_refused_with_its_reason() {
    in_time(|| {
        let good = Certificates::new(|_| {});
        let other = Certificates::by("another authority", |_| {});
        let namesake = Certificates::new(|_| {});
        let expired = Certificates::new(|params| {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        });
        let early = Certificates::new(|params| params.not_before = date_time_ymd(2090, 1, 1));
        let [good_ca, other_ca, namesake_ca] =
            [&good, &other, &namesake].map(|made| Trust::CaFile(made.ca_file()));
        for (certificates, domain, trust, reason) in [
            (&good, "example.org", good_ca, "certificate is not valid for name example.org; it is for"),
            (&good, "localhost", other_ca, "certificate has an unknown issuer"),
            (&good, "localhost", namesake_ca, "certificate was not signed by the trusted authority"),
            (&expired, "localhost", Trust::CaFile(expired.ca_file()), "certificate has expired"),
            (&early, "localhost", Trust::CaFile(early.ca_file()), "certificate is not valid yet"),
            (&good, "localhost", Trust::Pin([7; 32]), "certificate is not the pinned one"),
        ] {
            let (ours, theirs) = refused(certificates, domain, &trust);
            let CloseCause::Tls(text) = &ours else { panic!("{trust:?}: {ours:?}") };
            assert!(text.starts_with(reason), "{text}");
            assert!(matches!(&theirs, CloseCause::Tls(text) if text.contains("refused")), "{theirs:?}");
        }
    });
}

#[test]
fn a_pin_or_a_word_replaces_the_chain() {
    in_time(|| {
        let expired = Certificates::new(|params| {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        });
        for trust in [Trust::Pin(expired.leaf_sha256), Trust::Insecure] {
            let (listeners, address) = listener(Transport::DirectTls);
            let server = start("xb-server-0", serving(&expired), listeners, echo);
            let client = start("xb-worker-0", trusting("elsewhere.org", &trust), vec![], listen);
            client.run(move |_, _, out| out.request(open(1, address, Transport::DirectTls)));
            client.until(|steer| steer.log.len() == 2);
            assert_eq!(secured(&client.stop(), ONE).leaf_sha256, Some(expired.leaf_sha256));
            server.stop();
        }
    });
}

#[test]
fn bytes_in_the_clear_after_the_go_ahead_are_a_violation() {
    in_time(|| {
        let certificates = Certificates::new(|_| {});
        let peer = TcpListener::bind(loopback()).unwrap();
        let address = peer.local_addr().unwrap();
        let (seen, go_ahead) = std::sync::mpsc::channel::<()>();
        let (injected, wait) = std::sync::mpsc::channel::<()>();
        let config = trusting("localhost", &Trust::CaFile(certificates.ca_file()));
        let client = start("xb-worker-0", config, vec![], move |_, _, channel, event, out| {
            if matches!(event, Event::Data(b"ready")) {
                // What the peer adds meanwhile lies in the socket, unseen by any machine.
                seen.send(()).unwrap();
                wait.recv().unwrap();
                out.request(Request::StartTls(channel));
            }
        });
        client.run(move |_, _, out| out.request(open(1, address, Transport::Tcp)));
        let (mut stream, _) = peer.accept().unwrap();
        stream.write_all(b"ready").unwrap();
        go_ahead.recv().unwrap();
        stream.write_all(b"<injected/>").unwrap();
        injected.send(()).unwrap();
        client.until(|steer| steer.cause(ONE).is_some());
        assert_eq!(client.stop().cause(ONE), Some(CloseCause::InjectedBeforeTls));
    });
}

#[test]
fn an_end_without_close_notify_is_told_apart() {
    in_time(|| {
        let certificates = Certificates::new(|_| {});
        let (listeners, address) = listener(Transport::DirectTls);
        let server = start("xb-server-0", serving(&certificates), listeners, listen);
        let client_config = TlsClient::new("localhost", &Trust::CaFile(certificates.ca_file())).unwrap();
        let config = DriverConfig { tls_client: Some(client_config), ..plain() };
        // A relay in between that ends both ways after the handshake.
        let relay = TcpListener::bind(loopback()).unwrap();
        let through = relay.local_addr().unwrap();
        let client = start("xb-worker-0", config, vec![], listen);
        client.run(move |_, _, out| out.request(open(1, through, Transport::DirectTls)));
        let (ours, _) = relay.accept().unwrap();
        let theirs = std::net::TcpStream::connect(address).unwrap();
        let pumps = [pump(&ours, &theirs), pump(&theirs, &ours)];
        client.until(|steer| steer.log.len() == 2);
        server.until(|steer| steer.log.len() == 2);
        ours.shutdown(std::net::Shutdown::Both).unwrap();
        theirs.shutdown(std::net::Shutdown::Both).unwrap();
        client.until(|steer| steer.cause(ONE).is_some());
        assert_eq!(client.stop().cause(ONE), Some(CloseCause::Truncated));
        server.until(|steer| steer.log.len() == 3);
        server.stop();
        for pump in pumps {
            pump.join().unwrap();
        }
    });
}

fn pump(from: &std::net::TcpStream, to: &std::net::TcpStream) -> std::thread::JoinHandle<()> {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if to.write_all(&buffer[..count]).is_err() {
                return;
            }
        }
    })
}

#[test]
fn a_handshake_nobody_answers_is_bounded() {
    in_time(|| {
        let peer = TcpListener::bind(loopback()).unwrap();
        let address = peer.local_addr().unwrap();
        let limits = Limits { handshake_timeout: Duration::from_millis(100), ..Limits::default() };
        let config = DriverConfig { limits, ..trusting("localhost", &Trust::Insecure) };
        let client = start("xb-worker-0", config, vec![], listen);
        client.run(move |_, _, out| out.request(open(1, address, Transport::DirectTls)));
        let _silent = peer.accept().unwrap();
        client.until(|steer| steer.cause(ONE).is_some());
        let cause = client.stop().cause(ONE).unwrap();
        assert_eq!(cause, CloseCause::HandshakeTimeout);
    });
}

#[test]
fn what_cannot_be_set_up_says_what_is_wrong() {
    let missing = TlsClient::new("localhost", &Trust::CaFile("/nonexistent/ca.pem".into()));
    let text = missing.err().unwrap().to_string();
    assert!(text.contains("/nonexistent/ca.pem") && text.contains("CA certificate"), "{text}");
    let name = TlsClient::new("not a name", &Trust::Insecure).err().unwrap().to_string();
    assert!(name.contains("not a name"), "{name}");
    let empty = TlsServer::from_pem(b"", b"").err().unwrap().to_string();
    assert!(empty.contains("certificate"), "{empty}");
}
