//! How an attempt can end, classed by who is at fault. The names are public: they are keys of the result file.

/// How one attempt at an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Completed within the deadline.
    Ok,
    /// Completed after the deadline.
    Late,
    /// A message copy that never came.
    Lost,
    /// A request that was never answered.
    Timeout,
    /// Answered with an error, or ended by one.
    Failed(ErrorClass),
    /// Could not be started.
    Unsent(Unsent),
    /// Nobody can say: a stream it depended on ended or began meanwhile.
    Indeterminate(Indeterminate),
}

impl Outcome {
    /// Every outcome.
    pub const ALL: &'static [Self] = &[
        Self::Ok,
        Self::Late,
        Self::Lost,
        Self::Timeout,
        Self::Failed(ErrorClass::Server),
        Self::Failed(ErrorClass::Throttled),
        Self::Failed(ErrorClass::Policy),
        Self::Failed(ErrorClass::Protocol),
        Self::Failed(ErrorClass::Network),
        Self::Failed(ErrorClass::Local),
        Self::Failed(ErrorClass::Misuse),
        Self::Unsent(Unsent::SenderOffline),
        Self::Unsent(Unsent::RecipientOffline),
        Self::Unsent(Unsent::NotJoined),
        Self::Unsent(Unsent::NotSubscribed),
        Self::Unsent(Unsent::QueueFull),
        Self::Unsent(Unsent::OurLimit),
        Self::Unsent(Unsent::Stopped),
        Self::Unsent(Unsent::LoggedOut),
        Self::Unsent(Unsent::LastSession),
        Self::Indeterminate(Indeterminate::RecipientStream),
        Self::Indeterminate(Indeterminate::RecipientStay),
        Self::Indeterminate(Indeterminate::SenderStream),
        Self::Indeterminate(Indeterminate::NeverSent),
        Self::Indeterminate(Indeterminate::Interrupted),
    ];

    /// The names of [`Outcome::ALL`], behind those of the families that have several.
    pub const NAMES: &'static [&'static str] = &{
        let mut names = ["failed"; 3 + Self::ALL.len()];
        names[1] = "unsent";
        names[2] = "indeterminate";
        let mut index = 0;
        while index < Self::ALL.len() {
            names[3 + index] = Self::ALL[index].as_str();
            index += 1;
        }
        names
    };

    /// Whether there are four instants for it.
    pub const fn is_completed(self) -> bool {
        matches!(self, Self::Ok | Self::Late)
    }

    /// Whether it counts among the attempts a percentile is taken over. What is indeterminate is in neither the
    /// numerator nor the denominator: it says nothing about the server.
    pub const fn is_attempt(self) -> bool {
        !matches!(self, Self::Indeterminate(_))
    }

    /// The key under `operations.<name>.outcomes`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Late => "late",
            Self::Lost => "lost",
            Self::Timeout => "timeout",
            Self::Failed(class) => class.as_outcome(),
            Self::Unsent(reason) => reason.as_outcome(),
            Self::Indeterminate(reason) => reason.as_outcome(),
        }
    }
}

/// Who is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorClass {
    /// The server said no: a stanza, SASL or stream error that is a considered answer.
    Server,
    /// The server asked us to slow down (`resource-constraint`, `policy-violation` on rates, waits).
    Throttled,
    /// The server enforced a rule (`not-allowed`, `forbidden`, `policy-violation`).
    Policy,
    /// The peer broke the protocol, or sent what we refuse to read.
    Protocol,
    /// The network: refused, reset, timed out.
    Network,
    /// A limit of ours: descriptors, ports, memory, queues.
    Local,
    /// The run asked for what cannot be: wrong certificate, no acceptable mechanism.
    Misuse,
}

impl ErrorClass {
    /// The class's own name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Throttled => "throttled",
            Self::Policy => "policy",
            Self::Protocol => "protocol",
            Self::Network => "network",
            Self::Local => "local",
            Self::Misuse => "misuse",
        }
    }

    const fn as_outcome(self) -> &'static str {
        match self {
            Self::Server => "failed-server",
            Self::Throttled => "failed-throttled",
            Self::Policy => "failed-policy",
            Self::Protocol => "failed-protocol",
            Self::Network => "failed-network",
            Self::Local => "failed-local",
            Self::Misuse => "failed-misuse",
        }
    }
}

/// Why an operation was never started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unsent {
    /// The sender was not online when it should have been.
    SenderOffline,
    /// The recipient was not online when it should have been.
    RecipientOffline,
    /// The sender was not in the room when it should have been.
    NotJoined,
    /// The server's roster lacks the subscription this copy needs (RFC 6121 §3).
    NotSubscribed,
    /// The connection's queue of bytes the peer does not read is full.
    QueueFull,
    /// Our doing: the ledger is full, or somebody it takes is offline for a limit of this machine or for a login that could not
    /// work as asked.
    OurLimit,
    /// It was due when the run stopped, and we had not got round to it.
    Stopped,
    /// A login that was held back by its group's ceiling until its user's logout was due.
    LoggedOut,
    /// A login that waited, until its user's logout or the run's end, for the server to close the user's last session.
    LastSession,
}

impl Unsent {
    /// Whether the reason lies with the generator (it then convicts it, see the verdict table).
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::OurLimit | Self::Stopped)
    }

    const fn as_outcome(self) -> &'static str {
        match self {
            Self::SenderOffline => "unsent-sender-offline",
            Self::RecipientOffline => "unsent-recipient-offline",
            Self::NotJoined => "unsent-not-joined",
            Self::NotSubscribed => "unsent-not-subscribed",
            Self::QueueFull => "unsent-queue-full",
            Self::OurLimit => "unsent-our-limit",
            Self::Stopped => "unsent-stopped",
            Self::LoggedOut => "unsent-logged-out",
            Self::LastSession => "unsent-last-session",
        }
    }
}

/// Why nobody can say what became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Indeterminate {
    /// The recipient's stream ended or began between sent and deadline.
    RecipientStream,
    /// The recipient left the room, or was put out of it, between sent and deadline.
    RecipientStay,
    /// The sender's stream ended before the answer.
    SenderStream,
    /// The bytes were still in our queue when the stream or the run ended.
    NeverSent,
    /// The run was cut short by its user.
    Interrupted,
}

impl Indeterminate {
    const fn as_outcome(self) -> &'static str {
        match self {
            Self::RecipientStream => "indeterminate-recipient-stream",
            Self::RecipientStay => "indeterminate-recipient-stay",
            Self::SenderStream => "indeterminate-sender-stream",
            Self::NeverSent => "indeterminate-never-sent",
            Self::Interrupted => "indeterminate-interrupted",
        }
    }
}

/// One error as it is counted and shown: the class, where it happened, the condition, and a bounded text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fault {
    /// Who is at fault.
    pub class: ErrorClass,
    /// The step or operation it happened in (`auth`, `message`).
    pub step: &'static str,
    /// The defined condition (`not-authorized`), or a short name of ours. Never a password, never unbounded.
    pub condition: String,
    /// The peer's own text or a longer explanation, cut to a bounded length.
    pub text: String,
}

impl Fault {
    /// The longest text kept of what a peer said, in characters.
    pub const TEXT_MAX: usize = 200;

    /// A fault whose texts are cut to [`Fault::TEXT_MAX`] and freed of control characters.
    pub fn new(class: ErrorClass, step: &'static str, condition: &str, text: &str) -> Self {
        let clean = |text: &str| -> String {
            text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(Self::TEXT_MAX).collect()
        };
        Self { class, step, condition: clean(condition), text: clean(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new variant does not compile here until it is named, and is missing in the list until it stands there too.
    const fn next(outcome: Outcome) -> Option<Outcome> {
        Some(match outcome {
            Outcome::Ok => Outcome::Late,
            Outcome::Late => Outcome::Lost,
            Outcome::Lost => Outcome::Timeout,
            Outcome::Timeout => Outcome::Failed(ErrorClass::Server),
            Outcome::Failed(ErrorClass::Server) => Outcome::Failed(ErrorClass::Throttled),
            Outcome::Failed(ErrorClass::Throttled) => Outcome::Failed(ErrorClass::Policy),
            Outcome::Failed(ErrorClass::Policy) => Outcome::Failed(ErrorClass::Protocol),
            Outcome::Failed(ErrorClass::Protocol) => Outcome::Failed(ErrorClass::Network),
            Outcome::Failed(ErrorClass::Network) => Outcome::Failed(ErrorClass::Local),
            Outcome::Failed(ErrorClass::Local) => Outcome::Failed(ErrorClass::Misuse),
            Outcome::Failed(ErrorClass::Misuse) => Outcome::Unsent(Unsent::SenderOffline),
            Outcome::Unsent(Unsent::SenderOffline) => Outcome::Unsent(Unsent::RecipientOffline),
            Outcome::Unsent(Unsent::RecipientOffline) => Outcome::Unsent(Unsent::NotJoined),
            Outcome::Unsent(Unsent::NotJoined) => Outcome::Unsent(Unsent::NotSubscribed),
            Outcome::Unsent(Unsent::NotSubscribed) => Outcome::Unsent(Unsent::QueueFull),
            Outcome::Unsent(Unsent::QueueFull) => Outcome::Unsent(Unsent::OurLimit),
            Outcome::Unsent(Unsent::OurLimit) => Outcome::Unsent(Unsent::Stopped),
            Outcome::Unsent(Unsent::Stopped) => Outcome::Unsent(Unsent::LoggedOut),
            Outcome::Unsent(Unsent::LoggedOut) => Outcome::Unsent(Unsent::LastSession),
            Outcome::Unsent(Unsent::LastSession) => Outcome::Indeterminate(Indeterminate::RecipientStream),
            Outcome::Indeterminate(Indeterminate::RecipientStream) => {
                Outcome::Indeterminate(Indeterminate::RecipientStay)
            }
            Outcome::Indeterminate(Indeterminate::RecipientStay) => {
                Outcome::Indeterminate(Indeterminate::SenderStream)
            }
            Outcome::Indeterminate(Indeterminate::SenderStream) => {
                Outcome::Indeterminate(Indeterminate::NeverSent)
            }
            Outcome::Indeterminate(Indeterminate::NeverSent) => {
                Outcome::Indeterminate(Indeterminate::Interrupted)
            }
            Outcome::Indeterminate(Indeterminate::Interrupted) => return None,
        })
    }

    #[test]
    fn every_outcome_stands_in_the_list_and_its_family_in_the_names() {
        let all: Vec<Outcome> = std::iter::successors(Some(Outcome::Ok), |outcome| next(*outcome)).collect();
        assert_eq!(Outcome::ALL, all);
        for name in Outcome::NAMES {
            let family = name.split_once('-').map_or(*name, |(family, _)| family);
            assert!(Outcome::NAMES.contains(&family), "{name}");
        }
    }
}
