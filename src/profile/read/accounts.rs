//! Reading an accounts file: `jid_or_local,password`, one account a line.
//!
//! Empty lines are skipped, and a header (`jid,password`) too. Fields may be quoted as in RFC 4180; without quotes the
//! password is everything behind the first comma. Errors name the line and never its password.

use std::collections::HashSet;

use super::super::group::{Row, Secret};

/// Reads the first `count` accounts of a file. Without a `domain` (it could not be read) any will do.
pub(super) fn read(text: &str, domain: Option<&str>, count: u32) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    let mut seen = HashSet::new();
    for (number, line) in lines(text) {
        if rows.len() == count as usize {
            return Ok(rows);
        }
        let row = row(line, domain).map_err(|why| format!("line {number}: {why}"))?;
        if !seen.insert(row.local.to_lowercase()) {
            return Err(format!("line {number}: the account `{}` stands there twice", row.local));
        }
        rows.push(row);
    }
    if rows.len() < count as usize {
        return Err(format!("it has {} accounts, fewer than the group's count = {count}", rows.len()));
    }
    Ok(rows)
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let filled = text
        .lines()
        .zip(1..)
        .map(|(line, number)| (number, line))
        .filter(|(_, line)| !line.trim().is_empty());
    filled.enumerate().filter(|&(at, (_, line))| at > 0 || !is_header(line)).map(|(_, numbered)| numbered)
}

fn is_header(line: &str) -> bool {
    line.split_once(',').is_some_and(|(name, secret)| {
        let name = name.trim().trim_matches('"').to_lowercase();
        let secret = secret.trim().trim_matches('"').to_lowercase();
        secret == "password"
            && ["jid", "local", "localpart", "user", "username", "account"].contains(&name.as_str())
    })
}

fn row(line: &str, domain: Option<&str>) -> Result<Row, String> {
    let (name, rest) = field(line)?;
    let rest = rest.ok_or("there is no comma and so no password")?;
    let password = if rest.starts_with('"') { field(rest)? } else { (rest.to_owned(), None) };
    if password.1.is_some() {
        return Err("there is more behind the password".to_owned());
    }
    if password.0.is_empty() {
        return Err("the password is empty".to_owned());
    }
    let local = local_of(name.trim(), domain)?;
    Ok(Row { local: local.into(), password: Secret::new(password.0) })
}

/// The first field of `text`, and what is behind its comma.
fn field(text: &str) -> Result<(String, Option<&str>), String> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let (field, rest) = text.split_once(',').map_or((text, None), |(field, rest)| (field, Some(rest)));
        return Ok((field.to_owned(), rest));
    };
    let mut field = String::new();
    loop {
        let (part, behind) = rest.split_once('"').ok_or("a quote is not closed")?;
        field.push_str(part);
        match behind.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                rest = more;
            }
            None if behind.trim().is_empty() => return Ok((field, None)),
            None => {
                return Ok((
                    field,
                    Some(behind.strip_prefix(',').ok_or("a comma is missing behind a quote")?),
                ));
            }
        }
    }
}

fn local_of<'a>(name: &'a str, domain: Option<&str>) -> Result<&'a str, String> {
    let (local, given) = name.split_once('@').map_or((name, None), |(local, given)| (local, Some(given)));
    if given.is_some_and(|given| given.contains('/')) {
        return Err(format!("`{name}` has a resource; accounts have none"));
    }
    if let (Some(given), Some(domain)) = (given, domain)
        && !given.eq_ignore_ascii_case(domain)
    {
        return Err(format!("`{name}` is not at the target's domain `{domain}`"));
    }
    super::users::check_local(local).map(|()| local)
}
