//! `--set key=value`: putting overrides into a document.
//!
//! A key is a path: `deadline`, `target.url`, `users.0.count`. An element of a list is named by its position, its
//! `name`, or (an activity without one) its `kind`: `phase.steady.duration`, `activity.ping.every`. Parts with dots in
//! them stand in quotes; what comes after `slo.` needs none. A value is TOML where it is TOML, and else simply text.

use super::document::{Node, Place, Table, Value, parse_override, shorten};
use super::keys::Reported;
use super::problem::{Notebook, did_you_mean};

/// One part of a path, and where it stands in the override.
struct Part {
    text: String,
    place: Place,
}

/// Applies one override; `number` is its text's.
pub(super) fn apply(root: &mut Node, number: usize, text: &str, notebook: &Notebook) -> Result<(), Reported> {
    let (parts, value_at) = split(number, text, notebook)?;
    let node = parse_override(number, text, value_at);
    let Some((last, path)) = parts.split_last() else { return Ok(()) };
    let mut here = root;
    for part in path {
        here = step(here, part, notebook)?;
    }
    if let Value::List(_) = here.value {
        *step(here, last, notebook)? = node;
        return Ok(());
    }
    table_of(here, last, notebook)?.put(&last.text, last.place.clone(), node);
    Ok(())
}

/// The path, and where the value begins.
fn split(number: usize, text: &str, notebook: &Notebook) -> Result<(Vec<Part>, usize), Reported> {
    let place = |start, end| Place { text: number, start, end };
    let malformed = |start: usize, message: &str| {
        let help = "write key=value, with a key like target.url or phase.steady.duration";
        Err(notebook.say(&place(start, text.len()), message, help))
    };
    let mut parts = Vec::new();
    let mut at = 0;
    loop {
        let Some((part, end)) = part_at(text, at) else { return malformed(at, "a quote is not closed") };
        if part.is_empty() {
            return malformed(at, "an override must be key=value");
        }
        parts.push(Part { text: part, place: place(at, end) });
        match text[end..].chars().next() {
            Some('=') => return Ok((parts, end + 1)),
            Some('.') if parts.len() == 1 && parts[0].text == "slo" => {
                let Some(equals) = objective_end(text, end + 1) else {
                    return malformed(end, "there is no value");
                };
                let name = text[end + 1..equals].trim_matches('"').to_owned();
                parts.push(Part { text: name, place: place(end + 1, equals) });
                return Ok((parts, equals + 1));
            }
            Some('.') => at = end + 1,
            _ => return malformed(at, "an override must be key=value"),
        }
    }
}

/// The part of a path that begins at `at`, and where it ends.
fn part_at(text: &str, at: usize) -> Option<(String, usize)> {
    let rest = &text[at..];
    if let Some(quoted) = rest.strip_prefix('"') {
        let end = quoted.find('"')?;
        return Some((quoted[..end].to_owned(), at + end + 2));
    }
    let end = rest.find(['.', '=']).unwrap_or(rest.len());
    Some((rest[..end].trim().to_owned(), at + end))
}

/// Where the name of an objective ends: at the first `=`.
fn objective_end(text: &str, from: usize) -> Option<usize> {
    text[from..].find('=').map(|end| from + end)
}

/// One step down. Missing tables are made; their keys are checked later like any other.
fn step<'a>(here: &'a mut Node, part: &Part, notebook: &Notebook) -> Result<&'a mut Node, Reported> {
    let table = match &mut here.value {
        Value::List(items) => return element(items, part, notebook).map(|at| &mut items[at]),
        Value::Table(table) => table,
        other => return Err(no_parts(other, part, notebook)),
    };
    if table.get(&part.text).is_none() {
        let node = Node { place: part.place.clone(), value: Value::Table(Table::default()), bare: None };
        table.put(&part.text, part.place.clone(), node);
    }
    Ok(&mut table.get_mut(&part.text).expect("it has just been put there").node)
}

fn table_of<'a>(here: &'a mut Node, part: &Part, notebook: &Notebook) -> Result<&'a mut Table, Reported> {
    match &mut here.value {
        Value::Table(table) => Ok(table),
        other => Err(no_parts(other, part, notebook)),
    }
}

/// Says nothing of the value: it may be a password.
fn no_parts(value: &Value, part: &Part, notebook: &Notebook) -> Reported {
    let kind = if let Value::List(_) = value { "a list" } else { "a plain value" };
    let message = format!("there is no `{}` in {kind}", shorten(&part.text));
    notebook.say(&part.place, message, "only tables and lists have parts")
}

/// The position of a list's element, by its position, name or kind.
fn element(items: &[Node], part: &Part, notebook: &Notebook) -> Result<usize, Reported> {
    if let Ok(at) = part.text.parse::<usize>() {
        if at < items.len() {
            return Ok(at);
        }
        let message = format!("there is no element {at}: the list has {}", items.len());
        return Err(notebook.say(&part.place, message, "elements are counted from 0"));
    }
    let names: Vec<&str> = items.iter().filter_map(name_of).collect();
    let named = |item: &Node| name_of(item) == Some(part.text.as_str());
    let Some(at) = items.iter().position(named) else {
        let message = format!("there is no element named `{}`", shorten(&part.text));
        let help = if names.is_empty() {
            "elements without a name are counted from 0".to_owned()
        } else {
            did_you_mean(&part.text, names)
        };
        return Err(notebook.say(&part.place, message, help));
    };
    if items.iter().filter(|item| named(item)).count() > 1 {
        let message = format!("there is more than one element named `{}`", shorten(&part.text));
        return Err(notebook.say(&part.place, message, "name it by its position, counted from 0"));
    }
    Ok(at)
}

fn name_of(item: &Node) -> Option<&str> {
    let Value::Table(table) = &item.value else { return None };
    let entry = table.get("name").or_else(|| table.get("kind"))?;
    match &entry.node.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}
