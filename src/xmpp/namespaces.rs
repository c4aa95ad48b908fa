//! Namespace names, and what a stream header bound prefixes to.

/// Stream-level elements (RFC 6120 section 4.8.1).
pub const STREAMS: &str = "http://etherx.jabber.org/streams";
/// Stanzas between client and server.
pub const CLIENT: &str = "jabber:client";
/// Stanzas between servers.
pub const SERVER: &str = "jabber:server";
/// Stanzas of an external component (XEP-0114).
pub const COMPONENT: &str = "jabber:component:accept";
/// STARTTLS (RFC 6120 section 5).
pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
/// SASL (RFC 6120 section 6).
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// Resource binding (RFC 6120 section 7).
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
/// Session establishment (RFC 3921 section 3).
pub const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
/// Stanza error conditions (RFC 6120 section 8.3).
pub const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// Stream error conditions (RFC 6120 section 4.9).
pub const STREAM_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
/// Roster (RFC 6121 section 2).
pub const ROSTER: &str = "jabber:iq:roster";
/// The roster versioning feature (RFC 6121 section 2.6).
pub const ROSTER_VERSIONING: &str = "urn:xmpp:features:rosterver";
/// Ping (XEP-0199).
pub const PING: &str = "urn:xmpp:ping";
/// What software an entity is (XEP-0092).
pub const VERSION: &str = "jabber:iq:version";
/// Rooms: a client's wish to enter (XEP-0045).
pub const MUC: &str = "http://jabber.org/protocol/muc";
/// Rooms: what the room says to its occupants (XEP-0045).
pub const MUC_USER: &str = "http://jabber.org/protocol/muc#user";
/// Rooms: what the owner may do (XEP-0045).
pub const MUC_OWNER: &str = "http://jabber.org/protocol/muc#owner";
/// Stream management (XEP-0198).
pub const STREAM_MANAGEMENT: &str = "urn:xmpp:sm:3";
/// Client state indication (XEP-0352).
pub const CLIENT_STATE: &str = "urn:xmpp:csi:0";
/// In-band registration (XEP-0077).
pub const REGISTRATION: &str = "jabber:iq:register";
/// The stream feature of in-band registration (XEP-0077 section 4).
pub const REGISTRATION_FEATURE: &str = "http://jabber.org/features/iq-register";
/// Data forms (XEP-0004).
pub const DATA_FORM: &str = "jabber:x:data";
/// Out-of-band data (XEP-0066): where a server wants registration done on the web.
pub const OUT_OF_BAND: &str = "jabber:x:oob";
/// Delayed delivery (XEP-0203).
pub const DELAY: &str = "urn:xmpp:delay";
/// Service discovery, information (XEP-0030).
pub const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
/// Service discovery, items (XEP-0030).
pub const DISCO_ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// Bound to the prefix `xml` always.
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// Bound to the prefix `xmlns` always, and to no other.
pub const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// What a stream carries, told by its header's default namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ContentNamespace {
    /// `jabber:client`.
    #[default]
    Client,
    /// `jabber:server`.
    Server,
    /// `jabber:component:accept`.
    Component,
}

impl ContentNamespace {
    /// The namespace's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => CLIENT,
            Self::Server => SERVER,
            Self::Component => COMPONENT,
        }
    }

    /// From the namespace's name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Client, Self::Server, Self::Component].into_iter().find(|content| content.as_str() == name)
    }
}

/// The bindings a stream header brings into scope for every element of the stream.
///
/// Nearly every stream binds the default to `jabber:client` and `stream` to [`STREAMS`]; that form is the value
/// itself and owns nothing. Any other form is kept on the heap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamNamespaces {
    other: Option<Box<[Binding]>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Binding {
    prefix: Box<str>,
    name: Box<str>,
}

impl StreamNamespaces {
    /// From (prefix, name) pairs; the empty prefix is the default namespace.
    pub fn new<'a>(bindings: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Self {
        let plain = [("", CLIENT), ("stream", STREAMS)];
        if bindings.clone().count() == plain.len() && bindings.clone().all(|binding| plain.contains(&binding))
        {
            return Self::default();
        }
        let other = bindings.map(|(prefix, name)| Binding { prefix: prefix.into(), name: name.into() });
        Self { other: Some(other.collect()) }
    }

    /// The namespace `prefix` is bound to; the empty prefix asks for the default one.
    pub fn resolve(&self, prefix: &str) -> Option<&str> {
        if prefix == "xml" {
            return Some(XML);
        }
        match (&self.other, prefix) {
            (None, "") => Some(CLIENT),
            (None, "stream") => Some(STREAMS),
            (None, _) => None,
            (Some(bindings), _) => {
                bindings.iter().find(|binding| &*binding.prefix == prefix).map(|binding| &*binding.name)
            }
        }
    }

    /// What stanzas on this stream are in.
    pub fn content(&self) -> ContentNamespace {
        self.resolve("").and_then(ContentNamespace::from_name).unwrap_or_default()
    }
}
