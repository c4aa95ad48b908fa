//! The server as its driver sees it: the machine, the order to stop, and the truth on its way to its file.

use crate::loopback::truth_file::TruthSender;
use crate::machine::{Channel, Event, Machine, Outbox};
use crate::net::{DriverStats, Freeze, Host, Turn};
use crate::server::Server;
use crate::server::truth::{FreezeLine, Line};
use crate::units::Offset;

/// The order to stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop;

/// See the module text.
pub(super) struct ServerHost {
    server: Server,
    stopping: bool,
    freeze: Freeze,
    freezes_noted: usize,
    truth: Option<TruthSender>,
}

impl ServerHost {
    pub(super) fn new(server: Server, freeze: Freeze, truth: Option<TruthSender>) -> Self {
        Self { server, stopping: false, freeze, freezes_noted: 0, truth }
    }

    /// Settles the truth; nothing runs any more.
    pub(super) fn finish(&mut self) {
        self.note_freezes();
        self.server.finish();
        if let Some(truth) = &mut self.truth {
            self.server.take_truth(truth.batch());
            truth.flush();
        }
    }

    fn note_freezes(&mut self) {
        for frozen in self.freeze.history().iter().skip(self.freezes_noted) {
            self.freezes_noted += 1;
            let (start_ns, end_ns) = (frozen.started.as_nanos(), frozen.ended.as_nanos());
            self.server.note(Line::Freeze(FreezeLine { start_ns, end_ns }));
        }
    }
}

impl Machine for ServerHost {
    fn handle_event(&mut self, now: Offset, channel: Channel, event: Event<'_>, out: &mut Outbox) {
        self.server.handle_event(now, channel, event, out);
    }

    fn handle_timeout(&mut self, now: Offset, out: &mut Outbox) {
        self.server.handle_timeout(now, out);
    }

    fn poll_timeout(&self) -> Option<Offset> {
        self.server.poll_timeout()
    }
}

impl Host for ServerHost {
    type Message = Stop;

    fn handle_message(&mut self, _now: Offset, Stop: Stop, _out: &mut Outbox) {
        self.stopping = true;
    }

    fn turn_ended(&mut self, turn: Turn, _stats: &DriverStats) {
        // Asking what froze takes a lock: as often as a batch is sent, and not every turn.
        if self.truth.as_ref().is_some_and(|truth| truth.is_old(turn.ended)) {
            self.note_freezes();
        }
        if let Some(truth) = &mut self.truth {
            self.server.take_truth(truth.batch());
            truth.turn_ended(turn.ended);
        }
    }

    fn is_finished(&self) -> bool {
        self.stopping
    }
}
