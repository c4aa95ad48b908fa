//! `docs/profile.md` lists the keys the reader has. To write them anew: `UPDATE_MESSAGES=1`.

use std::fmt::Write as _;

use xmpp_bench::profile::{
    ABORT_KEYS, ACTIVITY_KEYS, KeySpec, OBSERVE_KEYS, PHASE_KEYS, PROFILE_KEYS, Presence, Shape, TARGET_KEYS,
    USERS_KEYS,
};

const BEGIN: &str = "<!-- keys: written by the test `documents` -->\n";
const END: &str = "<!-- end of keys -->\n";

#[test]
fn the_document_lists_every_key_as_the_reader_declares_it() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/profile.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once(BEGIN).unwrap();
    let (found, tail) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_MESSAGES").is_some() {
        std::fs::write(&path, format!("{head}{BEGIN}{}{END}{tail}", tables())).unwrap();
    } else {
        assert_eq!(found, tables());
    }
}

fn tables() -> String {
    let mut text = String::new();
    for (name, keys) in [
        ("At the top", PROFILE_KEYS),
        ("`[target]`", TARGET_KEYS),
        ("`[[users]]`", USERS_KEYS),
        ("`[[phase]]`", PHASE_KEYS),
        ("`[[activity]]`, every kind", ACTIVITY_KEYS),
        ("`[abort]`", ABORT_KEYS),
        ("`[observe]`", OBSERVE_KEYS),
    ] {
        let _ = writeln!(text, "\n### {name}\n\n| key | without it | meaning |\n|---|---|---|");
        keys.iter().filter(|key| key.shape != Shape::Section).for_each(|key| row(key, &mut text));
    }
    text.push('\n');
    text
}

fn row(key: &KeySpec, text: &mut String) {
    let presence = match key.presence {
        Presence::Required => "an error".to_owned(),
        Presence::Optional => "–".to_owned(),
        Presence::Default(default) => format!("`{default}`"),
    };
    let _ = writeln!(text, "| `{}` | {presence} | {} |", key.name, key.doc);
}
