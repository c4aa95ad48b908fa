//! From routing to the wire: copies are handed to the pipeline or straight to write, and settled in the truth when the
//! kernel has taken their last byte, or never will.

use std::sync::Arc;

use crate::machine::{Channel, CloseMode, Outbox};
use crate::sample::Token;
use crate::seed::{Draw, Stream};
use crate::server::Server;
use crate::server::form::Form;
use crate::server::pipeline::{Copy, Passage, Refused, SessionId};
use crate::server::routes::AccountId;
use crate::server::truth::{Action, CopyLine, CutLine, Line};
use crate::units::Offset;

/// Where the choice of sessions to cut is drawn from.
const CUTS: Stream = Stream(0x0500_0002);
/// A queue of unsettled copies grown beyond this is given back once it is empty.
const UNWRITTEN_KEEP: usize = 16;

/// Which column of the counts a copy belongs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Message,
    Groupchat,
    /// What a room shows those who join of what was said before.
    History,
    Presence,
    Iq,
}

impl Column {
    /// What a tracked stanza is; only those go through the pipeline, and IQs never do.
    const fn of(token: &Token) -> Self {
        match token.kind {
            crate::sample::TokenKind::Groupchat => Self::Groupchat,
            crate::sample::TokenKind::Presence => Self::Presence,
            crate::sample::TokenKind::Message | crate::sample::TokenKind::Request => Self::Message,
        }
    }
}

/// A stanza on its way from a user to others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parcel<'a> {
    /// As it will be written.
    pub(super) form: &'a Form,
    pub(super) column: Column,
    /// What its id says, where it is tracked; faults and truth know no others.
    pub(super) token: Option<Token>,
    pub(super) sender: AccountId,
    /// The sender's bare JID.
    pub(super) from_bare: &'a Arc<str>,
    /// The address it is written with; none is the recipient's own full JID.
    pub(super) to: Option<&'a str>,
}

impl Server {
    /// Gives one copy to one session.
    pub(super) fn give(&mut self, parcel: &Parcel<'_>, to: &(SessionId, Arc<str>), out: &mut Outbox) {
        let (session, full) = to;
        let address = parcel.to.unwrap_or(full);
        let fill = |bytes: &mut Vec<u8>| parcel.form.write(bytes, address);
        match parcel.token {
            Some(token) if self.options.faults.act_on_copies() => {
                let mut bytes = Vec::with_capacity(parcel.form.len() + address.len() + 8);
                fill(&mut bytes);
                self.submit(
                    Copy {
                        token,
                        sender: parcel.sender.0,
                        from: Arc::clone(parcel.from_bare),
                        session: *session,
                        to: Arc::clone(full),
                        received: self.now,
                        bytes,
                    },
                    out,
                );
            }
            token => {
                let names = || (Arc::clone(parcel.from_bare), Arc::clone(full));
                let now = self.now;
                let truth = token.filter(|_| self.options.truth);
                let line =
                    truth.map(|token| CopyLine::new(Action::Delivered, token, names(), now, Some(now)));
                self.hand(parcel.column, *session, line, out, fill);
            }
        }
    }

    /// Writes to a session that is online, and keeps the copy's line until it is settled. False without that session.
    pub(super) fn hand(
        &mut self,
        column: Column,
        id: SessionId,
        line: Option<CopyLine>,
        out: &mut Outbox,
        fill: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        let session = self.sessions.get_mut(&id.channel);
        let Some(session) = session.filter(|s| s.serial == id.serial && s.bound().is_some()) else {
            return false;
        };
        session.written += out.write(id.channel, fill);
        session.unwritten.extend(line.map(|line| (session.written, line)));
        match column {
            Column::Message => &self.counters.messages_out,
            Column::Groupchat => &self.counters.groupchats_out,
            Column::History => &self.counters.history_out,
            Column::Presence => &self.counters.presences_out,
            Column::Iq => &self.counters.iqs_out,
        }
        .add_one();
        true
    }

    /// A tracked stanza reached nobody; `to` is the address it was sent to.
    pub(super) fn reached_nobody(&mut self, token: Option<Token>, from: &Arc<str>, to: &str) {
        if let Some(token) = token {
            self.settle(CopyLine::new(
                Action::Undeliverable,
                token,
                (Arc::clone(from), to.into()),
                self.now,
                None,
            ));
        }
    }

    fn submit(&mut self, copy: Copy, out: &mut Outbox) {
        match self.pipeline.submit(self.now, copy) {
            Ok(()) => self.release_copies(out),
            Err(Refused::Lost(copy)) => self.give_up(copy, Action::Dropped),
            Err(Refused::Overflow(copy)) => self.give_up(copy, Action::Undeliverable),
        }
    }

    /// Writes every copy that is due.
    pub(super) fn release_copies(&mut self, out: &mut Outbox) {
        while let Some((passage, copy)) = self.pipeline.next_due(self.now) {
            let action = match passage {
                Passage::Ordinary => Action::Delivered,
                Passage::Reordered => Action::Reordered,
                Passage::Duplicated => Action::Duplicated,
            };
            let line = self.options.truth.then(|| {
                let names = (Arc::clone(&copy.from), Arc::clone(&copy.to));
                CopyLine::new(action, copy.token, names, copy.received, Some(self.now))
            });
            let column = Column::of(&copy.token);
            if !self.hand(column, copy.session, line, out, |bytes| bytes.extend_from_slice(&copy.bytes)) {
                self.give_up(copy, Action::Undeliverable);
                continue;
            }
            match passage {
                Passage::Ordinary => {}
                Passage::Reordered => self.counters.reordered.add_one(),
                Passage::Duplicated => self.counters.duplicated.add_one(),
            }
        }
    }

    /// The kernel took a channel's bytes up to `offset`.
    pub(super) fn settle_written(&mut self, channel: Channel, offset: u64) {
        let Some(session) = self.sessions.get_mut(&channel) else { return };
        while session.unwritten.front().is_some_and(|(end, _)| *end <= offset) {
            let Some((_, line)) = session.unwritten.pop_front() else { break };
            self.counters.written.add_one();
            self.truth.push(Line::Copy(line.written(self.now)));
        }
        if session.unwritten.is_empty() && session.unwritten.capacity() > UNWRITTEN_KEEP {
            session.unwritten = std::collections::VecDeque::new();
        }
    }

    /// The kernel will take no more of a channel's bytes.
    pub(super) fn forget_unwritten(&mut self, channel: Channel) {
        let Some(session) = self.sessions.get_mut(&channel) else { return };
        for (_, line) in std::mem::take(&mut session.unwritten) {
            self.counters.unwritten.add_one();
            self.truth.push(Line::Copy(CopyLine { action: Action::Unwritten, ..line }));
        }
    }

    /// The server stops: what still waits is not delivered.
    pub(super) fn abandon_copies(&mut self) {
        for copy in self.pipeline.abandon() {
            self.give_up(copy, Action::Undeliverable);
        }
    }

    fn give_up(&mut self, copy: Copy, action: Action) {
        self.settle(CopyLine::new(action, copy.token, (copy.from, copy.to), copy.received, None));
    }

    /// A copy that was never handed to write.
    fn settle(&mut self, line: CopyLine) {
        match line.action {
            Action::Dropped => self.counters.dropped.add_one(),
            _ => self.counters.undeliverable.add_one(),
        }
        self.note(Line::Copy(line));
    }

    /// Carries out the cuts that are due.
    pub(super) fn cut_sessions(&mut self, out: &mut Outbox) {
        while let Some(cut) = self.cuts.front().copied().filter(|cut| self.start() + cut.at <= self.now) {
            self.cuts.pop_front();
            let mut online: Vec<(u64, Channel, Arc<str>)> = self
                .sessions
                .iter()
                .filter_map(|(channel, s)| Some((s.serial, *channel, Arc::clone(&s.bound()?.full))))
                .collect();
            online.sort_unstable();
            let mut draw = Draw::new(self.options.seed, CUTS, cut.at.as_nanos() as u64);
            for picked in 0..cut.share.of(online.len()) {
                let other = picked + draw.below((online.len() - picked) as u32) as usize;
                online.swap(picked, other);
                let (_, channel, session) = &online[picked];
                self.counters.cut.add_one();
                self.note(Line::Cut(CutLine { session: Arc::clone(session), at_ns: self.now.as_nanos() }));
                self.close(*channel, CloseMode::Reset, out);
            }
        }
    }

    const fn start(&self) -> Offset {
        self.options.start
    }
}
