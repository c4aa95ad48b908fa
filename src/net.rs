//! Sockets and TLS: drives machines; knows no XMPP.
