//! Reading `[[phase]]`.

use std::time::Duration;

use super::super::document::{Node, Place, Value};
use super::super::group::Group;
use super::super::keys::{Keys, Reported};
use super::super::phase::{Phase, shares};
use super::super::problem::{Wrong, did_you_mean};
use super::super::registry::{KeySpec, Presence, Shape};
use super::users;
use crate::units::{Offset, Rate, show_duration};

/// The keys of `[[phase]]`.
pub const PHASE_KEYS: &[KeySpec] = &[
    KeySpec {
        name: "name",
        shape: Shape::Text,
        presence: Presence::Required,
        doc: "the phase's name in results",
    },
    KeySpec {
        name: "duration",
        shape: Shape::Duration,
        presence: Presence::Required,
        doc: "how long it is: \"60s\"",
    },
    KeySpec {
        name: "users",
        shape: Shape::Online,
        presence: Presence::Optional,
        doc: "users online at its end: a number, a share (\"50%\") or numbers per group ({ mobile = 100 }); without it as many as before",
    },
    KeySpec {
        name: "measure",
        shape: Shape::Boolean,
        presence: Presence::Default("false"),
        doc: "whether it counts: totals and SLOs are over measured phases",
    },
    KeySpec {
        name: "rate",
        shape: Shape::Number,
        presence: Presence::Default("1.0"),
        doc: "the factor on all activities reached at its end, in a straight line from the phase before",
    },
];

/// Reads all phases. Without valid groups (`None`) what users are online cannot be checked, and nothing is returned.
pub(in crate::profile) fn read(
    tables: Vec<Keys<'_>>,
    groups: Option<&[Group]>,
) -> Result<Vec<Phase>, Reported> {
    let mut phases: Vec<Phase> = Vec::new();
    let mut names: Vec<(String, Place)> = Vec::new();
    let mut result = Ok(());
    for mut keys in tables {
        check_name(&mut keys, &mut names).unwrap_or_else(|reported| result = Err(reported));
        // Behind a phase that is wrong, who is online is unknown: no more is said of users.
        let known = groups.filter(|_| result.is_ok());
        match phase(&mut keys, phases.last(), known) {
            Ok(phase) => phases
                .push(Phase { name: names.last().map_or_else(String::new, |last| last.0.clone()), ..phase }),
            Err(reported) => result = Err(reported),
        }
    }
    result.map(|()| phases)
}

fn check_name(keys: &mut Keys<'_>, names: &mut Vec<(String, Place)>) -> Result<(), Reported> {
    let text: String = keys.take("name")?;
    let name = users::name(&text).map_err(|wrong| keys.refuse("name", wrong))?;
    if names.iter().any(|(other, _)| *other == name) {
        let wrong = Wrong::new(format!("is that of an earlier phase: \"{name}\""));
        return Err(keys.refuse("name", wrong.help("give each phase its own")));
    }
    if name == "drain" {
        let wrong = Wrong::new("must not be \"drain\": that is what comes after the last phase");
        return Err(keys.refuse("name", wrong));
    }
    names.push((name, keys.place_of("name")));
    Ok(())
}

fn phase(keys: &mut Keys<'_>, before: Option<&Phase>, groups: Option<&[Group]>) -> Result<Phase, Reported> {
    let duration = read_duration(keys);
    let measure = keys.take::<bool>("measure");
    let factor = keys.take::<f64>("rate");
    let online = groups.map(|groups| read_online(keys, before, groups)).transpose();
    keys.all_known()?;
    let duration = duration?;
    let online = online?.unwrap_or_default();
    if let Some(groups) = groups {
        check_login_rates(keys, duration, before, &online, groups)?;
    }
    let start = before.map_or(Offset::ZERO, Phase::end);
    Ok(Phase { name: String::new(), start, duration, online, measure: measure?, factor: factor? })
}

fn read_duration(keys: &mut Keys<'_>) -> Result<Duration, Reported> {
    let duration: Duration = keys.take("duration")?;
    if duration.is_zero() {
        return Err(keys.refuse("duration", Wrong::new("must be above 0")));
    }
    if duration > keys.vocabulary().run_max {
        let most = show_duration(keys.vocabulary().run_max);
        return Err(keys.refuse("duration", Wrong::new(format!("must be at most {most}"))));
    }
    Ok(duration)
}

fn read_online(keys: &Keys<'_>, before: Option<&Phase>, groups: &[Group]) -> Result<Vec<u32>, Reported> {
    let earlier = before.map_or_else(|| vec![0; groups.len()], |phase| phase.online.clone());
    let Some(entry) = keys.entry("users") else {
        let may_be_left_out = before.is_some() && !keys.is_misspelt("users");
        return if may_be_left_out { Ok(earlier) } else { Err(keys.missing("users")) };
    };
    match &entry.node.value {
        Value::Table(_) => online_by_group(keys, &earlier, groups),
        _ => online_in_all(&entry.node, groups).map_err(|wrong| keys.refuse("users", wrong)),
    }
}

/// A number or a share of all users, divided among the groups by their size.
fn online_in_all(node: &Node, groups: &[Group]) -> Result<Vec<u32>, Wrong> {
    let counts: Vec<u32> = groups.iter().map(|group| group.count).collect();
    let all: u32 = counts.iter().sum();
    let total = match &node.value {
        Value::Integer(number) => {
            u32::try_from(*number).ok().filter(|&total| total <= all).ok_or_else(|| {
                let wrong =
                    Wrong::new(format!("must be between 0 and {all}, the count of all groups, not {number}"));
                wrong.help(if *number > i128::from(all) {
                    "raise `count` in [[users]], or lower this"
                } else {
                    ""
                })
            })?
        }
        Value::Text(text) => share_of(text, all)?,
        other => return Err(Wrong::new(format!("must be a number of users, not {}", other.describe()))),
    };
    Ok(shares(total, &counts))
}

fn share_of(text: &str, all: u32) -> Result<u32, Wrong> {
    let percent: Option<f64> = text.strip_suffix('%').and_then(|number| number.trim().parse().ok());
    let share = percent.filter(|percent| (0.0..=100.0).contains(percent));
    share.map(|percent| (f64::from(all) * percent / 100.0).round() as u32).ok_or_else(|| {
        let wrong =
            Wrong::new(format!("must be a number of users or a share, not \"{}\"", super::shorten(text)));
        wrong.help("write 500, \"50%\" or { group = 500 }")
    })
}

fn online_by_group(keys: &Keys<'_>, earlier: &[u32], groups: &[Group]) -> Result<Vec<u32>, Reported> {
    let mut online = earlier.to_vec();
    let Some(Value::Table(table)) = keys.entry("users").map(|entry| &entry.node.value) else {
        return Ok(online);
    };
    for entry in &table.entries {
        let Some(at) = groups.iter().position(|group| group.name == entry.key) else {
            let wrong =
                Wrong::new(format!("names a group that is not there: `{}`", super::shorten(&entry.key)));
            let help = did_you_mean(&entry.key, groups.iter().map(|group| group.name.as_str()));
            return Err(keys.refuse("users", wrong.at(&entry.place).help(help)));
        };
        let count = groups[at].count;
        let number = match entry.node.value {
            Value::Integer(number) => u32::try_from(number).ok().filter(|&number| number <= count),
            _ => None,
        };
        online[at] = number.ok_or_else(|| {
            let found = entry.node.value.describe();
            let wrong = Wrong::new(format!(
                "must be between 0 and {count}, the count of `{}`, not {found}",
                entry.key
            ));
            keys.refuse("users", wrong.at(&entry.node.place))
        })?;
    }
    Ok(online)
}

fn check_login_rates(
    keys: &Keys<'_>,
    duration: Duration,
    before: Option<&Phase>,
    online: &[u32],
    groups: &[Group],
) -> Result<(), Reported> {
    for (at, group) in groups.iter().enumerate() {
        let Some(ceiling) = group.login_rate else { continue };
        let logins = online[at].saturating_sub(before.map_or(0, |phase| phase.online[at]));
        let asked = f64::from(logins) / duration.as_secs_f64();
        if asked > ceiling.as_per_second() * (1.0 + 1e-9) {
            let shown = Rate::per_second(asked).unwrap_or(Rate::ZERO);
            let longest = f64::from(logins) / ceiling.as_per_second();
            let seconds = show_duration(Duration::from_secs_f64(longest.ceil().min(1e9)));
            let key = if keys.has("users") { "users" } else { "duration" };
            let wrong = Wrong::new(format!(
                "asks for {shown} logins of `{}` ({logins} in {}), above its login_rate of {ceiling}",
                group.name,
                show_duration(duration)
            ));
            return Err(keys.refuse(
                key,
                wrong.help(format!("make the phase at least {seconds} long, or raise login_rate")),
            ));
        }
    }
    Ok(())
}
