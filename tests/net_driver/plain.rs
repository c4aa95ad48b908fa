//! Channels in the clear: what is written, what is told, how they end.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpListener};
use std::time::Duration;

use xmpp_bench::machine::{Channel, CloseCause, CloseMode, Event, LocalLimit, Lookup, Request, Transport};
use xmpp_bench::net::{DriverConfig, Limits, SocketOptions};

use super::support::*;

const ONE: Channel = Channel(1);

#[test]
fn what_is_written_comes_back_and_every_byte_is_accounted_for() {
    in_time(|| {
        let (listeners, address) = listener(Transport::Tcp);
        let server = start("xb-server-0", plain(), listeners, echo);
        let client = start("xb-worker-0", plain(), vec![], |_, _, channel, event, out| {
            if matches!(event, Event::Opened(_)) {
                out.write(channel, |bytes| bytes.extend_from_slice(b"one "));
                out.write(channel, |bytes| bytes.extend_from_slice(b"two "));
                out.write(channel, |bytes| bytes.extend_from_slice(b"three"));
            }
        });
        client.run(move |_, _, out| out.request(open(1, address, Transport::Tcp)));
        client.until(|steer| steer.received(ONE).len() == 13);
        client.run(|_, _, out| out.request(Request::Close(ONE, CloseMode::Finish)));
        client.until(|steer| steer.cause(ONE).is_some());

        let client = client.stop();
        assert_eq!(client.received(ONE), b"one two three");
        let told = client.told(ONE);
        assert!(matches!(told[0], Told::Opened(facts) if facts.peer == address));
        assert_eq!(told[1], Told::Sent(13), "writes in a row go out as one");
        assert_eq!(told.last(), Some(&Told::Closed(CloseCause::Asked)));
        assert_eq!(client.stats.bytes_out, 13);
        assert_eq!(client.stats.queued_bytes, 0);

        let server = server.stop();
        let accepted = server.log[0].channel;
        assert!(matches!(server.log[0].told, Told::Accepted(_)));
        assert_eq!(server.cause(accepted), Some(CloseCause::Finished));
        assert_eq!(server.stats.channels, 0);
    });
}

#[test]
fn nobody_listening_is_refused_and_told_once() {
    in_time(|| {
        let address = TcpListener::bind(loopback()).unwrap().local_addr().unwrap();
        let client = start("xb-worker-0", plain(), vec![], listen);
        client.run(move |_, _, out| {
            out.request(open(1, address, Transport::Tcp));
            out.request(open(2, address, Transport::WebSocket));
            out.request(open(u32::MAX, address, Transport::Tcp));
        });
        client.until(|steer| steer.log.len() == 3);
        let client = client.stop();
        assert_eq!(client.told(ONE), [Told::Closed(CloseCause::Refused)]);
        assert!(matches!(client.cause(Channel(2)), Some(CloseCause::Io(_))));
        assert!(matches!(client.cause(Channel(u32::MAX)), Some(CloseCause::Io(_))));
    });
}

#[test]
fn a_peer_that_resets_is_told_as_such() {
    in_time(|| {
        let (listeners, address) = listener(Transport::Tcp);
        let server = start("xb-server-0", plain(), listeners, |_, _, channel, event, out| {
            if matches!(event, Event::Data(_)) {
                out.request(Request::Close(channel, CloseMode::Reset));
            }
        });
        let client = start("xb-worker-0", plain(), vec![], |_, _, channel, event, out| {
            if matches!(event, Event::Opened(_)) {
                out.write(channel, |bytes| bytes.push(b'x'));
            }
        });
        client.run(move |_, _, out| out.request(open(1, address, Transport::Tcp)));
        client.until(|steer| steer.cause(ONE).is_some());
        assert_eq!(client.stop().cause(ONE), Some(CloseCause::Reset));
        let server = server.stop();
        assert_eq!(server.cause(server.log[0].channel), Some(CloseCause::Asked));
    });
}

#[test]
fn an_abandoned_channel_says_nothing_on_the_wire() {
    in_time(|| {
        let peer = TcpListener::bind(loopback()).unwrap();
        let address = peer.local_addr().unwrap();
        let client = start("xb-worker-0", plain(), vec![], |_, _, channel, event, out| {
            if matches!(event, Event::Opened(_)) {
                out.write(channel, |bytes| bytes.extend_from_slice(b"hello"));
                out.request(Request::Close(channel, CloseMode::Abandon));
            }
        });
        client.run(move |_, _, out| out.request(open(1, address, Transport::Tcp)));
        let (mut stream, _) = peer.accept().unwrap();
        client.until(|steer| steer.cause(ONE).is_some());

        let mut buffer = [0; 16];
        assert_eq!(stream.read(&mut buffer).unwrap(), 5);
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let silence = stream.read(&mut buffer).expect_err("neither FIN nor RST");
        assert_eq!(silence.kind(), std::io::ErrorKind::WouldBlock);
        let client = client.stop();
        assert_eq!(client.cause(ONE), Some(CloseCause::Asked));
        assert_eq!(client.stats.abandoned, 1);
    });
}

#[test]
fn a_peer_that_has_said_its_last_word_still_gets_the_answer() {
    in_time(|| {
        let (listeners, address) = listener(Transport::Tcp);
        let server = start("xb-server-0", plain(), listeners, echo);
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let question = vec![b'q'; 800_000];
        let mut writer = stream.try_clone().unwrap();
        let sending = question.clone();
        let sent = std::thread::spawn(move || {
            writer.write_all(&sending).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        sent.join().unwrap();
        assert_eq!(answer.len(), question.len());
        server.until(|steer| steer.cause(steer.log[0].channel).is_some());
        let server = server.stop();
        assert_eq!(server.cause(server.log[0].channel), Some(CloseCause::Finished));
    });
}

/// Small buffers on our side; the peer's are as the system makes them.
fn small_buffers(send_buffer: usize, queue_bytes: usize) -> DriverConfig {
    let socket = SocketOptions { send_buffer: Some(send_buffer), ..SocketOptions::default() };
    DriverConfig { socket, limits: Limits { queue_bytes, ..Limits::default() }, ..plain() }
}

#[test]
fn while_the_peer_does_not_read_nothing_more_counts_as_sent() {
    const TOTAL: usize = 2_000_000;
    in_time(|| {
        let peer = TcpListener::bind(loopback()).unwrap();
        rustix::net::sockopt::set_socket_recv_buffer_size(&peer, 65_536).unwrap();
        let address = peer.local_addr().unwrap();
        let client =
            start("xb-worker-0", small_buffers(65_536, TOTAL), vec![], |_, _, channel, event, out| {
                if matches!(event, Event::Opened(_)) {
                    out.write(channel, |bytes| bytes.resize(TOTAL, b'x'));
                }
            });
        client.run(move |_, _, out| out.request(open(1, address, Transport::Tcp)));
        let (mut stream, _) = peer.accept().unwrap();
        client.until(|steer| steer.log.iter().any(|entry| matches!(entry.told, Told::Sent(_))));
        std::thread::sleep(Duration::from_millis(50));
        let (sent, queued) = client.ask(|steer, _, _| (last_sent(steer), steer.stats.queued_bytes));
        assert!(sent > 0 && sent < TOTAL as u64, "{sent}");
        assert_eq!(queued, TOTAL as u64 - sent);

        let mut rest = vec![0; 1 << 16];
        let mut got = 0;
        while got < TOTAL {
            got += stream.read(&mut rest).unwrap();
        }
        client.until(|steer| last_sent(steer) == TOTAL as u64);
        assert_eq!(client.stop().stats.queued_bytes, 0);
    });
}

fn last_sent(steer: &Steer) -> u64 {
    let offsets = steer.log.iter().filter_map(|entry| match entry.told {
        Told::Sent(offset) => Some(offset),
        _ => None,
    });
    offsets.max().unwrap_or(0)
}

#[test]
fn a_full_queue_ends_the_channel_and_says_why() {
    in_time(|| {
        let peer = TcpListener::bind(loopback()).unwrap();
        let address = peer.local_addr().unwrap();
        let client = start("xb-worker-0", small_buffers(4_096, 100_000), vec![], listen);
        client.run(move |_, _, out| out.request(open(1, address, Transport::Tcp)));
        let (mut stream, _) = peer.accept().unwrap();
        while client.ask(|steer, _, _| steer.cause(ONE).is_none()) {
            client.run(|_, _, out| {
                out.write(ONE, |bytes| bytes.resize(50_000, b'x'));
            });
        }
        assert_eq!(client.stop().cause(ONE), Some(CloseCause::LocalLimit(LocalLimit::Queue)));
        let mut everything = Vec::new();
        let reset = stream.read_to_end(&mut everything).expect_err("nothing pretends to be orderly");
        assert_eq!(reset.kind(), std::io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn finishing_against_a_peer_that_never_ends_is_bounded() {
    in_time(|| {
        let peer = TcpListener::bind(loopback()).unwrap();
        let address = peer.local_addr().unwrap();
        let limits = Limits { linger: Duration::from_millis(100), ..Limits::default() };
        let client = start("xb-worker-0", DriverConfig { limits, ..plain() }, vec![], listen);
        client.run(move |_, _, out| out.request(open(1, address, Transport::Tcp)));
        let (mut stream, _) = peer.accept().unwrap();
        client.until(|steer| !steer.log.is_empty());
        client.run(|_, _, out| {
            out.write(ONE, |bytes| bytes.extend_from_slice(b"bye"));
            out.request(Request::Close(ONE, CloseMode::Finish));
        });
        let mut last = Vec::new();
        stream.read_to_end(&mut last).unwrap();
        assert_eq!(last, b"bye");
        client.until(|steer| steer.cause(ONE).is_some());
        assert_eq!(client.stop().cause(ONE), Some(CloseCause::Asked));
    });
}

#[test]
fn a_connect_nobody_answers_times_out() {
    in_time(|| {
        // A full backlog that is never emptied: the kernel drops what comes after it.
        let peer = TcpListener::bind(loopback()).unwrap();
        rustix::net::listen(&peer, 0).unwrap();
        let address = peer.local_addr().unwrap();
        let limits = Limits { connect_timeout: Duration::from_millis(300), ..Limits::default() };
        let client = start("xb-worker-0", DriverConfig { limits, ..plain() }, vec![], listen);
        client.run(move |_, _, out| {
            for channel in 0..8 {
                out.request(open(channel, address, Transport::Tcp));
            }
        });
        client.until(|steer| steer.log.len() == 8);
        let client = client.stop();
        let timeouts = (0..8).filter(|n| client.cause(Channel(*n)) == Some(CloseCause::ConnectTimeout));
        assert!(timeouts.count() >= 4);
    });
}

#[test]
fn source_addresses_are_taken_in_turn() {
    in_time(|| {
        let (listeners, address) = listener(Transport::Tcp);
        let server = start("xb-server-0", plain(), listeners, echo);
        let source_addresses = (2..5).map(|last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))).collect();
        let client = start("xb-worker-0", DriverConfig { source_addresses, ..plain() }, vec![], listen);
        client.run(move |_, _, out| {
            for channel in 0..6 {
                out.request(open(channel, address, Transport::Tcp));
            }
        });
        client.until(|steer| steer.log.len() == 6);
        let mut used = vec![0; 5];
        for entry in client.stop().log {
            let Told::Opened(facts) = entry.told else { panic!("{entry:?}") };
            let IpAddr::V4(local) = facts.local.ip() else { panic!("{facts:?}") };
            used[usize::from(local.octets()[3])] += 1;
        }
        assert_eq!(used, [0, 0, 2, 2, 2]);
        server.stop();
    });
}

#[test]
fn names_are_resolved_and_services_refused_clearly() {
    in_time(|| {
        let client = start("xb-worker-0", plain(), vec![], listen);
        let lookup = |name: &str, service| Lookup { name: name.to_owned(), port: 5222, service };
        client.run(move |_, _, out| {
            out.request(Request::Resolve(ONE, lookup("127.0.0.9", None)));
            out.request(Request::Resolve(Channel(2), lookup("localhost", None)));
            out.request(Request::Resolve(Channel(3), lookup("localhost", Some("_xmpp-client._tcp"))));
            out.request(Request::Resolve(Channel(4), lookup("localhost", None)));
            out.request(Request::Close(Channel(4), CloseMode::Finish));
        });
        client.until(|steer| steer.log.len() == 4);
        let client = client.stop();
        assert_eq!(client.told(ONE), [Told::Resolved(Ok(vec!["127.0.0.9:5222".parse().unwrap()]))]);
        let [Told::Resolved(Ok(found))] = &client.told(Channel(2))[..] else { panic!("{:?}", client.log) };
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 5222));
        let [Told::Resolved(Err(why))] = &client.told(Channel(3))[..] else { panic!("{:?}", client.log) };
        assert!(why.contains("SRV"), "{why}");
        assert_eq!(client.told(Channel(4)), [Told::Closed(CloseCause::Asked)]);
    });
}

#[test]
fn what_the_peer_said_before_it_reset_is_still_read() {
    in_time(|| {
        let peer = TcpListener::bind(loopback()).unwrap();
        let address = peer.local_addr().unwrap();
        let (told, wait) = std::sync::mpsc::channel::<()>();
        let client = start("xb-worker-0", plain(), vec![], move |_, _, channel, event, out| {
            if matches!(event, Event::Opened(_)) {
                // By the time this write is made the peer has spoken and gone.
                let _ = wait.recv();
                out.write(channel, |bytes| bytes.extend_from_slice(b"too late"));
                // Keeps the two apart: writes in a row go out as one.
                out.write(Channel(99), |bytes| bytes.push(b' '));
                out.write(channel, |bytes| bytes.extend_from_slice(b"and again"));
            }
        });
        client.run(move |_, _, out| out.request(open(1, address, Transport::Tcp)));
        let (mut stream, _) = peer.accept().unwrap();
        stream.write_all(b"policy-violation").unwrap();
        drop(stream);
        told.send(()).unwrap();
        client.until(|steer| steer.cause(ONE).is_some());
        let client = client.stop();
        assert_eq!(client.received(ONE), b"policy-violation");
        assert_eq!(client.cause(ONE), Some(CloseCause::Reset));
        assert_eq!(client.stats.ignored, 1);
    });
}
