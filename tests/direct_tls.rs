//! Direct TLS (XEP-0368) end to end: the handshake comes before the stream, over real sockets and against the embedded server.

#![allow(clippy::unwrap_used, reason = "preparation that fails is a failed test")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;

use xmpp_bench::activity::Features;
use xmpp_bench::clock::Epoch;
use xmpp_bench::engine::execute::{Order, Step, execute};
use xmpp_bench::loopback::{Loopback, LoopbackOptions};
use xmpp_bench::net::SocketOptions;
use xmpp_bench::profile::{Files, Input, Profile};
use xmpp_bench::server::{Population, ServerOptions};

/// One file: the authority of the server that was just started.
struct Authority(String);

impl Files for Authority {
    fn read(&self, _: &Path) -> Result<String, String> {
        Ok(self.0.clone())
    }
}

fn profile_for(direct: SocketAddr, authority: &Authority) -> Profile<xmpp_bench::activity::Activity> {
    let text = format!(
        r#"
deadline = "5s"
[target]
url = "xmpps://{direct}"
domain = "localhost"
ca_file = "ca.pem"
[[users]]
count = 10
jid = "u{{n}}@{{domain}}"
password = "p{{n}}"
contacts = 4
[[phase]]
name = "ramp"
duration = "1s"
users = 10
[[phase]]
name = "settle"
duration = "1s"
[[phase]]
name = "steady"
duration = "1s"
measure = true
[[activity]]
kind = "ping"
rate = "50/s"
"#
    );
    let input = Input { name: "direct.toml".to_owned(), text, ..Input::default() };
    Profile::read(&input, &Features, authority).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn users_log_in_over_tls_from_the_first_byte() {
    let folder = tempfile::tempdir().unwrap();
    let epoch = Epoch::from_monotonic_nanos(Epoch::start().as_monotonic_nanos() + 300_000_000);
    let mut options = LoopbackOptions::new(ServerOptions::new("localhost"), epoch);
    options.direct_tls = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let server = Loopback::start(&options, Box::new(Population::counted("u{n}", "p{n}", 10, 4))).unwrap();
    let authority = Authority(server.ca_pem().to_owned());
    let order = Order {
        profile: Arc::new(profile_for(server.direct_tls_address().unwrap(), &authority)),
        seed: 1,
        out: folder.path().join("result.json"),
        replace: false,
        command: Vec::new(),
        workers: Some(1),
        own_server: None,
        keys: None,
        socket: SocketOptions::default(),
        epoch,
    };
    let (_keep, commands) = channel();
    let finished = execute(order, &commands, &mut |step| {
        if let Step::Running(standing) = step {
            assert!(standing.now.as_secs_f64() < 60.0, "the run hangs");
        }
    })
    .unwrap();
    server.stop().unwrap();

    let operations = &finished.result.operations;
    assert_eq!(operations["login"].figures.outcomes["ok"], 10);
    assert_eq!(operations["login.tls"].figures.outcomes["ok"], 10);
    assert_eq!(operations["login.stream"].figures.outcomes["ok"], 20, "one stream before SASL and one after");
    let tls = finished.result.target.tls.as_ref().unwrap();
    assert_eq!((tls.mode.as_str(), tls.handshakes_full, tls.handshakes_resumed), ("direct", 10, 0));
    assert!(operations["ping"].figures.outcomes["ok"] > 30);
}
