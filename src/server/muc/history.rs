//! What was said in a room, for those who enter later (XEP-0045 sections 7.2.13 and 7.2.14).

use std::collections::VecDeque;
use std::time::Duration;

use crate::server::form::Form;
use crate::server::muc::{HISTORY_BYTES_MAX, HISTORY_MAX};
use crate::units::Offset;
use crate::xmpp::Element;
use crate::xmpp::namespaces::MUC;

/// The last messages of a room, the oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    lines: VecDeque<(Form, Offset)>,
    bytes: usize,
}

/// How much of it somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    stanzas: usize,
    chars: usize,
    age: Option<Duration>,
    /// The second from which on, as XEP-0082 writes it.
    since: Option<String>,
}

impl History {
    /// Keeps what was said at `at`, as long as there are `left` bytes for it, and forgets what is too old for it.
    pub(super) fn keep(&mut self, form: Form, at: Offset, left: usize) {
        if form.len() > HISTORY_BYTES_MAX.min(left) {
            return;
        }
        self.bytes += form.len();
        self.lines.push_back((form, at));
        while self.lines.len() > HISTORY_MAX || self.bytes > HISTORY_BYTES_MAX {
            let Some((forgotten, _)) = self.lines.pop_front() else { break };
            self.bytes -= forgotten.len();
        }
    }

    /// The newest that are wanted, the oldest first; `stamp` writes an instant.
    pub(super) fn pick(
        &self,
        wanted: &Wanted,
        now: Offset,
        stamp: impl Fn(Offset) -> String,
    ) -> Vec<&(Form, Offset)> {
        let is_young = |at: Offset| wanted.age.is_none_or(|age| now.since(at) <= age);
        let is_since = |at: Offset| {
            wanted
                .since
                .as_deref()
                .is_none_or(|since| stamp(at).get(..since.len()).is_some_and(|at| at >= since))
        };
        let mut chars = 0;
        let fits = self.lines.iter().rev().take(wanted.stanzas).take_while(|(form, at)| {
            chars += form.len();
            chars <= wanted.chars && is_young(*at) && is_since(*at)
        });
        let mut picked: Vec<_> = fits.collect();
        picked.reverse();
        picked
    }

    /// How many bytes are kept.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Wanted {
    /// What a presence that enters a room asks for; everything where it says nothing.
    pub(super) fn of(presence: &Element<'_>) -> Self {
        let wish = presence.child("x", MUC);
        let history = wish.as_ref().and_then(|x| x.child("history", MUC));
        let text = |name: &str| history.as_ref().and_then(|history| history.attribute(name));
        let number = |name: &str| text(name).and_then(|text| text.trim().parse::<usize>().ok());
        Self {
            stanzas: number("maxstanzas").unwrap_or(usize::MAX),
            chars: number("maxchars").unwrap_or(usize::MAX),
            age: number("seconds").map(|seconds| Duration::from_secs(seconds as u64)),
            since: text("since")
                .and_then(|since| since.get(.."2026-11-22T10:00:00".len()).map(str::to_owned)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::form::Id;
    use crate::xmpp::StreamNamespaces;

    fn seconds(count: u64) -> Offset {
        Offset::from_nanos(count * 1_000_000_000)
    }

    /// Messages said at seconds 0 to 29, each of the same length.
    fn history() -> History {
        let mut history = History::default();
        for second in 0..30 {
            history.keep(Form::new(b"<message/>", Id::Kept, "r@x/n"), seconds(second), 1 << 20);
        }
        history
    }

    #[test]
    fn who_enters_gets_what_is_wanted_of_the_last_twenty() {
        let length = Form::new(b"<message/>", Id::Kept, "r@x/n").len();
        let stamp = |at: Offset| format!("1970-01-01T00:00:{:02}.000Z", at.second());
        let five = format!("maxchars='{}'", length * 5 + 1);
        for (wish, first) in [
            ("", 10),
            ("maxstanzas='3'", 27),
            ("maxstanzas='0'", 30),
            ("maxchars='0'", 30),
            (five.as_str(), 25),
            ("seconds='4'", 26),
            ("since='1970-01-01T00:00:28Z'", 28),
            ("since='1970-01-01T00:00:28Z' maxstanzas='1'", 29),
            ("maxstanzas='many' since='x'", 10),
        ] {
            let text = format!("<presence><x xmlns='{MUC}'><history {wish}/></x></presence>");
            let namespaces = StreamNamespaces::default();
            let wanted = Wanted::of(&Element::parse(text.as_bytes(), &namespaces).unwrap());
            let history = history();
            let picked: Vec<u32> =
                history.pick(&wanted, seconds(30), stamp).iter().map(|(_, at)| at.second()).collect();
            assert_eq!(picked, (first..30).collect::<Vec<_>>(), "{wish}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut history = History::default();
        let long = format!("<message><body>{}</body></message>", "x".repeat(HISTORY_BYTES_MAX / 3));
        for second in 0..9 {
            history.keep(Form::new(long.as_bytes(), Id::Kept, "r@x/n"), seconds(second), usize::MAX);
            assert!(history.bytes() <= HISTORY_BYTES_MAX);
        }
        assert_eq!(history.lines.len(), 2);
        let before = history.bytes();
        history.keep(Form::new(long.as_bytes(), Id::Kept, "r@x/n"), seconds(9), 10);
        assert_eq!(history.bytes(), before, "nothing is left for it");
    }
}
