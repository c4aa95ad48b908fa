//! One channel's transport and its accounts: what was written, what the kernel took, what waits.
//!
//! Every operation here is one attempt that never blocks; whatever cannot go on has registered the channel's waker.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::tls::Handshake;
use crate::machine::{CloseCause, Transport};
use crate::units::Offset;

/// How far a channel's transport has come. What is large is boxed, so that a plain channel is small.
pub(super) enum Link {
    /// A name is being looked up under this number.
    Resolving,
    /// To be connected when its turn comes.
    Waiting(SocketAddr),
    Connecting(TcpStream),
    Plain(TcpStream),
    /// To begin its handshake when its turn comes.
    Securing(TcpStream),
    Handshake(Box<Handshake>),
    Secure(Box<TlsStream<TcpStream>>),
    /// Between two of the above.
    Gone,
}

/// What a channel's write came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Bytes taken off what was given.
    pub taken: usize,
    /// Whether all bytes ever taken are the kernel's now (under TLS, as ciphertext).
    pub flushed: bool,
}

/// A channel.
pub(super) struct Conn {
    pub link: Link,
    pub waker: Waker,
    pub transport: Transport,
    /// Accepted, not opened: it takes the server's part in a handshake.
    pub accepted: bool,
    /// In the queue of those waiting for set-up work.
    pub in_setup: bool,
    /// The peer has sent its FIN (or `close_notify`).
    pub ended_by_peer: bool,
    /// We have sent our FIN.
    pub ended_by_us: bool,
    /// TLS holds ciphertext the kernel has not taken.
    pub unflushed: bool,
    /// Writing failed: what the peer said before is still read, then it is over.
    pub broken: bool,
    /// Secure the channel as soon as what was written before is sent.
    pub secure_when_flushed: bool,
    /// When the connect or the handshake under way began.
    pub started: Offset,
    /// Bytes the machine has written since the opening.
    pub written: u64,
    /// Of these, bytes handed to the socket or to TLS.
    pub taken: u64,
    /// Of these, bytes the kernel took.
    pub sent: u64,
    /// Set while the channel is being ended, with what will be told.
    pub ending: Option<CloseCause>,
    queue: Option<Box<Queue>>,
}

/// Bytes that wait for room; exists only while some do.
#[derive(Default)]
struct Queue {
    bytes: Vec<u8>,
    taken: usize,
}

impl Conn {
    pub(super) fn new(link: Link, waker: Waker, transport: Transport, accepted: bool) -> Self {
        Self {
            link,
            waker,
            transport,
            accepted,
            in_setup: false,
            ended_by_peer: false,
            ended_by_us: false,
            unflushed: false,
            broken: false,
            secure_when_flushed: false,
            started: Offset::ZERO,
            written: 0,
            taken: 0,
            sent: 0,
            ending: None,
            queue: None,
        }
    }

    /// Whether bytes can move.
    pub(super) const fn is_established(&self) -> bool {
        matches!(self.link, Link::Plain(_) | Link::Secure(_))
    }

    /// Whether its next step is connect or handshake work.
    pub(super) const fn is_setting_up(&self) -> bool {
        matches!(self.link, Link::Waiting(_) | Link::Connecting(_) | Link::Securing(_) | Link::Handshake(_))
    }

    /// Whether something is to be done as soon as the kernel has room.
    pub(super) const fn wants_write(&self) -> bool {
        self.queue.is_some() || self.unflushed || (self.ending.is_some() && !self.ended_by_us)
    }

    /// Bytes that wait here.
    pub(super) fn queued(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.bytes.len() - queue.taken)
    }

    /// Appends to what waits.
    pub(super) fn enqueue(&mut self, bytes: &[u8]) {
        let queue = self.queue.get_or_insert_default();
        if queue.taken > 0 && queue.taken >= queue.bytes.len() / 2 {
            queue.bytes.drain(..queue.taken);
            queue.taken = 0;
        }
        queue.bytes.extend_from_slice(bytes);
    }

    /// Forgets what waits.
    pub(super) fn drop_queue(&mut self) {
        self.queue = None;
    }

    /// Writes what it can of what waits.
    pub(super) fn write_queued(&mut self) -> io::Result<Written> {
        let Some(mut queue) = self.queue.take() else {
            return self.write(&[]);
        };
        let result = self.write(&queue.bytes[queue.taken..]);
        if let Ok(written) = &result {
            queue.taken += written.taken;
        }
        if queue.taken < queue.bytes.len() {
            self.queue = Some(queue);
        }
        result
    }

    /// Writes what it can.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<Written> {
        let cx = &mut Context::from_waker(&self.waker);
        let written = match &mut self.link {
            Link::Plain(stream) => {
                let taken = write_some(stream, cx, bytes)?;
                Written { taken, flushed: true }
            }
            Link::Secure(stream) => {
                let taken = write_some(stream.as_mut(), cx, bytes)?;
                let flushed = match Pin::new(stream.as_mut()).poll_flush(cx) {
                    Poll::Ready(result) => result.map(|()| true)?,
                    Poll::Pending => false,
                };
                Written { taken, flushed }
            }
            _ => Written { taken: 0, flushed: false },
        };
        self.unflushed = !written.flushed;
        Ok(written)
    }

    /// Reads what is there, as far as `buffer` goes; zero bytes are the peer's end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let cx = &mut Context::from_waker(&self.waker);
        let mut buffer = ReadBuf::new(buffer);
        let polled = match &mut self.link {
            Link::Plain(stream) => Pin::new(stream).poll_read(cx, &mut buffer),
            Link::Secure(stream) => Pin::new(stream.as_mut()).poll_read(cx, &mut buffer),
            _ => Poll::Pending,
        };
        polled.map_ok(|()| buffer.filled().len())
    }

    /// Sends `close_notify` where there is TLS, then FIN.
    pub(super) fn shut_down(&mut self) -> Poll<io::Result<()>> {
        let cx = &mut Context::from_waker(&self.waker);
        match &mut self.link {
            Link::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Link::Secure(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Whether the connect under way has ended, and how.
    pub(super) fn poll_connected(&mut self) -> Poll<io::Result<()>> {
        let Link::Connecting(stream) = &self.link else { return Poll::Pending };
        let cx = &mut Context::from_waker(&self.waker);
        match stream.poll_write_ready(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => Poll::Ready(match stream.take_error() {
                Ok(None) => Ok(()),
                Ok(Some(error)) | Err(error) => Err(error),
            }),
        }
    }

    /// Bytes that lie in the socket unread, if this is a plain stream.
    pub(super) fn unread(&self) -> u64 {
        match &self.link {
            Link::Plain(stream) | Link::Securing(stream) => {
                rustix::io::ioctl_fionread(stream).unwrap_or_default()
            }
            _ => 0,
        }
    }

    /// Makes the close that follows a reset.
    pub(super) fn reset_on_close(&self) {
        if let Some(stream) = self.stream() {
            // Where it fails the socket is gone already, and nothing is left to reset.
            let _ = stream.set_zero_linger();
        }
    }

    /// Takes the socket out, no longer watched by the runtime.
    pub(super) fn into_socket(self) -> Option<std::net::TcpStream> {
        match self.link {
            Link::Plain(stream) | Link::Securing(stream) | Link::Connecting(stream) => stream.into_std().ok(),
            Link::Secure(stream) => match *stream {
                TlsStream::Client(stream) => stream.into_inner().0.into_std().ok(),
                TlsStream::Server(stream) => stream.into_inner().0.into_std().ok(),
            },
            _ => None,
        }
    }

    fn stream(&self) -> Option<&TcpStream> {
        match &self.link {
            Link::Plain(stream) | Link::Securing(stream) | Link::Connecting(stream) => Some(stream),
            Link::Secure(stream) => Some(stream.get_ref().0),
            _ => None,
        }
    }
}

/// Writes until all is taken or there is no room.
fn write_some<S: AsyncWrite + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> io::Result<usize> {
    let mut taken = 0;
    while taken < bytes.len() {
        match Pin::new(&mut *stream).poll_write(cx, &bytes[taken..]) {
            Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(Ok(count)) => taken += count,
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => break,
        }
    }
    Ok(taken)
}

/// Closes a socket with RST instead of FIN.
pub(super) fn reset(socket: &std::net::TcpStream) {
    // Where it fails the socket is gone already, and nothing is left to reset.
    let _ = rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_channel_is_small() {
        assert!(size_of::<Conn>() <= 200, "{}", size_of::<Conn>());
    }
}
