//! Rust files as the rules see them: text without comments and literals, and the paths in it.
//!
//! This is no Rust parser. It knows as much of the language as it takes to tell code from comments and literals, to
//! match brackets, and to read a path with its groups (`a::{b, c::d}`).

use std::fs;
use std::path::Path;

/// One file.
pub struct Source {
    /// Where it stands, from the package's root, with `/`.
    pub path: String,
    /// As it was written.
    pub text: String,
    /// The same, with comments and the insides of literals blanked: bytes and lines stay where they are.
    pub code: String,
    /// The code with everything under `#[cfg(test)]` blanked too; nothing at all in a file of tests.
    pub shipped: String,
}

/// A path as it is written in code, one for each leaf of a group: `crate::a::{b, c}` gives two.
#[derive(Debug, PartialEq, Eq)]
pub struct PathUse {
    /// The line, from 1.
    pub line: usize,
    /// What stands between the colons; a glob is `*`.
    pub segments: Vec<String>,
    /// The inline modules around it.
    pub inside: Vec<String>,
}

impl Source {
    /// From a text; `path` decides to which module it belongs.
    pub fn new(path: &str, text: &str) -> Self {
        let code = blank_comments_and_literals(text);
        // By their names, for what declares them under `#[cfg(test)]` stands in another file.
        let is_test = !path.starts_with("src/") || path.contains("/tests/") || path.ends_with("tests.rs");
        let shipped = if is_test { String::new() } else { blank_tests(&code) };
        Self { path: path.to_owned(), text: text.to_owned(), code, shipped }
    }

    /// Every `.rs` file below a folder of the package; none if there is no such folder.
    pub fn all(folder: &str) -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = Vec::new();
        let mut folders = vec![root.join(folder)];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for path in entries.map(|entry| entry.expect("a folder of the package can be listed").path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let name = path.strip_prefix(root).expect("it was found below the root");
                    let name = name.to_str().expect("names of source files are plain").replace('\\', "/");
                    sources.push(Self::new(
                        &name,
                        &fs::read_to_string(&path).expect("source files can be read"),
                    ));
                }
            }
        }
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        sources
    }

    /// The module a file is: `src/xmpp/jid.rs` is `xmpp`, `jid`; the library's root is nothing, the command `main`.
    pub fn module(&self) -> Vec<String> {
        let inner = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        if inner == "lib" { Vec::new() } else { inner.split('/').map(str::to_owned).collect() }
    }

    /// The paths in shipped code that begin with one of `roots`.
    pub fn paths(&self, roots: &[&str]) -> Vec<PathUse> {
        let tokens = tokens(&self.shipped);
        let mut found = Vec::new();
        let mut modules: Vec<(String, usize)> = Vec::new();
        let mut depth = 0;
        for (at, token) in tokens.iter().enumerate() {
            let before = at.checked_sub(1).map_or("", |at| tokens[at].text);
            let after = tokens.get(at + 1).map_or("", |token| token.text);
            match token.text {
                "{" => {
                    depth += 1;
                    if at >= 2 && tokens[at - 2].text == "mod" {
                        modules.push((before.to_owned(), depth));
                    }
                }
                "}" => {
                    modules.retain(|(_, opened)| *opened != depth);
                    depth = depth.saturating_sub(1);
                }
                root if roots.contains(&root) && after == "::" && !continues_a_path(&tokens, at) => {
                    let inside: Vec<_> = modules.iter().map(|(name, _)| name.clone()).collect();
                    let mut leaves = Vec::new();
                    read_tree(&tokens, at, &[], &mut leaves);
                    let line = token.line;
                    found.extend(leaves.into_iter().map(|segments| PathUse {
                        line,
                        segments,
                        inside: inside.clone(),
                    }));
                }
                _ => {}
            }
        }
        found
    }
}

/// Whether the word at `at` has a path before it. `use ::tokio` has none: nothing touches the colons from before.
fn continues_a_path(tokens: &[Token<'_>], at: usize) -> bool {
    at >= 2 && tokens[at - 1].text == "::" && {
        let (before, colons) = (tokens[at - 2].text, tokens[at - 1].text);
        before.as_bytes().as_ptr_range().end == colons.as_ptr() && (is_word(before) || before == ">")
    }
}

/// Reads a path or a use tree from `at`, adds its leaves, and returns where it ends.
fn read_tree(tokens: &[Token<'_>], mut at: usize, prefix: &[String], leaves: &mut Vec<Vec<String>>) -> usize {
    let mut segments = prefix.to_vec();
    while let Some(token) = tokens.get(at) {
        if token.text == "{" {
            at += 1;
            while tokens.get(at).is_some_and(|token| token.text != "}") {
                let next = read_tree(tokens, at, &segments, leaves);
                at = next.max(at + 1);
            }
            return at + 1;
        }
        if !is_word(token.text) && token.text != "*" {
            break;
        }
        segments.push(token.text.to_owned());
        at += 1;
        if tokens.get(at).is_none_or(|token| token.text != "::") {
            break;
        }
        at += 1;
    }
    if segments.len() > prefix.len() {
        leaves.push(segments);
    }
    // `a as b`: the new name is no path.
    if tokens.get(at).is_some_and(|token| token.text == "as") { at + 2 } else { at }
}

/// A word, `::`, or one other character.
pub struct Token<'a> {
    pub text: &'a str,
    pub line: usize,
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// Splits code into tokens; white space is dropped.
pub fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = if is_word(rest) {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        if first == '\n' {
            line += 1;
        } else if !first.is_whitespace() {
            tokens.push(Token { text: &rest[..length], line });
        }
        rest = &rest[length..];
    }
    tokens
}

/// Blanks what is no code. Newlines stay, so lines keep their numbers; what is blanked becomes spaces, byte for byte.
fn blank_comments_and_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => line_end(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => block_comment_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'r' if !follows_word(bytes, at) => match raw_string_end(bytes, at) {
                Some(end) => end,
                None => at,
            },
            b'\'' => char_end(bytes, at),
            _ => at,
        };
        for byte in &mut code[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8(code).expect("whole literals and comments were blanked, so whole characters were")
}

/// `r` ends a word in `for"`, not in `r"`, `br"` or `cr"`.
fn follows_word(bytes: &[u8], at: usize) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    match at.checked_sub(1).map(|before| bytes[before]) {
        Some(b'b' | b'c') => at >= 2 && is_word(bytes[at - 2]),
        Some(byte) => is_word(byte),
        None => false,
    }
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |length| at + length)
}

fn block_comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn raw_string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let hashes = bytes[start + 1..].iter().take_while(|&&byte| byte == b'#').count();
    if bytes.get(start + 1 + hashes) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    let body = start + 2 + hashes;
    let length = bytes[body..].windows(close.len()).position(|window| window == close);
    Some(length.map_or(bytes.len(), |length| body + length + close.len()))
}

/// A lifetime (`'a`) is no literal: it has no quote behind its one character.
fn char_end(bytes: &[u8], at: usize) -> usize {
    if bytes.get(at + 1) == Some(&b'\\') {
        let close = bytes[at + 3..].iter().position(|&byte| byte == b'\'');
        return close.map_or(bytes.len(), |length| at + 3 + length + 1);
    }
    let width = match bytes.get(at + 1) {
        Some(0xf0..) => 4,
        Some(0xe0..) => 3,
        Some(0xc0..) => 2,
        Some(_) => 1,
        None => return at,
    };
    if bytes.get(at + 1 + width) == Some(&b'\'') { at + width + 2 } else { at }
}

/// Blanks each item under `#[cfg(test)]`: up to the bracket that closes its first one, or its semicolon.
fn blank_tests(code: &str) -> String {
    let mut bytes = code.as_bytes().to_vec();
    for (start, mark) in code.match_indices("#[cfg(test)]") {
        let end = item_end(code, start + mark.len());
        for byte in &mut bytes[start..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    String::from_utf8(bytes).expect("whole items were blanked")
}

/// Where an item that begins at `start` ends.
pub fn item_end(code: &str, start: usize) -> usize {
    let mut round = 0;
    let mut curly = 0;
    for (offset, byte) in code.as_bytes()[start..].iter().enumerate() {
        match byte {
            b'(' | b'[' => round += 1,
            b')' | b']' => round -= 1,
            b'{' => curly += 1,
            b'}' => {
                curly -= 1;
                if curly <= 0 && round == 0 {
                    return start + offset + 1;
                }
            }
            b';' if curly == 0 && round == 0 => return start + offset + 1,
            _ => {}
        }
    }
    code.len()
}

#[test]
fn comments_literals_and_tests_are_no_code() {
    let text = "// crate::a\n/* crate::b /* crate::c */ */ let x = \"crate::d \\\" crate::e\"; let y = r#\"crate::f\" \"#;\n\
                fn f<'a>(c: char) { c == '\"' || c == '\\'' || c == '–' }\nuse crate::g;\n\
                #[cfg(test)]\nmod tests {\n    use crate::h;\n}\nuse crate::i;\n";
    let source = Source::new("src/x.rs", text);
    let found: Vec<_> =
        source.paths(&["crate"]).into_iter().map(|path| (path.line, path.segments[1].clone())).collect();
    assert_eq!(found, [(4, "g".to_owned()), (9, "i".to_owned())]);
    assert_eq!(source.code.len(), text.len());
}

#[test]
fn groups_give_a_path_for_each_leaf() {
    let source =
        Source::new("src/x.rs", "use crate::{a, b::{self, c as d, *}, e::f}; let g = crate::g::<u8>::h();");
    let found: Vec<_> = source.paths(&["crate"]).into_iter().map(|path| path.segments.join("::")).collect();
    let expected = ["crate::a", "crate::b::self", "crate::b::c", "crate::b::*", "crate::e::f", "crate::g"];
    assert_eq!(found, expected);
}
