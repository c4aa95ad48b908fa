//! `profile list`: what each shipped profile is for, and what it costs to run.

use std::io::Write;
use std::sync::Arc;

use serde_json::json;

use super::{Disk, ProfileError};
use crate::activity::Features;
use crate::engine::forecast::{Forecast, forecast};
use crate::profile::{Profile, SHIPPED, Shipped};
use crate::report::table::{align, table};
use crate::units::{ByteCount, Rate, show_count, show_duration};

/// Lists them, as a table or as JSON.
pub(super) fn run(json: bool, width: u16, out: &mut dyn Write) -> Result<(), ProfileError> {
    let profiles: Vec<(&Shipped, Forecast)> = SHIPPED
        .iter()
        .map(|shipped| Ok((shipped, look_at(shipped)?)))
        .collect::<Result<_, ProfileError>>()?;
    if json {
        let list: Vec<_> = profiles
            .iter()
            .map(
                |(shipped, cost)| json!({ "name": shipped.name, "for": shipped.description(), "cost": cost }),
            )
            .collect();
        return Ok(writeln!(out, "{:#}", json!(list))?);
    }
    let mut rows = table(&["profile", "users", "length", "operations", "memory", "files"], width);
    for (shipped, cost) in &profiles {
        rows.add_row(row(shipped, cost));
    }
    align(&mut rows, 1);
    // The first line is the header. Purposes stand below their rows: in a column of their own they would be broken into slivers.
    let purposes =
        std::iter::once(None).chain(profiles.iter().map(|(shipped, _)| Some(shipped.description())));
    for (line, purpose) in rows.lines().zip(purposes) {
        writeln!(out, "{}", line.trim_end())?;
        for line in wrapped(purpose.unwrap_or_default(), usize::from(width) - INDENT.len()) {
            writeln!(out, "{INDENT}{line}")?;
        }
    }
    writeln!(out, "\n{LEGEND}")?;
    Ok(())
}

const INDENT: &str = "  ";

/// A text in lines of at most so many characters.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut().filter(|line| line.chars().count() + 1 + word.chars().count() <= width) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

const LEGEND: &str = "operations: at the peak. memory: a guess. files: descriptors, both ends of each\n\
                      connection where the embedded server is the target.\n\
                      xmpp-bench profile show NAME says more.";

fn look_at(shipped: &Shipped) -> Result<Forecast, ProfileError> {
    let profile = Profile::read(&shipped.input(), &Features, &Disk)?;
    Ok(forecast(&Arc::new(profile)))
}

fn row(shipped: &Shipped, cost: &Forecast) -> [String; 6] {
    let length = std::time::Duration::from_secs_f64(cost.phases_s);
    let rate = Rate::per_second(cost.peak.operations_per_s).unwrap_or(Rate::ZERO);
    [
        shipped.name.to_owned(),
        show_count(cost.peak_online.into()),
        show_duration(length),
        rate.to_string(),
        ByteCount(cost.needs.memory_bytes).to_string(),
        show_count(cost.needs.descriptors),
    ]
}
