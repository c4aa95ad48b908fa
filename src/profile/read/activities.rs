//! Reading `[[activity]]`: the keys all activities share; the others are the registry's.

use std::time::Duration;

use super::super::ActivityPlan;
use super::super::document::{Entry, Node, Table, Value};
use super::super::group::{Accounts, Group};
use super::super::keys::{Given, Keys, Reported, Surroundings};
use super::super::problem::{Wrong, did_you_mean, suggestion};
use super::super::registry::{
    Join, KeySpec, KindSpec, Planned, Presence, Recipients, Registry, Rooms, Shape,
};
use super::super::value::{Arrivals, Pace};
use super::PaceRate;

/// The keys every activity has.
pub const ACTIVITY_KEYS: &[KeySpec] = &[
    KeySpec { name: "kind", shape: Shape::Text, presence: Presence::Required, doc: "what users do" },
    KeySpec {
        name: "rate",
        shape: Shape::PaceRate,
        presence: Presence::Optional,
        doc: "how often in all (\"200/s\") or per user online (\"2/min per user\"); either this or `every`",
    },
    KeySpec {
        name: "every",
        shape: Shape::Duration,
        presence: Presence::Optional,
        doc: "how often for each user online, at a fixed phase of its own: \"10s\"; either this or `rate`",
    },
    KeySpec {
        name: "arrivals",
        shape: Shape::Choice(&["poisson", "constant"]),
        presence: Presence::Default("\"poisson\""),
        doc: "how the instants of a `rate` are spread",
    },
];

/// What an activity is held against, where it could be read.
#[derive(Clone, Copy)]
pub(in crate::profile) struct Scene<'a> {
    pub(in crate::profile) groups: Option<&'a [Group]>,
    /// The names of all phases.
    pub(in crate::profile) phases: Option<&'a [&'a str]>,
}

/// Reads one activity.
pub(in crate::profile) fn read<R: Registry>(
    node: &Node,
    registry: &R,
    scene: Scene<'_>,
    surroundings: Surroundings<'_>,
) -> Result<ActivityPlan<R::Activity>, Reported> {
    let Value::Table(table) = &node.value else {
        let message = format!("an activity must be a table, not {}", node.value.describe());
        return Err(surroundings.notebook.say(&node.place, message, "begin each one with [[activity]]"));
    };
    let Some(entry) = table.get("kind") else {
        return Err(no_kind(node, table, registry, surroundings));
    };
    let spec = kind(&entry.node, registry).map_err(|wrong| {
        let message = format!("`kind` {}", wrong.message);
        surroundings.notebook.say(&entry.node.place, message, wrong.help.unwrap_or_default())
    })?;
    let specs = [ACTIVITY_KEYS, spec.keys];
    let name = format!("[[activity]] of kind \"{}\"", spec.kind);
    let mut keys = Keys::open(&name, table, &node.place, &specs, surroundings);
    let pace = read_pace(&mut keys);
    let arrivals = read_arrivals(&mut keys);
    let activity = registry.read(spec.kind, &mut keys)?;
    keys.all_known()?;
    if let Some(groups) = scene.groups {
        check_recipients(&keys, spec, activity.recipients(), groups)?;
        check_rooms(&keys, activity.rooms(), groups)?;
    }
    if let Some(phases) = scene.phases {
        check_join(&keys, activity.rooms(), phases)?;
    }
    Ok(ActivityPlan { kind: spec.kind, pace: pace?, arrivals: arrivals?, activity })
}

/// The kind is missing, or its key is misspelt: what the others are to be cannot be said without it.
fn no_kind<R: Registry>(
    node: &Node,
    table: &Table,
    registry: &R,
    surroundings: Surroundings<'_>,
) -> Reported {
    let names = || ACTIVITY_KEYS.iter().map(|spec| spec.name);
    let is_it = |entry: &&Entry| suggestion(&entry.key, names()) == Some("kind");
    if let Some(entry) = table.entries.iter().find(is_it) {
        let message = format!("`{}` is not a key of [[activity]]", super::shorten(&entry.key));
        return surroundings.notebook.say(&entry.place, message, did_you_mean(&entry.key, names()));
    }
    let message = "[[activity]] has no `kind`";
    surroundings.notebook.say(&node.place, message, kind_help(table, registry))
}

fn kind<'a, R: Registry>(node: &Node, registry: &'a R) -> Result<&'a KindSpec, Wrong> {
    let text = Given(node).text("the name of an activity")?;
    registry.kinds().iter().find(|spec| spec.kind == text).ok_or_else(|| {
        let wrong = Wrong::new(format!("is no activity: \"{}\"", super::shorten(text)));
        wrong.help(did_you_mean(text, registry.kinds().iter().map(|spec| spec.kind)))
    })
}

/// How a kind is named; whoever wrote `[activity.message]` has one in mind.
fn kind_help<R: Registry>(table: &Table, registry: &R) -> String {
    let meant = registry.kinds().iter().find(|spec| table.get(spec.kind).is_some());
    meant.map_or_else(
        || format!("add `kind`: {}", kinds(registry)),
        |spec| format!("begin each one with [[activity]], and write kind = \"{}\" below it", spec.kind),
    )
}

fn kinds<R: Registry>(registry: &R) -> String {
    let listed: Vec<String> = registry.kinds().iter().map(|spec| format!("\"{}\"", spec.kind)).collect();
    listed.join(" or ")
}

fn read_pace(keys: &mut Keys<'_>) -> Result<Pace, Reported> {
    let rate = keys.find::<PaceRate>("rate");
    let every = keys.find::<Duration>("every");
    match (rate?, every?) {
        (Some(rate), None) => Ok(rate.0),
        (None, Some(period)) if period < Duration::from_millis(1) => {
            Err(keys.refuse("every", Wrong::new("must be at least 1ms")))
        }
        (None, Some(period)) => Ok(Pace::Every(period)),
        (Some(_), Some(_)) => {
            let wrong = Wrong::new("and `rate` exclude each other");
            Err(keys.refuse(
                "every",
                wrong.help("`rate` is a rate in all or per user, `every` a period per user"),
            ))
        }
        (None, None) if keys.is_misspelt("session") => Err(Reported::new()),
        (None, None) if keys.has("session") => {
            keys.find("session")?.map(Pace::Session).ok_or_else(|| keys.missing("rate"))
        }
        (None, None) => Err(keys.missing("rate")),
    }
}

fn read_arrivals(keys: &mut Keys<'_>) -> Result<Arrivals, Reported> {
    let arrivals =
        keys.choose("arrivals", &[("poisson", Arrivals::Poisson), ("constant", Arrivals::Constant)])?;
    if !keys.has("every") {
        return Ok(arrivals);
    }
    if keys.has("arrivals") {
        let wrong = Wrong::new("is no use with `every`, which is periodic per user");
        return Err(keys.refuse("arrivals", wrong.help("leave it out, or say `rate` instead of `every`")));
    }
    Ok(Arrivals::Constant)
}

/// Rooms as large as the population allows, and no larger.
fn check_rooms(keys: &Keys<'_>, rooms: Option<&Rooms>, groups: &[Group]) -> Result<(), Reported> {
    let users: u64 = groups.iter().map(|group| u64::from(group.count)).sum();
    let largest = rooms.and_then(|rooms| rooms.sizes.first()).copied().map_or(0, u64::from);
    if largest <= users {
        return Ok(());
    }
    let wrong = Wrong::new(format!("asks for a room of {largest}, and there are {users} users"));
    Err(keys.refuse("occupants", wrong.help("raise `count` in [[users]], or make rooms smaller")))
}

/// The phase from which on users join their rooms must be there.
fn check_join(keys: &Keys<'_>, rooms: Option<&Rooms>, phases: &[&str]) -> Result<(), Reported> {
    let Some(Join::Phase(name, _)) = rooms.map(|rooms| &rooms.join) else { return Ok(()) };
    if phases.contains(&name.as_str()) {
        return Ok(());
    }
    let wrong = Wrong::new(format!("names no phase of this profile: \"{}\"", super::shorten(name)));
    let known = std::iter::once("login").chain(phases.iter().copied());
    Err(keys.refuse("join", wrong.help(did_you_mean(name, known))))
}

fn check_recipients(
    keys: &Keys<'_>,
    spec: &KindSpec,
    recipients: Recipients,
    groups: &[Group],
) -> Result<(), Reported> {
    if matches!(recipients, Recipients::Server | Recipients::Oneself) {
        return Ok(());
    }
    let key = if keys.has("to") { "to" } else { "kind" };
    let users: u64 = groups.iter().map(|group| u64::from(group.count)).sum();
    let wrong = if users < 2 {
        Wrong::new("needs two users, and the profile has one").help("raise `count` in [[users]]")
    } else if let Some(group) = groups.iter().find(|group| matches!(group.accounts, Accounts::Anonymous)) {
        Wrong::new(format!(
            "needs users whose address is known beforehand; those of `{}` are anonymous",
            group.name
        ))
        .help("anonymous users can only do what needs no other user")
    } else if let Some(group) = groups
        .iter()
        .find(|group| matches!(recipients, Recipients::Contact | Recipients::Contacts) && group.contacts == 0)
    {
        Wrong::new(format!("needs contacts, and the users of `{}` have none", group.name))
            .help(contacts_help(spec))
    } else {
        return Ok(());
    };
    Err(keys.refuse(key, wrong))
}

/// Where contacts come from, and how to do without where the kind can.
fn contacts_help(spec: &KindSpec) -> &'static str {
    let knows_online = |key: &KeySpec| match key.shape {
        Shape::Choice(choices) => key.name == "to" && choices.contains(&"online"),
        _ => false,
    };
    if spec.keys.iter().any(knows_online) {
        "set `contacts` in [[users]], or write to = \"online\""
    } else {
        "set `contacts` in [[users]]"
    }
}
