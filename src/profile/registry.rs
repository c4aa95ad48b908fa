//! What a profile knows of activities: their names, their keys and what they say of themselves, and nothing else.
//!
//! The tables here are the single source of three things: which keys are accepted, the JSON schema, and the text of
//! the suggestions. So none of them can promise what the others refuse.

use std::time::Duration;

use crate::profile::keys::{Keys, Reported};
use crate::profile::value::{DurationDistribution, SizeDistribution};
use crate::units::Rate;

/// The activities a profile may name, and the vocabulary its SLOs may use.
pub trait Registry {
    /// What a validated activity's own keys become.
    type Activity: Planned;

    /// Every kind of activity, in the order they are listed to a person.
    fn kinds(&self) -> &[KindSpec];

    /// Reads the keys that belong to `kind` alone; what all activities share (`rate`, `every`, `arrivals`) is read
    /// already. Only called with a kind out of [`Registry::kinds`].
    fn read(&self, kind: &str, keys: &mut Keys<'_>) -> Result<Self::Activity, Reported>;

    /// The words and limits of measurement a profile is held against.
    fn vocabulary(&self) -> Vocabulary;
}

/// What a profile needs to know of an activity to plan it.
pub trait Planned {
    /// Whom its stanzas are for.
    fn recipients(&self) -> Recipients;

    /// How large its stanzas' bodies are, where they have one.
    fn size(&self) -> Option<&SizeDistribution>;

    /// The rooms it needs.
    fn rooms(&self) -> Option<&Rooms> {
        None
    }

    /// How sessions end and for how long, for activities that end them.
    fn absence(&self) -> Option<&Absence> {
        None
    }
}

/// The rooms of an activity, and who is in them: a pure function of the profile, so that runs can be compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Rooms {
    /// How many occupants each room has, the largest first.
    pub sizes: Vec<u32>,
    /// When their users join.
    pub join: Join,
}

/// When a user joins its rooms.
#[derive(Clone, Debug, PartialEq)]
pub enum Join {
    /// As soon as it is online.
    Login,
    /// All of them from the beginning of the phase of this name on, at so many joins per second; at once without a rate.
    Phase(String, Option<Rate>),
}

/// How sessions end and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Absence {
    /// How long a session lasts, where the activity has no rate of its own.
    pub session: Option<DurationDistribution>,
    /// How long a user stays away.
    pub away: DurationDistribution,
    /// The share of sessions that are cut without a word, 0 to 1; the others close their stream.
    pub cut: f64,
}

/// Whom an activity's stanzas are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Recipients {
    /// The user's own server: no second user is needed.
    Server,
    /// Nobody: the user's own session ends and comes back ([`Planned::absence`]).
    Oneself,
    /// The occupants of one of the sender's rooms ([`Planned::rooms`]).
    Room,
    /// One of the sender's contacts.
    Contact,
    /// All of the sender's contacts who are online.
    Contacts,
    /// Any other user planned to be online.
    Online,
}

/// One kind of activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindSpec {
    /// The value of `kind` that names it.
    pub kind: &'static str,
    /// One line for a person.
    pub summary: &'static str,
    /// Its own keys, without those all activities share.
    pub keys: &'static [KeySpec],
    /// The operations it measures, by their public names.
    pub operations: &'static [&'static str],
    /// The ledger its messages are accounted in (`message`), if any.
    pub ledger: Option<&'static str>,
}

/// One key of a table: its name, the shape of its value, what holds without it, and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// The key.
    pub name: &'static str,
    /// The shape of its value.
    pub shape: Shape,
    /// Whether it must be there, and what holds if it is not.
    pub presence: Presence,
    /// What it means, with its unit, in one line.
    pub doc: &'static str,
}

/// Whether a key must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It must.
    Required,
    /// It may be left out, and then this holds (as TOML, for a person).
    Default(&'static str),
    /// It may be left out, and then it simply is not there.
    Optional,
}

/// The shape of a key's value, as precise as a JSON schema can say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A table, or a list of tables, with keys of its own.
    Section,
    /// Any text.
    Text,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A list of these texts.
    Choices(&'static [&'static str]),
    /// A text, or a list of texts.
    Texts,
    /// A whole number within these bounds, both included.
    Integer(u64, u64),
    /// A number, not negative.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A duration: `"30s"`.
    Duration,
    /// A rate: `"200/s"`.
    Rate,
    /// A rate in all or per user: `"200/s"`, `"2/min per user"`.
    PaceRate,
    /// A share, as a number from 0 to 1 or as `"20%"`.
    Share,
    /// A duration, fixed or drawn: `"30s"`, `"uniform(10s, 1min)"`, `"exponential(5min)"`, `"lognormal(5min, 1.0)"`.
    Durations,
    /// Room sizes: a number, `"uniform(5, 50)"` or `"zipf(1.1, 200)"`.
    RoomSizes,
    /// A size in bytes: a number, `"uniform(24, 400)"` or `"lognormal(80, 0.8)"`.
    Size,
    /// A text of this form, a regular expression.
    Form(&'static str),
    /// A contact graph: `"ring"`, `"random"` or `"zipf(1.1)"`.
    Graph,
    /// Users online: a number, a share (`"50%"`), or a table of numbers per group.
    Online,
}

/// The words of measurement an SLO may use, and the limits a plan must keep. The profile cannot know them: they belong
/// to whoever makes tokens and keeps ledgers.
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary {
    /// Operations that are measured whatever the activities are (`login`, …).
    pub operations: &'static [&'static str],
    /// How an operation can end (`ok`, `failed-throttled`), and the families of such (`failed`).
    pub outcomes: &'static [&'static str],
    /// The columns of every ledger (`lost`, …).
    pub ledger_columns: &'static [&'static str],
    /// The shortest body that can hold a token, bytes.
    pub body_bytes_min: u32,
    /// The longest body that may be planned, bytes.
    pub body_bytes_max: u32,
    /// The most users whose messages can be told apart.
    pub users_max: u32,
    /// The longest run whose instants can be told apart.
    pub run_max: Duration,
}
