//! Moving bytes on established channels, and the orderly end of one.

use std::io;
use std::task::Poll;

use super::cause;
use super::conn::{Link, Written};
use super::core::Core;
use super::host::Host;
use super::timer::Wait;
use super::wake::Key;
use crate::machine::{Channel, CloseCause, Event, LocalLimit};

impl Core {
    /// A channel's waker was called: it goes on with whatever it waited for.
    pub(super) fn channel_ready<H: Host>(&mut self, host: &mut H, key: Key) {
        let channel = Channel(key);
        let Some(conn) = self.table.get(channel) else { return };
        if conn.is_setting_up() {
            self.queue_setup(channel);
            return;
        }
        if conn.wants_write() {
            self.write_queued(channel);
            self.settle(host);
        }
        self.read(host, channel);
    }

    /// A machine's write: at once if nothing waits before it.
    pub(super) fn write(&mut self, channel: Channel, bytes: &[u8]) {
        let Some(conn) = self.table.get(channel).filter(|conn| conn.ending.is_none() && !conn.broken) else {
            self.stats.ignored += 1;
            return;
        };
        conn.written += bytes.len() as u64;
        let at_once = conn.is_established() && conn.queued() == 0;
        let result = if at_once { conn.write(bytes) } else { Ok(Written { taken: 0, flushed: false }) };
        self.stats.queued_bytes += bytes.len() as u64;
        match result {
            Ok(written) => {
                self.account(channel, written);
                self.keep(channel, &bytes[written.taken..]);
            }
            Err(error) => self.break_off(channel, &error),
        }
    }

    /// Keeps what the kernel has no room for, within the limit.
    fn keep(&mut self, channel: Channel, rest: &[u8]) {
        let limit = self.config.limits.queue_bytes;
        let Some(conn) = self.table.get(channel).filter(|_| !rest.is_empty()) else { return };
        if conn.queued() + rest.len() > limit {
            self.end(channel, CloseCause::LocalLimit(LocalLimit::Queue));
        } else {
            conn.enqueue(rest);
        }
    }

    /// Goes on writing what waits, then with what waited for that.
    pub(super) fn write_queued(&mut self, channel: Channel) {
        let Some(conn) = self.table.get(channel) else { return };
        match conn.write_queued() {
            Ok(written) => {
                self.account(channel, written);
                self.after_flush(channel);
            }
            Err(error) => self.break_off(channel, &error),
        }
    }

    fn after_flush(&mut self, channel: Channel) {
        let Some(conn) = self.table.get(channel) else { return };
        if conn.queued() > 0 || conn.unflushed {
            return;
        }
        if conn.secure_when_flushed {
            self.begin_securing(channel);
        } else if conn.ending.is_some() {
            self.go_on_ending(channel);
        }
    }

    /// Tells how far the kernel has come, with the instant at which it had.
    fn account(&mut self, channel: Channel, written: Written) {
        let now = self.touch();
        let Some(conn) = self.table.get(channel) else { return };
        // What waits here has not been taken, nor has what `write` is about to keep: `taken` says how far it came.
        conn.taken += written.taken as u64;
        if written.taken > 0 {
            self.stats.writes += 1;
        }
        if !written.flushed || conn.sent == conn.taken {
            return;
        }
        let more = conn.taken - conn.sent;
        conn.sent = conn.taken;
        self.stats.bytes_out += more;
        self.stats.queued_bytes -= more;
        let offset = conn.sent;
        self.told.push_back((now, channel, Event::Sent(offset)));
    }

    /// Writing failed. What the peer said before (a stream error, say) may lie in the socket: it is read first. The
    /// reactor reports a dead socket as readable, perhaps not before the next turn.
    fn break_off(&mut self, channel: Channel, error: &io::Error) {
        let generation = self.table.generation(channel);
        let Some(conn) = self.table.get(channel) else { return };
        conn.broken = true;
        conn.unflushed = false;
        conn.ended_by_us = true;
        conn.drop_queue();
        if conn.ending.is_none() {
            conn.ending = Some(cause::of_io(error));
        }
        let now = self.touch();
        self.deadlines.push(now, Wait::Linger, channel, generation);
        self.again.push(channel.0);
    }

    /// Reads until there is no more, or the channel has had its share.
    pub(super) fn read<H: Host>(&mut self, host: &mut H, channel: Channel) {
        let mut buffer = std::mem::take(&mut self.read_buffer);
        let mut share = self.config.limits.read_bytes;
        while let Some(conn) = self.table.get(channel) {
            let polled = conn.read(&mut buffer);
            let Poll::Ready(Ok(count @ 1..)) = polled else {
                self.nothing_read(channel, polled);
                break;
            };
            let now = self.touch();
            self.stats.reads += 1;
            self.stats.bytes_in += count as u64;
            host.handle_event(now, channel, Event::Data(&buffer[..count]), &mut self.out);
            self.settle(host);
            share = share.saturating_sub(count);
            if share == 0 {
                self.again.push(channel.0);
                break;
            }
        }
        self.read_buffer = buffer;
        self.settle(host);
    }

    /// No bytes: none yet, the peer's end, or an error.
    fn nothing_read(&mut self, channel: Channel, polled: Poll<io::Result<usize>>) {
        match polled {
            Poll::Ready(Ok(_)) => self.end_by_peer(channel),
            Poll::Ready(Err(error)) => self.end(channel, cause::of_io(&error)),
            Poll::Pending => {}
        }
    }

    /// The peer's FIN or `close_notify`: what the machine wrote before is still sent, then the channel is over.
    fn end_by_peer(&mut self, channel: Channel) {
        let Some(conn) = self.table.get(channel) else { return };
        conn.ended_by_peer = true;
        if conn.broken {
            self.end(channel, CloseCause::Reset);
        } else if conn.ending.is_some() {
            self.go_on_ending(channel);
        } else {
            self.begin_ending(channel, CloseCause::Finished);
        }
    }

    /// Begins an orderly end, to be told as `cause` when it is through.
    pub(super) fn begin_ending(&mut self, channel: Channel, cause: CloseCause) {
        let generation = self.table.generation(channel);
        let Some(conn) = self.table.get(channel) else { return };
        if conn.ending.is_some() {
            return;
        }
        conn.ending = Some(cause);
        let now = self.touch();
        self.deadlines.push(now, Wait::Linger, channel, generation);
        self.go_on_ending(channel);
    }

    /// Flushed, then our FIN, then the peer's.
    fn go_on_ending(&mut self, channel: Channel) {
        let Some(conn) = self.table.get(channel) else { return };
        if conn.queued() > 0 || conn.unflushed {
            return;
        }
        if !conn.ended_by_us {
            match conn.shut_down() {
                Poll::Ready(Ok(())) => conn.ended_by_us = true,
                Poll::Ready(Err(_)) => return self.end(channel, CloseCause::Asked),
                Poll::Pending => return,
            }
        }
        if conn.ended_by_peer || matches!(conn.link, Link::Gone) {
            self.end(channel, CloseCause::Asked);
        }
    }
}
