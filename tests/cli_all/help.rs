//! What the command says of itself.

use crate::shell::Shell;

/// Every subcommand's help, as reviewed.
#[test]
fn help_is_as_reviewed() {
    let shell = Shell::new();
    let commands: [&[&str]; 9] = [
        &[],
        &["run"],
        &["serve"],
        &["profile"],
        &["profile", "check"],
        &["profile", "show"],
        &["profile", "schema"],
        &["summary"],
        &["result-schema"],
    ];
    for words in commands {
        let said = shell.run(&[words, &["--help"]].concat());
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{words:?}");
        let name = if words.is_empty() { "xmpp-bench".to_owned() } else { words.join("-") };
        insta::assert_snapshot!(name, said.out);
    }
}

#[test]
fn what_is_hidden_is_not_in_the_help_and_what_was_measured_with_is_named() {
    let shell = Shell::new();
    assert!(!shell.run(&["run", "--help"]).out.contains("--socket-buffer"));
    assert_eq!(shell.run(&["--version"]).out, format!("xmpp-bench {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_schemas_are_json_schemas() {
    let shell = Shell::new();
    for words in [&["result-schema"][..], &["profile", "schema"]] {
        let said = shell.run(words);
        assert_eq!((said.code, said.err.as_str()), (0, ""));
        let schema: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        jsonschema::meta::validate(&schema).unwrap_or_else(|error| panic!("{words:?}: {error}"));
        let validator = jsonschema::validator_for(&schema).unwrap();
        assert!(!validator.is_valid(&serde_json::json!({ "no": "such thing" })), "{words:?} allows anything");
    }
}

#[test]
fn shipped_profiles_are_listed_checked_and_shown() {
    let shell = Shell::new();
    let list = shell.run(&["profile", "list"]);
    assert_eq!(list.code, 0);
    let names: Vec<&str> = list.out.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.contains(&"quickstart"), "{names:?}");
    for name in names {
        for word in ["check", "show"] {
            let said = shell.run(&["profile", word, name]);
            assert_eq!((said.code, said.err.as_str()), (0, ""), "profile {word} {name}");
        }
    }
    assert!(shell.run(&["profile", "check", "small.toml"]).out.starts_with("small.toml: ok (2 users"));
}
