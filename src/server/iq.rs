//! Requests: binding, roster, ping, disco, version; every other one is answered `service-unavailable`, exactly once
//! (RFC 6120 section 8.2.3).

use std::sync::Arc;

use crate::machine::{Channel, Outbox};
use crate::server::Server;
use crate::server::delivery::{Column, Parcel};
use crate::server::form::{Form, Id};
use crate::server::reply::{self, Answer, Denial, element as write_element, push};
use crate::server::session::{Bound, State};
use crate::server::stanza::Target;
use crate::xmpp::namespaces::{BIND, DISCO_INFO, DISCO_ITEMS, PING, REGISTRATION, ROSTER, SESSION, VERSION};
use crate::xmpp::write::attribute;
use crate::xmpp::{Element, ElementKind, Jid, StreamCondition};

/// Most resources of one account.
const RESOURCES_MAX: usize = 64;

/// What the server can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Roster,
    Session,
    Ping,
    Info,
    Items,
    Version,
    Registration,
}

impl Server {
    pub(super) fn iq(&mut self, channel: Channel, bound: &Bound, element: &Element<'_>, out: &mut Outbox) {
        let kind = element.stanza_type();
        let is_request = match kind.as_deref() {
            Some("get" | "set") => true,
            Some("result" | "error") => false,
            _ => return self.refuse_iq(channel, bound, element, Denial::BAD_REQUEST, out),
        };
        if is_request {
            self.counters.iqs_in.add_one();
            if element.id().is_none() || element.children().count() != 1 {
                return self.refuse_iq(channel, bound, element, Denial::BAD_REQUEST, out);
            }
        }
        let target = element.to().map_or(Target::Domain, |to| self.target(&to));
        match target {
            Target::Rooms if is_request => self.rooms_iq(channel, bound, element, out),
            Target::Room { name, nick } if is_request => {
                self.room_iq(channel, bound, element, (&name, nick.as_deref()), out);
            }
            Target::User { local, resource: Some(resource) } => {
                self.pass_iq(channel, bound, element, (&local, &resource), out);
            }
            _ if !is_request => {}
            Target::Domain => self.answer(channel, bound, element, true, out),
            Target::User { local, resource: None } if self.is_own(bound, &local) => {
                self.answer(channel, bound, element, false, out);
            }
            Target::User { .. } | Target::Rooms | Target::Room { .. } => {
                self.refuse_iq(channel, bound, element, Denial::UNAVAILABLE, out);
            }
            Target::Remote => self.refuse_iq(channel, bound, element, Denial::NO_REMOTE, out),
            Target::Malformed => self.refuse_iq(channel, bound, element, Denial::JID_MALFORMED, out),
        }
    }

    /// To a connected resource, or back with an error if it is a request.
    fn pass_iq(
        &mut self,
        channel: Channel,
        bound: &Bound,
        element: &Element<'_>,
        (local, resource): (&str, &str),
        out: &mut Outbox,
    ) {
        let found = self.routes.resources(local).iter().find(|other| other.name() == resource);
        let found = found.map(|other| (other.session, Arc::clone(&other.full)));
        let Some(recipient) = found else {
            if matches!(element.stanza_type().as_deref(), Some("get" | "set")) {
                self.refuse_iq(channel, bound, element, Denial::UNAVAILABLE, out);
            }
            return;
        };
        let form = Form::new(element.bytes(), Id::Kept, &bound.full);
        let parcel = Parcel {
            form: &form,
            column: Column::Iq,
            token: None,
            sender: bound.account,
            from_bare: &bound.full,
            to: None,
        };
        self.give(&parcel, &recipient, out);
    }

    /// A request to the server (`to_domain`) or to the asker's own account.
    fn answer(
        &mut self,
        channel: Channel,
        bound: &Bound,
        element: &Element<'_>,
        to_domain: bool,
        out: &mut Outbox,
    ) {
        let get = element.stanza_type().as_deref() == Some("get");
        let asked = asked(element, get);
        let for_account = !to_domain || element.to().is_none();
        match asked {
            Ok(Asked::Roster) if for_account => {
                if get {
                    self.show_roster(channel, bound, element, out);
                } else {
                    self.set_roster(channel, bound, element, out);
                }
            }
            Ok(Asked::Session | Asked::Ping) => self.reply(channel, bound, element, out, |_| ()),
            Ok(Asked::Info) => {
                let registers = to_domain && self.options.registration;
                self.reply(channel, bound, element, out, |bytes| write_info(bytes, to_domain, registers));
            }
            Ok(Asked::Items) => {
                let rooms = to_domain.then(|| self.rooms.domain().to_owned());
                self.reply(channel, bound, element, out, |bytes| write_items(bytes, rooms.as_deref()));
            }
            Ok(Asked::Version) if to_domain => self.reply(channel, bound, element, out, write_version),
            Ok(Asked::Registration) if self.options.registration => {
                self.change_account(channel, bound, element, out);
            }
            Ok(Asked::Roster | Asked::Version | Asked::Registration) => {
                self.refuse_iq(channel, bound, element, Denial::UNAVAILABLE, out);
            }
            Err(denial) => self.refuse_iq(channel, bound, element, denial, out),
        }
    }

    pub(super) fn reply(
        &mut self,
        channel: Channel,
        bound: &Bound,
        element: &Element<'_>,
        out: &mut Outbox,
        fill: impl FnOnce(&mut Vec<u8>),
    ) {
        self.counters.iqs_answered.add_one();
        let (id, from) = (element.id(), element.to());
        let answer = Answer { id: id.as_deref(), from: from.as_deref(), to: Some(&bound.full) };
        self.send(channel, out, |bytes| reply::result(bytes, answer, fill));
    }

    pub(super) fn refuse_iq(
        &mut self,
        channel: Channel,
        bound: &Bound,
        element: &Element<'_>,
        denial: Denial,
        out: &mut Outbox,
    ) {
        self.counters.iqs_answered.add_one();
        let (id, from) = (element.id(), element.to());
        let answer = Answer { id: id.as_deref(), from: from.as_deref(), to: Some(&bound.full) };
        self.send(channel, out, |bytes| reply::denial(bytes, "iq", answer, denial));
    }

    fn is_own(&self, bound: &Bound, local: &str) -> bool {
        self.routes.get(bound.account).is_some_and(|account| *account.local == *local)
    }

    /// The one thing a user without a resource may do (RFC 6120 section 7).
    pub(super) fn bind_element(&mut self, channel: Channel, element: &Element<'_>, out: &mut Outbox) {
        let is_set = element.stanza_type().as_deref() == Some("set");
        let request = element.child("bind", BIND);
        let Some(request) = request.filter(|_| is_set && element.kind() == ElementKind::Iq) else {
            return self.fail(channel, StreamCondition::NotAuthorized, out);
        };
        self.counters.iqs_in.add_one();
        self.counters.iqs_answered.add_one();
        let wanted = request.child_text("resource").unwrap_or_default();
        let id = element.id();
        let answer = Answer { id: id.as_deref(), from: None, to: None };
        match self.bind(channel, wanted.trim(), out) {
            Ok(full) => self.send(channel, out, |bytes| {
                reply::result(bytes, answer, |bytes| {
                    push(bytes, &format!("<bind xmlns='{BIND}'>"));
                    write_element(bytes, "jid", &full);
                    push(bytes, "</bind>");
                });
            }),
            Err(denial) => self.send(channel, out, |bytes| reply::denial(bytes, "iq", answer, denial)),
        }
    }

    fn bind(&mut self, channel: Channel, wanted: &str, out: &mut Outbox) -> Result<Arc<str>, Denial> {
        let id = self.session_id(channel).ok_or(Denial::BAD_REQUEST)?;
        let local = match self.sessions.get(&channel).map(|session| &session.state) {
            Some(State::Authenticated(local)) => Arc::clone(local),
            _ => return Err(Denial::NOT_ALLOWED),
        };
        let name = if wanted.is_empty() { format!("xb-{}", id.serial) } else { wanted.to_owned() };
        let whole = format!("{local}@{}/{name}", self.options.domain);
        if whole.parse::<Jid>().is_err() {
            return Err(Denial::BAD_REQUEST);
        }
        if self.routes.resources(&local).len() >= RESOURCES_MAX {
            return Err(Denial::RESOURCE_CONSTRAINT);
        }
        if let Some(older) = self.routes.resources(&local).iter().find(|resource| resource.name() == name) {
            // RFC 6120 section 7.7.2.2: the newer session takes the older one's place.
            self.fail(older.session.channel, StreamCondition::Conflict, out);
        }
        let user = self.accounts.find(&local);
        let (account, full) = self.routes.bind(&local, &self.options.domain, user, &name, id);
        self.counters.logins.add_one();
        if let Some(session) = self.sessions.get_mut(&channel) {
            session.state = State::Bound(Bound { account, full: Arc::clone(&full) });
        }
        Ok(full)
    }
}

/// What a request asks the server for.
fn asked(element: &Element<'_>, get: bool) -> Result<Asked, Denial> {
    let Some(child) = element.children().next() else { return Err(Denial::BAD_REQUEST) };
    Ok(match (child.local(), &*child.namespace(), get) {
        ("query", ROSTER, _) => Asked::Roster,
        ("bind", BIND, _) => return Err(Denial::NOT_ALLOWED),
        ("session", SESSION, false) => Asked::Session,
        ("ping", PING, true) => Asked::Ping,
        ("query", DISCO_INFO, true) if child.attribute("node").is_none() => Asked::Info,
        ("query", DISCO_ITEMS, true) if child.attribute("node").is_none() => Asked::Items,
        ("query", DISCO_INFO | DISCO_ITEMS, true) => return Err(Denial::NOT_FOUND),
        ("query", VERSION, true) => Asked::Version,
        ("query", REGISTRATION, _) => Asked::Registration,
        _ => return Err(Denial::UNAVAILABLE),
    })
}

fn write_info(out: &mut Vec<u8>, server: bool, registers: bool) {
    let identity = if server {
        "category='server' type='im' name='xmpp-bench embedded server'"
    } else {
        "category='account' type='registered'"
    };
    push(out, &format!("<query xmlns='{DISCO_INFO}'><identity {identity}/>"));
    let registration = registers.then_some(REGISTRATION);
    for feature in [DISCO_INFO, DISCO_ITEMS, ROSTER, PING, VERSION].into_iter().chain(registration) {
        push(out, &format!("<feature var='{feature}'/>"));
    }
    push(out, "</query>");
}

/// The server has its room service; an account has nothing.
fn write_items(out: &mut Vec<u8>, rooms: Option<&str>) {
    push(out, &format!("<query xmlns='{DISCO_ITEMS}'>"));
    if let Some(rooms) = rooms {
        push(out, "<item");
        attribute(out, "jid", rooms);
        push(out, " name='rooms'/>");
    }
    push(out, "</query>");
}

fn write_version(out: &mut Vec<u8>) {
    push(out, &format!("<query xmlns='{VERSION}'>"));
    write_element(out, "name", "xmpp-bench embedded server");
    write_element(out, "version", env!("CARGO_PKG_VERSION"));
    push(out, "</query>");
}
