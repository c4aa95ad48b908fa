//! Sessions that end by plan: users who log out, and those an activity sends away.
//!
//! A session that is closed in good order ends when the server has closed its side too: `</stream:stream>` is answered by the
//! same (RFC 6120 §4.4). A server that closes the connection without it has closed its side as well. Whoever gets no answer
//! within the deadline cuts the connection, and that is a timeout. A cut waits for nothing.
//!
//! Invariant: every planned logout ends in one sample, but for those whose session an activity has ended for good before.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::time::Duration;

use crate::engine::run::Run;
use crate::engine::shard::{Life, Shard};
use crate::machine::{Channel, Outbox};
use crate::plan::Action;
use crate::sample::{Indeterminate, Instants, OperationId, Outcome, Sample, Unsent, UserIndex};
use crate::units::Offset;
use crate::user::{Farewell, User};

/// See the module text. Users are numbered within the shard.
pub(super) struct Leavings {
    logouts: VecDeque<(Offset, u32)>,
    /// Whose session is being ended.
    under_way: HashMap<u32, Leaving>,
    /// Until when the server's answer is waited for: limit, who, and which of its logins it was.
    limits: VecDeque<(Offset, u32, u32)>,
    /// Who was sent away and has no return of its own before its logout.
    gone: HashSet<u32>,
}

/// A session that is being ended.
#[derive(Clone, Copy, Debug)]
struct Leaving {
    operation: OperationId,
    intended: Offset,
    offered: Offset,
    /// Where the closing tag ends in its channel; a cut has none.
    end: u64,
    /// When the kernel took its last byte.
    sent: Option<Offset>,
}

impl Leavings {
    pub(super) fn new(run: &Run, range: &Range<u32>) -> Self {
        let logouts = run.plan.population().logouts_of(range.start, range.end).into_iter();
        Self {
            logouts: logouts.map(|(at, user)| (at, user - range.start)).collect(),
            under_way: HashMap::new(),
            limits: VecDeque::new(),
            gone: HashSet::new(),
        }
    }

    /// When the next logout is due.
    pub(super) fn next_logout(&self) -> Option<Offset> {
        self.logouts.front().map(|(at, _)| *at)
    }

    /// When the next server has had its time to answer.
    pub(super) fn next_limit(&self) -> Option<Offset> {
        self.limits.front().map(|(at, ..)| *at)
    }

    /// Whether no session is being ended.
    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// A logout due by `until`.
    pub(super) fn take_logout(&mut self, until: Offset) -> Option<(Offset, u32)> {
        self.logouts.pop_front_if(|(at, _)| *at <= until)
    }

    /// The kernel took a channel's bytes up to `offset`.
    pub(super) fn taken(&mut self, now: Offset, channel: Channel, offset: u64) {
        if !self.under_way.is_empty()
            && let Some(leaving) = self.under_way.get_mut(&channel.0).filter(|it| it.end <= offset)
        {
            leaving.sent.get_or_insert(now);
        }
    }

    fn take_limit(&mut self, now: Offset) -> Option<(u32, u32)> {
        self.limits.pop_front_if(|(at, ..)| *at <= now).map(|(_, local, attempt)| (local, attempt))
    }
}

impl Shard {
    /// Ends a user's session as an activity planned it; it comes back at `until`, if that is before its logout.
    pub(super) fn send_away(
        &mut self,
        now: Offset,
        action: &Action,
        until: Option<Offset>,
        cut: bool,
        out: &mut Outbox,
    ) -> Result<(), Unsent> {
        let local = action.sender - self.range.start;
        if !self.users[local as usize].is_online() {
            return Err(self.whose_fault(action.sender).unwrap_or(Unsent::SenderOffline));
        }
        let operations = &self.run.activities[usize::from(action.activity)].operations;
        let operation = operations[usize::from(cut)];
        self.begin_leaving(now, local, operation, action.at);
        match until {
            Some(until) if until < self.run.plan.end() => self.logins.come_back(until, local),
            Some(_) => {}
            None => {
                self.leavings.gone.insert(local);
            }
        }
        if cut {
            self.with_user(now, Channel(local), out, User::cut);
        } else {
            self.close_session(now, local, out);
        }
        Ok(())
    }

    /// Logs a user out as planned, or breaks off its login. It stays away until its next login is due.
    pub(super) fn log_out(&mut self, now: Offset, intended: Offset, local: u32, out: &mut Outbox) {
        let operation = self.run.logout;
        let was_gone = self.leavings.gone.remove(&local);
        if let Some(due) = self.logins.log_out(local) {
            self.miss_login(local, due, Unsent::LastSession);
        }
        if self.users[local as usize].is_online() {
            self.watch.lags[self.run.phase_of(intended)].record_nanos(now.signed_nanos_since(intended));
            self.begin_leaving(now, local, operation, intended);
        } else if !was_gone {
            let user = self.range.start + local;
            let reason = self.whose_fault(user).unwrap_or(Unsent::SenderOffline);
            self.recorder.unsent(operation, self.run.group_of(user).id, intended, reason);
        }
        self.close_session(now, local, out);
    }

    /// Says goodbye for a user, or breaks off its login.
    fn close_session(&mut self, now: Offset, local: u32, out: &mut Outbox) {
        self.with_user(now, Channel(local), out, |user, near, said| {
            user.leave(Indeterminate::SenderStream, near, said);
        });
        let end = self.users[local as usize].offered_bytes();
        if let Some(leaving) = self.leavings.under_way.get_mut(&local) {
            leaving.end = end;
        }
    }

    fn begin_leaving(&mut self, now: Offset, local: u32, operation: OperationId, intended: Offset) {
        let leaving = Leaving { operation, intended, offered: now, end: u64::MAX, sent: None };
        self.leavings.under_way.insert(local, leaving);
        self.leavings.limits.push_back((now + self.run.deadline, local, self.logins.attempt(local)));
        self.go_offline(now, UserIndex(self.range.start + local));
    }

    /// The server answered a session's end, or cannot any more.
    pub(super) fn heed_farewell(&mut self, now: Offset, user: UserIndex, farewell: Farewell) {
        let Some(leaving) = self.leavings.under_way.remove(&(user.0 - self.range.start)) else { return };
        let Leaving { operation, intended, offered, sent, .. } = leaving;
        let group = self.run.group_of(user.0).id;
        self.recorder.sample(match farewell {
            Farewell::Answered => {
                // An answer proves that the tag was sent; a cut sends nothing.
                let done = now.max(offered);
                let instants = Instants { intended, offered, sent: sent.unwrap_or(offered).min(done), done };
                Sample::completed(operation, group, instants, now.since(intended) > self.run.deadline)
            }
            Farewell::Broken(class) => Sample::ended(operation, group, intended, Outcome::Failed(class)),
            Farewell::Unanswered => Sample::ended(operation, group, intended, Outcome::Timeout),
        });
    }

    /// Cuts whoever has waited for the deadline. Returns whether there was somebody to look at.
    pub(super) fn give_up_leaving(&mut self, now: Offset, out: &mut Outbox) -> bool {
        let Some((local, attempt)) = self.leavings.take_limit(now) else { return false };
        if self.leavings.under_way.contains_key(&local) && self.logins.attempt(local) == attempt {
            self.with_user(now, Channel(local), out, User::stop_waiting);
        }
        true
    }

    /// No logout begins any more; those intended before `until` were held up by us.
    pub(super) fn stop_logouts(&mut self, until: Offset) {
        debug_assert!(self.life != Life::Running, "what is running goes on");
        let before = until - Duration::from_nanos(1);
        while let Some((intended, local)) = self.leavings.take_logout(before) {
            let group = self.run.group_of(self.range.start + local).id;
            self.recorder.unsent(self.run.logout, group, intended, Unsent::Stopped);
        }
        self.leavings.logouts.clear();
    }

    /// The run is over: sessions that were to end and have not timed out.
    pub(super) fn settle_leaving(&mut self) {
        for (local, leaving) in self.leavings.under_way.drain() {
            let group = self.run.group_of(self.range.start + local).id;
            self.recorder.sample(Sample::ended(leaving.operation, group, leaving.intended, Outcome::Timeout));
        }
    }
}
