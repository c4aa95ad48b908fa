//! Carrying out one planned action, or counting why not.

use crate::activity::Order;
use crate::engine::run::{PlannedActivity, Run};
use crate::engine::shard::{Shard, Tracked};
use crate::machine::{Channel, Outbox};
use crate::plan::{Action, LOGIN_GRACE, To};
use crate::record::fanout::Announce;
use crate::sample::ledger::Expect;
use crate::sample::{
    LedgerKind, Note, OperationId, Outcome, Place, Sample, Token, TokenKind, Unsent, UserIndex,
};
use crate::units::Offset;

/// Bytes a user may have written and the peer not taken; above it operations are unsent. Far below the driver's own limit,
/// which would end the connection.
const QUEUE_BYTES_MAX: u64 = 256 * 1024;

impl Shard {
    /// Carries out one planned action, or counts why not.
    pub(super) fn act(&mut self, now: Offset, action: &Action, out: &mut Outbox) {
        let run = std::sync::Arc::clone(&self.run);
        let activity = &run.activities[usize::from(action.activity)];
        let done = match (action.to, activity.broadcasts) {
            (To::Away { until, cut }, _) => {
                let back =
                    until.map_or_else(|| self.stay_end(now, action.sender), |it| Some(it + LOGIN_GRACE));
                self.stays.user_away(action.sender, back.unwrap_or(Offset::MAX));
                self.send_away(now, action, until, cut, out)
            }
            (To::Contacts | To::Room { .. } | To::User(_), Some(kind)) => {
                self.broadcast(now, action, activity, kind, out)
            }
            (To::Server | To::User(_) | To::Contacts | To::Room { .. }, _) => {
                self.send(now, action, activity, out)
            }
        };
        match done {
            Ok(()) => {
                self.watch.lags[run.phase_of(action.at)].record_nanos(now.signed_nanos_since(action.at));
            }
            Err(reason) => self.not_begun(action, reason),
        }
    }

    /// Counts an action that could not be begun.
    pub(super) fn not_begun(&mut self, action: &Action, reason: Unsent) {
        let run = std::sync::Arc::clone(&self.run);
        let activity = &run.activities[usize::from(action.activity)];
        let group = run.group_of(action.sender).id;
        let operation = match action.to {
            To::Away { cut, .. } => activity.operations[usize::from(cut)],
            _ => activity.operation(),
        };
        let copies = self.copies_owed(&run, action, activity);
        self.recorder.unsent_copies(operation, group, action.at, reason, copies);
        // What was to be measured of a whole broadcast did not happen either.
        for also in activity.measured_beside() {
            self.recorder.sample(Sample::ended(also, group, action.at, Outcome::Unsent(reason)));
        }
    }

    /// How many copies an action would have owed, as things stand.
    fn copies_owed(&self, run: &Run, action: &Action, activity: &PlannedActivity) -> u32 {
        let copies = match (action.to, activity.broadcasts, activity.rooms.map(|index| &run.rooms[index])) {
            (To::Room { seat }, Some(_), Some(set)) => {
                let seats = set.seats(set.place_of(set.first_seat + seat));
                seats.filter(|&seat| self.whereabouts.is_seated(seat)).count()
            }
            (To::Contacts, Some(_), _) => {
                let contacts = run.topology.contacts(action.sender);
                contacts.filter(|&contact| self.whereabouts.is_online(UserIndex(contact))).count()
            }
            _ => 1,
        };
        copies as u32
    }

    /// A stanza to one recipient, or to the server.
    fn send(
        &mut self,
        now: Offset,
        action: &Action,
        activity: &PlannedActivity,
        out: &mut Outbox,
    ) -> Result<(), Unsent> {
        self.check_sender(action.sender)?;
        let recipient = action.recipient();
        self.check_recipient(recipient)?;
        let sequence = self.recorder.next_sequence().ok_or(Unsent::OurLimit)?;
        let run = std::sync::Arc::clone(&self.run);
        let to = recipient.map_or("", |recipient| run.names.bare(recipient));
        let token = self.write_action(action, activity, to, sequence, out);
        let expect = Expect {
            token,
            operation: activity.operation(),
            group: run.group_of(action.sender).id,
            recipient: UserIndex(recipient.unwrap_or(action.sender)),
            offered: now,
        };
        self.recorder.note(Note::Expect(expect));
        Ok(())
    }

    /// A stanza whose copies go to whoever is there.
    fn broadcast(
        &mut self,
        now: Offset,
        action: &Action,
        activity: &PlannedActivity,
        kind: LedgerKind,
        out: &mut Outbox,
    ) -> Result<(), Unsent> {
        self.check_sender(action.sender)?;
        let run = std::sync::Arc::clone(&self.run);
        let (place, to, recipients) = match action.to {
            To::Room { seat } => self.room_audience(&run, activity, seat)?,
            To::User(contact) => {
                self.check_recipient(Some(contact))?;
                (Place::NOWHERE, run.names.bare(contact).to_owned(), vec![UserIndex(contact)])
            }
            To::Contacts | To::Server | To::Away { .. } => {
                (Place::NOWHERE, String::new(), self.contacts_online(&run, action, activity))
            }
        };
        let sequence = self.recorder.next_broadcast(recipients.len()).ok_or(Unsent::OurLimit)?;
        let token = self.write_action(action, activity, &to, sequence, out);
        self.recorder.announce(&Announce {
            token,
            kind,
            measures: activity.measures(),
            group: run.group_of(action.sender).id,
            place,
            recipients: &recipients,
            offered: now,
        });
        Ok(())
    }

    /// The room of a seat, its address, and everybody in it by the tool's own view.
    fn room_audience(
        &self,
        run: &Run,
        activity: &PlannedActivity,
        seat: u32,
    ) -> Result<(Place, String, Vec<UserIndex>), Unsent> {
        let set = activity.rooms.map(|index| &run.rooms[index]).ok_or(Unsent::NotJoined)?;
        let seat = set.first_seat + seat;
        if !self.whereabouts.is_seated(seat) {
            return Err(Unsent::NotJoined);
        }
        let place = set.place_of(seat);
        let seated = set.seats(place).filter(|&seat| self.whereabouts.is_seated(seat));
        let recipients = seated.map(|seat| UserIndex(set.user_of(seat))).collect();
        Ok((place, run.room_names.bare(place), recipients))
    }

    /// The sender's contacts who are online and, by the server's roster, see its presence. Those who should and do not are
    /// counted.
    fn contacts_online(&mut self, run: &Run, action: &Action, activity: &PlannedActivity) -> Vec<UserIndex> {
        let group = run.group_of(action.sender).id;
        let mut online: Vec<UserIndex> = run
            .topology
            .contacts(action.sender)
            .map(UserIndex)
            .filter(|&contact| self.whereabouts.is_online(contact))
            .collect();
        if !self.unsubscribed.is_empty() {
            let (unsubscribed, recorder) = (&self.unsubscribed, &mut self.recorder);
            online.retain(|contact| {
                let sees = !unsubscribed.contains(&(action.sender, contact.0));
                if !sees {
                    recorder.unsent(activity.operation(), group, action.at, Unsent::NotSubscribed);
                }
                sees
            });
        }
        online.sort_unstable();
        online
    }

    /// Writes an action's stanza and keeps track of its bytes.
    fn write_action(
        &mut self,
        action: &Action,
        activity: &PlannedActivity,
        to: &str,
        sequence: u64,
        out: &mut Outbox,
    ) -> Token {
        let sender = UserIndex(action.sender);
        let token =
            Token { kind: activity.token, run: self.run.number, sender, sequence, intended: action.at };
        let id = token.to_text();
        let order =
            Order { id: id.as_str(), to, domain: &self.run.domain, size: action.size, number: action.number };
        let channel = Channel(action.sender - self.range.start);
        let user = &mut self.users[channel.0 as usize];
        let end = user.write(channel, out, |bytes| activity.behaviour.write(&order, bytes));
        self.watch.stanzas[self.run.phase_of(action.at)].written += 1;
        self.written.push(channel, Tracked { end, kind: activity.token, sequence });
        token
    }

    /// A user's roster as the server has it, against the profile's graph.
    pub(super) fn compare_roster(&mut self, user: UserIndex, subscribers: &[Box<str>]) {
        let run = &self.run;
        let subscribers: std::collections::HashSet<&str> = subscribers.iter().map(AsRef::as_ref).collect();
        for contact in run.topology.contacts(user.0) {
            if subscribers.contains(run.names.bare(contact)) {
                self.unsubscribed.remove(&(user.0, contact));
            } else {
                self.unsubscribed.insert((user.0, contact));
            }
        }
    }

    fn check_sender(&self, sender: u32) -> Result<(), Unsent> {
        let user = &self.users[(sender - self.range.start) as usize];
        if !user.is_online() {
            return Err(self.whose_fault(sender).unwrap_or(Unsent::SenderOffline));
        }
        if user.queued_bytes() > QUEUE_BYTES_MAX { Err(Unsent::QueueFull) } else { Ok(()) }
    }

    fn check_recipient(&self, recipient: Option<u32>) -> Result<(), Unsent> {
        match recipient {
            Some(recipient) if !self.whereabouts.is_online(UserIndex(recipient)) => {
                Err(self.whose_fault(recipient).unwrap_or(Unsent::RecipientOffline))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn whose_fault(&self, user: u32) -> Option<Unsent> {
        self.whereabouts.whose_fault(UserIndex(user))
    }

    /// Opens the entry of a request that is not planned one by one, and returns its token.
    pub(super) fn expect_request(
        &mut self,
        now: Offset,
        user: UserIndex,
        operation: OperationId,
        intended: Offset,
    ) -> Option<Token> {
        let sequence = self.recorder.next_sequence()?;
        let token =
            Token { kind: TokenKind::Request, run: self.run.number, sender: user, sequence, intended };
        let group = self.run.group_of(user.0).id;
        self.recorder.note(Note::Expect(Expect { token, operation, group, recipient: user, offered: now }));
        Some(token)
    }
}
