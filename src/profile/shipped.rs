//! The profiles that come with the tool, and can be named instead of a file.

use super::load::Input;

/// A profile that comes with the tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shipped {
    /// Its name, without folder and ending.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// All of them.
pub const SHIPPED: &[Shipped] = &[
    Shipped { name: "quickstart", text: include_str!("../../profiles/quickstart.toml") },
    Shipped { name: "idle-mobile", text: include_str!("../../profiles/idle-mobile.toml") },
    Shipped { name: "im-consumer", text: include_str!("../../profiles/im-consumer.toml") },
    Shipped { name: "presence-heavy", text: include_str!("../../profiles/presence-heavy.toml") },
    Shipped { name: "enterprise-9am", text: include_str!("../../profiles/enterprise-9am.toml") },
    Shipped { name: "muc-small", text: include_str!("../../profiles/muc-small.toml") },
    Shipped { name: "game-rooms", text: include_str!("../../profiles/game-rooms.toml") },
    Shipped { name: "chatty-stress", text: include_str!("../../profiles/chatty-stress.toml") },
    Shipped { name: "webinar-join", text: include_str!("../../profiles/webinar-join.toml") },
    Shipped { name: "presence-flood", text: include_str!("../../profiles/presence-flood.toml") },
];

impl Shipped {
    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        SHIPPED.iter().copied().find(|shipped| shipped.name == name)
    }

    /// What it is for: its first line, a comment.
    pub fn description(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches(['#', ' '])
    }

    /// It as if it had been read from a file.
    pub fn input(&self) -> Input {
        Input { name: format!("profiles/{}.toml", self.name), text: self.text.to_owned(), ..Input::default() }
    }
}
