//! From a text to a [`Profile`]: parse, override, read every section, hold them against each other.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::{self, Entry, Node, Place, Table, Value};
use super::keys::{Given, Keys, Reported, Surroundings};
use super::problem::{Notebook, Problems, Text, Wrong};
use super::read::slos::Measurable;
use super::read::{abort, activities, observe, phases, slos, tables, target, users};
use super::registry::{KeySpec, KindSpec, Presence, Recipients, Registry, Shape, Vocabulary};
use super::{
    AbortRule, ActivityPlan, Group, Observe, Phase, Planned, Profile, Slo, Source, Target, mask, set,
};
use crate::units::{show_count, show_duration};

/// The keys at the top of a profile.
pub const PROFILE_KEYS: &[KeySpec] = &[
    KeySpec {
        name: "deadline",
        shape: Shape::Duration,
        presence: Presence::Default("\"30s\""),
        doc: "an answer or delivery later than this is late",
    },
    KeySpec {
        name: "drain",
        shape: Shape::Duration,
        presence: Presence::Optional,
        doc: "at most this long after the last phase, for what is still open; at least the deadline, which is the default",
    },
    KeySpec {
        name: "seed",
        shape: Shape::Integer(0, i64::MAX as u64),
        presence: Presence::Optional,
        doc: "the seed of all randomness; without it a new one each run, named in the result",
    },
    KeySpec {
        name: "target",
        shape: Shape::Section,
        presence: Presence::Required,
        doc: "where to connect to",
    },
    KeySpec {
        name: "users",
        shape: Shape::Section,
        presence: Presence::Required,
        doc: "groups of users alike",
    },
    KeySpec {
        name: "phase",
        shape: Shape::Section,
        presence: Presence::Required,
        doc: "the stretches of the run",
    },
    KeySpec { name: "activity", shape: Shape::Section, presence: Presence::Required, doc: "what users do" },
    KeySpec {
        name: "slo",
        shape: Shape::Section,
        presence: Presence::Optional,
        doc: "what the run is held against",
    },
    KeySpec {
        name: "abort",
        shape: Shape::Section,
        presence: Presence::Optional,
        doc: "what ends the run early",
    },
    KeySpec {
        name: "observe",
        shape: Shape::Section,
        presence: Presence::Optional,
        doc: "what is watched of the server meanwhile",
    },
];

/// A profile longer than this is a mistake, bytes.
const TEXT_MAX: usize = 1 << 20;
/// More `--set` than this are a mistake.
const OVERRIDES_MAX: usize = 1_000;

/// A profile to be read. Not `Debug`: its texts may hold passwords.
#[derive(Clone, Default)]
pub struct Input {
    /// What messages call it: the file's path as given, or a shipped profile's name.
    pub name: String,
    /// The TOML text.
    pub text: String,
    /// Where relative paths in the text begin: the file's folder. Those in overrides are left as they are.
    pub folder: PathBuf,
    /// `--set` overrides, each `key=value`; of two for one key the later holds.
    pub overrides: Vec<String>,
}

/// Reads the files a profile names. The profile itself touches no disk.
pub trait Files {
    /// The text of a file, or why there is none. Should refuse what is absurdly large.
    fn read(&self, path: &Path) -> Result<String, String>;
}

/// [`Files`] and where relative paths begin.
pub(super) struct Library<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) folder: &'a Path,
}

impl Library<'_> {
    /// A file named at `place`: its path and its text.
    pub(super) fn read(&self, path: &str, place: &Place) -> (PathBuf, Result<String, String>) {
        let path = if place.is_override() { PathBuf::from(path) } else { self.folder.join(path) };
        let text = self.files.read(&path);
        (path, text)
    }
}

impl<A: Planned> Profile<A> {
    /// Reads and validates a profile; or says all that is wrong with it.
    pub fn read<R: Registry<Activity = A>>(
        input: &Input,
        registry: &R,
        files: &dyn Files,
    ) -> Result<Self, Problems> {
        let notebook = Notebook::default();
        let source = Source {
            name: input.name.clone(),
            text: mask::mask(&input.text),
            overrides: input.overrides.iter().map(|text| mask::mask(text)).collect(),
        };
        let library = Library { files, folder: &input.folder };
        let read = document(input, &notebook).and_then(|root| {
            let vocabulary = registry.vocabulary();
            let surroundings = Surroundings { notebook: &notebook, vocabulary: &vocabulary };
            Reader { registry, library, surroundings }.read(&root, source.clone())
        });
        match read {
            Ok(profile) if notebook.is_empty() => Ok(profile),
            _ => Err(notebook.close(texts(&source))),
        }
    }
}

/// The texts problems point into, numbered as in [`Place`].
fn texts(source: &Source) -> Vec<Text> {
    let file = Text { name: source.name.clone(), text: source.text.clone() };
    let set = |text: &String| Text { name: "--set".to_owned(), text: text.clone() };
    std::iter::once(file).chain(source.overrides.iter().map(set)).collect()
}

/// The document with its overrides.
fn document(input: &Input, notebook: &Notebook) -> Result<Node, Reported> {
    let start = Place { text: 0, start: 0, end: 0 };
    if input.text.len() > TEXT_MAX || input.overrides.len() > OVERRIDES_MAX {
        return Err(notebook.say(
            &start,
            "this is too long for a profile",
            "a list of accounts has a file of its own: accounts_file",
        ));
    }
    let mut root = document::parse(&input.text).map_err(|errors| {
        for error in errors {
            let message = format!("this is not TOML: {}", error.message);
            let help = "a key stands once in its table, as key = value, and text stands in quotes";
            let _ = notebook.say(&Place::new(0, &error.span), message, help);
        }
        Reported::new()
    })?;
    for (text, number) in input.overrides.iter().zip(1..) {
        // One that cannot be applied is a problem of its own; the others are checked all the same.
        let _ = set::apply(&mut root, number, text, notebook);
    }
    Ok(root)
}

struct Reader<'a, R> {
    registry: &'a R,
    library: Library<'a>,
    surroundings: Surroundings<'a>,
}

impl<R: Registry> Reader<'_, R> {
    fn read(&self, root: &Node, source: Source) -> Result<Profile<R::Activity>, Reported> {
        let Value::Table(table) = &root.value else { return Err(Reported::new()) };
        let start = Place { text: 0, start: 0, end: 0 };
        let specs = [PROFILE_KEYS];
        let mut keys = Keys::open("the profile", table, &start, &specs, self.surroundings);
        let deadline = read_deadline(&mut keys);
        let drain = read_drain(&mut keys, deadline.ok());
        let seed = keys.find::<u64>("seed");
        let target = self.target(&keys);
        let groups = self.groups(&keys, target.as_ref().ok());
        let phases = self.phases(&keys, groups.as_deref().ok());
        let activities = self.activities(&keys, groups.as_deref().ok());
        let slos = self.slos(&keys, phases.as_deref().ok());
        let abort = self.abort(&keys);
        let observe = self.observe(&keys, target.as_ref().ok());
        let profile = Profile {
            source,
            deadline: deadline?,
            drain: drain?,
            seed: seed?,
            target: target?,
            groups: groups?,
            phases: phases?,
            activities: activities?,
            slos: slos?,
            abort: abort?,
            observe: observe?,
        };
        check_whole(&profile, &keys).map(|()| profile)
    }

    fn target(&self, keys: &Keys<'_>) -> Result<Target, Reported> {
        let specs = [target::TARGET_KEYS];
        let Some(entry) = keys.entry("target") else { return Err(keys.missing("target")) };
        let table = table(entry, keys)?;
        target::read(
            Keys::open("[target]", table, &entry.node.place, &specs, self.surroundings),
            &self.library,
        )
    }

    fn groups(&self, keys: &Keys<'_>, target: Option<&Target>) -> Result<Vec<Group>, Reported> {
        let specs = [users::USERS_KEYS];
        let tables = tables(keys, "users", "[[users]]", &specs, self.surroundings)?;
        if tables.is_empty() {
            return Err(keys.missing("users"));
        }
        let alone = tables.len() == 1;
        let names: Vec<Place> = tables.iter().map(|keys| keys.place_of("name")).collect();
        let read: Vec<Result<users::Read, Reported>> =
            tables.into_iter().map(|keys| users::read(keys, alone, target, &self.library)).collect();
        let mut read = read.into_iter().collect::<Result<Vec<_>, _>>()?;
        let all: u64 = read.iter().map(|one| u64::from(one.group.count)).sum();
        let most = self.surroundings.vocabulary.users_max;
        if all > u64::from(most) {
            let wrong =
                Wrong::new(format!("are {} in all; at most {}", show_count(all), show_count(most.into())));
            return Err(
                keys.refuse("users", wrong.help("more cannot be told apart by the tokens in their messages"))
            );
        }
        users::check_apart(&read, &names, self.surroundings.notebook);
        let mut first = 0;
        for one in &mut read {
            one.group.first = first;
            first += one.group.count;
        }
        Ok(read.into_iter().map(|one| one.group).collect())
    }

    fn phases(&self, keys: &Keys<'_>, groups: Option<&[Group]>) -> Result<Vec<Phase>, Reported> {
        let specs = [phases::PHASE_KEYS];
        let tables = tables(keys, "phase", "[[phase]]", &specs, self.surroundings)?;
        if tables.is_empty() {
            return Err(keys.missing("phase"));
        }
        phases::read(tables, groups)
    }

    fn activities(
        &self,
        keys: &Keys<'_>,
        groups: Option<&[Group]>,
    ) -> Result<Vec<ActivityPlan<R::Activity>>, Reported> {
        let Some(entry) = keys.entry("activity") else { return Err(keys.missing("activity")) };
        let nodes = match &entry.node.value {
            Value::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(&entry.node),
        };
        if nodes.is_empty() || nodes.len() > ACTIVITIES_MAX {
            let wrong = Wrong::new(format!("must be 1 to {ACTIVITIES_MAX} tables, not {}", nodes.len()));
            return Err(keys.refuse("activity", wrong));
        }
        let phases = named(keys, "phase", "name");
        let scene = activities::Scene { groups, phases: phases.as_deref() };
        let read: Vec<_> = nodes
            .iter()
            .map(|node| activities::read(node, self.registry, scene, self.surroundings))
            .collect();
        read.into_iter().collect()
    }

    fn slos(&self, keys: &Keys<'_>, phases: Option<&[Phase]>) -> Result<Vec<Slo>, Reported> {
        let Some(entry) = keys.entry("slo") else { return Ok(Vec::new()) };
        let kinds = self.registry.kinds();
        // Where a kind is missing or misspelt, an objective may be about the one that was meant.
        let named = named(keys, "activity", "kind")
            .filter(|named| named.iter().all(|name| kinds.iter().any(|spec| spec.kind == *name)));
        let is_used = |spec: &&KindSpec| named.as_ref().is_none_or(|named| named.contains(&spec.kind));
        let used = kinds.iter().filter(is_used).collect();
        let measurable = Measurable { used, kinds, vocabulary: self.surroundings.vocabulary, phases };
        slos::read(table(entry, keys)?, &measurable, self.surroundings.notebook)
    }

    fn abort(&self, keys: &Keys<'_>) -> Result<Vec<AbortRule>, Reported> {
        let specs = [abort::ABORT_KEYS];
        let Some(entry) = keys.entry("abort") else { return Ok(Vec::new()) };
        let table = table(entry, keys)?;
        abort::read(Keys::open("[abort]", table, &entry.node.place, &specs, self.surroundings))
    }

    fn observe(&self, keys: &Keys<'_>, target: Option<&Target>) -> Result<Vec<Observe>, Reported> {
        let specs = [observe::OBSERVE_KEYS];
        let tables = tables(keys, "observe", "[observe]", &specs, self.surroundings)?;
        if tables.len() > observe::SOURCES_MAX {
            let most = observe::SOURCES_MAX;
            let wrong = Wrong::new(format!("must be no more than {most} tables, not {}", tables.len()));
            return Err(keys.refuse("observe", wrong));
        }
        let mut read: Vec<Result<Observe, Reported>> = Vec::new();
        for keys in tables {
            let before: Vec<&Observe> = read.iter().flatten().collect();
            read.push(observe::read(keys, target, &before));
        }
        read.into_iter().collect()
    }
}

/// Activities are named by 16 bits in every stream of randomness; far fewer make sense.
const ACTIVITIES_MAX: usize = 1_000;

/// What the tables of a section say at `key`, right or wrong; nothing unless all of them say a text.
fn named<'a>(keys: &Keys<'a>, section: &str, key: &str) -> Option<Vec<&'a str>> {
    let node = &keys.entry(section)?.node;
    let nodes = match &node.value {
        Value::List(nodes) => nodes.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let said = nodes.iter().map(|node| match &node.value {
        Value::Table(table) => Given(&table.get(key)?.node).text("a name").ok(),
        _ => None,
    });
    said.collect()
}

fn table<'a>(entry: &'a Entry, keys: &Keys<'_>) -> Result<&'a Table, Reported> {
    match &entry.node.value {
        Value::Table(table) => Ok(table),
        other => {
            let wrong = Wrong::new(format!("must be a table, not {}", other.describe()));
            Err(keys.refuse(&entry.key, wrong.help(format!("begin it with [{}]", entry.key))))
        }
    }
}

fn read_deadline(keys: &mut Keys<'_>) -> Result<Duration, Reported> {
    let deadline: Duration = keys.take("deadline")?;
    if deadline < Duration::from_millis(1) || deadline > HOUR {
        let wrong = Wrong::new(format!("must be between 1ms and 1h, not {}", show_duration(deadline)));
        return Err(keys.refuse("deadline", wrong));
    }
    Ok(deadline)
}

/// The end of the histograms' range.
const HOUR: Duration = Duration::from_hours(1);

fn read_drain(keys: &mut Keys<'_>, deadline: Option<Duration>) -> Result<Duration, Reported> {
    let drain: Option<Duration> = keys.find("drain")?;
    let Some(deadline) = deadline else { return Ok(drain.unwrap_or_default()) };
    match drain {
        None => Ok(deadline),
        Some(drain) if drain < deadline => {
            let (drain, deadline) = (show_duration(drain), show_duration(deadline));
            let wrong = Wrong::new(format!("must be at least the deadline of {deadline}, not {drain}"));
            Err(keys.refuse("drain", wrong.help("what is sent last has a deadline's time to arrive")))
        }
        Some(drain) if drain > HOUR => Err(keys.refuse("drain", Wrong::new("must be at most 1h"))),
        Some(drain) => Ok(drain),
    }
}

/// What no section can say alone.
fn check_whole<A: Planned>(profile: &Profile<A>, keys: &Keys<'_>) -> Result<(), Reported> {
    let Vocabulary { run_max, .. } = *keys.vocabulary();
    let length = profile.end_of_phases().since(crate::units::Offset::ZERO) + profile.drain;
    let before = std::iter::once(0).chain(profile.phases.iter().map(Phase::online_total));
    let with_most =
        profile.phases.iter().zip(before).map(|(phase, before)| (phase, before.max(phase.online_total())));
    let measured: Vec<(&Phase, u32)> = with_most.filter(|(phase, _)| phase.measure).collect();
    let nobody = measured.iter().find(|(_, most)| *most == 0);
    let pairs = profile
        .activities
        .iter()
        .any(|plan| !matches!(plan.activity.recipients(), Recipients::Server | Recipients::Oneself));
    let single = measured.iter().find(|(_, most)| pairs && *most < 2);
    let wrong = if measured.is_empty() {
        Wrong::new("no phase is measured: the run would measure nothing")
            .help("set measure = true in one of them")
    } else if length > run_max {
        Wrong::new(format!(
            "phases and drain are {} long in all; at most {}",
            show_duration(length),
            show_duration(run_max)
        ))
        .help("a longer run's instants cannot be told apart by the tokens in its messages")
    } else if let Some((phase, _)) = nobody {
        Wrong::new(format!("phase `{}` is measured, but nobody is online in it", phase.name))
            .help("set `users` in it or before")
    } else if let Some((phase, _)) = single {
        Wrong::new(format!(
            "phase `{}` is measured with one user online, and an activity needs two",
            phase.name
        ))
        .help("raise `users`")
    } else {
        return Ok(());
    };
    Err(keys.say_of("phase", wrong))
}
