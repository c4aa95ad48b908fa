//! Listening: `/` is the page, `/events` what it draws, `/metrics` the scrape, `/healthz` a word.
//!
//! One thread with a runtime of its own. Connections are counted and timed; a stream of events ends where its reader
//! falls behind. On a loopback address a request must name one too, so that no web page elsewhere can have a browser
//! read this one (DNS rebinding).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Frame, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::{Over, Point, Points, Snapshot, metrics};

/// Connections at once; more are closed unheard.
const CONNECTIONS_MAX: usize = 64;
/// From the first byte of a request to the last of its answer, streams of events apart.
const REQUEST_MAX: Duration = Duration::from_secs(10);
/// Events that wait for a reader; one that is further behind is dropped.
const BEHIND_MAX: usize = 16;
/// How long readers may take to hear that the run is over.
const FAREWELL: Duration = Duration::from_secs(1);

const PAGE: &str = include_str!("page.html");

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The address cannot be had.
    #[error("--live: cannot listen on {address}: {source}; choose another port, or end what uses it")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// No thread or runtime.
    #[error("--live: cannot start its thread: {0}")]
    Thread(std::io::Error),
}

/// A page being served. Dropping it ends that.
pub struct Live {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// What the coordinator's thread writes and the server's reads. Each holds the lock for an instant only.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    latest: Option<Arc<Snapshot>>,
    points: Points,
    readers: Vec<Reader>,
    /// How often `/metrics` was asked for.
    scrapes: u32,
    /// Whether `/metrics` was asked for after the run.
    is_scraped_over: bool,
}

/// Somebody who listens to events.
struct Reader {
    events: mpsc::Sender<Bytes>,
    dropped: Arc<Notify>,
}

impl Live {
    /// Listens, and serves until it is ended.
    pub fn start(address: SocketAddr) -> Result<Self, LiveError> {
        let listen = |source| LiveError::Listen { address, source };
        let listener = std::net::TcpListener::bind(address).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LiveError::Thread)?;
        let shared = Arc::new(Shared::default());
        let (stop, stopped) = watch::channel(false);
        let server = Server { shared: Arc::clone(&shared), is_loopback: address.ip().is_loopback(), stopped };
        let thread = std::thread::Builder::new()
            .name("xb-live".to_owned())
            .spawn(move || runtime.block_on(server.run(listener)))
            .map_err(LiveError::Thread)?;
        Ok(Self { address, shared, stop, thread: Some(thread) })
    }

    /// Where it listens, with the port really taken.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Shows how things stand now.
    pub fn publish(&self, snapshot: Snapshot) {
        let mut state = self.shared.lock();
        let point = Point::of(&snapshot, state.latest.as_deref());
        let event = event("point", &point);
        state.points.push(point);
        state.latest = Some(Arc::new(snapshot));
        state.tell(&event);
    }

    /// Says that the run is over. Metrics go on being served as they stand.
    pub fn say_over(&self, over: Over) {
        let mut state = self.shared.lock();
        let event = event("over", &over);
        let last = state.latest.as_deref().cloned().unwrap_or_default();
        let last = Snapshot { stage: "over", phase: String::new(), over: Some(over), ..last };
        state.latest = Some(Arc::new(last));
        state.tell(&event);
        state.readers.clear();
    }

    /// Whether somebody scrapes the run, and has not had its last account yet. One who looked once is no scraper.
    pub fn owes_scrape(&self) -> bool {
        let state = self.shared.lock();
        state.scrapes > 1 && !state.is_scraped_over
    }

    /// Says that the run is over, and ends once everybody has heard it, or after a second.
    pub fn end(self, over: Over) {
        self.say_over(over);
    }

    fn finish(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            // A page that could not be served is no reason to lose a result.
            let _ = thread.join();
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn scrape(&mut self) -> Option<Arc<Snapshot>> {
        self.scrapes = self.scrapes.saturating_add(1);
        self.is_scraped_over |= self.latest.as_ref().is_some_and(|latest| latest.over.is_some());
        self.latest.clone()
    }

    /// Sends an event to everybody; who has gone is forgotten, who is behind is dropped.
    fn tell(&mut self, event: &Bytes) {
        self.readers.retain(|reader| match reader.events.try_send(event.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                reader.dropped.notify_one();
                false
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        });
    }
}

/// A server-sent event. What is sent is JSON without line feeds.
fn event(name: &str, data: &impl serde::Serialize) -> Bytes {
    let json = serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned());
    format!("event: {name}\ndata: {json}\n\n").into()
}

struct Server {
    shared: Arc<Shared>,
    is_loopback: bool,
    stopped: watch::Receiver<bool>,
}

impl Server {
    async fn run(mut self, listener: std::net::TcpListener) {
        let Ok(listener) = TcpListener::from_std(listener) else { return };
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = self.stopped.changed() => break,
            };
            match (accepted, Arc::clone(&room).try_acquire_owned()) {
                (Ok((stream, _)), Ok(place)) => self.serve(stream, place),
                (Ok(_), Err(_)) => {}
                // Out of descriptors: those who wait are served when others have gone.
                (Err(_), _) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(FAREWELL, room.acquire_many(all)).await;
    }

    fn serve(&self, stream: TcpStream, place: OwnedSemaphorePermit) {
        let visit = Arc::new(Visit {
            shared: Arc::clone(&self.shared),
            is_loopback: self.is_loopback,
            is_stream: AtomicBool::new(false),
            dropped: Arc::default(),
        });
        let answering = Arc::clone(&visit);
        let service = service_fn(move |request| {
            let answer = answering.answer(&request);
            async move { Ok::<_, Infallible>(answer) }
        });
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(REQUEST_MAX)
            .keep_alive(false)
            .max_buf_size(16 << 10);
        let connection = http.serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            let _place = place;
            let too_long = async {
                tokio::time::sleep(REQUEST_MAX).await;
                if visit.is_stream.load(Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                // Whoever breaks off, or speaks no HTTP, is simply gone.
                _ = connection => {}
                () = visit.dropped.notified() => {}
                () = too_long => {}
            }
        });
    }
}

type Body = BoxBody<Bytes, Infallible>;

/// One connection, which is one request.
struct Visit {
    shared: Arc<Shared>,
    is_loopback: bool,
    is_stream: AtomicBool,
    dropped: Arc<Notify>,
}

impl Visit {
    fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only to be read\n");
        }
        if self.is_loopback && !names_loopback(request) {
            return text(StatusCode::FORBIDDEN, "ask for it as 127.0.0.1, [::1] or localhost\n");
        }
        match request.uri().path() {
            "/" => typed("text/html; charset=utf-8", PAGE),
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/metrics" => self.metrics(),
            "/events" if *request.method() == Method::GET => self.events(),
            _ => text(StatusCode::NOT_FOUND, "there are / and /metrics\n"),
        }
    }

    fn metrics(&self) -> Response<Body> {
        let latest = self.shared.lock().scrape();
        let page = latest.map_or_else(String::new, |latest| metrics::render(&latest));
        typed("text/plain; version=0.0.4; charset=utf-8", page)
    }

    /// Everything so far, then whatever comes.
    fn events(&self) -> Response<Body> {
        self.is_stream.store(true, Ordering::Relaxed);
        let (events, received) = mpsc::channel(BEHIND_MAX);
        {
            let mut state = self.shared.lock();
            let latest = state.latest.clone();
            let facts = latest.as_ref().map(|latest| (*latest.facts).clone()).unwrap_or_default();
            let history = serde_json::json!({ "facts": facts, "points": state.points.all() });
            let _ = events.try_send(event("history", &history));
            match latest.and_then(|latest| latest.over.clone()) {
                Some(over) => drop(events.try_send(event("over", &over))),
                None => state.readers.push(Reader { events, dropped: Arc::clone(&self.dropped) }),
            }
        }
        let mut response = Response::new(Events(received).boxed());
        set_headers(&mut response, "text/event-stream");
        response
    }
}

/// A body that is whatever events come.
struct Events(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}

/// Whether a request was sent to this machine by a name for it that cannot be another's.
fn names_loopback(request: &Request<Incoming>) -> bool {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    let name =
        host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(name, _)| name);
    let address = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = typed("text/plain; charset=utf-8", text);
    *response.status_mut() = status;
    response
}

fn typed(kind: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()).boxed());
    set_headers(&mut response, kind);
    response
}

fn set_headers(response: &mut Response<Body>, kind: &'static str) {
    const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; img-src data:";
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
