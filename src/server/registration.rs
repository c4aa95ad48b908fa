//! In-band registration (XEP-0077): accounts made before login, passwords changed and accounts cancelled after it. Only
//! where [`ServerOptions::registration`](super::ServerOptions) says so.
//!
//! Passwords are answered to nobody.

use std::sync::Arc;

use crate::machine::{Channel, Hash, Outbox};
use crate::sample::UserIndex;
use crate::server::reply::{self, Answer, Denial, element as write_element, push};
use crate::server::session::{Bound, State};
use crate::server::{Server, StartTls};
use crate::xmpp::namespaces::REGISTRATION;
use crate::xmpp::{Element, StreamCondition};

/// The longest password, in bytes.
const PASSWORD_MAX: usize = 1_023;

impl Server {
    /// Whether accounts may be made on a connection that has not logged in.
    pub(super) fn registers(&self, is_secured: bool) -> bool {
        self.options.registration && (is_secured || self.options.starttls != StartTls::Required)
    }

    /// A request before login: for the form or for an account; any other one ends the stream.
    pub(super) fn register(&mut self, channel: Channel, element: &Element<'_>, out: &mut Outbox) {
        let is_secured = self.sessions.get(&channel).is_some_and(|session| session.secured);
        let kind = element.stanza_type();
        let is_request = matches!(kind.as_deref(), Some("get" | "set"));
        let query = element.child("query", REGISTRATION).filter(|_| is_request && self.registers(is_secured));
        let Some(query) = query.filter(|_| self.is_for_domain(element)) else {
            return self.fail(channel, StreamCondition::NotAuthorized, out);
        };
        self.counters.iqs_in.add_one();
        self.counters.iqs_answered.add_one();
        let result = match kind.as_deref() {
            Some("get") => Ok(()),
            _ => self.create_account(&query),
        };
        let (id, from) = (element.id(), element.to());
        let answer = Answer { id: id.as_deref(), from: from.as_deref(), to: None };
        match result {
            Ok(()) if kind.as_deref() == Some("get") => {
                self.send(channel, out, |bytes| reply::result(bytes, answer, write_form));
            }
            Ok(()) => self.send(channel, out, |bytes| reply::result(bytes, answer, |_| ())),
            Err(denial) => self.send(channel, out, |bytes| reply::denial(bytes, "iq", answer, denial)),
        }
    }

    /// A request of a user who is online: what is known of its account, another password, the account's end.
    pub(super) fn change_account(
        &mut self,
        channel: Channel,
        bound: &Bound,
        element: &Element<'_>,
        out: &mut Outbox,
    ) {
        let account = self.routes.get(bound.account);
        let known = account.and_then(|account| Some((Arc::clone(&account.local), account.user?)));
        let query = element.child("query", REGISTRATION);
        let (Some((local, user)), Some(query)) = (known, query) else {
            return self.refuse_iq(channel, bound, element, Denial::NOT_ALLOWED, out);
        };
        if element.stanza_type().as_deref() == Some("get") {
            return self.reply(channel, bound, element, out, |bytes| write_registered(bytes, &local));
        }
        if query.child("remove", REGISTRATION).is_some() {
            if query.children().count() != 1 {
                return self.refuse_iq(channel, bound, element, Denial::BAD_REQUEST, out);
            }
            self.reply(channel, bound, element, out, |_| ());
            return self.cancel_account(&local, user, out);
        }
        match self.read_account(&query) {
            Ok((named, password)) if named == local => {
                self.accounts.change_password(user, &password);
                self.forget_keys(user);
                self.reply(channel, bound, element, out, |_| ());
            }
            Ok(_) => self.refuse_iq(channel, bound, element, Denial::NOT_ALLOWED, out),
            Err(denial) => self.refuse_iq(channel, bound, element, denial, out),
        }
    }

    fn create_account(&mut self, query: &Element<'_>) -> Result<(), Denial> {
        if query.child("remove", REGISTRATION).is_some() {
            return Err(Denial::FORBIDDEN);
        }
        let (local, password) = self.read_account(query)?;
        self.accounts.create(&local, &password)?;
        self.counters.registered.add_one();
        Ok(())
    }

    /// Its contacts are told first, then the account is gone, then its sessions, whose users nobody is any more (XEP-0077 section 3.2).
    fn cancel_account(&mut self, local: &Arc<str>, user: UserIndex, out: &mut Outbox) {
        self.end_contacts(local, out);
        self.accounts.remove(user);
        self.forget_keys(user);
        let mut sessions: Vec<Channel> = self
            .sessions
            .iter()
            .filter(|(_, session)| matches!(&session.state, State::Authenticated(named) if named == local))
            .map(|(channel, _)| *channel)
            .collect();
        sessions.sort_unstable();
        sessions.extend(self.routes.resources(local).iter().map(|resource| resource.session.channel));
        for channel in sessions {
            self.fail(channel, StreamCondition::NotAuthorized, out);
        }
    }

    /// Localpart and password out of what was filled in.
    fn read_account(&self, query: &Element<'_>) -> Result<(Arc<str>, String), Denial> {
        let username = query.child_text("username").ok_or(Denial::NOT_ACCEPTABLE)?;
        let password = query.child_text("password").ok_or(Denial::NOT_ACCEPTABLE)?;
        let local = self.local_of(&username).ok_or(Denial::NOT_ACCEPTABLE)?;
        if password.is_empty() || password.len() > PASSWORD_MAX {
            return Err(Denial::NOT_ACCEPTABLE);
        }
        Ok((local, password.into_owned()))
    }

    fn is_for_domain(&self, element: &Element<'_>) -> bool {
        element.to().is_none_or(|to| to.eq_ignore_ascii_case(&self.options.domain))
    }

    /// What was derived from an account's password is worth nothing any more.
    fn forget_keys(&mut self, user: UserIndex) {
        for hash in [Hash::Sha1, Hash::Sha256] {
            self.keys.remove(&(hash, user));
        }
    }
}

fn write_form(out: &mut Vec<u8>) {
    push(out, &format!("<query xmlns='{REGISTRATION}'>"));
    write_element(out, "instructions", "Choose a username and a password.");
    push(out, "<username/><password/></query>");
}

fn write_registered(out: &mut Vec<u8>, local: &str) {
    push(out, &format!("<query xmlns='{REGISTRATION}'><registered/>"));
    write_element(out, "username", local);
    push(out, "<password/></query>");
}
