//! The command against the embedded server, over STARTTLS and SCRAM: a second implementation of the other side.

use crate::command::{FAST, Shell, json, row, serve, with};

#[test]
fn accounts_are_made_checked_and_removed_over_tls() {
    let server = serve(&["--register", "--known-only", "--accounts", "0"]);
    let shell = Shell::new(30, 0, server.port);
    shell.use_tls(&server.ca);

    let said = shell.run(&with(&["check", "--json"], &FAST));
    assert_eq!(said.code, 3, "{said:#?}");
    assert_eq!(json(&said.out)["done"]["no_account"]["count"], 30, "{said:#?}");
    let said = shell.run(&with(&["create"], &FAST));
    assert_eq!((said.code, row(&said.out, "created")), (0, "created                       30"), "{said:#?}");
    assert_eq!(shell.run(&with(&["check"], &FAST)).code, 0);
    let said = shell.run(&with(&["check", "--set", "users.0.password=wrong", "--json"], &FAST));
    assert_eq!(json(&said.out)["done"]["wrong_password"]["count"], 30, "{said:#?}");
    let said = shell.run(&with(&["delete"], &FAST));
    assert_eq!((said.code, row(&said.out, "deleted")), (0, "deleted                       30"), "{said:#?}");
    assert_eq!(json(&shell.run(&with(&["check", "--json"], &FAST)).out)["done"]["let_in"], 0);
}

/// Its rosters follow the tables of RFC 6121 appendix A, written by somebody else than the scripted peer's.
#[test]
fn contacts_are_made_found_wanting_and_mended() {
    let server = serve(&["--register", "--known-only", "--accounts", "0", "--empty-rosters"]);
    let shell = Shell::new(30, 4, server.port);
    shell.use_tls(&server.ca);
    let said = shell.run(&with(&["create", "--contacts", "--json"], &FAST));
    assert_eq!(said.code, 0, "{said:#?}");
    let contacts = &json(&said.out)["done"]["contacts"];
    assert_eq!((&contacts["complete"], &contacts["left"]), (&30.into(), &0.into()), "{said:#?}");
    assert_eq!(shell.run(&with(&["check"], &FAST)).code, 0);

    // An account less: its contacts have lost it. Made again, they know it again.
    let only_u3 =
        ["delete", "--set", "users.0={count=1,jid=\"u3@{domain}\",password=\"secret-3\"}", "--quiet"];
    assert_eq!(shell.run(&only_u3).code, 0);
    let said = shell.run(&with(&["check", "--json"], &FAST));
    let done = &json(&said.out)["done"];
    assert_eq!((said.code, &done["no_account"]["count"]), (3, &1.into()), "{said:#?}");
    assert_eq!(done["contacts"]["mutual"], 29 * 4 - 4, "{said:#?}");
    assert_eq!(shell.run(&with(&["create", "--contacts"], &FAST)).code, 0);
    assert_eq!(shell.run(&with(&["check"], &FAST)).code, 0);
}
