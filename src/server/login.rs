//! SASL (RFC 6120 section 6), the server's half.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::machine::{Channel, Derivation, Hash, Outbox, Request};
use crate::server::reply::{self, folded};
use crate::server::session::{Exchange, ScramExchange, State};
use crate::server::{Admission, Server};
use crate::xmpp::sasl::scram::{ScramKeys, ScramServer};
use crate::xmpp::sasl::{self, Mechanism};
use crate::xmpp::{Element, Flow, Jid, StreamCondition};

/// Failures after which a stream is ended (RFC 6120 section 6.4.5 says 2 to 5).
const FAILURES_MAX: u8 = 3;

/// How an attempt goes on.
enum Step {
    /// With a challenge, and what its answer will be held against.
    Challenge(Option<Vec<u8>>, Exchange),
    /// Not yet: the key is being derived.
    Wait(ScramExchange),
    /// As this localpart, with the server's last data.
    Success(Arc<str>, Option<Vec<u8>>),
    /// Not at all: a SASL condition.
    Failure(&'static str),
}

impl Server {
    pub(super) fn auth(&mut self, channel: Channel, element: &Element<'_>, out: &mut Outbox) -> Flow {
        if self.take_exchange(channel).is_some() {
            self.fail(channel, StreamCondition::PolicyViolation, out);
            return Flow::Stop;
        }
        let secured = self.sessions.get(&channel).is_some_and(|session| session.secured);
        let offered = self.mechanisms(secured);
        let mechanism = element.attribute("mechanism").and_then(|name| Mechanism::from_name(&name));
        let step = match mechanism.filter(|mechanism| offered.contains(mechanism)) {
            None if !secured && offered.is_empty() => Step::Failure("encryption-required"),
            None => Step::Failure("invalid-mechanism"),
            Some(mechanism) if element.text().is_empty() && mechanism != Mechanism::Anonymous => {
                Step::Challenge(None, Exchange::Initial(mechanism))
            }
            Some(mechanism) => match sasl::decode(&element.text()) {
                Some(message) => self.begin(channel, mechanism, &message, out),
                None => Step::Failure("incorrect-encoding"),
            },
        };
        self.go_on(channel, step, out)
    }

    pub(super) fn response(&mut self, channel: Channel, element: &Element<'_>, out: &mut Outbox) -> Flow {
        let step = match (sasl::decode(&element.text()), self.take_exchange(channel)) {
            (None, _) => Step::Failure("incorrect-encoding"),
            (Some(_), None) => Step::Failure("malformed-request"),
            (Some(message), Some(Exchange::Initial(mechanism))) => {
                self.begin(channel, mechanism, &message, out)
            }
            (Some(message), Some(Exchange::Scram(mut exchange))) => {
                if exchange.response.replace(message).is_some() {
                    // A second answer to one challenge, while the first still waits for its key.
                    self.fail(channel, StreamCondition::PolicyViolation, out);
                    return Flow::Stop;
                }
                self.check_proof(exchange)
            }
        };
        self.go_on(channel, step, out)
    }

    pub(super) fn abort(&mut self, channel: Channel, out: &mut Outbox) {
        self.take_exchange(channel);
        self.go_on(channel, Step::Failure("aborted"), out);
    }

    /// The key asked for by a SCRAM exchange is there. One given up meanwhile has no use for it.
    pub(super) fn derived(&mut self, channel: Channel, key: &[u8], out: &mut Outbox) {
        if let Some(session) = self.sessions.get_mut(&channel) {
            session.deriving = false;
        }
        let mut exchange = match self.take_exchange(channel) {
            Some(Exchange::Scram(exchange)) if exchange.keys.is_none() => exchange,
            Some(other) => return self.put_exchange(channel, other),
            None => return,
        };
        exchange.keys = Some(ScramKeys::from_salted_password(exchange.hash, key));
        if exchange.response.is_none() {
            return self.put_exchange(channel, Exchange::Scram(exchange));
        }
        let step = self.check_proof(exchange);
        if self.go_on(channel, step, out) == Flow::Restart
            && let Some(reader) = self.sessions.get_mut(&channel).and_then(|session| session.reader.as_mut())
        {
            reader.restart();
        }
    }

    /// The client's first message.
    fn begin(&mut self, channel: Channel, mechanism: Mechanism, message: &[u8], out: &mut Outbox) -> Step {
        match mechanism {
            Mechanism::Plain => self.check_plain(message),
            Mechanism::ScramSha1 => self.begin_scram(channel, Hash::Sha1, message, out),
            Mechanism::ScramSha256 => self.begin_scram(channel, Hash::Sha256, message, out),
            Mechanism::Anonymous => Step::Success(format!("anon-{}", self.draw_id()).into(), None),
        }
    }

    fn check_plain(&self, message: &[u8]) -> Step {
        let Some(plain) = sasl::read_plain(message) else { return Step::Failure("malformed-request") };
        let Some(local) = self.local_of(&plain.username) else { return Step::Failure("not-authorized") };
        if !plain.authzid.is_empty() && !self.is_own_address(&plain.authzid, &local) {
            return Step::Failure("invalid-authzid");
        }
        let password = self.accounts.find(&local).and_then(|user| self.accounts.password(user));
        let good = match password {
            Some(password) => plain.password == *password,
            None => self.options.admission == Admission::Anybody,
        };
        if good { Step::Success(local, None) } else { Step::Failure("not-authorized") }
    }

    fn begin_scram(&mut self, channel: Channel, hash: Hash, message: &[u8], out: &mut Outbox) -> Step {
        let nonce = self.draw_id();
        let Ok(mut scram) = ScramServer::new(hash, message, &nonce) else {
            return Step::Failure("malformed-request");
        };
        let local = self.local_of(scram.username());
        let user = local.as_deref().and_then(|local| self.accounts.find(local));
        let (Some(local), Some(user)) = (local, user) else { return Step::Failure("not-authorized") };
        let salt = self.salt(&local);
        let challenge = scram.challenge(&salt, self.options.iterations).into_bytes();
        let keys = self.keys.get(&(hash, user)).cloned();
        if keys.is_none() {
            let Some(password) = self.accounts.password(user) else {
                return Step::Failure("not-authorized");
            };
            let Some(session) = self.sessions.get_mut(&channel) else { return Step::Failure("aborted") };
            if std::mem::replace(&mut session.deriving, true) {
                // The key of an attempt given up is still on its way, and must not be taken for this one's.
                return Step::Failure("temporary-auth-failure");
            }
            let job = Derivation {
                hash,
                password: Arc::from(&*password),
                salt,
                iterations: self.options.iterations,
            };
            out.request(Request::Derive(channel, job));
        }
        let changes = self.accounts.changes();
        let exchange = ScramExchange { scram, hash, local, user, changes, keys, response: None };
        Step::Challenge(Some(challenge), Exchange::Scram(exchange))
    }

    /// Holds the client's proof against the keys, once both are there.
    fn check_proof(&mut self, mut exchange: ScramExchange) -> Step {
        let (Some(keys), Some(response)) = (&exchange.keys, &exchange.response) else {
            return Step::Wait(exchange);
        };
        match exchange.scram.handle_response(response, keys) {
            Ok(last) => {
                let keys = exchange.keys.take();
                // Derived from a password that may be another by now.
                let keys = keys.filter(|_| exchange.changes == self.accounts.changes());
                self.keys.extend(keys.map(|keys| ((exchange.hash, exchange.user), keys)));
                Step::Success(exchange.local, Some(last.into_bytes()))
            }
            Err(_) => Step::Failure("not-authorized"),
        }
    }

    fn go_on(&mut self, channel: Channel, step: Step, out: &mut Outbox) -> Flow {
        match step {
            Step::Wait(exchange) => self.put_exchange(channel, Exchange::Scram(exchange)),
            Step::Challenge(data, exchange) => {
                self.send(channel, out, |bytes| reply::sasl(bytes, "challenge", data.as_deref()));
                self.put_exchange(channel, exchange);
            }
            Step::Success(local, data) => {
                self.send(channel, out, |bytes| reply::sasl(bytes, "success", data.as_deref()));
                if let Some(session) = self.sessions.get_mut(&channel) {
                    session.opened = false;
                    session.state = State::Authenticated(local);
                }
                return Flow::Restart;
            }
            Step::Failure(condition) => self.refuse(channel, condition, out),
        }
        self.flow(channel)
    }

    fn refuse(&mut self, channel: Channel, condition: &str, out: &mut Outbox) {
        self.counters.auth_failures.add_one();
        self.send(channel, out, |bytes| reply::sasl_failure(bytes, condition));
        if let Some(State::Login { failures, .. }) =
            self.sessions.get_mut(&channel).map(|session| &mut session.state)
        {
            *failures += 1;
            if *failures >= FAILURES_MAX {
                self.fail(channel, StreamCondition::PolicyViolation, out);
            }
        }
    }

    fn take_exchange(&mut self, channel: Channel) -> Option<Exchange> {
        match &mut self.sessions.get_mut(&channel)?.state {
            State::Login { exchange, .. } => exchange.take().map(|exchange| *exchange),
            _ => None,
        }
    }

    fn put_exchange(&mut self, channel: Channel, next: Exchange) {
        if let Some(session) = self.sessions.get_mut(&channel)
            && let State::Login { exchange, .. } = &mut session.state
        {
            *exchange = Some(Box::new(next));
        }
    }

    /// A username as the localpart of an account here, if it can be one.
    pub(super) fn local_of(&self, username: &str) -> Option<Arc<str>> {
        let jid: Jid = format!("{}@{}", folded(username), self.options.domain).parse().ok()?;
        let whole = jid.resource().is_none() && jid.domain() == self.options.domain;
        jid.local().filter(|_| whole).map(Arc::from)
    }

    fn is_own_address(&self, address: &str, local: &str) -> bool {
        let bare = folded(address);
        bare.strip_suffix(&*folded(&self.options.domain)).and_then(|rest| rest.strip_suffix('@'))
            == Some(local)
            || bare == local
    }

    /// The same for an account in every run, so that clients' cached keys stay good.
    fn salt(&self, local: &str) -> Vec<u8> {
        let text = format!("xmpp-bench embedded server\0{local}@{}", self.options.domain);
        Sha256::digest(text.as_bytes())[..16].to_vec()
    }
}
