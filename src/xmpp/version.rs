//! Software version (XEP-0092): asking an entity what it is, and reading its answer.
//!
//! What an entity says of itself is text and proves nothing; it is cut short, and never interpreted.

use super::{Element, namespaces, write};

/// What an entity says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Software {
    /// Its name; never empty.
    pub name: String,
    /// Its version; empty where it does not say.
    pub version: String,
    /// Its operating system, if it tells.
    pub os: Option<String>,
}

impl Software {
    /// The most characters that are kept of a text.
    pub const TEXT_MAX: usize = 100;

    /// Of an answer (XEP-0092 section 3); none if it is not one, or names nothing.
    pub fn of(iq: &Element<'_>) -> Option<Self> {
        let query = iq.child("query", namespaces::VERSION)?;
        let text = |name: &str| -> Option<String> {
            let text = query.child_text(name)?;
            let text: String = text.trim().chars().take(Self::TEXT_MAX).collect();
            (!text.is_empty()).then_some(text)
        };
        Some(Self { name: text("name")?, version: text("version").unwrap_or_default(), os: text("os") })
    }
}

/// Writes the question.
pub fn ask(out: &mut Vec<u8>, id: &str, to: &str) {
    write::iq(out, "get", id, Some(to), b"<query xmlns='jabber:iq:version'/>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmpp::StreamNamespaces;

    fn told(query: &str) -> Option<Software> {
        let text = format!("<iq type='result' id='version' from='x'>{query}</iq>");
        let namespaces = StreamNamespaces::default();
        Software::of(&Element::parse(text.as_bytes(), &namespaces).unwrap())
    }

    #[test]
    fn an_answer_is_read_as_it_stands_and_a_strange_one_says_nothing() {
        let software = |name: &str, version: &str, os: Option<&str>| {
            Some(Software { name: name.into(), version: version.into(), os: os.map(str::to_owned) })
        };
        for (query, expected) in [
            (
                "<query xmlns='jabber:iq:version'><name>Prosody</name><version>0.12.3</version><os>Linux</os></query>",
                software("Prosody", "0.12.3", Some("Linux")),
            ),
            (
                "<query xmlns='jabber:iq:version'><os/><name> a &lt;b&gt; </name></query>",
                software("a <b>", "", None),
            ),
            ("<query xmlns='jabber:iq:version'><name/><version>1</version></query>", None),
            ("<query xmlns='jabber:iq:version'><version>1</version></query>", None),
            ("<query xmlns='jabber:iq:last'><name>x</name></query>", None),
            ("", None),
        ] {
            assert_eq!(told(query), expected, "{query}");
        }
        let long = "é".repeat(4_000);
        let long = told(&format!("<query xmlns='jabber:iq:version'><name>{long}</name></query>"));
        assert_eq!(long.unwrap().name.chars().count(), Software::TEXT_MAX);
    }
}
