//! What is written as CSV is read back by a profile's `accounts_file`, whatever the names and passwords are made of.

use std::path::Path;

use xmpp_bench::accounts::{People, csv};
use xmpp_bench::activity::Features;
use xmpp_bench::profile::{Files, Input, Profile};

use crate::world::{people, profile_text};

/// One file, whatever its name.
struct OneFile(String);

impl Files for OneFile {
    fn read(&self, _: &Path) -> Result<String, String> {
        Ok(self.0.clone())
    }
}

fn of_file(text: &str, users: u32, contacts: u32) -> People {
    let names = "jid = \"u{n}@{domain}\"\npassword = \"secret-{n}\"";
    let profile = profile_text(users, contacts).replace(names, "accounts_file = \"accounts.csv\"");
    assert!(profile.contains("accounts_file"));
    let input = Input { name: "test.toml".to_owned(), text: profile, ..Input::default() };
    let profile = Profile::read(&input, &Features, &OneFile(text.to_owned()));
    let profile = profile.unwrap_or_else(|problems| panic!("{problems}"));
    People::new(profile.target, profile.groups, Vec::new())
}

fn written(people: &People) -> String {
    let mut out = Vec::new();
    csv::write_accounts(people, 0, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn accounts(people: &People) -> Vec<(String, String)> {
    let all = people.with_account().filter_map(|user| people.credentials(user));
    all.map(|account| (account.username.to_string(), account.password.to_string())).collect()
}

#[test]
fn a_counted_population_and_its_file_are_the_same_people() {
    let counted = people(30, 2);
    let text = written(&counted);
    assert!(text.starts_with("username,password\nu0,secret-0\nu1,secret-1\n"), "{text}");
    let read = of_file(&text, 30, 2);
    assert_eq!(accounts(&read), accounts(&counted));
    for user in 0..30 {
        assert!(read.contacts(user).eq(counted.contacts(user)), "the graph is by position: {user}");
    }
}

#[test]
fn it_is_written_whole_and_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("accounts.csv");
    let people = people(3, 0);
    csv::save_accounts(&people, 0, &path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), written(&people));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn every_edge_is_told_from_both_ends() {
    let people = people(6, 2);
    let mut out = Vec::new();
    csv::write_contacts(&people, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("jid,contact"));
    let edges: Vec<(&str, &str)> = lines.map(|line| line.split_once(',').unwrap()).collect();
    assert_eq!(edges.len(), 12);
    assert_eq!(edges[0].0, "u0@localhost");
    assert!(edges.iter().all(|(one, other)| edges.contains(&(other, one))));
}

proptest::proptest! {
    #[test]
    fn passwords_come_back_as_they_were(passwords in proptest::collection::vec("[ -~\u{e4}]{1,12}", 1..20)) {
        let line = |(n, password): (usize, &String)| format!("u{n},\"{}\"\n", password.replace('"', "\"\""));
        let text: String = passwords.iter().enumerate().map(line).collect();
        let count = passwords.len() as u32;
        let people = of_file(&text, count, 0);
        let again = of_file(&written(&people), count, 0);
        proptest::prop_assert_eq!(accounts(&again), accounts(&people));
        let read: Vec<String> = accounts(&people).into_iter().map(|(_, password)| password).collect();
        proptest::prop_assert_eq!(read, passwords);
    }
}
