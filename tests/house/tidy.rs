//! What makes a file fit to be read.

use super::source::{Source, item_end, tokens};

/// The longest a file may be, its tests included.
const FILE_LINES: usize = 700;
/// The longest a function may be, from its `fn` to its last bracket; tests are not counted.
const FUNCTION_LINES: usize = 70;
/// Words that say a thing is not done; in pieces, for this file is read too.
const MARKERS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
/// Code that says so.
const UNDONE: &[&str] = &[concat!("to", "do!("), concat!("unimpl", "emented!("), concat!("#[ig", "nore")];

/// What is untidy in a file.
pub fn findings(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let mut say = |line: usize, text: &str| found.push(format!("{}:{line}: {text}", source.path));
    // Parts of an integration test are named by the file that lists them.
    let needs_text = source.path.starts_with("src/") || source.path.matches('/').count() == 1;
    if needs_text && !source.text.starts_with("//!") {
        say(
            1,
            "module text: begin the file with `//!`: what it is for, what always holds, what it refuses to do",
        );
    }
    if source.path.ends_with("/mod.rs") {
        say(1, "names: name the file after its module, beside its folder");
    }
    let lines = source.text.lines().count();
    if lines > FILE_LINES {
        say(
            FILE_LINES + 1,
            &format!("length: {lines} lines, at most {FILE_LINES}; split it along its nouns"),
        );
    }
    for (number, line) in source.text.lines().enumerate() {
        for marker in MARKERS.iter().filter(|marker| has_word(line, marker)) {
            say(number + 1, &format!("leftovers: `{marker}`; do it, or open an issue and drop the mark"));
        }
    }
    for (number, line) in source.code.lines().enumerate() {
        for undone in UNDONE.iter().filter(|undone| line.contains(**undone)) {
            say(number + 1, &format!("leftovers: `{undone}`; finish it, or leave it out"));
        }
    }
    for (line, name, length) in long_functions(&source.shipped) {
        let text =
            format!("length: `{name}` has {length} lines, at most {FUNCTION_LINES}; give its steps names");
        say(line, &text);
    }
    found
}

fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(is_part) && !line[at + word.len()..].starts_with(is_part))
}

/// Line, name and length of each function that is too long.
fn long_functions(code: &str) -> Vec<(usize, String, usize)> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    for pair in tokens.windows(2).filter(|pair| pair[0].text == "fn" && pair[1].text != "(") {
        let start = pair[0].text.as_ptr() as usize - code.as_ptr() as usize;
        let length = code[start..item_end(code, start)].lines().count();
        if length > FUNCTION_LINES {
            found.push((pair[0].line, pair[1].text.to_owned(), length));
        }
    }
    found
}

#[test]
fn each_rule_can_be_broken() {
    let long_file = format!("//! Long.\n{}", "\n".repeat(FILE_LINES));
    let long_function =
        format!("//! Long.\nfn f(a: [u8; 2]) {{\n{}}}\n", "    g();\n".repeat(FUNCTION_LINES));
    let marker = format!("//! Left.\n// {}: later\n", MARKERS[0]);
    let undone = format!("//! Left.\nfn f() {{ {}) }}\n", UNDONE[0]);
    let ignored = format!(
        "//! Left.\n#[cfg(test)]\nmod tests {{\n    #[test]\n    {}]\n    fn f() {{}}\n}}\n",
        UNDONE[2]
    );
    let cases = [
        ("src/x.rs", "fn f() {}\n", 1, "module text"),
        ("src/x/mod.rs", "//! X.\n", 1, "names"),
        ("src/x.rs", &long_file, FILE_LINES + 1, "length: 701 lines"),
        ("src/x.rs", &long_function, 2, "length: `f` has 72 lines"),
        ("src/x.rs", &marker, 2, "leftovers"),
        ("src/x.rs", &undone, 2, "leftovers"),
        ("src/x.rs", &ignored, 5, "leftovers"),
    ];
    for (path, text, line, rule) in cases {
        let found = findings(&Source::new(path, text));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("{path}:{line}: {rule}")), "{found:?}");
    }
}

#[test]
fn what_is_tidy_is_let_be() {
    let test =
        format!("#[cfg(test)]\nmod tests {{\n    fn f() {{\n{}    }}\n}}\n", "\n".repeat(FUNCTION_LINES));
    let text = format!("//! Tidy; XXXL is a size.\n\nfn f() -> fn(u8) {{\n    g()\n}}\n\n{test}");
    assert_eq!(findings(&Source::new("src/x.rs", &text)), Vec::<String>::new());
}
