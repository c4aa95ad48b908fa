//! How it stands between a roster's owner and one contact: the states of RFC 6121 appendix A, as four facts.
//!
//! Each side keeps its own; what one says, the other hears. Pre-approval (section 3.4) is not done.

/// The owner's side of it. The default is no subscription and nothing pending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the nine states of the RFC are these four facts combined")]
pub(super) struct Link {
    /// The owner sees the contact's presence.
    pub(super) sees: bool,
    /// The contact sees the owner's.
    pub(super) is_seen: bool,
    /// The owner has asked to see the contact.
    pub(super) asks: bool,
    /// The contact has asked to see the owner.
    pub(super) is_asked: bool,
}

/// What is said about a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
}

/// What is done about a word that comes from the contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It says nothing new.
    Ignored,
    /// The owner is told.
    Delivered,
    /// The contact sees the owner already, and is told so.
    Granted,
}

impl Link {
    /// Each sees the other.
    pub(super) const MUTUAL: Self = Self { sees: true, is_seen: true, asks: false, is_asked: false };

    /// The owner says something; whether the contact gets to hear it (appendix A.2).
    pub(super) const fn say(&mut self, word: Word) -> bool {
        match word {
            Word::Subscribe => {
                self.asks = !self.sees;
                true
            }
            Word::Unsubscribe => {
                self.asks = false;
                self.sees = false;
                true
            }
            Word::Subscribed => {
                let was_asked = self.is_asked;
                self.is_seen |= was_asked;
                self.is_asked = false;
                was_asked
            }
            Word::Unsubscribed => self.drop_contact(),
        }
    }

    /// The contact says something (appendix A.3).
    pub(super) const fn hear(&mut self, word: Word) -> Heard {
        let is_news = match word {
            Word::Subscribe if self.is_seen => return Heard::Granted,
            Word::Subscribe => !std::mem::replace(&mut self.is_asked, true),
            Word::Unsubscribe => self.drop_contact(),
            Word::Subscribed => {
                let was_asking = self.asks;
                self.sees |= was_asking;
                self.asks = false;
                was_asking
            }
            Word::Unsubscribed => {
                let had = self.asks || self.sees;
                self.asks = false;
                self.sees = false;
                had
            }
        };
        if is_news { Heard::Delivered } else { Heard::Ignored }
    }

    /// The contact neither sees the owner nor asks to; whether it did.
    const fn drop_contact(&mut self) -> bool {
        let had = self.is_asked || self.is_seen;
        self.is_asked = false;
        self.is_seen = false;
        had
    }

    /// As a roster item says it.
    pub(super) const fn subscription(self) -> &'static str {
        match (self.sees, self.is_seen) {
            (false, false) => "none",
            (true, false) => "to",
            (false, true) => "from",
            (true, true) => "both",
        }
    }
}

impl Word {
    /// From a presence's type.
    pub(super) fn from_type(kind: &str) -> Option<Self> {
        let all = [Self::Subscribe, Self::Subscribed, Self::Unsubscribe, Self::Unsubscribed];
        all.into_iter().find(|word| word.as_str() == kind)
    }

    /// As a presence's type.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Subscribed => "subscribed",
            Self::Unsubscribe => "unsubscribe",
            Self::Unsubscribed => "unsubscribed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The states in the order of the RFC's tables, by its names: `O` and `I` are pending out and in.
    const STATES: [&str; 9] = ["none", "none+O", "none+I", "none+OI", "to", "to+I", "from", "from+O", "both"];

    fn state(name: &str) -> Link {
        let (subscription, pending) = name.split_once('+').unwrap_or((name, ""));
        Link {
            sees: matches!(subscription, "to" | "both"),
            is_seen: matches!(subscription, "from" | "both"),
            asks: pending.contains('O'),
            is_asked: pending.contains('I'),
        }
    }

    fn name(link: Link) -> String {
        let pending = format!("{}{}", if link.asks { "O" } else { "" }, if link.is_asked { "I" } else { "" });
        let plus = if pending.is_empty() { "" } else { "+" };
        format!("{}{plus}{pending}", link.subscription())
    }

    #[test]
    fn what_is_said_changes_what_appendix_a_2_says() {
        // New state per existing one; `-` is not passed on and changes nothing.
        let table = [
            (
                Word::Subscribe,
                ["none+O", "none+O", "none+OI", "none+OI", "to", "to+I", "from+O", "from+O", "both"],
            ),
            (
                Word::Unsubscribe,
                ["none", "none", "none+I", "none+I", "none", "none+I", "from", "from", "from"],
            ),
            (Word::Subscribed, ["-", "-", "from", "from+O", "-", "both", "-", "-", "-"]),
            (Word::Unsubscribed, ["-", "-", "none", "none+O", "-", "to", "none", "none+O", "to"]),
        ];
        for (word, row) in table {
            for (before, expected) in STATES.into_iter().zip(row) {
                let mut link = state(before);
                let passed_on = link.say(word);
                let after = if passed_on { name(link) } else { "-".to_owned() };
                assert_eq!(after, expected, "{before} says {word:?}");
                assert!(passed_on || link == state(before));
            }
        }
    }

    #[test]
    fn what_is_heard_changes_what_appendix_a_3_says() {
        // `-` is not delivered; `=` is answered for the owner. Both change nothing.
        let table = [
            (Word::Subscribe, ["none+I", "none+OI", "-", "-", "to+I", "-", "=", "=", "="]),
            (Word::Unsubscribe, ["-", "-", "none", "none+O", "-", "to", "none", "none+O", "to"]),
            (Word::Subscribed, ["-", "to", "-", "to+I", "-", "-", "-", "both", "-"]),
            (Word::Unsubscribed, ["-", "none", "-", "none+I", "none", "none+I", "-", "from", "from"]),
        ];
        for (word, row) in table {
            for (before, expected) in STATES.into_iter().zip(row) {
                let mut link = state(before);
                let after = match link.hear(word) {
                    Heard::Delivered => name(link),
                    Heard::Granted => "=".to_owned(),
                    Heard::Ignored => "-".to_owned(),
                };
                assert_eq!(after, expected, "{before} hears {word:?}");
                assert!(!"-=".contains(expected) || link == state(before));
            }
        }
    }

    #[test]
    fn words_are_the_types_of_presence() {
        for kind in ["subscribe", "subscribed", "unsubscribe", "unsubscribed"] {
            assert_eq!(Word::from_type(kind).map(Word::as_str), Some(kind));
        }
        assert_eq!(Word::from_type("probe"), None);
    }
}
