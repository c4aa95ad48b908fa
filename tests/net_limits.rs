//! Running out of descriptors. A program of its own: the limit is the whole process's.

#![allow(clippy::unwrap_used, reason = "preparation that fails is a failed test")]

#[expect(dead_code, reason = "shared with the driver's other tests, which use all of it")]
#[path = "net_driver/support.rs"]
mod support;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::*;
use xmpp_bench::machine::{Channel, CloseCause, CloseMode, LocalLimit, Request, Transport};
use xmpp_bench::net::facts;

#[test]
fn without_descriptors_a_channel_says_so_and_a_listener_rests() {
    in_time(|| {
        let (listeners, address) = listener(Transport::Tcp);
        let server = start("xb-server-0", plain(), listeners, echo);
        let client = start("xb-worker-0", plain(), vec![], listen);
        client.until(|_| true);
        server.until(|_| true);
        let room = facts::open_descriptors().unwrap() as u64 + 40;
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: Some(room), maximum }).unwrap();

        client.run(move |_, _, out| {
            (0..60).for_each(|channel| out.request(open(channel, address, Transport::Tcp)));
        });
        client.until(|steer| steer.log.len() == 60);
        let refused = CloseCause::LocalLimit(LocalLimit::Descriptors);
        let lost =
            client.ask(move |steer, _, _| (0..60).filter(|n| steer.cause(Channel(*n)).is_some()).count());
        assert!((1..60).contains(&lost), "{lost}");

        // Room again: those the listener could not take before are taken after its rest.
        client.run(|_, _, out| {
            (0..20).for_each(|channel| out.request(Request::Close(Channel(channel), CloseMode::Reset)));
        });
        let waiting = 60 - lost as u64;
        server.until(move |steer| steer.stats.accepts + 20 >= waiting);
        let client = client.stop();
        for channel in (20..60).map(Channel) {
            assert!(client.cause(channel).is_none_or(|cause| cause == refused), "{channel:?}");
        }
        assert!(server.stop().stats.accept_failures > 0);
    });
}
