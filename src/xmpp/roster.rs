//! Rosters as they are read: the items of an answer or a push (RFC 6121 section 2).

use std::borrow::Cow;

use super::{Element, namespaces};

/// Who sees whose presence, from the roster owner's side (RFC 6121 section 2.1.2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subscription {
    /// Nobody.
    #[default]
    None,
    /// The owner sees the contact.
    To,
    /// The contact sees the owner.
    From,
    /// Each sees the other.
    Both,
    /// In a push: the item is gone.
    Remove,
}

impl Subscription {
    /// As it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::To => "to",
            Self::From => "from",
            Self::Both => "both",
            Self::Remove => "remove",
        }
    }

    /// From the wire; what is missing or not known is [`Subscription::None`].
    pub fn from_name(name: &str) -> Self {
        let all = [Self::To, Self::From, Self::Both, Self::Remove];
        all.into_iter().find(|subscription| subscription.as_str() == name).unwrap_or_default()
    }

    /// Whether the owner sees the contact.
    pub const fn sees(self) -> bool {
        matches!(self, Self::To | Self::Both)
    }

    /// Whether the contact sees the owner.
    pub const fn is_seen(self) -> bool {
        matches!(self, Self::From | Self::Both)
    }
}

/// One contact of a roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterItem<'a> {
    /// The contact's bare address, as the server spells it.
    pub jid: Cow<'a, str>,
    /// Who sees whom.
    pub subscription: Subscription,
    /// Whether the owner has asked to see the contact, and waits for the answer.
    pub ask: bool,
}

/// Calls `each` for every item of a roster answer or push; items without an address are passed over.
pub fn for_each_item(iq: &Element<'_>, mut each: impl FnMut(RosterItem<'_>)) {
    let Some(query) = iq.child("query", namespaces::ROSTER) else { return };
    for item in query.children().filter(|child| child.is("item", namespaces::ROSTER)) {
        let Some(jid) = item.attribute("jid") else { continue };
        let subscription = item.attribute("subscription");
        each(RosterItem {
            jid,
            subscription: subscription.as_deref().map_or(Subscription::None, Subscription::from_name),
            ask: item.attribute("ask").as_deref() == Some("subscribe"),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmpp::StreamNamespaces;

    #[test]
    fn items_are_read_as_they_stand_and_strange_ones_do_no_harm() {
        let text = "<iq type='result' id='r'><query xmlns='jabber:iq:roster' ver='7'>\
                    <item jid='a@x' subscription='both'><group>g</group></item><item jid='b@x' subscription='to'/>\
                    <item jid='c@x' subscription='none' ask='subscribe'/><item jid='d@x' subscription='from' approved='true'/>\
                    <item jid='o&apos;neil@x'/><item subscription='both'/><item jid='e@x' subscription='bogus'/>\
                    <item xmlns='other' jid='f@x' subscription='both'/></query></iq>";
        let namespaces = StreamNamespaces::default();
        let element = Element::parse(text.as_bytes(), &namespaces).unwrap();
        let mut seen = Vec::new();
        for_each_item(&element, |item| seen.push((item.jid.into_owned(), item.subscription, item.ask)));
        let expected = [
            ("a@x", Subscription::Both, false),
            ("b@x", Subscription::To, false),
            ("c@x", Subscription::None, true),
            ("d@x", Subscription::From, false),
            ("o'neil@x", Subscription::None, false),
            ("e@x", Subscription::None, false),
        ];
        assert_eq!(seen, expected.map(|(jid, subscription, ask)| (jid.to_owned(), subscription, ask)));
    }

    #[test]
    fn both_is_seeing_and_being_seen() {
        for (name, sees, is_seen) in
            [("none", false, false), ("to", true, false), ("from", false, true), ("both", true, true)]
        {
            let subscription = Subscription::from_name(name);
            assert_eq!((subscription.sees(), subscription.is_seen()), (sees, is_seen), "{name}");
            assert_eq!(subscription.as_str(), name);
        }
    }
}
