//! Masking passwords in a profile's text, so that no result and no message shows one.
//!
//! It goes by the text, so that it also covers what does not parse, and by the parsed document, so that it also covers
//! keys in unusual spelling. A key that was probably meant to be `password` counts as one: its line is what the error about
//! it shows. Every masked byte becomes one star: places stay where they are.

use std::ops::Range;

use super::document::{self, Node, Value};
use super::problem::suggestion;

const KEY: &str = "password";

/// `text` (TOML, or a `--set` override) with every password's characters replaced by stars.
pub(super) fn mask(text: &str) -> String {
    let mut bytes = mask_text(text).into_bytes();
    mask_addresses(&mut bytes);
    mask_misspelt(text, &mut bytes);
    if let Ok(root) = document::parse(text) {
        mask_values(&root, &mut bytes);
    }
    // Stars were put over whole values, so no character is cut; if one were, the text is better gone than shown.
    String::from_utf8(bytes).unwrap_or_default()
}

fn mask_values(node: &Node, bytes: &mut [u8]) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| mask_values(item, bytes)),
        Value::Table(table) => {
            for entry in &table.entries {
                if is_password(&entry.key) {
                    put_stars(bytes, entry.node.place.start..entry.node.place.end);
                } else {
                    mask_values(&entry.node, bytes);
                }
            }
        }
        _ => {}
    }
}

/// Whether a key is, or was probably meant to be, the one whose value nobody may see.
fn is_password(key: &str) -> bool {
    suggestion(key, [KEY]).is_some()
}

fn put_stars(bytes: &mut [u8], value: Range<usize>) {
    let value = bytes.get_mut(value).unwrap_or_default();
    value.iter_mut().filter(|byte| !b"\"'\n".contains(byte)).for_each(|byte| *byte = b'*');
}

/// What stands behind a misspelt key at the beginning of a line, where the text does not parse.
fn mask_misspelt(text: &str, bytes: &mut [u8]) {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let key = line.split('=').next().unwrap_or_default();
        let name = key.rsplit('.').next().unwrap_or(key).trim_matches(['"', '\'', ' ', '\t']);
        if is_password(name)
            && let Some(value) = value_behind(text, start + key.len())
        {
            put_stars(bytes, value);
        }
        start += line.len();
    }
}

fn mask_text(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = text[at..].find(KEY) {
        let behind = at + found + KEY.len();
        let value = value_behind(text, behind).unwrap_or(behind..behind);
        masked.push_str(&text[at..value.start]);
        masked.extend(text[value.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' }));
        at = value.end.max(behind);
    }
    masked.push_str(&text[at..]);
    masked
}

/// What stands before the `@` of an address (`http://name:word@host`).
fn mask_addresses(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(3).position(|three| three == b"://") {
        let start = at + found + 3;
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"/\"'?#".contains(byte);
        let end = bytes[start..].iter().position(ends).map_or(bytes.len(), |length| start + length);
        if let Some(behind) = bytes[start..end].iter().rposition(|&byte| byte == b'@') {
            bytes[start..start + behind].fill(b'*');
        }
        at = start;
    }
}

/// The inside of the value that a key ending at `at` has, if it is a key.
fn value_behind(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = text[at..].trim_start_matches(['"', '\'', ' ', '\t']);
    let rest = rest.strip_prefix('=')?.trim_start_matches([' ', '\t']);
    let start = text.len() - rest.len();
    for quotes in ["\"\"\"", "'''", "\"", "'"] {
        if let Some(inside) = rest.strip_prefix(quotes) {
            return Some(start + quotes.len()..start + quotes.len() + closing(inside, quotes));
        }
    }
    let end = rest.find('\n').unwrap_or(rest.len());
    Some(start..start + end)
}

/// Where `quotes` close; the end of the line or text if they do not.
fn closing(inside: &str, quotes: &str) -> usize {
    let escapes = quotes.starts_with('"');
    let limit = if quotes.len() == 1 { inside.find('\n').unwrap_or(inside.len()) } else { inside.len() };
    let mut at = 0;
    while at < limit {
        let rest = &inside[at..limit];
        if rest.starts_with(quotes) {
            return at;
        }
        let mut chars = rest.chars();
        let first = chars.next().map_or(1, char::len_utf8);
        let escaped =
            if escapes && rest.starts_with('\\') { chars.next().map_or(0, char::len_utf8) } else { 0 };
        at += first + escaped;
    }
    limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_become_stars_of_the_same_length_and_nothing_else_does() {
        for (text, masked) in [
            ("password = \"p{n}\" # it", "password = \"****\" # it"),
            ("password='a'\ncount = 1", "password='*'\ncount = 1"),
            ("\"password\" = \"a\\\"b\"", "\"password\" = \"****\""),
            ("password = \"\"\"a\nb\"\"\"\nx = 1", "password = \"\"\"*\n*\"\"\"\nx = 1"),
            ("password = open\nx", "password = ****\nx"),
            ("password = \"open\nx", "password = \"****\nx"),
            ("users.0.password=1234", "users.0.password=****"),
            ("users=[{password=\"pässe\", count=1}]", "users=[{password=\"******\", count=1}]"),
            ("\"pass\\u0077ord\" = \"odd\"", "\"pass\\u0077ord\" = \"***\""),
            ("# a password is needed", "# a password is needed"),
            ("url = \"http://ü:s@h/m\"", "url = \"http://****@h/m\""),
            ("jid = \"u{n}@h\" # see http://h/a@b", "jid = \"u{n}@h\" # see http://h/a@b"),
            ("pasword = \"p{n}\" # it", "pasword = \"****\" # it"),
            ("users = [{ Passwd = \"p\", count = 1 }]", "users = [{ Passwd = \"*\", count = 1 }]"),
            ("users.0.pasword=p é", "users.0.pasword=****"),
            ("count = = 1\n pass = open\nx", "count = = 1\n pass = ****\nx"),
        ] {
            assert_eq!(mask(text), masked);
        }
    }

    #[test]
    fn no_other_key_of_a_profile_is_taken_for_a_password() {
        use crate::profile::load::PROFILE_KEYS;
        use crate::profile::read::{abort, activities, observe, phases, target, users};
        let tables = [
            PROFILE_KEYS,
            target::TARGET_KEYS,
            users::USERS_KEYS,
            phases::PHASE_KEYS,
            activities::ACTIVITY_KEYS,
            abort::ABORT_KEYS,
            observe::OBSERVE_KEYS,
        ];
        let secret = tables.into_iter().flatten().map(|spec| spec.name).filter(|name| is_password(name));
        assert_eq!(secret.collect::<Vec<_>>(), [KEY]);
    }

    proptest::proptest! {
        #[test]
        fn masking_keeps_every_place(text in "(password|pasword|[ =\"'\\\\a-c\né#{}])*") {
            proptest::prop_assert_eq!(mask(&text).len(), text.len());
        }
    }
}
