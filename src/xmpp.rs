//! The protocol without I/O, both roles: framer, stanza views and builders, JID, SASL, negotiation.
