//! What is printed for other programs: accounts as a profile's `accounts_file` reads them, and the edges of the contact
//! graph.

use std::io::{self, Write};
use std::path::Path;

use crate::accounts::People;

/// Writes all accounts of one group, in the order of its users, with a header: `username,password`. The order is the
/// topology's, so that rosters made for these users fit those of a profile that reads them from the file.
pub fn write_accounts(people: &People, group: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "username,password")?;
    let group = &people.groups()[group];
    for account in (0..group.count).filter_map(|n| group.account(n)) {
        writeln!(out, "{},{}", field(&account.local), field(account.password.reveal()))?;
    }
    Ok(())
}

/// The same to a file only its owner may read; whole or not at all.
pub fn save_accounts(people: &People, group: usize, path: &Path) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let file =
        std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&beside)?;
    let mut out = io::BufWriter::new(file);
    write_accounts(people, group, &mut out)?;
    out.flush()?;
    std::fs::rename(beside, path)
}

/// Writes the bare addresses of all accounts, with a header: `jid`.
pub fn write_addresses(people: &People, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "jid")?;
    people.with_account().try_for_each(|user| writeln!(out, "{}", field(&people.bare(user))))
}

/// Writes every edge of the contact graph twice, once from either end, with a header: `jid,contact`. All contacts of a user
/// stand together.
pub fn write_contacts(people: &People, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "jid,contact")?;
    for user in people.with_account() {
        let own = field(&people.bare(user)).into_owned();
        for contact in people.contacts(user) {
            writeln!(out, "{own},{}", field(&people.bare(contact)))?;
        }
    }
    Ok(())
}

/// A field as RFC 4180 has it; quoted only where it must be.
fn field(text: &str) -> std::borrow::Cow<'_, str> {
    let edges = text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace);
    if edges || text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\"")).into()
    } else {
        text.into()
    }
}
