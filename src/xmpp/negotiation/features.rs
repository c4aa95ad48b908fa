//! `<stream:features/>`, as far as a client's login needs it.

use std::collections::BTreeSet;

use crate::xmpp::{Element, Mechanism, namespaces};

/// What a server offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Whether STARTTLS is offered.
    pub starttls: bool,
    /// Whether STARTTLS is required.
    pub starttls_required: bool,
    /// The SASL mechanisms known here, in the server's order; unknown ones are left out.
    pub mechanisms: Vec<Mechanism>,
    /// Whether resource binding is offered.
    pub bind: bool,
    /// Whether a session request is expected: offered, and not marked optional.
    pub session: bool,
    /// Roster versioning (RFC 6121 section 2.6).
    pub rosterver: bool,
    /// Stream management (XEP-0198).
    pub stream_management: bool,
    /// Client state indication (XEP-0352).
    pub client_state: bool,
    /// In-band registration (XEP-0077).
    pub registration: bool,
    /// Whether something not known here is marked as required.
    pub unknown_required: bool,
}

impl Features {
    /// Reads a `<stream:features/>`; what is unknown and not required is passed over (RFC 6120 section 4.3.2).
    pub fn parse(element: &Element<'_>) -> Self {
        let mut features = Self::default();
        for child in element.children() {
            features.note(&child);
        }
        features
    }

    fn note(&mut self, child: &Element<'_>) {
        let namespace = child.namespace();
        let has = |name: &str| child.child(name, &namespace).is_some();
        match (child.local(), &*namespace) {
            ("starttls", namespaces::TLS) => {
                self.starttls = true;
                self.starttls_required = has("required");
            }
            ("mechanisms", namespaces::SASL) => {
                let offered = child.children().filter(|child| child.is("mechanism", namespaces::SASL));
                self.mechanisms =
                    offered.filter_map(|mechanism| Mechanism::from_name(mechanism.text().trim())).collect();
            }
            ("bind", namespaces::BIND) => self.bind = true,
            ("session", namespaces::SESSION) => self.session = !has("optional"),
            ("ver", namespaces::ROSTER_VERSIONING) => self.rosterver = true,
            ("sm", namespaces::STREAM_MANAGEMENT) => self.stream_management = true,
            ("csi", namespaces::CLIENT_STATE) => self.client_state = true,
            ("register", namespaces::REGISTRATION_FEATURE) => self.registration = true,
            _ => self.unknown_required |= has("required"),
        }
    }
}

/// What a `<stream:features/>` says, for whoever writes down what a server offers: words, none of them understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// SASL mechanisms (RFC 6120 section 6.4.1), in the server's order, those unknown here too.
    pub mechanisms: Vec<String>,
    /// The namespaces of the features.
    pub namespaces: BTreeSet<String>,
}

impl Offered {
    /// More names of either kind are not kept.
    pub const NAMES_MAX: usize = 64;
    /// More characters of a name are not kept.
    pub const NAME_MAX: usize = 100;

    /// Reads a `<stream:features/>`.
    pub fn parse(features: &Element<'_>) -> Self {
        let cut = |name: &str| name.trim().chars().take(Self::NAME_MAX).collect::<String>();
        let mut offered = Self::default();
        for child in features.children() {
            if child.is("mechanisms", namespaces::SASL) {
                let names = child.children().filter(|child| child.is("mechanism", namespaces::SASL));
                offered.mechanisms.extend(names.take(Self::NAMES_MAX).map(|name| cut(&name.text())));
            }
            if offered.namespaces.len() < Self::NAMES_MAX {
                offered.namespaces.insert(cut(&child.namespace()));
            }
        }
        offered.mechanisms.truncate(Self::NAMES_MAX);
        offered
    }

    /// Adds what a later stream of the same server offers: features are added up, and of mechanisms the last list counts, since
    /// those of a stream in the clear are others (RFC 6120 section 5.4.3.3).
    pub fn add(&mut self, later: Self) {
        if !later.mechanisms.is_empty() {
            self.mechanisms = later.mechanisms;
        }
        self.namespaces.extend(later.namespaces);
        while self.namespaces.len() > Self::NAMES_MAX {
            self.namespaces.pop_last();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmpp::StreamNamespaces;

    fn offered(inside: &str) -> Offered {
        let text = format!("<stream:features>{inside}</stream:features>");
        Offered::parse(&Element::parse(text.as_bytes(), &StreamNamespaces::default()).unwrap())
    }

    #[test]
    fn what_is_offered_is_kept_by_name_known_or_not() {
        let mut all = offered(
            "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
             <mechanism>PLAIN</mechanism></mechanisms>",
        );
        all.add(offered(
            "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism> SCRAM-SHA-512-PLUS </mechanism>\
             <mechanism>PLAIN</mechanism><other/></mechanisms><limits xmlns='urn:xmpp:stream-limits:0'/>",
        ));
        all.add(offered("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"));
        assert_eq!(all.mechanisms, ["SCRAM-SHA-512-PLUS", "PLAIN"]);
        let namespaces: Vec<&str> = all.namespaces.iter().map(String::as_str).collect();
        assert_eq!(
            namespaces,
            [
                "urn:ietf:params:xml:ns:xmpp-bind",
                "urn:ietf:params:xml:ns:xmpp-sasl",
                "urn:ietf:params:xml:ns:xmpp-tls",
                "urn:xmpp:stream-limits:0"
            ]
        );
    }

    #[test]
    fn a_server_that_offers_without_end_is_kept_in_part() {
        let endless = |mark: &str| {
            let features =
                (0..100).map(|n| format!("<x xmlns='{mark}{n:03}'/>")).collect::<Vec<_>>().concat();
            let long = "é".repeat(1_000);
            let names = format!("<mechanism>{long}</mechanism>").repeat(100);
            offered(&format!(
                "{features}<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{names}</mechanisms>"
            ))
        };
        let mut all = endless("b");
        all.add(endless("a"));
        assert_eq!((all.mechanisms.len(), all.namespaces.len()), (Offered::NAMES_MAX, Offered::NAMES_MAX));
        assert!(all.mechanisms.iter().all(|name| name.chars().count() == Offered::NAME_MAX));
    }
}
