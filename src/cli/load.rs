//! What several subcommands need: profiles from files or by name, the embedded server's options, places for files.

use std::path::PathBuf;

use crate::activity::Activity;
use crate::cli::Failure;
use crate::cli::profile::{self, ProfileSource};
use crate::profile::{Accounts, Profile, Tls};
use crate::server::ServerOptions;
use crate::server::options::StartTls;
use crate::xmpp::Mechanism;

/// A profile by path, or a shipped one by name, with overrides.
pub(super) fn profile(name: &str, overrides: &[String]) -> Result<Profile<Activity>, Failure> {
    let source = ProfileSource { profile: PathBuf::from(name), set: overrides.to_vec() };
    profile::load(&source).map_err(Failure::from)
}

/// The embedded server a profile's users can log in to.
pub(super) fn server_options(profile: &Profile<Activity>) -> ServerOptions {
    let mut server = ServerOptions::new(&profile.target.domain);
    if profile.target.tls == Tls::Off {
        server.starttls = StartTls::Absent;
        server.plain_without_tls = profile.groups.iter().any(|group| group.plain_without_tls);
    }
    if profile.groups.iter().any(|group| matches!(group.accounts, Accounts::Anonymous)) {
        server.mechanisms.push(Mechanism::Anonymous);
    }
    server
}

/// `--fault`.
pub(super) fn faults(text: Option<&str>) -> Result<crate::server::fault::Faults, Failure> {
    text.map_or_else(|| Ok(crate::server::fault::Faults::default()), str::parse)
        .map_err(|error: crate::server::fault::FaultError| Failure::usage(format!("--fault: {error}")))
}

/// Where derived keys are kept: beside the accounts file, or in the user's cache where accounts are counted.
pub(super) fn keys_path(profile: &Profile<Activity>) -> Option<PathBuf> {
    for group in &profile.groups {
        if let Accounts::File { path, .. } = &group.accounts {
            let mut name = path.as_os_str().to_owned();
            name.push(".keys");
            return Some(PathBuf::from(name));
        }
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    Some(cache.or_else(home)?.join("xmpp-bench").join("keys"))
}

/// The command line with passwords blotted out.
pub(super) fn blotted_command() -> Vec<String> {
    std::env::args_os().map(|word| blotted(&word.to_string_lossy())).collect()
}

/// Whatever stands behind the `=` of a password, however the word is built: `--set=users.0.password=x`,
/// `users.0={password="x"}`.
fn blotted(word: &str) -> String {
    let key_end = word.find("password").map(|at| at + "password".len());
    match key_end.and_then(|end| Some(end + word[end..].find('=')?)) {
        Some(equals) => format!("{}=***", &word[..equals]),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::blotted;

    #[test]
    fn passwords_are_blotted_out_however_they_are_written() {
        for (word, seen) in [
            ("users.0.password=x", "users.0.password=***"),
            ("--set=users.0.password=x=y", "--set=users.0.password=***"),
            ("users.0.\"password\" = x", "users.0.\"password\" =***"),
            ("users.0={count=1,password=\"x\"}", "users.0={count=1,password=***"),
            ("users.0.count=3", "users.0.count=3"),
            ("password", "password"),
        ] {
            assert_eq!(blotted(word), seen);
        }
    }
}
