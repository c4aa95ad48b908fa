//! One command in a folder of its own, with nothing of the user's in sight.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A small profile: two users, two seconds.
pub const PROFILE: &str = r#"deadline = "1s"
drain = "1s"
# With some seeds the second user is not counted on before the run is nearly over, and nobody writes.
seed = 1
[target]
url = "loopback:"
domain = "localhost"
[[users]]
count = 2
jid = "u{n}@{domain}"
password = "p{n}"
contacts = 1
[[phase]]
name = "ramp"
duration = "1s"
users = 2
[[phase]]
name = "steady"
duration = "1s"
measure = true
[[activity]]
kind = "message"
rate = "20/s"
to = "contact"
"#;

pub struct Shell(TempDir);

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Shell {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("small.toml"), PROFILE).unwrap();
        Self(folder)
    }

    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xmpp-bench"));
        command
            .args(words)
            .current_dir(self.folder())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("NO_COLOR", "1")
            .env_remove("COLUMNS")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, words: &[&str]) -> Said {
        let output = self.command(words).output().unwrap();
        let said = Said {
            code: output.status.code().expect("it was not ended by a signal"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!said.err.contains("panicked"), "{words:?}: {said:#?}");
        said
    }
}
