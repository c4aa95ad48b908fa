//! Streams up to SASL: headers, features, STARTTLS (RFC 6120 sections 4 and 5).

use crate::machine::{Channel, CloseMode, Outbox, Request};
use crate::seed::{Draw, Stream};
use crate::server::reply::{self, Features, push};
use crate::server::session::State;
use crate::server::{Server, StartTls};
use crate::xmpp::namespaces::TLS;
use crate::xmpp::sasl::Mechanism;
use crate::xmpp::{
    ContentNamespace, Element, ElementKind, Flow, Header, StreamCondition, StreamNamespaces, header,
};

/// Where stream ids and nonces are drawn from; the faults have a stream of their own.
const IDS: Stream = Stream(0x0500_0001);

impl Server {
    pub(super) fn header(&mut self, channel: Channel, header: &Header, out: &mut Outbox) {
        if let Err(condition) = self.check_header(header) {
            return self.fail(channel, condition, out);
        }
        self.send_header(channel, out);
        let Some(session) = self.sessions.get(&channel) else { return };
        let (login, secured) = (matches!(session.state, State::Login { .. }), session.secured);
        let mechanisms = if login { self.mechanisms(secured) } else { Vec::new() };
        let starttls = match self.options.starttls {
            _ if !login || secured => None,
            StartTls::Required => Some(true),
            StartTls::Offered => Some(false),
            StartTls::Absent => None,
        };
        let session = !login && self.options.session_feature;
        let register = login && self.registers(secured);
        let features = Features { starttls, mechanisms: &mechanisms, register, bind: !login, session };
        self.send(channel, out, |bytes| reply::features(bytes, &features));
    }

    /// What a header must be (RFC 6120 sections 4.7 and 4.8).
    fn check_header(&self, header: &Header) -> Result<(), StreamCondition> {
        if header.content != ContentNamespace::Client || header.namespaces != StreamNamespaces::default() {
            return Err(StreamCondition::InvalidNamespace);
        }
        if header.version.is_none_or(|(major, _)| major < 1) {
            return Err(StreamCondition::UnsupportedVersion);
        }
        match &header.to {
            Some(to) if to.eq_ignore_ascii_case(&self.options.domain) => Ok(()),
            _ => Err(StreamCondition::HostUnknown),
        }
    }

    pub(super) fn send_header(&mut self, channel: Channel, out: &mut Outbox) {
        let (id, domain) = (self.draw_id(), self.options.domain.clone());
        self.send(channel, out, |bytes| header::write_server(bytes, &domain, None, &id));
        if let Some(session) = self.sessions.get_mut(&channel) {
            session.opened = true;
        }
    }

    /// A text nobody was given before.
    pub(super) fn draw_id(&mut self) -> String {
        self.drawn += 1;
        let mut draw = Draw::new(self.options.seed, IDS, self.drawn);
        format!("{:016x}{:x}", draw.bits(), self.drawn)
    }

    /// The mechanisms offered on a connection: none where STARTTLS must come first.
    pub(super) fn mechanisms(&self, secured: bool) -> Vec<Mechanism> {
        if !secured && self.options.starttls == StartTls::Required {
            return Vec::new();
        }
        let plain = secured || self.options.plain_without_tls;
        let offered = self.options.mechanisms.iter().copied();
        offered.filter(|&mechanism| plain || mechanism != Mechanism::Plain).collect()
    }

    /// A first-level element, by how far the connection has come.
    pub(super) fn element(&mut self, channel: Channel, element: &Element<'_>, out: &mut Outbox) -> Flow {
        let Some(session) = self.sessions.get(&channel) else { return Flow::Stop };
        match &session.state {
            State::Login { .. } => return self.login_element(channel, element, out),
            State::Authenticated(_) => self.bind_element(channel, element, out),
            State::Bound(bound) => {
                let bound = bound.clone();
                self.stanza(channel, &bound, element, out);
            }
            State::Securing | State::Closing => {}
        }
        self.flow(channel)
    }

    fn login_element(&mut self, channel: Channel, element: &Element<'_>, out: &mut Outbox) -> Flow {
        match element.kind() {
            ElementKind::StartTls => self.begin_tls(channel, out),
            ElementKind::Auth => return self.auth(channel, element, out),
            ElementKind::Response => return self.response(channel, element, out),
            ElementKind::Abort => self.abort(channel, out),
            ElementKind::Iq => self.register(channel, element, out),
            ElementKind::Message | ElementKind::Presence => {
                self.fail(channel, StreamCondition::NotAuthorized, out);
            }
            _ => self.fail(channel, StreamCondition::UnsupportedStanzaType, out),
        }
        self.flow(channel)
    }

    fn begin_tls(&mut self, channel: Channel, out: &mut Outbox) {
        let Some(session) = self.sessions.get_mut(&channel) else { return };
        if session.secured || self.options.starttls == StartTls::Absent {
            self.send(channel, out, |bytes| push(bytes, &format!("<failure xmlns='{TLS}'/>")));
            self.send(channel, out, header::write_close);
            return self.close(channel, CloseMode::Finish, out);
        }
        session.state = State::Securing;
        self.send(channel, out, |bytes| push(bytes, &format!("<proceed xmlns='{TLS}'/>")));
        out.request(Request::StartTls(channel));
    }
}
