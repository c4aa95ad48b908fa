//! Registrations as conversations: every file in `transcripts` is one, with what the client is to do at each step.
//!
//! `S:` is read by the client, split at every byte and whole; `C:` is what it must have written by then, to the byte;
//! `--` is what it told its caller.

use std::path::Path;

use xmpp_bench::xmpp::registration::Progress;
use xmpp_bench::xmpp::{
    ClientConfig, Credentials, Failure, Flow, Item, Limits, ReadError, Registered, Registration,
    StreamReader, TlsPolicy,
};

struct Client {
    registration: Registration,
    reader: StreamReader,
    out: Vec<u8>,
    told: Vec<String>,
    over: bool,
}

impl Client {
    /// From a `config:` line.
    fn new(line: &str) -> Self {
        let value = |key: &str| line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        let flag = |key: &str| line.split(' ').any(|word| word == key);
        let config = ClientConfig {
            domain: "localhost".to_owned(),
            tls: match value("tls") {
                Some("off") => TlsPolicy::Off,
                Some("preferred") => TlsPolicy::Preferred,
                _ => TlsPolicy::Required,
            },
            mechanisms: Vec::new(),
            plain_without_tls: flag("plain_without_tls"),
            plain_authzid: false,
        };
        let account = Credentials {
            username: value("user").expect("a user").into(),
            password: value("password").expect("a password").into(),
        };
        let mut client = Self {
            registration: Registration::new(config.into(), account, flag("secured")),
            reader: StreamReader::new(Limits::default()),
            out: Vec::new(),
            told: Vec::new(),
            over: false,
        };
        client.registration.handle_opened(&mut client.out);
        client
    }

    /// Reads bytes and does what the machine asks for.
    fn read(&mut self, bytes: &[u8]) {
        let Self { registration, reader, out, told, over } = self;
        // A caller whose registration is over sends the farewell and closes: it reads no more.
        if *over {
            return;
        }
        let mut secure = false;
        let read: Result<usize, ReadError> = reader.push(bytes, |item| {
            let done = match item {
                Item::Header(header) => registration.handle_header(&header, out),
                Item::Element(element) => registration.handle_element(&element, out),
                Item::Close => Err(registration.handle_close(out)),
            };
            let flow = match done {
                Ok(Progress::Wait) => return Ok(Flow::Continue),
                Ok(Progress::SecureNow) => {
                    secure = true;
                    return Ok(Flow::Stop);
                }
                Ok(Progress::Done(Registered::Created)) => "created".to_owned(),
                Ok(Progress::Done(Registered::Existed)) => "existed".to_owned(),
                Err(failure) => show(&failure),
            };
            told.push(flow);
            *over = true;
            Ok(Flow::Stop)
        });
        match read {
            Ok(0) if secure => {
                told.push("secure".to_owned());
                reader.restart();
                registration.handle_secured(out).expect("TLS is in turn");
            }
            Ok(left) if secure => told.push(format!("injected {left}")),
            Ok(_) => {}
            Err(error) => {
                told.push(show(&registration.handle_unreadable(&error, out)));
                *over = true;
            }
        }
    }
}

fn show(failure: &Failure) -> String {
    let text = if failure.text.is_empty() { String::new() } else { format!(" ({})", failure.text) };
    format!("failed {:?} {} {}{text}", failure.blame, failure.step, failure.condition)
}

/// Plays a transcript; `split` gives the server's bytes one at a time.
fn play(name: &str, text: &str, split: bool) {
    let mut lines = text.lines().filter(|line| !line.starts_with('#')).enumerate();
    let mut client = Client::new(lines.next().expect("a config line").1);
    for (at, line) in lines {
        let context = format!("{name}, step {at}");
        if let Some(expected) = line.strip_prefix("C: ") {
            let written = String::from_utf8(std::mem::take(&mut client.out)).expect("UTF-8");
            assert_eq!(written, expected, "{context}");
        } else if let Some(expected) = line.strip_prefix("-- ") {
            assert!(!client.told.is_empty(), "{context}: nothing told, not {expected}");
            assert_eq!(client.told.remove(0), expected, "{context}");
        } else {
            let bytes = line.strip_prefix("S: ").expect("S:, C: or --").as_bytes();
            assert!(client.out.is_empty(), "{context}: unexpected {}", client.out.escape_ascii());
            // What is injected behind <proceed/> can only be told from what follows TLS when it is in one read.
            if split && !text.contains("-- injected") {
                bytes.chunks(1).for_each(|byte| client.read(byte));
            } else {
                client.read(bytes);
            }
        }
    }
    assert!(client.out.is_empty(), "{name}: unexpected {}", client.out.escape_ascii());
    assert!(client.told.is_empty(), "{name}: {:?} untold", client.told);
}

#[test]
fn every_transcript_is_played_whole_and_split() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/accounts_all/transcripts");
    let mut played = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let (name, text) = (path.display().to_string(), std::fs::read_to_string(&path).unwrap());
        for split in [false, true] {
            play(&name, &text, split);
        }
        played += 1;
    }
    assert!(played >= 15, "only {played} transcripts");
}
