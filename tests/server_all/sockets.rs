//! The same server behind real sockets, with a client that is nothing but a TCP stream.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use xmpp_bench::clock::Epoch;
use xmpp_bench::loopback::{Loopback, LoopbackError, LoopbackOptions, truth_file};
use xmpp_bench::sample::TokenKind;
use xmpp_bench::server::truth::Action;
use xmpp_bench::server::{Directory, Population, ServerOptions, StartTls};

use crate::world::{BIND, HEADER, SASL};

struct Client(TcpStream);

impl Client {
    fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    /// Reads until `end` came.
    fn hear(&mut self, end: &str) -> String {
        let mut heard = Vec::new();
        let mut piece = [0; 4096];
        while !String::from_utf8_lossy(&heard).contains(end) {
            let count = self.0.read(&mut piece).expect("an answer within the time limit");
            assert!(count > 0, "closed after {}", String::from_utf8_lossy(&heard));
            heard.extend_from_slice(&piece[..count]);
        }
        String::from_utf8(heard).unwrap()
    }

    fn login(server: &Loopback, plain: &str) -> Self {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut client = Self(stream);
        client.say(HEADER);
        assert!(client.hear("</stream:features>").contains("<mechanism>PLAIN</mechanism>"));
        client.say(&format!("<auth xmlns='{SASL}' mechanism='PLAIN'>{plain}</auth>"));
        client.hear("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
        client.say(HEADER);
        client.hear("</stream:features>");
        client.say(&format!("<iq type='set' id='b'><bind xmlns='{BIND}'/></iq>"));
        client.hear("</iq>");
        client.say("<presence/>");
        client.hear("<presence ");
        client
    }
}

fn people() -> Box<dyn Directory> {
    Box::new(Population::counted("u{n}", "p{n}", 10, 2))
}

fn plain(faults: &str) -> LoopbackOptions {
    let server = ServerOptions {
        starttls: StartTls::Absent,
        plain_without_tls: true,
        faults: faults.parse().unwrap(),
        ..ServerOptions::new("localhost")
    };
    LoopbackOptions::new(server, Epoch::start())
}

const U1: &str = "AHUxAHAx";
const U2: &str = "AHUyAHAy";

#[test]
fn a_message_crosses_real_sockets_and_its_truth_is_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("truth.jsonl");
    let options = LoopbackOptions { truth_file: Some(file.clone()), ..plain("delay=20ms") };
    let server = Loopback::start(&options, people()).unwrap();
    let (mut alice, mut bob) = (Client::login(&server, U1), Client::login(&server, U2));
    let id = "xmAAADAAABAAAAAJAAAAAAAF";
    alice.say(&format!("<message to='u2@localhost' type='chat' id='{id}'><body>{id} hello</body></message>"));
    assert!(bob.hear("</message>").contains("<body>xmAAADAAABAAAAAJAAAAAAAF hello</body>"));
    let counts = server.stop().unwrap();
    assert_eq!((counts.logins, counts.messages_in, counts.messages_out, counts.written), (2, 1, 1, 1));

    let truth = truth_file::load(&file).unwrap();
    assert_eq!(truth.header.faults, "delay=20ms");
    assert_eq!(truth.count(TokenKind::Message, Action::Delivered), 1);
    let copy = &truth.copies[0];
    assert!(copy.delay_ns.unwrap() >= 20_000_000, "{copy:?}");
    assert!(copy.written_ns >= copy.handed_ns, "{copy:?}");
    assert_eq!(truth.end, Some(counts));
}

#[test]
fn a_freeze_is_carried_out_and_its_real_bounds_are_in_the_truth() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("truth.jsonl");
    let options = LoopbackOptions { truth_file: Some(file.clone()), ..plain("freeze=300ms@200ms") };
    let server = Loopback::start(&options, people()).unwrap();
    let mut alice = Client::login(&server, U1);
    while server.freezes().is_empty() {
        alice.say("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
        alice.hear("</iq>");
    }
    server.stop().unwrap();
    let truth = truth_file::load(&file).unwrap();
    let [freeze] = truth.freezes[..] else { panic!("one freeze: {:?}", truth.freezes) };
    assert!(freeze.start_ns >= truth.header.start_ns + 200_000_000, "{freeze:?}");
    assert!(freeze.end_ns >= truth.header.start_ns + 500_000_000, "{freeze:?}");
}

#[test]
fn an_address_others_could_reach_is_refused_unless_asked_for() {
    let options = LoopbackOptions { address: "0.0.0.0:0".parse().unwrap(), ..plain("") };
    let error = Loopback::start(&options, people()).unwrap_err();
    assert!(matches!(error, LoopbackError::NotLoopback(_)), "{error}");
    assert!(Loopback::start(&LoopbackOptions { allow_remote: true, ..options }, people()).is_ok());
}

#[test]
fn a_truth_that_cannot_be_written_is_an_error() {
    let options = LoopbackOptions { truth_file: Some("/dev/full".into()), ..plain("") };
    let server = Loopback::start(&options, people()).unwrap();
    let error = server.stop().unwrap_err().to_string();
    assert!(error.contains("cannot write the truth file /dev/full"), "{error}");
}

#[test]
fn dropping_the_handle_ends_the_server() {
    let server = Loopback::start(&plain(""), people()).unwrap();
    let address = server.address();
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}
