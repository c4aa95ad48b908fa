//! SCRAM (RFC 5802, RFC 7677), both halves, without channel binding.
//!
//! The client half asks for the salted password as a [`Derivation`] and computes the rest itself, so that keys can
//! be derived off the worker and cached. Usernames and passwords beyond printable ASCII are refused: they would have
//! to be prepared (RFC 4013), which is not done here, and a wrong preparation would look like a wrong password.
//!
//! Invariants: an exchange that ended in an error cannot be continued; what a peer must prove is compared in constant
//! time; the work a server may ask for is bounded.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::machine::{Derivation, Hash};

/// Why an exchange is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// A message that does not follow the grammar.
    #[error("a SCRAM message that cannot be read")]
    Syntax,
    /// An extension that must be understood (`m=`), or channel binding.
    #[error("a SCRAM extension that is not supported")]
    Extension,
    /// The peer's nonce is not, or does not extend, the one agreed on.
    #[error("a nonce that does not fit")]
    Nonce,
    /// Fewer iterations than [`ITERATIONS_MIN`].
    #[error("only {0} iterations, fewer than {ITERATIONS_MIN}")]
    TooFewIterations(u32),
    /// More iterations than [`ITERATIONS_MAX`].
    #[error("more than {ITERATIONS_MAX} iterations")]
    TooManyIterations,
    /// The server could not prove that it knows the password.
    #[error("the server's signature is wrong or missing")]
    Signature,
    /// The client could not prove that it knows the password.
    #[error("the client's proof is wrong")]
    Proof,
    /// The server said `e=`.
    #[error("the server ended the exchange with an error")]
    Refused,
    /// A message out of turn.
    #[error("a SCRAM message out of turn")]
    Order,
    /// A username or password beyond printable ASCII, which would need `SASLprep`.
    #[error("a username or password that is empty or not printable ASCII, which SCRAM here needs")]
    Credentials,
}

/// Fewest iterations accepted (RFC 7677 section 4).
pub const ITERATIONS_MIN: u32 = 4096;
/// Most iterations accepted: beyond it a server asks for work, not for a proof.
pub const ITERATIONS_MAX: u32 = 1_000_000;
/// Longest salt accepted, in bytes.
pub const SALT_MAX: usize = 1024;

/// No channel binding, no authzid (RFC 5802 section 7, `gs2-header`).
const GS2_HEADER: &str = "n,,";
/// The same in base64, as the client-final-message repeats it.
const CHANNEL: &str = "c=biws";

/// The client's half.
pub struct ScramClient {
    hash: Hash,
    password: Arc<str>,
    nonce: String,
    first_bare: String,
    turn: Turn,
}

impl fmt::Debug for ScramClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScramClient({:?})", self.hash)
    }
}

enum Turn {
    /// The server-first-message comes.
    Challenge,
    /// The key comes.
    Key { server_first: String, nonce: String },
    /// The server-final-message comes, with this signature.
    Final { signature: Vec<u8> },
    /// Ended, well or not.
    Over,
}

impl ScramClient {
    /// Begins an exchange; `nonce` is unpredictable printable ASCII without commas.
    pub fn new(hash: Hash, username: &str, password: Arc<str>, nonce: &str) -> Result<Self, ScramError> {
        if !is_printable(username) || !is_printable(&password) {
            return Err(ScramError::Credentials);
        }
        let first_bare = format!("n={},r={nonce}", escape_name(username));
        Ok(Self { hash, password, nonce: nonce.to_owned(), first_bare, turn: Turn::Challenge })
    }

    /// The client-first-message.
    pub fn first(&self) -> String {
        format!("{GS2_HEADER}{}", self.first_bare)
    }

    /// Takes the server-first-message; the key asked for is to be given to [`ScramClient::handle_key`].
    pub fn handle_challenge(&mut self, message: &[u8]) -> Result<Derivation, ScramError> {
        let Turn::Challenge = std::mem::replace(&mut self.turn, Turn::Over) else {
            return Err(ScramError::Order);
        };
        let message = std::str::from_utf8(message).map_err(|_| ScramError::Syntax)?;
        let (nonce, salt, iterations) = read_challenge(message)?;
        if nonce.strip_prefix(&*self.nonce).is_none_or(|servers| !is_nonce(servers)) {
            return Err(ScramError::Nonce);
        }
        self.turn = Turn::Key { server_first: message.to_owned(), nonce: nonce.to_owned() };
        Ok(Derivation { hash: self.hash, password: Arc::clone(&self.password), salt, iterations })
    }

    /// Takes the salted password; returns the client-final-message.
    pub fn handle_key(&mut self, salted_password: &[u8]) -> Result<String, ScramError> {
        let Turn::Key { server_first, nonce } = std::mem::replace(&mut self.turn, Turn::Over) else {
            return Err(ScramError::Order);
        };
        let bare = format!("{CHANNEL},r={nonce}");
        let exchange = format!("{},{server_first},{bare}", self.first_bare);
        let client_key = hmac(self.hash, salted_password, b"Client Key");
        let signature = hmac(self.hash, &digest(self.hash, &client_key), exchange.as_bytes());
        let proof = xor(&client_key, &signature);
        let server_key = hmac(self.hash, salted_password, b"Server Key");
        self.turn = Turn::Final { signature: hmac(self.hash, &server_key, exchange.as_bytes()) };
        Ok(format!("{bare},p={}", STANDARD.encode(proof)))
    }

    /// Takes the server-final-message.
    pub fn handle_final(&mut self, message: &[u8]) -> Result<(), ScramError> {
        let Turn::Final { signature } = std::mem::replace(&mut self.turn, Turn::Over) else {
            return Err(ScramError::Order);
        };
        let message = std::str::from_utf8(message).map_err(|_| ScramError::Syntax)?;
        let first = message.split(',').next().unwrap_or_default();
        if first.starts_with("e=") {
            return Err(ScramError::Refused);
        }
        let claimed = first.strip_prefix("v=").ok_or(ScramError::Signature)?;
        let claimed = STANDARD.decode(claimed).map_err(|_| ScramError::Syntax)?;
        if claimed.ct_eq(&signature).into() { Ok(()) } else { Err(ScramError::Signature) }
    }
}

/// `r=nonce,s=salt,i=count` and extensions, which may be ignored unless `m=` (RFC 5802 section 5.1).
fn read_challenge(message: &str) -> Result<(&str, Vec<u8>, u32), ScramError> {
    let mut parts = message.split(',').peekable();
    match parts.peek() {
        Some(part) if part.starts_with("m=") => return Err(ScramError::Extension),
        Some(part) if part.starts_with("e=") => return Err(ScramError::Refused),
        _ => {}
    }
    let mut part =
        |name: &str| parts.next().and_then(|part| part.strip_prefix(name)).ok_or(ScramError::Syntax);
    let (nonce, salt, count) = (part("r=")?, part("s=")?, part("i=")?);
    let salt = STANDARD.decode(salt).map_err(|_| ScramError::Syntax)?;
    if salt.is_empty() || salt.len() > SALT_MAX {
        return Err(ScramError::Syntax);
    }
    Ok((nonce, salt, read_count(count)?))
}

fn read_count(digits: &str) -> Result<u32, ScramError> {
    if digits.is_empty() || digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ScramError::Syntax);
    }
    match digits.parse() {
        Ok(count @ 0..ITERATIONS_MIN) => Err(ScramError::TooFewIterations(count)),
        Ok(count @ ITERATIONS_MIN..=ITERATIONS_MAX) => Ok(count),
        _ => Err(ScramError::TooManyIterations),
    }
}

/// What a server keeps of a password (RFC 5802 section 3).
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    /// H(ClientKey).
    pub stored_key: Vec<u8>,
    /// Signs the server's last message.
    pub server_key: Vec<u8>,
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramKeys")
    }
}

impl ScramKeys {
    /// From the PBKDF2 output.
    pub fn from_salted_password(hash: Hash, salted_password: &[u8]) -> Self {
        let client_key = hmac(hash, salted_password, b"Client Key");
        Self { stored_key: digest(hash, &client_key), server_key: hmac(hash, salted_password, b"Server Key") }
    }
}

/// The server's half.
#[derive(Debug)]
pub struct ScramServer {
    hash: Hash,
    username: String,
    gs2_header: String,
    first_bare: String,
    nonce: String,
    server_first: String,
}

impl ScramServer {
    /// Takes the client-first-message; `nonce` is the server's part, of the same kind as a client's.
    pub fn new(hash: Hash, message: &[u8], nonce: &str) -> Result<Self, ScramError> {
        let message = std::str::from_utf8(message).map_err(|_| ScramError::Syntax)?;
        let mut parts = message.splitn(3, ',');
        let (flag, authzid) = (parts.next(), parts.next());
        let bare = parts.next().ok_or(ScramError::Syntax)?;
        let authzid = match (flag, authzid) {
            (Some("n" | "y"), Some(authzid)) => authzid,
            (Some(flag), _) if flag.starts_with("p=") => return Err(ScramError::Extension),
            _ => return Err(ScramError::Syntax),
        };
        if !authzid.is_empty() && !authzid.starts_with("a=") {
            return Err(ScramError::Syntax);
        }
        let (username, clients) = read_first(bare)?;
        Ok(Self {
            hash,
            username,
            gs2_header: message[..message.len() - bare.len()].to_owned(),
            first_bare: bare.to_owned(),
            nonce: format!("{clients}{nonce}"),
            server_first: String::new(),
        })
    }

    /// Whom the client says to be.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The hash of the mechanism.
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// The server-first-message, with the account's salt and iteration count.
    pub fn challenge(&mut self, salt: &[u8], iterations: u32) -> String {
        self.server_first = format!("r={},s={},i={iterations}", self.nonce, STANDARD.encode(salt));
        self.server_first.clone()
    }

    /// Takes the client-final-message; returns the server-final-message if the proof is right.
    pub fn handle_response(&mut self, message: &[u8], keys: &ScramKeys) -> Result<String, ScramError> {
        if self.server_first.is_empty() {
            return Err(ScramError::Order);
        }
        let message = std::str::from_utf8(message).map_err(|_| ScramError::Syntax)?;
        let (bare, proof) = message.rsplit_once(",p=").ok_or(ScramError::Syntax)?;
        let proof = STANDARD.decode(proof).map_err(|_| ScramError::Syntax)?;
        let mut parts = bare.split(',');
        if parts.next() != Some(&*format!("c={}", STANDARD.encode(&self.gs2_header))) {
            return Err(ScramError::Extension);
        }
        if parts.next().and_then(|part| part.strip_prefix("r=")) != Some(&*self.nonce) {
            return Err(ScramError::Nonce);
        }
        let exchange = format!("{},{},{bare}", self.first_bare, std::mem::take(&mut self.server_first));
        let signature = hmac(self.hash, &keys.stored_key, exchange.as_bytes());
        if proof.len() != signature.len() {
            return Err(ScramError::Proof);
        }
        let client_key = xor(&proof, &signature);
        if !bool::from(digest(self.hash, &client_key).ct_eq(&keys.stored_key)) {
            return Err(ScramError::Proof);
        }
        Ok(format!("v={}", STANDARD.encode(hmac(self.hash, &keys.server_key, exchange.as_bytes()))))
    }
}

/// `n=username,r=nonce` and extensions (RFC 5802 section 7, `client-first-message-bare`).
fn read_first(bare: &str) -> Result<(String, &str), ScramError> {
    if bare.starts_with("m=") {
        return Err(ScramError::Extension);
    }
    let mut parts = bare.split(',');
    let mut part =
        |name: &str| parts.next().and_then(|part| part.strip_prefix(name)).ok_or(ScramError::Syntax);
    let (name, nonce) = (part("n=")?, part("r=")?);
    if !is_nonce(nonce) {
        return Err(ScramError::Syntax);
    }
    Ok((unescape_name(name).ok_or(ScramError::Syntax)?, nonce))
}

/// The PBKDF2 step itself, for whoever carries out derivations: slow, by design.
pub fn salted_password(job: &Derivation) -> Vec<u8> {
    let (password, salt) = (job.password.as_bytes(), &job.salt);
    match job.hash {
        Hash::Sha1 => pbkdf2::pbkdf2_hmac_array::<Sha1, 20>(password, salt, job.iterations).to_vec(),
        Hash::Sha256 => pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, job.iterations).to_vec(),
    }
}

fn hmac(hash: Hash, key: &[u8], message: &[u8]) -> Vec<u8> {
    fn run<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
        let mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.chain_update(message).finalize().into_bytes().to_vec()
    }
    match hash {
        Hash::Sha1 => run::<Hmac<Sha1>>(key, message),
        Hash::Sha256 => run::<Hmac<Sha256>>(key, message),
    }
}

fn digest(hash: Hash, message: &[u8]) -> Vec<u8> {
    match hash {
        Hash::Sha1 => Sha1::digest(message).to_vec(),
        Hash::Sha256 => Sha256::digest(message).to_vec(),
    }
}

fn xor(one: &[u8], other: &[u8]) -> Vec<u8> {
    one.iter().zip(other).map(|(one, other)| one ^ other).collect()
}

/// RFC 5802 section 7, `printable`: not empty, no comma.
fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21..=0x2b | 0x2d..=0x7e))
}

fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// RFC 5802 section 5.1, `n`.
fn escape_name(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

fn unescape_name(name: &str) -> Option<String> {
    let mut parts = name.split('=');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        let (character, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return None,
        };
        plain.push(character);
        plain.push_str(rest);
    }
    (!plain.is_empty()).then_some(plain)
}

#[cfg(test)]
mod tests;
