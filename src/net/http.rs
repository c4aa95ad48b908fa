//! One small page over HTTP, with a limit on its size and on the time it takes.
//!
//! No redirects, no encryption, no compression: it is for pages of metrics on this machine or the one beside it. Each
//! page has a connection of its own, so that nothing of an earlier failure is left over.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

/// Where a page is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageAddress {
    /// A name or an IP address (without brackets).
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

/// Why a page could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// No connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// Not a page, or no more of it.
    #[error("no answer in HTTP: {0}")]
    Protocol(String),
    /// Another status than 200.
    #[error("the answer is {0}")]
    Status(StatusCode),
    /// Too slow.
    #[error("no whole answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// Too large.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

/// Reads pages, one at a time, on the thread that asks.
#[derive(Debug)]
pub struct PageReader {
    runtime: Runtime,
    timeout: Duration,
    size_max: usize,
}

impl PageReader {
    /// One that waits so long for a page and takes so many bytes of it.
    pub fn new(timeout: Duration, size_max: usize) -> std::io::Result<Self> {
        Ok(Self { runtime: Builder::new_current_thread().enable_all().build()?, timeout, size_max })
    }

    /// Reads a page.
    pub fn get(&self, address: &PageAddress, accept: &str) -> Result<Bytes, HttpError> {
        self.runtime.block_on(async {
            let page = tokio::time::timeout(self.timeout, get(address, accept, self.size_max));
            page.await.map_err(|_| HttpError::Timeout(self.timeout))?
        })
    }
}

async fn get(address: &PageAddress, accept: &str, size_max: usize) -> Result<Bytes, HttpError> {
    let PageAddress { host, port, path } = address;
    let protocol = |error: hyper::Error| HttpError::Protocol(error.to_string());
    let connect = TcpStream::connect((host.as_str(), *port)).await;
    let stream = connect.map_err(|error| HttpError::Connect(error.to_string()))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(protocol)?;
    let name = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let request = Request::get(path)
        .header(HOST, name)
        .header(USER_AGENT, concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, accept)
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| HttpError::Protocol(error.to_string()))?;
    let read = async {
        let answer = sender.send_request(request).await.map_err(protocol)?;
        if answer.status() != StatusCode::OK {
            return Err(HttpError::Status(answer.status()));
        }
        let body = Limited::new(answer.into_body(), size_max).collect().await;
        let body = body.map_err(|error| match error.downcast::<http_body_util::LengthLimitError>() {
            Ok(_) => HttpError::TooLarge(size_max),
            Err(error) => HttpError::Protocol(error.to_string()),
        })?;
        Ok(body.to_bytes())
    };
    // The connection ends where the answer does, or with an error the reader sees too.
    let mut read = std::pin::pin!(read);
    tokio::select! {
        biased;
        answer = &mut read => answer,
        _ = connection => read.await,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// The reader's word on a server that says this to whoever asks, and whether it keeps the connection.
    fn told(answer: &'static [u8], stays: bool) -> Result<Bytes, HttpError> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody asks");
            let mut request = [0; 1_024];
            let read = stream.read(&mut request).expect("a request");
            let _ = stream.write_all(answer);
            if stays {
                // Until the reader has given up.
                let _ = stream.read(&mut [0; 1]);
            }
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        let address = PageAddress { host: "127.0.0.1".into(), port, path: "/metrics?x=1".into() };
        let reader = PageReader::new(Duration::from_millis(700), 1_000).expect("a runtime");
        let page = reader.get(&address, "text/plain");
        drop(reader);
        let request = server.join().expect("it ended");
        assert!(request.starts_with("GET /metrics?x=1 HTTP/1.1\r\n"), "{request}");
        assert!(request.contains(&format!("host: 127.0.0.1:{port}\r\n")), "{request}");
        page
    }

    #[test]
    fn a_page_is_read_however_its_length_is_told() {
        for answer in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na 1"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\n 1\r\n0\r\n\r\n",
            b"HTTP/1.0 200 OK\r\n\r\na 1",
        ] {
            assert_eq!(told(answer, false).as_deref(), Ok(&b"a 1"[..]));
        }
    }

    #[test]
    fn what_is_no_page_is_an_error_in_bounded_time_and_memory() {
        let large =
            b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
        assert_eq!(
            told(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", false),
            Err(HttpError::Status(StatusCode::NOT_FOUND))
        );
        assert!(matches!(told(large, true), Err(HttpError::TooLarge(1_000) | HttpError::Timeout(_))));
        assert!(matches!(told(b"\x16\x03\x01 what?", false), Err(HttpError::Protocol(_))));
        assert!(matches!(
            told(b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\ncut", false),
            Err(HttpError::Protocol(_))
        ));
        assert!(matches!(
            told(b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nslow", true),
            Err(HttpError::Timeout(_))
        ));
        let endless = Box::leak(
            format!("HTTP/1.0 200 OK\r\n\r\n{}", "x".repeat(5_000)).into_bytes().into_boxed_slice(),
        );
        assert_eq!(told(endless, false), Err(HttpError::TooLarge(1_000)));
    }

    #[test]
    fn nobody_listening_is_said() {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let reader = PageReader::new(Duration::from_secs(5), 1_000).expect("a runtime");
        let address = PageAddress { host: "127.0.0.1".into(), port, path: "/".into() };
        assert!(matches!(reader.get(&address, "*/*"), Err(HttpError::Connect(_))));
    }
}
