//! A registry of two activities like the tool's own, and a shelf of files, so that these tests stand alone.

use std::path::Path;
use std::time::Duration;

use xmpp_bench::profile::{
    Files, Input, Join, KeySpec, Keys, KindSpec, Planned, Presence, Problems, Profile, Recipients, Registry,
    Reported, RoomSizes, Rooms, Shape, SizeDistribution, Vocabulary,
};

/// A profile of the activities known here, for tests that change one.
pub const BASE: &str = include_str!("base.toml");

pub struct Kinds;

#[derive(Debug)]
pub enum Activity {
    Message { to: Recipients, body: SizeDistribution },
    Groupchat(Rooms),
    Ping,
}

impl Planned for Activity {
    fn recipients(&self) -> Recipients {
        match self {
            Self::Message { to, .. } => *to,
            Self::Groupchat(_) => Recipients::Room,
            Self::Ping => Recipients::Server,
        }
    }

    fn size(&self) -> Option<&SizeDistribution> {
        match self {
            Self::Message { body, .. } => Some(body),
            Self::Groupchat(_) | Self::Ping => None,
        }
    }

    fn rooms(&self) -> Option<&Rooms> {
        match self {
            Self::Groupchat(rooms) => Some(rooms),
            Self::Message { .. } | Self::Ping => None,
        }
    }
}

const MESSAGE_KEYS: &[KeySpec] = &[
    KeySpec {
        name: "body",
        shape: Shape::Size,
        presence: Presence::Default("\"lognormal(80, 0.8)\""),
        doc: "how large bodies are, bytes",
    },
    KeySpec {
        name: "to",
        shape: Shape::Choice(&["contact", "online"]),
        presence: Presence::Default("\"contact\""),
        doc: "whom to write to",
    },
];

const GROUPCHAT_KEYS: &[KeySpec] = &[
    KeySpec {
        name: "occupants",
        shape: Shape::RoomSizes,
        presence: Presence::Default("2"),
        doc: "how many users its room has",
    },
    KeySpec {
        name: "join",
        shape: Shape::Text,
        presence: Presence::Default("\"login\""),
        doc: "when users join: \"login\", or the name of a phase",
    },
];

const KINDS: &[KindSpec] = &[
    KindSpec {
        kind: "message",
        summary: "one-to-one messages",
        keys: MESSAGE_KEYS,
        operations: &["message.delivery"],
        ledger: Some("message"),
    },
    KindSpec { kind: "ping", summary: "XEP-0199", keys: &[], operations: &["ping"], ledger: None },
    KindSpec {
        kind: "groupchat",
        summary: "rooms",
        keys: GROUPCHAT_KEYS,
        operations: &["groupchat.echo"],
        ledger: Some("groupchat"),
    },
];

impl Registry for Kinds {
    type Activity = Activity;

    fn kinds(&self) -> &[KindSpec] {
        KINDS
    }

    fn read(&self, kind: &str, keys: &mut Keys<'_>) -> Result<Activity, Reported> {
        match kind {
            "groupchat" => return groupchat(keys),
            "ping" => return Ok(Activity::Ping),
            _ => {}
        }
        let body = keys.take("body");
        let to = keys.choose("to", &[("contact", Recipients::Contact), ("online", Recipients::Online)]);
        Ok(Activity::Message { body: body?, to: to? })
    }

    fn vocabulary(&self) -> Vocabulary {
        Vocabulary {
            operations: &["login", "login.tcp", "login.tls", "login.auth"],
            outcomes: &["ok", "late", "lost", "timeout", "failed", "failed-throttled", "unsent"],
            ledger_columns: &["expected", "delivered", "lost", "failed", "duplicated"],
            body_bytes_min: 24,
            body_bytes_max: 65_536,
            users_max: 1 << 24,
            run_max: Duration::from_hours(78),
        }
    }
}

fn groupchat(keys: &mut Keys<'_>) -> Result<Activity, Reported> {
    let occupants = keys.take::<RoomSizes>("occupants");
    let join = match keys.take::<String>("join")? {
        login if login == "login" => Join::Login,
        phase => Join::Phase(phase, None),
    };
    Ok(Activity::Groupchat(Rooms { sizes: occupants?.of(1), join }))
}

/// Files as a table.
pub struct Shelf(pub &'static [(&'static str, &'static str)]);

impl Files for Shelf {
    fn read(&self, path: &Path) -> Result<String, String> {
        let named = |(name, _): &&(&str, &str)| Path::new(name) == path;
        self.0.iter().find(named).map(|(_, text)| (*text).to_owned()).ok_or_else(|| "no such file".to_owned())
    }
}

pub const SHELF: Shelf = Shelf(&[
    ("two.csv", "jid,password\nanna@localhost,a\nbert,\"b,\"\"b\"\n"),
    ("twice.csv", "anna,a\nANNA,b\n"),
    ("elsewhere.csv", "anna@example.org,a\n"),
    ("bare.csv", "anna,secret\nbert\n"),
    ("open.csv", "\"anna,secret\n"),
    ("empty.csv", "jid,password\n"),
    ("nothing.pem", "hello\n"),
    ("ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
]);

/// Reads a profile as a file named `name`.
pub fn read(name: &str, text: &str, overrides: &[&str]) -> Result<Profile<Activity>, Problems> {
    let input = Input {
        name: name.to_owned(),
        text: text.to_owned(),
        overrides: overrides.iter().map(|&text| text.to_owned()).collect(),
        ..Input::default()
    };
    Profile::read(&input, &Kinds, &SHELF)
}
