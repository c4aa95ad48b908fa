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

/// The embedded server's rosters cannot be changed: what cannot be had is said, and does not go on for ever.
#[test]
fn contacts_a_server_does_not_allow_are_named() {
    let server = serve(&["--register", "--known-only", "--accounts", "0"]);
    let shell = Shell::new(10, 2, server.port);
    shell.use_tls(&server.ca);
    let said = shell.run(&with(&["create", "--contacts", "--json"], &FAST));
    assert_eq!(said.code, 4, "{said:#?}");
    let contacts = &json(&said.out)["done"]["contacts"];
    assert_eq!((&contacts["complete"], &contacts["left"]), (&0.into(), &20.into()), "{said:#?}");
}
