//! What users do: one file per feature. This listing is the feature table.
//!
//! | file | XEP | does | measures |
//! |---|---|---|---|
//! | [`message`] | RFC 6121 §5 | writes one-to-one messages to contacts or to anyone online | `message.delivery` |
//! | [`presence`] | RFC 6121 §4 | changes show and status, to all contacts or to one | `presence.delivery` |
//! | [`groupchat`] | XEP-0045 | makes rooms, joins them and talks in them | `groupchat.delivery`, `.echo`, `.fanout`, `.join`, `.create` |
//! | [`churn`] | RFC 6120 §4.4 | ends sessions and begins them again | `churn.close`, `churn.cut`, and `login` again |
//! | [`ping`] | XEP-0199 | asks the server for an answer | `ping` |
//!
//! A further activity is one file with a [`Feature`] and one line in [`FEATURES`]: its profile keys, what it sends, what
//! it expects, what it measures. What comes back is told by the token it carries (see [`crate::user`]), so an activity
//! whose stanzas carry tokens needs no code for reading.

pub mod churn;
pub mod groupchat;
pub mod message;
pub mod ping;
pub mod presence;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::profile::{
    Absence, Keys, KindSpec, Planned, Recipients, Registry, Reported, Rooms, SizeDistribution, Vocabulary,
};
use crate::sample::{LedgerCounts, LedgerKind, OperationSpec, Outcome, Token, TokenKind};

/// Every activity there is.
pub const FEATURES: &[Feature] =
    &[message::FEATURE, presence::FEATURE, groupchat::FEATURE, churn::FEATURE, ping::FEATURE];

/// An activity as it is declared.
#[derive(Clone, Copy, Debug)]
pub struct Feature {
    /// What a profile may say of it.
    pub spec: KindSpec,
    /// What it measures. A planned action that cannot be started counts as the first.
    pub operations: &'static [OperationSpec],
    /// What its stanzas are, as their tokens say.
    pub token: TokenKind,
    /// Reads its own keys.
    pub read: fn(&mut Keys<'_>) -> Result<Arc<dyn Behaviour>, Reported>,
}

/// An activity as a profile configured it.
pub trait Behaviour: Planned + fmt::Debug + Send + Sync {
    /// Writes one tracked stanza.
    fn write(&self, order: &Order<'_>, out: &mut Vec<u8>);

    /// The service its rooms are at; `{domain}` stands for the target's domain. None where it has no rooms.
    fn room_service(&self) -> Option<&str> {
        None
    }
}

/// What one stanza is to be. The builders escape what needs it.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The token as text: goes into the id, and to the head of the body where there is one.
    pub id: &'a str,
    /// The recipient's bare JID; empty for activities that have none, and for what goes to all contacts.
    pub to: &'a str,
    /// The server's domain.
    pub domain: &'a str,
    /// The body's size in bytes, at least [`Token::LEN`], for activities that have one.
    pub size: u32,
    /// The action's number within its activity: what varies from one to the next follows from it.
    pub number: u64,
}

/// An activity out of a profile, with what was declared of it.
#[derive(Clone, Debug)]
pub struct Activity {
    /// What was declared.
    pub feature: &'static Feature,
    /// What was configured.
    pub behaviour: Arc<dyn Behaviour>,
}

impl Planned for Activity {
    fn recipients(&self) -> Recipients {
        self.behaviour.recipients()
    }

    fn size(&self) -> Option<&SizeDistribution> {
        self.behaviour.size()
    }

    fn rooms(&self) -> Option<&Rooms> {
        self.behaviour.rooms()
    }

    fn absence(&self) -> Option<&Absence> {
        self.behaviour.absence()
    }
}

/// The registry a profile is read with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Features;

/// [`FEATURES`] as the profile wants to see them.
static KINDS: [KindSpec; FEATURES.len()] = {
    let mut kinds = [FEATURES[0].spec; FEATURES.len()];
    let mut index = 0;
    while index < FEATURES.len() {
        kinds[index] = FEATURES[index].spec;
        index += 1;
    }
    kinds
};

impl Registry for Features {
    type Activity = Activity;

    fn kinds(&self) -> &[KindSpec] {
        &KINDS
    }

    fn read(&self, kind: &str, keys: &mut Keys<'_>) -> Result<Activity, Reported> {
        let feature = FEATURES
            .iter()
            .find(|feature| feature.spec.kind == kind)
            .expect("only asked for kinds of this table");
        Ok(Activity { feature, behaviour: (feature.read)(keys)? })
    }

    fn vocabulary(&self) -> Vocabulary {
        Vocabulary {
            operations: SESSION_OPERATION_NAMES,
            outcomes: Outcome::NAMES,
            ledger_columns: LEDGER_COLUMNS,
            body_bytes_min: Token::LEN as u32,
            body_bytes_max: BODY_BYTES_MAX,
            users_max: Token::SENDER_MAX,
            run_max: Duration::from_nanos(Token::INTENDED_MAX.as_nanos()),
        }
    }
}

/// The longest body a plan may ask for.
const BODY_BYTES_MAX: u32 = 65_536;

/// The columns of every ledger, as SLOs name them.
const LEDGER_COLUMNS: &[&str] = &{
    let mut names = [""; LedgerCounts::COLUMNS.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = LedgerCounts::COLUMNS[index].0;
        index += 1;
    }
    names
};

/// What is measured of every login, whatever the activities are.
pub const LOGIN_OPERATIONS: &[OperationSpec] = &[
    login("login", "from the intended login to the roster's arrival and initial presence sent"),
    login("login.tcp", "from connect to connected"),
    login("login.stream", "from the stream header sent to the features read, once per stream"),
    login("login.tls", "from <starttls/> sent to the handshake's end"),
    login("login.auth", "from <auth/> sent to <success/> read, key derivation included"),
    login("login.bind", "from the bind request to its result"),
    login("login.session", "from the session request to its result, where the server wants one"),
    login("login.roster", "from the roster request to the whole roster"),
    login(
        "presence.echo",
        "from initial presence sent to its own copy read; absent where a server sends none",
    ),
];

/// What is measured of a planned logout, whatever the activities are.
pub const LOGOUT: OperationSpec = login(
    "logout",
    "from the intended logout, where users become fewer, to the server's having closed its side",
);

/// The names of [`LOGIN_OPERATIONS`], and of [`LOGOUT`].
const SESSION_OPERATION_NAMES: &[&str] = &{
    let mut names = [LOGOUT.name; LOGIN_OPERATIONS.len() + 1];
    let mut index = 0;
    while index < LOGIN_OPERATIONS.len() {
        names[index] = LOGIN_OPERATIONS[index].name;
        index += 1;
    }
    names
};

const fn login(name: &'static str, meaning: &'static str) -> OperationSpec {
    OperationSpec { name, meaning, ledger: None }
}

/// The operations of a run, in the order of their [`crate::sample::OperationId`]s: those of every login, logout, then those of each
/// activity. Two activities of one kind share their operations.
pub fn operations<'a>(activities: impl IntoIterator<Item = &'a Activity>) -> Vec<OperationSpec> {
    let mut all = [LOGIN_OPERATIONS, &[LOGOUT]].concat();
    for operation in activities.into_iter().flat_map(|activity| activity.feature.operations) {
        if !all.contains(operation) {
            all.push(*operation);
        }
    }
    all
}

/// The operations of which an action makes exactly one, by activity: their names, and the share of its actions that make them. What
/// is done of them can be held against what the plan asks for.
///
/// Presence to all contacts makes as many as are online. An operation that any activity makes in such numbers is left out for all.
pub fn wholes(activities: &[&Activity]) -> Vec<Vec<(&'static str, f64)>> {
    let broadcasts = activities.iter().filter(|one| one.recipients() == Recipients::Contacts);
    let many: Vec<&str> = broadcasts.map(|one| one.feature.operations[0].name).collect();
    let of_one = |activity: &&Activity| {
        let name = |index: usize| activity.feature.operations[index].name;
        let all = match activity.recipients() {
            Recipients::Contacts => Vec::new(),
            // Copies and echo are parts of it: a room message is done when its last occupant has read it.
            Recipients::Room => vec![(name(2), 1.0)],
            Recipients::Oneself => {
                let cut = activity.absence().map_or(0.0, |absence| absence.cut);
                vec![(name(0), 1.0 - cut), (name(1), cut)]
            }
            Recipients::Server | Recipients::Contact | Recipients::Online => vec![(name(0), 1.0)],
        };
        all.into_iter().filter(|(name, share)| *share > 0.0 && !many.contains(name)).collect()
    };
    activities.iter().map(of_one).collect()
}

/// The ledgers a run keeps, by operation.
pub fn ledgers(operations: &[OperationSpec]) -> Vec<Option<LedgerKind>> {
    operations.iter().map(|operation| operation.ledger).collect()
}
