//! What happens to a copy between routing and writing: lost, doubled, made to change places, delayed.
//!
//! At most one of loss, duplicate and reorder happens to a copy; which one is drawn from (seed, number of the copy),
//! so the same input in the same order meets the same fate. Then every surviving copy waits out the same delay, in
//! one line, which is why the delay keeps order.
//!
//! A copy to be reordered is held until the next copy of the same sender, recipient session and kind has passed it.
//! If none comes within [`HOLD`], it goes on as an ordinary one and is not called reordered.
//!
//! Invariants: every copy submitted comes out exactly once (twice if doubled), as dropped or as due; and what waits is
//! bounded by [`WAITING_MAX`] bytes, beyond which copies are turned away. This module refuses to know what a stanza is.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::machine::Channel;
use crate::sample::{Token, TokenKind};
use crate::seed::{Draw, Stream};
use crate::server::fault::{Faults, Share};
use crate::units::Offset;

/// How long a copy to be reordered waits for the next one.
pub const HOLD: Duration = Duration::from_secs(1);
/// The most bytes of copies that may wait at once.
pub const WAITING_MAX: usize = 256 << 20;

/// One login of one account, told apart from a later one on the same channel by its serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId {
    /// Where it is connected.
    pub channel: Channel,
    /// Counts accepted connections; never used again.
    pub serial: u64,
}

/// One stanza on its way to one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// What its id says.
    pub token: Token,
    /// The sender's account, as the server numbers it.
    pub sender: u32,
    /// The sender's bare JID.
    pub from: Arc<str>,
    /// The session it goes to.
    pub session: SessionId,
    /// That session's full JID.
    pub to: Arc<str>,
    /// When the read that brought the stanza returned.
    pub received: Offset,
    /// The stanza as it will be written.
    pub bytes: Vec<u8>,
}

/// How a copy that is due came to be what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Passage {
    /// The ordinary one.
    Ordinary,
    /// It comes after a later copy of the same sender and recipient.
    Reordered,
    /// It is a surplus copy.
    Duplicated,
}

/// A copy that was given up, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The loss fault took it.
    Lost(Copy),
    /// Too many bytes wait already.
    Overflow(Copy),
}

/// Draws each copy's fate and keeps what waits. See the module text.
#[derive(Debug)]
pub struct Pipeline {
    delay: Duration,
    /// Draws below `loss` are lost, below `duplicate` doubled, below `reorder` held; in millionths, cumulative.
    loss: u32,
    duplicate: u32,
    reorder: u32,
    seed: u64,
    copies: u64,
    line: VecDeque<(Offset, Passage, Copy)>,
    held: HashMap<Pair, (u64, Copy)>,
    hold_ends: VecDeque<(Offset, Pair, u64)>,
    waiting: usize,
}

/// Whose order a reorder disturbs.
type Pair = (u32, SessionId, TokenKind);

impl Pipeline {
    /// A pipeline that does what `faults` say about copies, drawing from `seed`.
    pub fn new(faults: &Faults, seed: u64) -> Self {
        let share = Share::millionths;
        let loss = share(faults.loss);
        let duplicate = loss + share(faults.duplicate);
        Self {
            delay: faults.delay,
            loss,
            duplicate,
            reorder: duplicate + share(faults.reorder),
            seed,
            copies: 0,
            line: VecDeque::new(),
            held: HashMap::new(),
            hold_ends: VecDeque::new(),
            waiting: 0,
        }
    }

    /// Takes a copy in; what is refused comes straight back. Then ask [`Pipeline::next_due`] until it is empty.
    pub fn submit(&mut self, now: Offset, copy: Copy) -> Result<(), Refused> {
        let draw = Draw::new(self.seed, Stream::faults(), self.copies).below(Share::ALL.millionths());
        self.copies += 1;
        if draw < self.loss {
            return Err(Refused::Lost(copy));
        }
        if self.waiting + 2 * copy.bytes.len() > WAITING_MAX {
            return Err(Refused::Overflow(copy));
        }
        let pair = (copy.sender, copy.session, copy.token.kind);
        let overtaken = self.held.remove(&pair);
        let doubled = (self.loss..self.duplicate).contains(&draw);
        if overtaken.is_none() && !doubled && draw < self.reorder {
            self.hold(now, pair, copy);
            return Ok(());
        }
        let surplus = doubled.then(|| copy.clone());
        self.queue(now, Passage::Ordinary, copy);
        if let Some(surplus) = surplus {
            self.queue(now, Passage::Duplicated, surplus);
        }
        if let Some((_, held)) = overtaken {
            self.waiting -= held.bytes.len();
            self.queue(now, Passage::Reordered, held);
        }
        Ok(())
    }

    /// The next copy to be written by `now`, in order.
    pub fn next_due(&mut self, now: Offset) -> Option<(Passage, Copy)> {
        self.end_holds(now);
        if self.line.front()?.0 > now {
            return None;
        }
        let (_, passage, copy) = self.line.pop_front()?;
        self.waiting -= copy.bytes.len();
        Some((passage, copy))
    }

    /// When [`Pipeline::next_due`] may have something again.
    pub fn poll_timeout(&self) -> Option<Offset> {
        let due = self.line.front().map(|(due, ..)| *due);
        let hold = self.hold_ends.front().map(|(end, ..)| *end);
        due.into_iter().chain(hold).min()
    }

    /// Everything that still waits, in the order it would have come out; the pipeline is empty afterwards.
    pub fn abandon(&mut self) -> Vec<Copy> {
        self.end_holds(Offset::MAX);
        self.waiting = 0;
        self.line.drain(..).map(|(_, _, copy)| copy).collect()
    }

    fn queue(&mut self, now: Offset, passage: Passage, copy: Copy) {
        self.waiting += copy.bytes.len();
        self.line.push_back((now + self.delay, passage, copy));
    }

    fn hold(&mut self, now: Offset, pair: Pair, copy: Copy) {
        self.waiting += copy.bytes.len();
        self.hold_ends.push_back((now + HOLD, pair, self.copies));
        self.held.insert(pair, (self.copies, copy));
    }

    /// Lets go of copies nothing came after. A hold that ended otherwise leaves its entry here until its time.
    fn end_holds(&mut self, now: Offset) {
        while let Some(&(end, pair, number)) = self.hold_ends.front() {
            if end > now {
                return;
            }
            self.hold_ends.pop_front();
            if self.held.get(&pair).is_some_and(|(held, _)| *held == number)
                && let Some((_, copy)) = self.held.remove(&pair)
            {
                self.waiting -= copy.bytes.len();
                self.queue(now, Passage::Ordinary, copy);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::UserIndex;

    fn copy(sequence: u64) -> Copy {
        let token = Token {
            kind: TokenKind::Message,
            run: 1,
            sender: UserIndex(1),
            sequence,
            intended: Offset::ZERO,
        };
        let session = SessionId { channel: Channel(2), serial: 2 };
        Copy {
            token,
            sender: 1,
            from: "a@x".into(),
            session,
            to: "b@x/r".into(),
            received: Offset::ZERO,
            bytes: vec![b'.'; 9],
        }
    }

    fn pipeline(faults: &str) -> Pipeline {
        Pipeline::new(&faults.parse().unwrap(), 1)
    }

    fn due(pipeline: &mut Pipeline, now: Offset) -> Vec<(u64, Passage)> {
        std::iter::from_fn(|| pipeline.next_due(now)).map(|(how, copy)| (copy.token.sequence, how)).collect()
    }

    fn ms(millis: u64) -> Offset {
        Offset::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn delay_is_exact_and_keeps_order() {
        let mut line = pipeline("delay=5ms");
        line.submit(ms(0), copy(1)).unwrap();
        line.submit(ms(1), copy(2)).unwrap();
        assert_eq!(line.poll_timeout(), Some(ms(5)));
        assert_eq!(due(&mut line, ms(4)), []);
        assert_eq!(due(&mut line, ms(5)), [(1, Passage::Ordinary)]);
        assert_eq!(due(&mut line, ms(100)), [(2, Passage::Ordinary)]);
        assert_eq!((line.poll_timeout(), line.waiting), (None, 0));
    }

    #[test]
    fn without_delay_a_copy_is_due_at_once() {
        let mut line = pipeline("loss=0.0001%");
        line.submit(ms(3), copy(1)).unwrap();
        assert_eq!(due(&mut line, ms(3)), [(1, Passage::Ordinary)]);
    }

    #[test]
    fn loss_and_duplicates_of_everything() {
        let mut line = pipeline("loss=100%");
        assert_eq!(line.submit(ms(0), copy(1)), Err(Refused::Lost(copy(1))));
        let mut line = pipeline("duplicate=100%");
        line.submit(ms(0), copy(1)).unwrap();
        assert_eq!(due(&mut line, ms(0)), [(1, Passage::Ordinary), (1, Passage::Duplicated)]);
    }

    #[test]
    fn a_reordered_copy_changes_places_with_the_next_one() {
        let mut line = pipeline("reorder=100%");
        for sequence in 1..=4 {
            line.submit(ms(0), copy(sequence)).unwrap();
        }
        assert_eq!(
            due(&mut line, ms(0)),
            [
                (2, Passage::Ordinary),
                (1, Passage::Reordered),
                (4, Passage::Ordinary),
                (3, Passage::Reordered)
            ]
        );
        assert_eq!(line.waiting, 0);
    }

    #[test]
    fn a_copy_nothing_comes_after_is_let_go_and_not_called_reordered() {
        let mut line = pipeline("reorder=100%,delay=2ms");
        line.submit(ms(0), copy(1)).unwrap();
        assert_eq!(line.poll_timeout(), Some(ms(1000)));
        assert_eq!(due(&mut line, ms(1000)), []);
        assert_eq!(line.poll_timeout(), Some(ms(1002)), "it still waits out its delay");
        assert_eq!(due(&mut line, ms(1002)), [(1, Passage::Ordinary)]);
    }

    #[test]
    fn other_senders_recipients_and_kinds_do_not_count_as_the_next() {
        let mut line = pipeline("reorder=100%");
        let mut others = [copy(2), copy(3), copy(4)];
        others[0].sender = 9;
        others[1].session.serial = 9;
        others[2].token.kind = TokenKind::Presence;
        line.submit(ms(0), copy(1)).unwrap();
        for other in others {
            line.submit(ms(0), other).unwrap();
        }
        assert_eq!(due(&mut line, ms(0)), [], "each waits for its own next");
        line.submit(ms(0), copy(5)).unwrap();
        assert_eq!(due(&mut line, ms(0)), [(5, Passage::Ordinary), (1, Passage::Reordered)]);
        assert_eq!(line.abandon().len(), 3);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut line = pipeline("delay=60s");
        let large = |sequence| Copy { bytes: vec![0; WAITING_MAX / 4], ..copy(sequence) };
        for sequence in 0..3 {
            line.submit(ms(0), large(sequence)).unwrap();
        }
        assert!(matches!(line.submit(ms(0), large(3)), Err(Refused::Overflow(_))));
    }

    proptest::proptest! {
        #[test]
        fn every_copy_comes_out_exactly_once_and_surplus_ones_are_named(
            seed: u64, loss in 0u32..400_000, duplicate in 0u32..300_000, reorder in 0u32..300_000,
            delay in 0u64..3_000, steps in proptest::collection::vec(0u64..500, 1..200)) {
            let share = |millionths| Share::from_millionths(millionths).unwrap();
            let faults = Faults {
                delay: Duration::from_millis(delay), loss: share(loss), duplicate: share(duplicate),
                reorder: share(reorder), ..Faults::default()
            };
            let mut line = Pipeline::new(&faults, seed);
            let mut now = Offset::ZERO;
            let mut seen = vec![(0, 0, 0); steps.len()];
            let mut take = |line: &mut Pipeline, now| {
                while let Some((passage, copy)) = line.next_due(now) {
                    let counts = &mut seen[copy.token.sequence as usize];
                    if passage == Passage::Duplicated { counts.1 += 1 } else { counts.0 += 1 }
                }
            };
            let mut lost = Vec::new();
            for (sequence, step) in steps.iter().enumerate() {
                now = now + Duration::from_millis(*step);
                if line.submit(now, copy(sequence as u64)).is_err() { lost.push(sequence); }
                take(&mut line, now);
            }
            while let Some(next) = line.poll_timeout() { take(&mut line, next.max(now)); now = next.max(now); }
            for sequence in lost { seen[sequence].2 += 1; }
            for (ordinary, surplus, lost) in seen {
                proptest::prop_assert_eq!(ordinary + lost, 1);
                proptest::prop_assert!(surplus <= ordinary);
            }
            proptest::prop_assert_eq!(line.waiting, 0);
        }
    }
}
