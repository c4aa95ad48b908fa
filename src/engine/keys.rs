//! Derived SCRAM keys, kept between runs in a file beside the accounts: otherwise the generator is bound by PBKDF2.
//!
//! The file holds, per line and in hexadecimal, a SHA-256 over everything a key is derived from and the key. Passwords do not
//! stand in it, but a key is as good as its password at the server it was made for, so only its owner may read it.
//!
//! A line that cannot be read is left out: the worst it costs is a derivation.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::machine::{Derivation, Hash};
use crate::net::KeyCache;
use crate::units::hex;

/// The most keys held; beyond it they are derived again.
const KEYS_MAX: usize = 1 << 21;

type Keys = HashMap<[u8; 32], Box<[u8]>>;

/// See the module text.
#[derive(Debug)]
pub struct KeyFile {
    path: Option<PathBuf>,
    keys: Mutex<(Keys, bool)>,
}

impl KeyFile {
    /// The keys of a file that may not exist yet; without a path they are kept for this run alone.
    pub fn open(path: Option<PathBuf>) -> Self {
        let text = path.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        let keys = text.lines().filter_map(parse_line).take(KEYS_MAX).collect();
        Self { path, keys: Mutex::new((keys, false)) }
    }

    /// Writes the file, if there is anything new; says why it could not, if it could not.
    pub fn save(&self) -> std::io::Result<()> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        match &self.path {
            Some(path) if keys.1 => write_private(path, &to_text(&keys.0)),
            _ => Ok(()),
        }
    }
}

impl KeyCache for KeyFile {
    fn get(&self, job: &Derivation) -> Option<Vec<u8>> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.0.get(&digest_of(job)).map(|key| key.to_vec())
    }

    fn put(&self, job: &Derivation, key: &[u8]) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.0.len() < KEYS_MAX {
            keys.0.insert(digest_of(job), key.into());
            keys.1 = true;
        }
    }
}

fn digest_of(job: &Derivation) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update([match job.hash {
        Hash::Sha1 => 1,
        Hash::Sha256 => 2,
    }]);
    digest.update(job.iterations.to_be_bytes());
    digest.update((job.salt.len() as u64).to_be_bytes());
    digest.update(&job.salt);
    digest.update(job.password.as_bytes());
    digest.finalize().into()
}

fn to_text(keys: &Keys) -> String {
    let mut text = String::with_capacity(keys.len() * 130);
    for (digest, key) in keys {
        let _ = writeln!(text, "{} {}", hex(digest), hex(key));
    }
    text
}

fn parse_line(line: &str) -> Option<([u8; 32], Box<[u8]>)> {
    let (digest, key) = line.split_once(' ')?;
    let key = parse_hex(key)?;
    Some((parse_hex(digest)?.try_into().ok()?, key.into()))
}

fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || digits.len() > 128 {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Whole or not at all, and for its owner alone.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension("part");
    let mut file =
        std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    std::fs::rename(beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(password: &str, salt: &[u8]) -> Derivation {
        Derivation { hash: Hash::Sha256, password: password.into(), salt: salt.to_vec(), iterations: 4096 }
    }

    #[test]
    fn keys_survive_a_run_and_a_damaged_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/keys");
        let first = KeyFile::open(Some(path.clone()));
        assert_eq!(first.get(&job("secret", b"salt")), None);
        first.put(&job("secret", b"salt"), &[7; 32]);
        first.put(&job("other", b"salt"), &[8; 32]);
        first.save().expect("written");

        let text = std::fs::read_to_string(&path).expect("there");
        assert!(!text.contains("secret"));
        std::fs::write(&path, format!("not a line\nab zz\n{text}")).expect("damaged");
        let second = KeyFile::open(Some(path));
        assert_eq!(second.get(&job("secret", b"salt")), Some(vec![7; 32]));
        assert_eq!(second.get(&job("secret", b"other salt")), None);
    }

    #[test]
    fn the_file_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys");
        let keys = KeyFile::open(Some(path.clone()));
        keys.put(&job("secret", b"salt"), &[7; 32]);
        keys.save().expect("written");
        let mode = std::fs::metadata(path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
