//! A server scripted for these tests: accounts, logins, rosters and subscriptions (RFC 6121, appendix A) in memory, without
//! I/O. It keeps no presence and routes nothing else. What it does badly is an option.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use xmpp_bench::machine::{Derivation, Hash};
use xmpp_bench::xmpp::sasl::scram::{ScramKeys, ScramServer, salted_password};
use xmpp_bench::xmpp::{
    Element, ElementKind, Flow, Item, Limits, ReadError, StreamReader, Subscription, header, namespaces,
    write,
};

pub const DOMAIN: &str = "localhost";

/// What a server does about a grant nobody asked for (RFC 6121 section 3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarlyGrants {
    /// Nothing.
    #[default]
    Ignored,
    /// Kept; a request that comes later makes the granter believe that it was granted, and the asker is not told, as with
    /// Prosody 0.12 while the granter is offline.
    Botched,
}

#[derive(Clone, Debug, Default)]
pub struct Options {
    pub early_grants: EarlyGrants,
    /// Only PLAIN is offered.
    pub plain_only: bool,
    /// Every so many registrations are put off.
    pub put_off_every: Option<u32>,
    /// So many accounts are there at most; more are `not-allowed`.
    pub accounts_max: Option<usize>,
    /// Registrations are refused with this condition.
    pub refuse_registration: Option<&'static str>,
    /// Nothing is said to anybody.
    pub mute: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    pub subscription: Subscription,
    pub ask: bool,
    pub approved: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Account {
    pub password: String,
    pub roster: BTreeMap<String, Contact>,
    /// Who asks to see this account and was not answered.
    pub pending: BTreeSet<String>,
}

/// What is to be written to which connection; nothing means that it is to be closed.
pub type Written = Vec<(u32, Option<Vec<u8>>)>;

#[derive(Debug, Default)]
pub struct Peer {
    pub options: Options,
    pub accounts: BTreeMap<String, Account>,
    pub registrations: u32,
    pub logins: u32,
    /// Sessions bound at one time, at most.
    pub most_at_once: usize,
    sessions: BTreeMap<u32, Session>,
    out: Written,
}

#[derive(Debug)]
struct Session {
    reader: StreamReader,
    login: Login,
}

#[derive(Debug)]
enum Login {
    Not,
    Challenged(Box<ScramServer>),
    Authenticated(String),
    Bound(String),
}

impl Peer {
    pub fn with(options: Options) -> Self {
        Self { options, ..Self::default() }
    }

    /// Bytes came on a connection; one that is not known is new.
    pub fn read(&mut self, connection: u32, bytes: &[u8]) -> Written {
        if self.options.mute {
            return Vec::new();
        }
        let session = self.sessions.remove(&connection);
        let mut session = session
            .unwrap_or_else(|| Session { reader: StreamReader::new(Limits::default()), login: Login::Not });
        let mut login = session.login;
        let read: Result<usize, ReadError> = session.reader.push(bytes, |item| {
            Ok(match item {
                Item::Header(_) => {
                    self.open(connection, &login);
                    Flow::Continue
                }
                Item::Element(element) => self.element(connection, &element, &mut login),
                Item::Close => {
                    self.say(connection, header::write_close);
                    self.out.push((connection, None));
                    Flow::Stop
                }
            })
        });
        read.expect("our own client writes well");
        session.login = login;
        self.sessions.insert(connection, session);
        self.most_at_once = self.most_at_once.max(self.online().count());
        std::mem::take(&mut self.out)
    }

    /// Every connection is gone.
    pub fn all_gone(&mut self) {
        self.sessions.clear();
    }

    pub fn gone(&mut self, connection: u32) {
        self.sessions.remove(&connection);
    }

    /// How one account's roster has another.
    pub fn contact(&mut self, of: &str, with: &str) -> &mut Contact {
        let account = self.accounts.get_mut(of).unwrap_or_else(|| panic!("no account {of}"));
        account.roster.entry(bare(with)).or_default()
    }

    /// Pairs of accounts whose rosters both say `both`.
    pub fn mutual_pairs(&self) -> BTreeSet<(String, String)> {
        let both = |of: &str, with: &str| {
            let roster = self.accounts.get(of).map(|account| &account.roster);
            roster
                .and_then(|roster| roster.get(&bare(with)))
                .is_some_and(|contact| contact.subscription == Subscription::Both)
        };
        let pairs = self.accounts.keys().flat_map(|one| self.accounts.keys().map(move |other| (one, other)));
        pairs
            .filter(|(one, other)| one < other && both(one, other) && both(other, one))
            .map(|(one, other)| (one.clone(), other.clone()))
            .collect()
    }

    fn online(&self) -> impl Iterator<Item = &str> {
        self.sessions.values().filter_map(|session| match &session.login {
            Login::Bound(user) => Some(user.as_str()),
            _ => None,
        })
    }

    fn say(&mut self, connection: u32, fill: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        fill(&mut bytes);
        self.out.push((connection, Some(bytes)));
    }

    fn open(&mut self, connection: u32, login: &Login) {
        let mechanisms = if self.options.plain_only {
            "<mechanism>PLAIN</mechanism>"
        } else {
            "<mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism>"
        };
        let features = match login {
            Login::Authenticated(_) => "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>".to_owned(),
            _ => format!(
                "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{mechanisms}</mechanisms>\
                 <register xmlns='http://jabber.org/features/iq-register'/>"
            ),
        };
        self.say(connection, |out| {
            header::write_server(out, DOMAIN, None, "s1");
            out.extend_from_slice(format!("<stream:features>{features}</stream:features>").as_bytes());
        });
    }

    fn element(&mut self, connection: u32, element: &Element<'_>, login: &mut Login) -> Flow {
        match element.kind() {
            ElementKind::Auth => self.auth(connection, element, login),
            ElementKind::Response => self.response(connection, element, login),
            ElementKind::Iq => {
                self.iq(connection, element, login);
                Flow::Continue
            }
            ElementKind::Presence => {
                if let Login::Bound(user) = login {
                    let (kind, to) = (element.stanza_type(), element.to());
                    self.subscription(
                        &user.clone(),
                        &kind.unwrap_or_default(),
                        &local(&to.unwrap_or_default()),
                    );
                }
                Flow::Continue
            }
            _ => Flow::Continue,
        }
    }

    fn auth(&mut self, connection: u32, element: &Element<'_>, login: &mut Login) -> Flow {
        let message = STANDARD.decode(element.text().as_bytes()).unwrap();
        if element.attribute("mechanism").as_deref() == Some("PLAIN") {
            let text = String::from_utf8(message).unwrap();
            let parts: Vec<&str> = text.split('\0').collect();
            let known = self.accounts.get(parts[1]).is_some_and(|account| account.password == parts[2]);
            return self.verdict(connection, login, known.then(|| parts[1].to_owned()), "");
        }
        let mut scram = ScramServer::new(Hash::Sha1, &message, "servernonce").unwrap();
        let user = scram.username().to_owned();
        if !self.accounts.contains_key(&user) {
            return self.verdict(connection, login, None, "");
        }
        let challenge = STANDARD.encode(scram.challenge(user.as_bytes(), 4096));
        *login = Login::Challenged(Box::new(scram));
        self.say(connection, |out| {
            let xmlns = namespaces::SASL;
            out.extend_from_slice(format!("<challenge xmlns='{xmlns}'>{challenge}</challenge>").as_bytes());
        });
        Flow::Continue
    }

    fn response(&mut self, connection: u32, element: &Element<'_>, login: &mut Login) -> Flow {
        let Login::Challenged(mut scram) = std::mem::replace(login, Login::Not) else { return Flow::Stop };
        let user = scram.username().to_owned();
        let password = self.accounts[&user].password.as_str();
        let job = Derivation {
            hash: Hash::Sha1,
            password: password.into(),
            salt: user.clone().into_bytes(),
            iterations: 4096,
        };
        let keys = ScramKeys::from_salted_password(Hash::Sha1, &salted_password(&job));
        let proof = STANDARD.decode(element.text().as_bytes()).unwrap();
        let last = scram.handle_response(&proof, &keys);
        let is_right = last.is_ok();
        self.verdict(connection, login, is_right.then_some(user), &STANDARD.encode(last.unwrap_or_default()))
    }

    fn verdict(&mut self, connection: u32, login: &mut Login, user: Option<String>, last: &str) -> Flow {
        let xmlns = namespaces::SASL;
        let Some(user) = user else {
            self.say(connection, |out| {
                out.extend_from_slice(
                    format!("<failure xmlns='{xmlns}'><not-authorized/></failure>").as_bytes(),
                );
            });
            return Flow::Continue;
        };
        *login = Login::Authenticated(user);
        self.logins += 1;
        self.say(connection, |out| {
            out.extend_from_slice(format!("<success xmlns='{xmlns}'>{last}</success>").as_bytes());
        });
        Flow::Restart
    }

    fn iq(&mut self, connection: u32, iq: &Element<'_>, login: &mut Login) {
        let id = iq.id().unwrap_or_default().into_owned();
        let kind = iq.stanza_type().unwrap_or_default().into_owned();
        if let Some(query) = iq.child("query", namespaces::REGISTRATION) {
            return self.registration(connection, &id, &kind, &query, login);
        }
        if iq.child("bind", namespaces::BIND).is_some()
            && let Login::Authenticated(user) = login
        {
            let user = std::mem::take(user);
            let payload =
                format!("<bind xmlns='{}'><jid>{}/r{connection}</jid></bind>", namespaces::BIND, bare(&user));
            *login = Login::Bound(user);
            return self.say(connection, |out| write::iq(out, "result", &id, None, payload.as_bytes()));
        }
        let Login::Bound(user) = login else { return };
        let user = user.clone();
        match (kind.as_str(), iq.child("query", namespaces::ROSTER)) {
            ("get", Some(_)) => {
                let payload = self.roster_text(&user);
                self.say(connection, |out| write::iq(out, "result", &id, None, payload.as_bytes()));
            }
            ("set", Some(query)) => {
                for item in query.children() {
                    self.remove(&user, &local(&item.attribute("jid").unwrap_or_default()));
                }
                self.say(connection, |out| write::iq_result(out, &id, None));
            }
            _ => {}
        }
    }

    fn registration(
        &mut self,
        connection: u32,
        id: &str,
        kind: &str,
        query: &Element<'_>,
        login: &mut Login,
    ) {
        if let Login::Bound(user) = login {
            let user = user.clone();
            if query.child("remove", namespaces::REGISTRATION).is_some() {
                self.delete(&user);
                self.say(connection, |out| write::iq_result(out, id, None));
                self.say(connection, |out| {
                    header::write_error(out, xmpp_bench::xmpp::StreamCondition::NotAuthorized, None);
                    header::write_close(out);
                });
                self.out.push((connection, None));
            }
            return;
        }
        if kind == "get" {
            let form = b"<query xmlns='jabber:iq:register'><username/><password/></query>";
            return self.say(connection, |out| write::iq(out, "result", id, Some(DOMAIN), form));
        }
        let field = |name: &str| query.child_text(name).unwrap_or_default().into_owned();
        let (user, password) = (field("username"), field("password"));
        self.registrations += 1;
        let put_off =
            self.options.put_off_every.is_some_and(|every| self.registrations.is_multiple_of(every));
        let is_full = self.options.accounts_max.is_some_and(|max| self.accounts.len() >= max);
        let refusal = self.options.refuse_registration.or_else(|| is_full.then_some("not-allowed"));
        let refused =
            if put_off { Some(("wait", "resource-constraint")) } else { refusal.map(|c| ("cancel", c)) };
        if let Some((kind, condition)) = refused {
            let xmlns = namespaces::STANZAS;
            let error = format!(
                "<error type='{kind}'><{condition} xmlns='{xmlns}'/><text xmlns='{xmlns}'>not {password}</text></error>"
            );
            return self.say(connection, |out| write::iq(out, "error", id, None, error.as_bytes()));
        }
        if self.accounts.contains_key(&user) {
            // As ejabberd does, the request and its password come back with the error.
            let error = format!(
                "{}<error type='cancel'><conflict xmlns='{}'/></error>",
                std::str::from_utf8(query.bytes()).unwrap(),
                namespaces::STANZAS
            );
            return self.say(connection, |out| write::iq(out, "error", id, None, error.as_bytes()));
        }
        self.accounts.insert(user, Account { password, ..Account::default() });
        self.say(connection, |out| write::iq_result(out, id, None));
    }

    fn delete(&mut self, user: &str) {
        let contacts: Vec<String> = self.accounts[user].roster.keys().map(|jid| local(jid)).collect();
        for contact in &contacts {
            self.remove(user, contact);
        }
        self.accounts.remove(user);
    }

    fn roster_text(&self, user: &str) -> String {
        let mut text = b"<query xmlns='jabber:iq:roster'>".to_vec();
        for (jid, contact) in &self.accounts[user].roster {
            text.extend_from_slice(b"<item");
            write::attribute(&mut text, "jid", jid);
            write::attribute(&mut text, "subscription", contact.subscription.as_str());
            if contact.ask {
                write::attribute(&mut text, "ask", "subscribe");
            }
            text.extend_from_slice(b"/>");
        }
        text.extend_from_slice(b"</query>");
        String::from_utf8(text).unwrap()
    }

    /// Subscription presence from one account to another (RFC 6121 section 3 and appendix A).
    fn subscription(&mut self, from: &str, kind: &str, to: &str) {
        match kind {
            "subscribe" => self.subscribe(from, to),
            "subscribed" => self.subscribed(from, to),
            other => panic!("{from} sends presence of type {other} to {to}"),
        }
    }

    fn subscribe(&mut self, from: &str, to: &str) {
        let own = self.contact(from, to);
        if own.subscription.sees() {
            return;
        }
        own.ask = true;
        self.push(from, to);
        let Some(account) = self.accounts.get_mut(to) else {
            self.contact(from, to).ask = false;
            return self.push(from, to);
        };
        let theirs = account.roster.get(&bare(from)).cloned().unwrap_or_default();
        if theirs.approved && self.options.early_grants == EarlyGrants::Botched {
            // The granter believes it, and the asker hears nothing.
            see_by(self.contact(to, from));
        } else if theirs.subscription.is_seen() {
            self.granted(from, to);
        } else {
            self.accounts.get_mut(to).unwrap().pending.insert(bare(from));
        }
    }

    fn subscribed(&mut self, from: &str, to: &str) {
        if self.accounts.get_mut(from).unwrap().pending.remove(&bare(to)) {
            see_by(self.contact(from, to));
            self.push(from, to);
            self.granted(to, from);
        } else if self.options.early_grants == EarlyGrants::Botched
            && !self.contact(from, to).subscription.is_seen()
        {
            self.contact(from, to).approved = true;
        }
    }

    /// `by` lets `user` see it.
    fn granted(&mut self, user: &str, by: &str) {
        if !self.accounts.contains_key(user) || !std::mem::take(&mut self.contact(user, by).ask) {
            return;
        }
        let own = self.contact(user, by);
        own.subscription = if own.subscription.is_seen() { Subscription::Both } else { Subscription::To };
        self.push(user, by);
    }

    /// A contact is removed (section 2.5): the other side's halves end too.
    fn remove(&mut self, user: &str, contact: &str) {
        self.accounts.get_mut(user).unwrap().roster.remove(&bare(contact));
        self.accounts.get_mut(user).unwrap().pending.remove(&bare(contact));
        self.push(user, contact);
        let Some(other) = self.accounts.get_mut(contact) else { return };
        other.pending.remove(&bare(user));
        if let Some(item) = other.roster.get_mut(&bare(user)) {
            *item = Contact { approved: item.approved, ..Contact::default() };
            self.push(contact, user);
        }
    }

    /// Tells a user's sessions how a contact stands (section 2.1.6).
    fn push(&mut self, user: &str, contact: &str) {
        let all = self.sessions.iter();
        let sessions: Vec<u32> = all
            .filter(|(_, session)| matches!(&session.login, Login::Bound(bound) if bound == user))
            .map(|(connection, _)| *connection)
            .collect();
        let mut payload = b"<query xmlns='jabber:iq:roster'><item".to_vec();
        write::attribute(&mut payload, "jid", &bare(contact));
        payload.extend_from_slice(b"/></query>");
        for connection in sessions {
            self.say(connection, |out| write::iq(out, "set", "push", None, &payload));
        }
    }
}

fn see_by(contact: &mut Contact) {
    contact.subscription = if contact.subscription.sees() { Subscription::Both } else { Subscription::From };
}

fn bare(user: &str) -> String {
    if user.contains('@') { user.to_owned() } else { format!("{user}@{DOMAIN}") }
}

fn local(jid: &str) -> String {
    jid.split('@').next().unwrap_or_default().to_owned()
}
