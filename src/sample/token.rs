//! The token a tracked stanza carries in its id and at the head of its body.
//!
//! Twenty-four characters of fixed places, so that writing and finding one costs next to nothing and the shortest
//! body is known beforehand: `x`, the kind, then in base 64 (`A-Z a-z 0-9 - _`, safe in XML, JIDs and URLs) run (4),
//! sender (4), sequence (6), intended (8).
//!
//! ```text
//! xm Rn3a AAAH AAAAAB AADhOZ0y
//! ││ run  from seq    intended, nanoseconds since the run's epoch
//! │└ kind
//! └ marks a token
//! ```

use crate::sample::UserIndex;
use crate::units::Offset;

/// What a token's stanza is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TokenKind {
    /// A one-to-one message.
    Message,
    /// A room message.
    Groupchat,
    /// A presence broadcast.
    Presence,
    /// A request (IQ) that is answered to its sender.
    Request,
}

impl TokenKind {
    const fn as_byte(self) -> u8 {
        match self {
            Self::Message => b'm',
            Self::Groupchat => b'g',
            Self::Presence => b'p',
            Self::Request => b'q',
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            b'm' => Some(Self::Message),
            b'g' => Some(Self::Groupchat),
            b'p' => Some(Self::Presence),
            b'q' => Some(Self::Request),
            _ => None,
        }
    }
}

/// Identifies one tracked stanza of one run. Two stanzas of a run never share (sender, sequence).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token {
    /// What the stanza is.
    pub kind: TokenKind,
    /// The run, 24 bits: what an earlier run left in a server's store is told apart by it.
    pub run: u32,
    /// Who sent it; 24 bits.
    pub sender: UserIndex,
    /// Rises with every tracked stanza of a sender; 36 bits.
    pub sequence: u64,
    /// When the plan wanted it; 48 bits of nanoseconds, 78 hours.
    pub intended: Offset,
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const NO_DIGIT: u8 = 0xff;
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 64 {
        digits[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

impl Token {
    /// The length of every token, in bytes and characters: the shortest body a tracked message can have.
    pub const LEN: usize = 24;
    /// The largest sender a token can name.
    pub const SENDER_MAX: u32 = (1 << 24) - 1;
    /// The largest run a token can name.
    pub const RUN_MAX: u32 = (1 << 24) - 1;
    /// The largest instant a token can carry.
    pub const INTENDED_MAX: Offset = Offset::from_nanos((1 << 48) - 1);

    /// The token as text. Fields beyond their bits are cut to them; plans that need more are refused before a run.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut text = [0; Self::LEN];
        text[0] = b'x';
        text[1] = self.kind.as_byte();
        put(&mut text[2..6], u64::from(self.run));
        put(&mut text[6..10], u64::from(self.sender.0));
        put(&mut text[10..16], self.sequence);
        put(&mut text[16..24], self.intended.as_nanos());
        text
    }

    /// The token as text on the stack.
    pub fn to_text(&self) -> TokenText {
        TokenText(self.encode())
    }

    /// Reads a token at the head of `text`; what follows it is padding and not looked at.
    pub fn decode(text: &[u8]) -> Option<Self> {
        let text = text.get(..Self::LEN)?;
        if text[0] != b'x' {
            return None;
        }
        Some(Self {
            kind: TokenKind::from_byte(text[1])?,
            run: take(&text[2..6])? as u32,
            sender: UserIndex(take(&text[6..10])? as u32),
            sequence: take(&text[10..16])?,
            intended: Offset::from_nanos(take(&text[16..24])?),
        })
    }
}

/// A token's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenText([u8; Token::LEN]);

impl TokenText {
    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the alphabet is ASCII")
    }
}

fn put(places: &mut [u8], mut value: u64) {
    for place in places.iter_mut().rev() {
        *place = ALPHABET[(value & 63) as usize];
        value >>= 6;
    }
}

fn take(places: &[u8]) -> Option<u64> {
    places.iter().try_fold(0u64, |value, &place| match DIGITS[place as usize] {
        NO_DIGIT => None,
        digit => Some(value << 6 | u64::from(digit)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_token_survives_its_text(run in 0..=Token::RUN_MAX, sender in 0..=Token::SENDER_MAX,
                                     sequence in 0u64..1 << 36, intended in 0u64..1 << 48, padding in "[ -~]{0,9}") {
            for kind in [TokenKind::Message, TokenKind::Groupchat, TokenKind::Presence, TokenKind::Request] {
                let token = Token { kind, run, sender: UserIndex(sender), sequence, intended: Offset::from_nanos(intended) };
                let mut text = token.encode().to_vec();
                text.extend_from_slice(padding.as_bytes());
                proptest::prop_assert_eq!(Token::decode(&text), Some(token));
            }
        }

        #[test]
        fn no_text_makes_decoding_panic(text: Vec<u8>) {
            let _ = Token::decode(&text);
        }
    }

    #[test]
    fn what_is_not_a_token_is_none() {
        for text in [
            "",
            "x",
            "xm",
            "hello, this is a message from a person",
            "xzAAAAAAAAAAAAAAAAAAAAAA",
            "xm AAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(Token::decode(text.as_bytes()), None, "{text}");
        }
    }
}
