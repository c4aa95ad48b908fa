//! SCRAM (RFC 5802, RFC 7677), both halves, without channel binding.

use std::sync::Arc;

use crate::machine::{Derivation, Hash};

/// Why an exchange is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// A message that does not follow the grammar.
    #[error("a SCRAM message that cannot be read")]
    Syntax,
    /// An extension that must be understood (`m=`), or channel binding.
    #[error("a mandatory SCRAM extension")]
    Extension,
    /// The server's nonce does not begin with ours, or adds nothing.
    #[error("a nonce that does not extend ours")]
    Nonce,
    /// Fewer iterations than [`ITERATIONS_MIN`].
    #[error("only {0} iterations")]
    TooFewIterations(u32),
    /// More iterations than [`ITERATIONS_MAX`].
    #[error("more than {ITERATIONS_MAX} iterations")]
    TooManyIterations,
    /// The server could not prove that it knows the password.
    #[error("the server's signature is wrong")]
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
    /// A username or password beyond printable ASCII, which would need SASLprep.
    #[error("a username or password that is not printable ASCII, which SCRAM here needs")]
    Credentials,
}

/// Fewest iterations accepted (RFC 7677 section 4).
pub const ITERATIONS_MIN: u32 = 4096;
/// Most iterations accepted: beyond it a server asks for work, not for a proof.
pub const ITERATIONS_MAX: u32 = 1_000_000;

/// The client's half.
#[derive(Debug)]
pub struct ScramClient {
    hash: Hash,
}

impl ScramClient {
    /// Begins an exchange; `nonce` is unpredictable printable ASCII without commas.
    pub fn new(hash: Hash, username: &str, password: Arc<str>, nonce: &str) -> Result<Self, ScramError> {
        let _ = (username, password, nonce);
        Ok(Self { hash })
    }

    /// The client-first-message.
    pub fn first(&self) -> String {
        String::new()
    }

    /// Takes the server-first-message; the key asked for is to be given to [`ScramClient::handle_key`].
    pub fn handle_challenge(&mut self, message: &[u8]) -> Result<Derivation, ScramError> {
        let _ = (message, self.hash);
        Err(ScramError::Syntax)
    }

    /// Takes the salted password; returns the client-final-message.
    pub fn handle_key(&mut self, salted_password: &[u8]) -> Result<String, ScramError> {
        let _ = salted_password;
        Err(ScramError::Order)
    }

    /// Takes the server-final-message.
    pub fn handle_final(&mut self, message: &[u8]) -> Result<(), ScramError> {
        let _ = message;
        Err(ScramError::Order)
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

impl ScramKeys {
    /// From the PBKDF2 output.
    pub fn from_salted_password(hash: Hash, salted_password: &[u8]) -> Self {
        let _ = (hash, salted_password);
        Self { stored_key: Vec::new(), server_key: Vec::new() }
    }
}

/// The server's half.
#[derive(Debug)]
pub struct ScramServer {
    hash: Hash,
    username: String,
}

impl ScramServer {
    /// Takes the client-first-message; `nonce` is the server's part.
    pub fn new(hash: Hash, message: &[u8], nonce: &str) -> Result<Self, ScramError> {
        let _ = (message, nonce);
        Ok(Self { hash, username: String::new() })
    }

    /// Whom the client says to be.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The server-first-message, with the account's salt and iteration count.
    pub fn challenge(&mut self, salt: &[u8], iterations: u32) -> String {
        let _ = (salt, iterations);
        String::new()
    }

    /// Takes the client-final-message; returns the server-final-message if the proof is right.
    pub fn handle_response(&mut self, message: &[u8], keys: &ScramKeys) -> Result<String, ScramError> {
        let _ = (message, keys, self.hash);
        Err(ScramError::Proof)
    }
}

/// The PBKDF2 step itself, for whoever carries out derivations: slow, by design.
pub fn salted_password(job: &Derivation) -> Vec<u8> {
    let _ = job;
    Vec::new()
}
