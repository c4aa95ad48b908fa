//! Logins as conversations: every file in `tests/transcripts/` is one, with what the client is to do at each step.
//!
//! `S:` is read by the client, split at every byte and whole; `C:` is what it must have written by then, to the byte;
//! `--` is what it told its caller. The proofs and signatures in them were computed by an independent program from
//! the password `pencil`.

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use xmpp_bench::xmpp::sasl::scram::salted_password;
use xmpp_bench::xmpp::{
    ClientConfig, Credentials, Failure, Flow, Item, Limits, Mechanism, Negotiation, Progress, ReadError,
    StreamReader, TlsPolicy,
};

const NONCE: &str = "rOprNGfwEbeRWgbNEkqOAAAA";

/// A client in a conversation.
struct Client {
    negotiation: Negotiation,
    reader: StreamReader,
    out: Vec<u8>,
    told: Vec<String>,
    failed: bool,
}

#[derive(Debug)]
enum End {
    Unreadable(ReadError),
    Failed,
}

impl From<ReadError> for End {
    fn from(error: ReadError) -> Self {
        Self::Unreadable(error)
    }
}

impl Client {
    /// From a `config:` line.
    fn new(line: &str) -> Self {
        let value = |key: &str| line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        let flag = |key: &str| line.split(' ').any(|word| word == key);
        let mechanisms = value("mechanisms").map_or_else(
            || Mechanism::ALL.to_vec(),
            |names| names.split(',').map(|name| Mechanism::from_name(name).expect(name)).collect(),
        );
        let config = ClientConfig {
            domain: "localhost".to_owned(),
            tls: match value("tls") {
                Some("off") => TlsPolicy::Off,
                Some("preferred") => TlsPolicy::Preferred,
                _ => TlsPolicy::Required,
            },
            mechanisms,
            plain_without_tls: flag("plain_without_tls"),
            plain_authzid: flag("plain_authzid"),
        };
        let credentials = value("user").map(|user| Credentials {
            username: user.into(),
            password: value("password").expect("a user has a password").into(),
        });
        let nonce = STANDARD.decode(NONCE).expect("base64").try_into().expect("18 bytes");
        let resource = value("resource").map(Arc::from);
        let mut client = Self {
            negotiation: Negotiation::new(config.into(), credentials, resource, nonce, flag("secured")),
            reader: StreamReader::new(Limits::default()),
            out: Vec::new(),
            told: Vec::new(),
            failed: false,
        };
        client.negotiation.handle_opened(&mut client.out);
        client
    }

    /// Reads bytes and does what the machine asks for.
    fn read(&mut self, bytes: &[u8]) {
        let Self { negotiation, reader, out, told, failed } = self;
        // A caller whose login failed sends the farewell and closes: it reads no more.
        if *failed {
            return;
        }
        let mut secure = false;
        let end = reader.push(bytes, |item| {
            let done = match item {
                Item::Header(header) => negotiation.handle_header(&header, out),
                Item::Element(element) => negotiation.handle_element(&element, out),
                Item::Close => Err(negotiation.handle_close(out)),
            };
            follow(negotiation, done, out, told).inspect(|&flow| secure |= flow == Flow::Stop)
        });
        match end {
            Ok(0) if secure => {
                told.push("secure".to_owned());
                reader.restart();
                negotiation.handle_secured(out).expect("TLS is in turn");
            }
            Ok(0) => {}
            Err(End::Failed) => *failed = true,
            Ok(left) => told.push(format!("injected {left}")),
            Err(End::Unreadable(error)) => {
                let failure = negotiation.handle_unreadable(&error, out);
                told.push(show_failure(&failure));
                *failed = true;
            }
        }
    }
}

fn follow(
    negotiation: &mut Negotiation,
    done: Result<Progress, Failure>,
    out: &mut Vec<u8>,
    told: &mut Vec<String>,
) -> Result<Flow, End> {
    match done {
        Ok(Progress::Wait) => {}
        Ok(Progress::SecureNow) => return Ok(Flow::Stop),
        Ok(Progress::Derive(job)) => {
            told.push(format!("derive {:?} {}", job.hash, job.iterations));
            let key = salted_password(&job);
            let done = negotiation.handle_key(&key, out);
            return follow(negotiation, done, out, told);
        }
        Ok(Progress::Finished(step)) => told.push(format!("finished {step:?}")),
        Ok(Progress::Restart) => {
            told.push("restart".to_owned());
            return Ok(Flow::Restart);
        }
        Ok(Progress::Bound(bound)) => {
            let mut text = format!("bound {}", bound.jid);
            let flags = [
                (bound.rosterver, " rosterver"),
                (bound.stream_management, " sm"),
                (bound.client_state, " csi"),
                (bound.session, " session"),
            ];
            flags.iter().filter(|(set, _)| *set).for_each(|(_, name)| text += name);
            told.push(text);
        }
        Err(failure) => {
            told.push(show_failure(&failure));
            return Err(End::Failed);
        }
    }
    Ok(Flow::Continue)
}

fn show_failure(failure: &Failure) -> String {
    let host = failure.see_other_host.as_ref().map_or(String::new(), |host| format!(" {host}"));
    format!("failed {:?} {} {}{host}", failure.blame, failure.step, failure.condition)
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
    let injected = text.contains("-- injected");
    assert!(client.out.is_empty() || injected, "{name}: unexpected {}", client.out.escape_ascii());
    assert!(client.told.is_empty(), "{name}: {:?} untold", client.told);
}

#[test]
fn every_transcript_is_played_whole_and_split() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut played = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let (name, text) = (path.display().to_string(), std::fs::read_to_string(&path).unwrap());
        for split in [false, true] {
            play(&name, &text, split);
        }
        played += 1;
    }
    assert!(played >= 39, "only {played} transcripts");
}
