//! Taking the keys of a table one by one, by the table of what may be there.
//!
//! A reader asks for one key after the other and gets a value or the proof that a problem has been written down, so it
//! can go on and find the next problem: take everything first, use `?` afterwards. A key that is there under a misspelt
//! name counts as reported, so that one mistake gives one message.
//!
//! ```text
//! let body = keys.take::<SizeDistribution>("body");
//! let to = keys.choose("to", &[("contact", To::Contact), ("online", To::Online)]);
//! Ok(Message { body: body?, to: to? })
//! ```

use super::document::{Entry, Node, Place, Table, Value};
use super::problem::{Notebook, Problem, Wrong, did_you_mean, suggestion};
use super::registry::{KeySpec, Presence, Shape, Vocabulary};
use super::{document, read};

/// Proof that a problem has been written down: whoever holds it need not report anything more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Reported(());

impl Reported {
    pub(super) const fn new() -> Self {
        Self(())
    }
}

/// The keys of one table. Not `Debug`: values may be passwords.
pub struct Keys<'a> {
    /// What messages call the table: `[target]`.
    name: &'a str,
    table: &'a Table,
    place: &'a Place,
    specs: &'a [&'a [KeySpec]],
    /// The keys that unknown ones were probably meant to be.
    meant: Vec<&'static str>,
    /// Whether there are unknown keys.
    is_strange: bool,
    surroundings: Surroundings<'a>,
}

/// What every reader may need.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) notebook: &'a Notebook,
    pub(super) vocabulary: &'a Vocabulary,
}

/// What a value is read by.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The shape its key declares.
    pub shape: Shape,
    /// The limits of measurement.
    pub vocabulary: &'a Vocabulary,
}

/// A type a value can be read as.
pub trait Readable: Sized {
    /// Reads a value, or says what is wrong with it.
    fn read(value: &Given<'_>, frame: Frame<'_>) -> Result<Self, Wrong>;
}

/// A value as it was given.
#[derive(Clone, Copy)]
pub struct Given<'a>(pub(super) &'a Node);

impl<'a> Keys<'a> {
    /// Opens a table whose keys are those of `specs`; any other key is reported at once.
    pub(super) fn open(
        name: &'a str,
        table: &'a Table,
        place: &'a Place,
        specs: &'a [&'a [KeySpec]],
        surroundings: Surroundings<'a>,
    ) -> Self {
        let mut keys = Self { name, table, place, specs, meant: Vec::new(), is_strange: false, surroundings };
        for entry in &table.entries {
            if keys.spec(&entry.key).is_none() {
                keys.report_unknown(entry);
            }
        }
        keys
    }

    /// Whether the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    /// Whether the key is not there, but one that was probably meant to be it.
    pub(super) fn is_misspelt(&self, key: &str) -> bool {
        !self.has(key) && self.meant.contains(&key)
    }

    /// That all keys are known. With others in it the table does not say what its author meant, and to hold it against the
    /// rest of the profile would find mistakes that are none.
    pub(super) fn all_known(&self) -> Result<(), Reported> {
        if self.is_strange { Err(Reported::new()) } else { Ok(()) }
    }

    /// The value of `key`, or its default. A key declared [`Presence::Required`] that is missing is a problem.
    pub fn take<T: Readable>(&mut self, key: &str) -> Result<T, Reported> {
        if let Some(value) = self.find(key)? {
            return Ok(value);
        }
        match self.declared(key).presence {
            Presence::Default(text) => self.read_default(key, text),
            Presence::Required | Presence::Optional => Err(self.missing(key)),
        }
    }

    /// The value of `key`, if it is there.
    pub fn find<T: Readable>(&mut self, key: &str) -> Result<Option<T>, Reported> {
        let Some(entry) = self.table.get(key) else {
            return if self.is_misspelt(key) { Err(Reported::new()) } else { Ok(None) };
        };
        let frame = self.frame(key);
        T::read(&Given(&entry.node), frame).map(Some).map_err(|wrong| self.refuse(key, wrong))
    }

    /// The value of `key` (or its default) as one of `choices`, which are those its spec declares.
    pub fn choose<T: Clone>(&mut self, key: &str, choices: &[(&str, T)]) -> Result<T, Reported> {
        let text: String = self.take(key)?;
        let chosen = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| value.clone());
        chosen.ok_or_else(|| self.refuse(key, read::not_among(&text, choices.iter().map(|(name, _)| *name))))
    }

    /// Writes down that the value of `key` won't do. `wrong` completes a sentence that begins with the key; without
    /// help of its own, the key's meaning is given.
    pub fn refuse(&self, key: &str, wrong: Wrong) -> Reported {
        let place = wrong.place.unwrap_or_else(|| self.place_of(key));
        let message = format!("`{key}` {}", wrong.message);
        let help = wrong.help.or_else(|| Some(format!("`{key}`: {}", self.spec(key)?.doc)));
        self.surroundings.notebook.add(Problem { place, message, help, related: None })
    }

    /// Writes down something wrong at `key`'s value; `wrong` is a whole sentence.
    pub(super) fn say_of(&self, key: &str, wrong: Wrong) -> Reported {
        self.surroundings.notebook.say(&self.place_of(key), wrong.message, wrong.help.unwrap_or_default())
    }

    /// The limits of measurement.
    pub const fn vocabulary(&self) -> &'a Vocabulary {
        self.surroundings.vocabulary
    }

    pub(super) fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.table.get(key)
    }

    /// Where the value of `key` stands, or else its table.
    pub(super) fn place_of(&self, key: &str) -> Place {
        self.table.get(key).map_or_else(|| self.place.clone(), |entry| entry.node.place.clone())
    }

    pub(super) fn missing(&self, key: &str) -> Reported {
        if self.is_misspelt(key) {
            return Reported::new();
        }
        let spec = self.declared(key);
        let message = format!("{} has no `{key}`", self.name);
        self.surroundings.notebook.say(self.place, message, format!("add `{key}`: {}", spec.doc))
    }

    fn report_unknown(&mut self, entry: &Entry) {
        let known = self.specs.iter().flat_map(|specs| specs.iter()).map(|spec| spec.name);
        self.is_strange = true;
        self.meant.extend(suggestion(&entry.key, known.clone()).filter(|meant| !self.meant.contains(meant)));
        let message = format!("`{}` is not a key of {}", document::shorten(&entry.key), self.name);
        let _ = self.surroundings.notebook.say(&entry.place, message, did_you_mean(&entry.key, known));
    }

    fn read_default<T: Readable>(&self, key: &str, text: &str) -> Result<T, Reported> {
        let node = document::parse_override(0, text, 0);
        T::read(&Given(&node), self.frame(key)).map_err(|wrong| self.refuse(key, wrong))
    }

    fn frame(&self, key: &str) -> Frame<'a> {
        Frame { shape: self.declared(key).shape, vocabulary: self.surroundings.vocabulary }
    }

    fn spec(&self, key: &str) -> Option<&'a KeySpec> {
        self.specs.iter().flat_map(|specs| specs.iter()).find(|spec| spec.name == key)
    }

    /// The spec of a key a reader asks for: asking for another is a mistake in the reader, found by its first test.
    fn declared(&self, key: &str) -> &'a KeySpec {
        self.spec(key).expect("readers ask for the keys they declare")
    }
}

impl<'a> Given<'a> {
    /// The value as text. An override needs no quotes: `--set users.0.password=1234` is the text `1234`.
    pub fn text(&self, expected: &str) -> Result<&'a str, Wrong> {
        match (&self.0.value, &self.0.bare) {
            (Value::Text(text), _) | (_, Some(text)) => Ok(text),
            (other, None) => Err(Wrong::new(format!("must be {expected}, not {}", other.describe()))),
        }
    }
}
