//! The loop itself: many channels, time, freezes, the inbox, answers from elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use xmpp_bench::machine::{
    Channel, CloseCause, CloseMode, Derivation, DerivedKey, Event, Hash, Request, Transport,
};
use xmpp_bench::net::{
    DerivePool, DriverConfig, Freeze, KeyCache, Listener, SocketOptions, Turn, facts, spawn_worker,
};
use xmpp_bench::units::Offset;

use super::support::*;

const ONE: Channel = Channel(1);

#[test]
fn two_thousand_channels_come_and_go() {
    const COUNT: u32 = 2_000;
    in_time(|| {
        facts::raise_descriptor_limit();
        let listeners =
            Listener::bind_group(loopback(), Transport::Tcp, SocketOptions::default(), 2).unwrap();
        let address = listeners[0].address();
        let mut servers = Vec::new();
        for listener in listeners {
            servers.push(start("xb-server-0", plain(), vec![listener], echo));
        }
        let client = start("xb-worker-0", plain(), vec![], |_, _, channel, event, out| match event {
            Event::Opened(_) => {
                out.write(channel, |bytes| bytes.extend_from_slice(&channel.0.to_be_bytes()));
            }
            Event::Data(bytes) => {
                assert_eq!(**bytes, channel.0.to_be_bytes());
                out.request(Request::Close(channel, CloseMode::Finish));
            }
            _ => {}
        });
        client.run(move |_, _, out| {
            for channel in 0..COUNT {
                out.request(open(channel, address, Transport::Tcp));
            }
        });
        client.until(|steer| steer.stats.connects == u64::from(COUNT) && steer.stats.channels == 0);
        let client = client.stop();
        for channel in 0..COUNT {
            assert_eq!(client.cause(Channel(channel)), Some(CloseCause::Asked), "{channel}");
        }
        let longest = client.long_turns.iter().map(|turn| turn.span()).max();
        println!("turns {}, longest {longest:?}", client.stats.turns);
        let mut accepted = 0;
        for server in servers {
            server.until(|steer| steer.stats.channels == 0);
            accepted += server.stop().stats.accepts;
        }
        assert_eq!(accepted, u64::from(COUNT));
    });
}

#[test]
fn a_message_costs_one_read_and_one_write() {
    const COUNT: u64 = 1_000;
    in_time(|| {
        let (listeners, address) = listener(Transport::Tcp);
        let server = start("xb-server-0", plain(), listeners, echo);
        let mut rounds = 0;
        let client = start("xb-worker-0", plain(), vec![], move |_, _, channel, event, out| {
            let next = matches!(event, Event::Opened(_) | Event::Data(_)) && rounds < COUNT;
            if next {
                rounds += 1;
                out.write(channel, |bytes| bytes.extend_from_slice(b"<message/>"));
            }
        });
        client.run(move |_, _, out| out.request(open(1, address, Transport::Tcp)));
        client.until(|steer| steer.received(ONE).len() as u64 == COUNT * 10);
        for steer in [client.stop(), server.stop()] {
            assert_eq!((steer.stats.reads, steer.stats.writes), (COUNT, COUNT));
            println!("{:?} busy in {} turns", steer.stats.busy, steer.stats.turns);
        }
    });
}

#[test]
fn a_number_may_be_used_again_after_its_end() {
    in_time(|| {
        let (listeners, address) = listener(Transport::Tcp);
        let server = start("xb-server-0", plain(), listeners, echo);
        let again = move |_: &mut Steer, _, channel, event: &Event<'_>, out: &mut _| {
            let out: &mut xmpp_bench::machine::Outbox = out;
            match event {
                Event::Opened(_) => out.request(Request::Close(channel, CloseMode::Reset)),
                Event::Closed(_) => out.request(Request::Open(channel, address, Transport::Tcp)),
                _ => {}
            }
        };
        let client = start("xb-worker-0", plain(), vec![], again);
        client.run(move |_, _, out| out.request(open(1, address, Transport::Tcp)));
        client.until(|steer| steer.stats.connects >= 20);
        client.stop();
        server.stop();
    });
}

#[test]
fn timeouts_come_at_their_instant_and_never_before() {
    in_time(|| {
        let client = start("xb-worker-0", plain(), vec![], listen);
        for _ in 0..50 {
            client.run(|steer, now, _| steer.timeout = Some(now + Duration::from_micros(2_370)));
            client.until(|steer| steer.timeout.is_none());
        }
        let client = client.stop();
        let mut late: Vec<_> = client.timeouts.iter().map(|(intended, at)| at.since(*intended)).collect();
        assert_eq!(late.len(), 50);
        assert!(client.timeouts.iter().all(|(intended, at)| at >= intended));
        late.sort();
        println!("late by: median {:?}, p90 {:?}, most {:?}", late[25], late[45], late[49]);
    });
}

#[test]
fn a_timeout_in_the_past_is_now_and_one_withdrawn_never_comes() {
    in_time(|| {
        let client = start("xb-worker-0", plain(), vec![], listen);
        client.run(|steer, _, _| steer.timeout = Some(Offset::ZERO));
        client.until(|steer| steer.timeouts.len() == 1);
        client.run(|steer, now, _| steer.timeout = Some(now + Duration::from_millis(30)));
        client.run(|steer, _, _| steer.timeout = None);
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(client.stop().timeouts.len(), 1);
    });
}

#[test]
fn a_loop_that_was_kept_from_running_shows_it_in_its_turn() {
    in_time(|| {
        let client = start("xb-worker-0", plain(), vec![], listen);
        client.run(|steer, now, _| {
            // The schedule wants to go on in 5 ms, the thread cannot for 50.
            steer.timeout = Some(now + Duration::from_millis(5));
            std::thread::sleep(Duration::from_millis(50));
        });
        client.until(|steer| steer.timeout.is_none() && !steer.long_turns.is_empty());
        let client = client.stop();
        let (intended, at) = client.timeouts[0];
        assert!(at.since(intended) >= Duration::from_millis(45));
        assert!(client.long_turns.iter().any(|turn| turn.span() >= Duration::from_millis(50)));
    });
}

#[test]
fn while_frozen_nothing_happens_and_afterwards_nothing_is_lost() {
    in_time(|| {
        let config = plain();
        let freeze = Freeze::new();
        let (listeners, address) = listener(Transport::Tcp);
        let frozen = DriverConfig { freeze: Some(freeze.clone()), ..config.clone() };
        let server = start("xb-server-0", frozen, listeners, echo);
        let client = start("xb-worker-0", config.clone(), vec![], listen);
        client.run(move |_, _, out| out.request(open(1, address, Transport::Tcp)));
        client.until(|steer| !steer.log.is_empty());

        let from = config.epoch.now() + Duration::from_millis(50);
        let to = from + Duration::from_millis(300);
        freeze.between(from, to);
        let mut written = 0;
        while config.epoch.now() < to {
            client.run(|_, _, out| {
                out.write(ONE, |bytes| bytes.push(b'.'));
            });
            written += 1;
            std::thread::sleep(Duration::from_millis(5));
        }
        client.until(move |steer| steer.received(ONE).len() == written);

        let history = freeze.history();
        let [window] = &history[..] else { panic!("{history:?}") };
        assert_eq!(window.thread, "xb-server-0");
        assert!(window.started >= from && window.ended >= to, "{window:?}");
        let inside = |entry: &&Entry| entry.at > window.started && entry.at < window.ended;
        let server = server.stop();
        assert_eq!(server.log.iter().filter(inside).count(), 0);
        // What it held up is not its turn: a frozen driver is not a busy one.
        let across = |turn: &&Turn| turn.due <= window.started && turn.ended >= window.ended;
        assert_eq!(server.long_turns.iter().find(across), None);
        let client = client.stop();
        let sent_meanwhile =
            client.log.iter().filter(inside).any(|entry| matches!(entry.told, Told::Sent(_)));
        assert!(sent_meanwhile, "the kernel took bytes on behalf of the frozen");
    });
}

#[test]
fn a_freeze_can_be_ended_early() {
    in_time(|| {
        let config = plain();
        let freeze = Freeze::new();
        let server = start(
            "xb-server-0",
            DriverConfig { freeze: Some(freeze.clone()), ..config.clone() },
            vec![],
            listen,
        );
        server.until(|_| true);
        freeze.between(Offset::ZERO, config.epoch.now() + Duration::from_hours(1));
        std::thread::sleep(Duration::from_millis(50));
        freeze.thaw();
        server.until(|_| true);
        server.stop();
        assert_eq!(freeze.history().len(), 1);
    });
}

/// Keeps everything; forgets nothing.
#[derive(Default)]
struct Everything(Mutex<HashMap<Derivation, Vec<u8>>>);

impl KeyCache for Everything {
    fn get(&self, job: &Derivation) -> Option<Vec<u8>> {
        self.0.lock().unwrap().get(job).cloned()
    }

    fn put(&self, job: &Derivation, key: &[u8]) {
        self.0.lock().unwrap().insert(job.clone(), key.to_vec());
    }
}

#[test]
fn a_key_is_derived_once_and_then_known() {
    in_time(|| {
        let pool = DerivePool::start("xb-derive", 2, Some(Arc::new(Everything::default()))).unwrap();
        let (listeners, address) = listener(Transport::Tcp);
        let server = start("xb-server-0", plain(), listeners, echo);
        let client = start("xb-worker-0", DriverConfig { derive: Some(pool), ..plain() }, vec![], listen);
        client.run(move |_, _, out| {
            out.request(open(1, address, Transport::Tcp));
            out.request(open(2, address, Transport::Tcp));
        });
        client.until(|steer| steer.log.len() == 2);
        let job = || Derivation {
            hash: Hash::Sha1,
            password: "pw".into(),
            salt: b"s".to_vec(),
            iterations: 10_000,
        };
        // The second channel is gone before its answer comes: it must hear nothing any more.
        client.run(move |_, _, out| {
            out.request(Request::Derive(Channel(2), job()));
            out.request(Request::Close(Channel(2), CloseMode::Reset));
        });
        client.until(|steer| steer.stats.pending_answers == 0 && steer.cause(Channel(2)).is_some());
        // Its opening is what it has been told; that nothing is pending would be true before the request is counted, too.
        for told in 2..=3 {
            client.run(move |_, _, out| {
                out.request(Request::Derive(ONE, Derivation { iterations: 10_001, ..job() }));
            });
            client.until(move |steer| steer.told(ONE).len() == told);
        }
        let client = client.stop();
        let keys: Vec<DerivedKey> = client
            .told(ONE)
            .into_iter()
            .filter_map(|told| match told {
                Told::Derived(key) => Some(key),
                _ => None,
            })
            .collect();
        assert_eq!(keys.iter().map(|key| key.cached).collect::<Vec<_>>(), [false, true]);
        assert_eq!(keys[0].key, keys[1].key);
        assert_eq!(keys[0].key.len(), 20);
        assert!(!client.told(Channel(2)).iter().any(|told| matches!(told, Told::Derived(_))));
        server.stop();
    });
}

#[test]
fn a_batch_from_another_thread_arrives_whole_and_in_order() {
    in_time(|| {
        let client = start("xb-worker-0", plain(), vec![], listen);
        for millis in 1..=500 {
            client.run(move |steer, now, _| steer.timeouts.push((Offset::from_nanos(millis), now)));
        }
        client.until(|steer| steer.timeouts.len() == 500);
        let numbers: Vec<_> = client.stop().timeouts.iter().map(|(number, _)| number.as_nanos()).collect();
        assert_eq!(numbers, (1..=500).collect::<Vec<_>>());
    });
}

#[test]
fn a_worker_cannot_be_put_where_it_may_not_run() {
    let wrong = spawn_worker("xb-worker-0", Some(1_000_000), || ()).expect_err("no such CPU");
    assert!(wrong.to_string().contains("1000000"));
    spawn_worker("xb-worker-0", Some(first_cpu()), || ()).unwrap().join().unwrap();
}

fn first_cpu() -> usize {
    let allowed = rustix::thread::sched_getaffinity(None).unwrap();
    (0..rustix::thread::CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu)).unwrap()
}
