//! Reading `[[users]]`.

use std::collections::HashSet;

use super::super::document::{Place, shorten};
use super::super::group::{Accounts, Graph, Group, Mechanism, Pattern};
use super::super::keys::{Frame, Given, Keys, Readable, Reported};
use super::super::load::Library;
use super::super::problem::{Notebook, Problem, Wrong};
use super::super::registry::{KeySpec, Presence, Shape};
use super::super::target::{Endpoint, Target, Tls};
use super::{accounts, not_among, texts};
use crate::units::{Rate, show_count};

/// The keys of `[[users]]`.
pub const USERS_KEYS: &[KeySpec] = &[
    KeySpec {
        name: "name",
        shape: Shape::Text,
        presence: Presence::Optional,
        doc: "the group's name in results; may be left out with a single group",
    },
    KeySpec {
        name: "count",
        shape: Shape::Integer(1, 1 << 24),
        presence: Presence::Required,
        doc: "how many users, each with an account",
    },
    KeySpec {
        name: "jid",
        shape: Shape::Text,
        presence: Presence::Optional,
        doc: "the accounts' addresses: {n} counts from 0 within the group, {domain} is the target's",
    },
    KeySpec {
        name: "password",
        shape: Shape::Text,
        presence: Presence::Optional,
        doc: "the accounts' passwords; {n} and {domain} as in jid",
    },
    KeySpec {
        name: "accounts_file",
        shape: Shape::Text,
        presence: Presence::Optional,
        doc: "a CSV file of accounts instead: jid,password",
    },
    KeySpec {
        name: "auth",
        shape: Shape::Choices(&["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "ANONYMOUS"]),
        presence: Presence::Default("[\"SCRAM-SHA-256\", \"SCRAM-SHA-1\", \"PLAIN\"]"),
        doc: "the mechanisms allowed; the strongest one offered is used",
    },
    KeySpec {
        name: "plain_without_tls",
        shape: Shape::Boolean,
        presence: Presence::Default("false"),
        doc: "allow PLAIN on an unencrypted connection",
    },
    KeySpec {
        name: "contacts",
        shape: Shape::Integer(0, 10_000),
        presence: Presence::Default("0"),
        doc: "contacts per user, within the group and mutual",
    },
    KeySpec {
        name: "graph",
        shape: Shape::Graph,
        presence: Presence::Default("\"ring\""),
        doc: "how contacts are spread: \"ring\", \"random\" or \"zipf(1.1)\"",
    },
    KeySpec {
        name: "login_rate",
        shape: Shape::Rate,
        presence: Presence::Optional,
        doc: "no more logins than this; a phase that asks for more is an error",
    },
];

/// A `zipf` graph is stored: no more entries than this, 80 MB, and some 200 MB more while it is made.
const ZIPF_ENTRIES_MAX: u64 = 20_000_000;

/// A group and where to point when it clashes with something.
pub(in crate::profile) struct Read {
    pub(in crate::profile) group: Group,
    pub(in crate::profile) accounts_place: Place,
}

/// Reads one group; `first` is the index of its first user. The groups before it are not needed.
pub(in crate::profile) fn read(
    mut keys: Keys<'_>,
    alone: bool,
    target: Option<&Target>,
    library: &Library<'_>,
) -> Result<Read, Reported> {
    let name = read_name(&mut keys, alone);
    let count = keys.take::<u32>("count");
    let auth = keys.take::<Auth>("auth").map(|list| list.0);
    let domain = target.map(|target| target.domain.as_str());
    let (accounts, accounts_place) =
        read_accounts(&mut keys, count.ok(), auth.as_deref().ok(), domain, library);
    let graph = keys.take::<Graph>("graph");
    let contacts = read_contacts(&mut keys, count.ok(), graph.ok(), auth.as_deref().ok());
    let plain_without_tls = keys.take::<bool>("plain_without_tls");
    let login_rate = keys.find::<Rate>("login_rate");
    if let (Ok(auth), Ok(allowed)) = (&auth, plain_without_tls) {
        check_some_login_is_possible(&keys, target, auth, allowed)?;
    }
    keys.all_known()?;
    let group = Group {
        name: name?,
        first: 0,
        count: count?,
        accounts: accounts?,
        auth: auth?,
        plain_without_tls: plain_without_tls?,
        contacts: contacts?,
        graph: graph?,
        login_rate: login_rate?,
    };
    Ok(Read { group, accounts_place })
}

fn read_name(keys: &mut Keys<'_>, alone: bool) -> Result<String, Reported> {
    match keys.find::<Name>("name")? {
        Some(name) => Ok(name.0),
        None if alone => Ok("users".to_owned()),
        None => Err(keys.missing("name")),
    }
}

fn read_contacts(
    keys: &mut Keys<'_>,
    count: Option<u32>,
    graph: Option<Graph>,
    auth: Option<&[Mechanism]>,
) -> Result<u32, Reported> {
    let contacts: u32 = keys.take("contacts")?;
    let Some(count) = count else { return Ok(contacts) };
    let wrong = if contacts >= count && contacts > 0 {
        Wrong::new(format!("must be below the group's count = {count}, not {contacts}"))
            .help("contacts are mutual and within the group, and nobody is their own")
    } else if contacts > 0 && auth == Some(&[Mechanism::Anonymous]) {
        Wrong::new("must be 0 for anonymous users").help("an anonymous user has no roster that lasts")
    } else if contacts == 1 && (count % 2 == 1 || matches!(graph, Some(Graph::Zipf(_)))) {
        Wrong::new(format!(
            "must be 0 or at least 2 here: of {count} users somebody would be left without a contact"
        ))
        .help("pairs need an even number of users, and graph = \"ring\" or \"random\"")
    } else if matches!(graph, Some(Graph::Zipf(_)))
        && u64::from(contacts) * u64::from(count) > ZIPF_ENTRIES_MAX
    {
        let (asked, most) = (u64::from(contacts) * u64::from(count), ZIPF_ENTRIES_MAX);
        Wrong::new(format!(
            "asks a zipf graph for {} entries; at most {}",
            show_count(asked),
            show_count(most)
        ))
        .help("`graph = \"random\"` stores none")
    } else {
        return Ok(contacts);
    };
    Err(keys.refuse("contacts", wrong))
}

fn check_some_login_is_possible(
    keys: &Keys<'_>,
    target: Option<&Target>,
    auth: &[Mechanism],
    plain_without_tls: bool,
) -> Result<(), Reported> {
    let open = |target: &Target| {
        target.tls == Tls::Off
            && target.endpoints.iter().any(|one| !matches!(one, Endpoint::DirectTls { .. }))
    };
    if target.is_some_and(open) && auth == [Mechanism::Plain] && !plain_without_tls {
        let wrong =
            Wrong::new("allows only PLAIN, which is not used on an unencrypted connection, and `tls` is off");
        return Err(keys.refuse("auth", wrong.help("set plain_without_tls = true, or tls = \"required\"")));
    }
    Ok(())
}

fn read_accounts(
    keys: &mut Keys<'_>,
    count: Option<u32>,
    auth: Option<&[Mechanism]>,
    domain: Option<&str>,
    library: &Library<'_>,
) -> (Result<Accounts, Reported>, Place) {
    let from_file = keys.has("accounts_file");
    let key = if from_file { "accounts_file" } else { "jid" };
    let place = keys.place_of(key);
    let accounts = if keys.is_misspelt("accounts_file") {
        Err(Reported::new())
    } else if auth == Some(&[Mechanism::Anonymous]) {
        no_accounts(keys)
    } else if from_file {
        accounts_in_file(keys, count, domain, library)
    } else {
        accounts_by_pattern(keys, count, domain)
    };
    (accounts, place)
}

fn no_accounts(keys: &Keys<'_>) -> Result<Accounts, Reported> {
    match ["jid", "password", "accounts_file"].into_iter().find(|&key| keys.has(key)) {
        None => Ok(Accounts::Anonymous),
        Some(key) => {
            let wrong = Wrong::new("is no use with auth = [\"ANONYMOUS\"]: the server gives the address");
            Err(keys.refuse(key, wrong.help("leave it out, or allow a mechanism with credentials")))
        }
    }
}

fn accounts_in_file(
    keys: &mut Keys<'_>,
    count: Option<u32>,
    domain: Option<&str>,
    library: &Library<'_>,
) -> Result<Accounts, Reported> {
    if let Some(key) = ["jid", "password"].into_iter().find(|&key| keys.has(key)) {
        let wrong = Wrong::new("and `accounts_file` exclude each other");
        return Err(keys.refuse(key, wrong.help("the file has both names and passwords")));
    }
    let path: String = keys.take("accounts_file")?;
    let (path, text) = library.read(&path, &keys.place_of("accounts_file"));
    let shown = path.display();
    let text = text
        .map_err(|why| keys.refuse("accounts_file", Wrong::new(format!("cannot be read: {shown}: {why}"))))?;
    let rows = accounts::read(&text, domain, count.unwrap_or(0)).map_err(|why| {
        let why = match why.strip_prefix("line ") {
            Some(line) => format!("{shown}:{line}"),
            None => format!("{shown}: {why}"),
        };
        let wrong = Wrong::new(format!("has a mistake: {why}"));
        keys.refuse("accounts_file", wrong.help("one account a line: jid,password"))
    })?;
    Ok(Accounts::File { path, rows })
}

fn accounts_by_pattern(
    keys: &mut Keys<'_>,
    count: Option<u32>,
    domain: Option<&str>,
) -> Result<Accounts, Reported> {
    if !keys.has("jid") && !keys.has("password") {
        return Err(keys.missing("jid"));
    }
    let local = read_jid(keys, count, domain);
    let password = keys.take::<Password>("password").and_then(|password| {
        let text =
            placeholders(&password.0, domain).map_err(|_| keys.refuse("password", bad_placeholder()))?;
        Ok(Pattern::new(&text))
    });
    Ok(Accounts::Pattern { local: local?, password: password? })
}

fn read_jid(keys: &mut Keys<'_>, count: Option<u32>, domain: Option<&str>) -> Result<Pattern, Reported> {
    let text: String = keys.take("jid")?;
    let text = placeholders(&text, domain).map_err(|wrong| keys.refuse("jid", wrong))?;
    jid_pattern(&text, count, domain).map_err(|wrong| keys.refuse("jid", wrong))
}

fn jid_pattern(text: &str, count: Option<u32>, domain: Option<&str>) -> Result<Pattern, Wrong> {
    let Some((local, at)) = text.split_once('@') else {
        let wrong = Wrong::new(format!("must be an address, not \"{}\"", shorten(text)));
        return Err(wrong.help(format!("write \"{}@{{domain}}\"", shorten(text))));
    };
    if at.contains('/') {
        return Err(Wrong::new("must have no resource").help("every session takes one of its own"));
    }
    if let Some(domain) = domain.filter(|domain| !at.eq_ignore_ascii_case(domain)) {
        let wrong =
            Wrong::new(format!("must be at the target's domain \"{domain}\", not at \"{}\"", shorten(at)));
        return Err(wrong.help("write {domain} after the @"));
    }
    let pattern = Pattern::new(local);
    if count.is_some_and(|count| count > 1) && !pattern.counts() {
        let wrong = Wrong::new("gives every user the same account");
        return Err(wrong.help("put {n} in it: \"u{n}@{domain}\""));
    }
    let longest = pattern.expand(count.map_or(0, |count| count - 1));
    check_local(&longest).map_err(|why| Wrong::new(format!("gives no valid address: {why}")))?;
    Ok(pattern)
}

/// Without its name: it may be a part of the password.
fn bad_placeholder() -> Wrong {
    Wrong::new("has a placeholder nobody knows").help("known are {n}, which counts from 0, and {domain}")
}

/// Replaces `{domain}` (by anything valid, where it could not be read) and refuses any placeholder but `{n}`.
fn placeholders(text: &str, domain: Option<&str>) -> Result<String, Wrong> {
    let text = text.replace("{domain}", domain.unwrap_or("localhost"));
    let mut rest = text.as_str();
    while let Some((_, inside)) = rest.split_once('{') {
        let (name, behind) = inside.split_once('}').ok_or_else(|| Wrong::new("has a { without a }"))?;
        if name != "n" {
            let wrong = Wrong::new(format!("has an unknown placeholder {{{}}}", shorten(name)));
            return Err(wrong.help("known are {n}, which counts from 0, and {domain}"));
        }
        rest = behind;
    }
    Ok(text)
}

/// The first rules of RFC 7622 §3.3: what no localpart may hold. Prepared names and the server's own rules are the
/// server's to check.
pub(super) fn check_local(local: &str) -> Result<(), String> {
    if local.is_empty() {
        return Err("there is nothing before the @".to_owned());
    }
    if local.len() > 1_023 {
        return Err("there are more than 1023 bytes before the @".to_owned());
    }
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "\"&'/:<>@".contains(c);
    match local.chars().find(|&c| forbidden(c)) {
        Some(c) => Err(format!("`{}` must not stand before the @", c.escape_debug())),
        None => Ok(()),
    }
}

struct Name(String);

impl Readable for Name {
    fn read(value: &Given<'_>, _: Frame<'_>) -> Result<Self, Wrong> {
        name(value.text("a name")?).map(Self)
    }
}

/// A name that stands in results, on command lines and in tables.
pub(super) fn name(text: &str) -> Result<String, Wrong> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic());
    if !starts || text.len() > 40 || !text.chars().all(plain) {
        return Err(Wrong::new(format!("must be a name, not \"{}\"", shorten(text)))
            .help("up to 40 letters, digits, - and _, a letter first"));
    }
    Ok(text.to_owned())
}

struct Password(String);

impl Readable for Password {
    /// Says nothing of what it found.
    fn read(value: &Given<'_>, _: Frame<'_>) -> Result<Self, Wrong> {
        let text = value.text("").map_err(|_| Wrong::new("must be text in quotes"))?;
        if text.is_empty() {
            return Err(Wrong::new("must not be empty"));
        }
        Ok(Self(text.to_owned()))
    }
}

struct Auth(Vec<Mechanism>);

impl Readable for Auth {
    fn read(value: &Given<'_>, _: Frame<'_>) -> Result<Self, Wrong> {
        let mut list = Vec::new();
        for (text, node) in texts(value.0, "a mechanism")? {
            let known = Mechanism::ALL.into_iter().find(|mechanism| mechanism.as_str() == text);
            let mechanism = known.ok_or_else(|| {
                not_among(text, Mechanism::ALL.iter().map(|one| one.as_str())).at(&node.place)
            })?;
            if list.contains(&mechanism) {
                return Err(Wrong::new(format!("names {text} twice")).at(&node.place));
            }
            list.push(mechanism);
        }
        if list.len() > 1 && list.contains(&Mechanism::Anonymous) {
            let wrong = Wrong::new("must not mix ANONYMOUS with mechanisms that need credentials");
            return Err(wrong.help("make anonymous users a group of their own"));
        }
        list.sort_unstable();
        Ok(Self(list))
    }
}

/// Reports names and accounts that two groups share.
pub(in crate::profile) fn check_apart(groups: &[Read], names: &[Place], notebook: &Notebook) {
    for (at, later) in groups.iter().enumerate() {
        for (before, earlier) in groups[..at].iter().enumerate() {
            if later.group.name == earlier.group.name {
                let message = format!("two groups have the name `{}`", later.group.name);
                say_twice(notebook, &names[at], &names[before], message, "give each its own");
            }
            if let Some(shared) = shared_account(&earlier.group, &later.group) {
                let message = format!("two groups have the account `{shared}`");
                let help = "two sessions of one account would receive each other's messages";
                say_twice(notebook, &later.accounts_place, &earlier.accounts_place, message, help);
            }
        }
    }
}

fn say_twice(notebook: &Notebook, place: &Place, first: &Place, message: String, help: &str) {
    let related = Some((first.clone(), "the first one".to_owned()));
    let _ = notebook.add(Problem { place: place.clone(), message, help: Some(help.to_owned()), related });
}

/// An account of both groups, by its local part.
fn shared_account(a: &Group, b: &Group) -> Option<String> {
    if let (Accounts::Pattern { local: a, .. }, Accounts::Pattern { local: b, .. }) =
        (&a.accounts, &b.accounts)
    {
        let (a, b) = (a.prefix().to_lowercase(), b.prefix().to_lowercase());
        if !a.starts_with(&b) && !b.starts_with(&a) {
            return None;
        }
    }
    let (few, many) = if a.count <= b.count { (a, b) } else { (b, a) };
    let local = |group: &Group, n: u32| group.account(n).map(|account| account.local.to_lowercase());
    let names: HashSet<String> = (0..few.count).map_while(|n| local(few, n)).collect();
    (0..many.count).map_while(|n| local(many, n)).find(|name| names.contains(name))
}
