//! `<stream:features/>`, as far as a client's login needs it.

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
