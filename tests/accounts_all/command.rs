//! The command over real sockets, against the scripted peer on threads of its own.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use xmpp_bench::clock::Epoch;
use xmpp_bench::units::Offset;
use xmpp_bench::xmpp::Subscription;

use crate::peer::{EarlyGrants, Options, Peer};
use crate::world::profile_text;

/// The longest anything here may take before it counts as hung.
const HUNG: Duration = Duration::from_mins(2);

/// A peer that listens; its threads end with the test's process.
struct Serving {
    port: u16,
    peer: Arc<Mutex<Peer>>,
}

type Connections = Arc<Mutex<BTreeMap<u32, TcpStream>>>;

impl Serving {
    fn start(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let peer = Arc::new(Mutex::new(Peer::with(options)));
        let (of_thread, connections) = (Arc::clone(&peer), Connections::default());
        std::thread::spawn(move || {
            for (number, stream) in (0..).zip(listener.incoming()) {
                let (peer, connections) = (Arc::clone(&of_thread), Arc::clone(&connections));
                let Ok(stream) = stream else { return };
                std::thread::spawn(move || attend(number, stream, &peer, &connections));
            }
        });
        Self { port, peer }
    }

    fn peer(&self) -> MutexGuard<'_, Peer> {
        self.peer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn attend(number: u32, mut stream: TcpStream, peer: &Mutex<Peer>, connections: &Connections) {
    connections.lock().unwrap().insert(number, stream.try_clone().unwrap());
    let mut buffer = [0; 16 * 1024];
    while let Ok(read) = stream.read(&mut buffer)
        && read > 0
    {
        let mut peer = peer.lock().unwrap_or_else(PoisonError::into_inner);
        for (to, bytes) in peer.read(number, &buffer[..read]) {
            let connections = connections.lock().unwrap();
            let Some(mut to) = connections.get(&to) else { continue };
            // Whoever has left is not told.
            let _ = match bytes {
                Some(bytes) => to.write_all(&bytes),
                None => to.shutdown(std::net::Shutdown::Write),
            };
        }
    }
    connections.lock().unwrap().remove(&number);
    peer.lock().unwrap_or_else(PoisonError::into_inner).gone(number);
}

/// The embedded server in a process of its own.
pub struct Embedded {
    pub port: u16,
    pub ca: String,
    _process: Running,
}

pub fn serve(options: &[&str]) -> Embedded {
    let folder = TempDir::new().unwrap();
    let (err, ca) = (folder.path().join("err"), folder.path().join("ca.pem"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_xmpp-bench"));
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--ca-out"])
        .arg(&ca)
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&err).unwrap());
    let process = Running(command.spawn().unwrap());
    let port = wait_for("server", || {
        let text = std::fs::read_to_string(&err).ok()?;
        let rest = text.split_once("listening on 127.0.0.1:")?.1;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    });
    Embedded { port, ca: std::fs::read_to_string(ca).unwrap(), _process: process }
}

/// A folder with a profile, and the command in it.
pub struct Shell {
    folder: TempDir,
    port: u16,
}

#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Shell {
    pub fn new(users: u32, contacts: u32, port: u16) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("p.toml"), profile_text(users, contacts)).unwrap();
        Self { folder, port }
    }

    /// The profile's users log in over STARTTLS.
    pub fn use_tls(&self, ca_pem: &str) {
        let text = std::fs::read_to_string(self.path("p.toml")).unwrap();
        std::fs::write(self.path("ca.pem"), ca_pem).unwrap();
        std::fs::write(self.path("p.toml"), text.replace("tls = \"off\"", "ca_file = \"ca.pem\"")).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xmpp-bench"));
        command
            .arg("accounts")
            .args(words)
            .current_dir(self.folder.path())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    fn target(&self) -> String {
        format!("xmpp://127.0.0.1:{}", self.port)
    }

    pub fn run(&self, words: &[&str]) -> Said {
        let target = self.target();
        self.run_bare(&[words, &["p.toml", "--target", &target]].concat())
    }

    fn run_bare(&self, words: &[&str]) -> Said {
        let output = self.command(words).output().unwrap();
        let said = Said {
            code: output.status.code().expect("it was not ended by a signal"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!said.err.contains("panicked"), "{words:?}: {said:#?}");
        assert!(!said.out.contains("secret-") && !said.err.contains("secret-"), "{words:?}: {said:#?}");
        said
    }

    fn start(&self, words: &[&str]) -> Running {
        let target = self.target();
        let mut command = self.command(&[words, &["p.toml", "--target", &target]].concat());
        Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

/// A command in the background; it does not outlive its test.
struct Running(Child);

impl Running {
    fn signal(&self, signal: Signal) {
        // It may have ended by itself: then its exit code tells.
        let _ = kill_process(Pid::from_child(&self.0), signal);
    }

    fn wait(&mut self) -> Option<i32> {
        wait_for("end", || self.0.try_wait().unwrap()).code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let clock = Epoch::start();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(clock.now().since(Offset::ZERO) < HUNG, "no {what} within {HUNG:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The row of a name in what a person is shown.
pub fn row<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find(|line| line.trim_start().starts_with(name));
    line.unwrap_or_else(|| panic!("no row {name} in:\n{text}")).trim()
}

pub const FAST: [&str; 3] = ["--rate", "2000/s", "--quiet"];

pub fn with<'a>(words: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [words, more].concat()
}

#[test]
fn from_nothing_to_friends_and_back() {
    let serving = Serving::start(Options::default());
    let shell = Shell::new(40, 6, serving.port);
    let create = with(&["create", "--contacts", "--out", "a.csv"], &FAST);

    let said = shell.run(&create);
    assert_eq!(said.code, 0, "{said:#?}");
    assert_eq!(row(&said.out, "created"), "created                       40");
    assert_eq!(row(&said.out, "complete"), "complete                      40  both sides say so");
    assert_eq!(serving.peer().mutual_pairs().len(), 40 * 6 / 2);
    assert!(std::fs::read_to_string(shell.path("a.csv")).unwrap().ends_with("u39,secret-39\n"));
    assert!(!shell.path("a.csv.state").exists(), "all is done: nothing to go on from");

    let said = shell.run(&with(&["check", "--json"], &FAST));
    assert_eq!(said.code, 0, "{said:#?}");
    let done = &json(&said.out)["done"];
    assert_eq!((&done["let_in"], &done["contacts"]["mutual"]), (&40.into(), &240.into()));

    // Again: it is all there, and nothing is sent.
    let said = shell.run(&create);
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(row(&said.out, "existed already").starts_with("existed already               40"));
    assert!(row(&said.out, "requests sent").starts_with("requests sent                  0"), "{}", said.out);

    let said = shell.run(&with(&["delete"], &FAST));
    assert_eq!((said.code, row(&said.out, "deleted")), (0, "deleted                       40"));
    assert!(serving.peer().accounts.is_empty());
    let said = shell.run(&with(&["delete"], &FAST));
    assert_eq!((said.code, row(&said.out, "not there")), (0, "not there                     40"));
}

#[test]
fn damage_is_found_named_and_mended() {
    for early_grants in [EarlyGrants::Ignored, EarlyGrants::Botched] {
        let serving = Serving::start(Options { early_grants, ..Options::default() });
        let shell = Shell::new(30, 4, serving.port);
        let create = with(&["create", "--contacts"], &FAST);
        assert_eq!(shell.run(&create).code, 0);

        // One side of each of these was edited, and the other does not know.
        {
            let mut peer = serving.peer();
            peer.contact("u4", "u5").subscription = Subscription::To;
            peer.contact("u8", "u9").subscription = Subscription::From;
            peer.contact("u12", "u13").subscription = Subscription::None;
            peer.accounts.get_mut("u16").unwrap().roster.clear();
            peer.contact("u20", "u21").approved = true;
            peer.contact("u20", "u21").subscription = Subscription::To;
        }
        let said = shell.run(&with(&["check"], &FAST));
        assert_eq!(said.code, 4, "{said:#?}");
        assert_eq!(row(&said.out, "one-sided"), "one-sided                      4");
        assert_eq!(row(&said.out, "missing"), "missing                        4");
        for example in ["u4@localhost with u5@localhost: to", "u16@localhost has not u15@localhost"] {
            assert!(said.out.contains(example), "{example} in:\n{}", said.out);
        }

        let said = shell.run(&create);
        assert_eq!(said.code, 0, "{early_grants:?}: {said:#?}");
        assert_eq!(serving.peer().mutual_pairs().len(), 30 * 4 / 2, "{early_grants:?}");
        let said = shell.run(&with(&["check"], &FAST));
        assert_eq!(said.code, 0, "{said:#?}");
    }
}

#[test]
fn accounts_that_cannot_log_in_are_told_apart() {
    let serving = Serving::start(Options::default());
    let shell = Shell::new(10, 0, serving.port);
    assert_eq!(shell.run(&with(&["create"], &FAST)).code, 0);
    serving.peer().accounts.remove("u3");
    serving.peer().accounts.get_mut("u7").unwrap().password = "another".to_owned();
    let said = shell.run(&with(&["check"], &FAST));
    assert_eq!(said.code, 3, "{said:#?}");
    let lines: Vec<&str> = said.out.lines().map(str::trim).collect();
    let after = |name: &str| lines.iter().skip_while(|line| !line.starts_with(name)).nth(1).copied();
    assert_eq!(after("no such account"), Some("u3@localhost"));
    assert_eq!(after("wrong password"), Some("u7@localhost"));
    assert!(said.out.ends_with("Exit code 3: 2 accounts did not log in\n"), "{}", said.out);
}

#[test]
fn interrupted_it_stops_cleanly_and_goes_on_where_it_stopped() {
    let serving = Serving::start(Options::default());
    let shell = Shell::new(150, 4, serving.port);
    let create = ["create", "--contacts", "--rate", "100/s", "--state", "s", "--out", "a.csv"];
    let lines = |word: &str| {
        let text = std::fs::read_to_string(shell.path("s")).unwrap_or_default();
        text.lines().filter(|line| line.starts_with(word)).count()
    };

    // Among the accounts.
    let mut running = shell.start(&create);
    wait_for("some accounts", || (lines("created") > 20).then_some(()));
    running.signal(Signal::INT);
    assert_eq!(running.wait(), Some(130));
    let made = serving.peer().accounts.len();
    assert!((20..150).contains(&made), "{made}");
    assert_eq!(lines("created"), made, "what was under way has ended, and was written down");
    assert!(!shell.path("a.csv").exists(), "not all accounts are there");

    // Between the two.
    let mut running = shell.start(&create);
    wait_for("all accounts", || (lines("created") == 150).then_some(()));
    running.signal(Signal::INT);
    assert_eq!((running.wait(), lines("created")), (Some(130), 150));

    // Among the contacts.
    let before = lines("asked");
    let mut running = shell.start(&create);
    wait_for("some contacts", || (lines("asked") > before + 20).then_some(()));
    running.signal(Signal::INT);
    assert_eq!(running.wait(), Some(130));
    assert_eq!(serving.peer().registrations, 150, "nobody was registered twice");
    let logins = serving.peer().logins;

    let said = shell.run(&create);
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(said.err.contains("going on from s: 150 accounts are there"), "{}", said.err);
    assert_eq!(serving.peer().mutual_pairs().len(), 150 * 4 / 2);
    assert_eq!(serving.peer().registrations, 150);
    assert!(serving.peer().logins > logins);
    assert!(!shell.path("s").exists());
}

#[test]
fn killed_at_any_instant_it_goes_on() {
    let serving = Serving::start(Options::default());
    let shell = Shell::new(120, 4, serving.port);
    let create = ["create", "--contacts", "--rate", "400/s", "--state", "s"];
    for wait_ms in [30, 150, 300, 450, 600] {
        let mut running = shell.start(&create);
        std::thread::sleep(Duration::from_millis(wait_ms));
        running.signal(Signal::KILL);
        running.wait();
    }
    let said = shell.run(&create);
    assert_eq!(said.code, 0, "{said:#?}");
    assert_eq!(serving.peer().accounts.len(), 120);
    assert_eq!(serving.peer().mutual_pairs().len(), 120 * 4 / 2);
    assert_eq!(shell.run(&with(&["check"], &FAST)).code, 0);
}

#[test]
fn a_second_interrupt_waits_for_nobody() {
    let serving = Serving::start(Options { mute: true, ..Options::default() });
    let shell = Shell::new(50, 0, serving.port);
    let mut running = shell.start(&["create", "--state", "s"]);
    wait_for("the beginning", || shell.path("s").exists().then_some(()));
    std::thread::sleep(Duration::from_millis(300));
    let clock = Epoch::start();
    running.signal(Signal::INT);
    std::thread::sleep(Duration::from_millis(300));
    running.signal(Signal::INT);
    assert_eq!(running.wait(), Some(130));
    // Those under way would be waited for 20 seconds.
    assert!(clock.now().since(Offset::ZERO) < Duration::from_secs(15));
}

#[test]
fn a_server_that_registers_nobody_is_an_error_with_its_words() {
    let options = Options { refuse_registration: Some("not-allowed"), ..Options::default() };
    let serving = Serving::start(options);
    let shell = Shell::new(10, 2, serving.port);
    let said = shell.run(&with(&["create", "--contacts"], &FAST));
    assert_eq!(said.code, 3, "{said:#?}");
    assert!(said.out.contains("10  not-allowed at register (policy)"), "{}", said.out);
    assert!(said.out.contains("Exit code 3: 10 accounts could not be created"), "{}", said.out);
    assert_eq!(serving.peer().logins, 0, "contacts wait until all accounts are there");
}

#[test]
fn all_alike_are_not_all_tried_and_nothing_is_lost() {
    let serving = Serving::start(Options::default());
    let shell = Shell::new(600, 0, serving.port);
    let few = ["--rate", "1000/s", "--quiet", "--connections", "4"];
    let said = shell.run(&with(&["check"], &few));
    assert_eq!(said.code, 3, "{said:#?}");
    assert!(said.out.contains("gave up: 100 accounts on end are not known to the server\n"), "{}", said.out);
    assert!(said.out.contains("`accounts create` makes them"), "{}", said.out);
    assert!(said.out.ends_with("--keep-going tries the rest too\n"), "{}", said.out);
    let said = shell.run(&with(&["check", "--json", "--keep-going"], &few));
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, json["done"]["no_account"]["count"].as_u64()), (3, Some(600)));

    // A server that registers nobody from some account on: what is done before stays done.
    serving.peer().options.accounts_max = Some(50);
    let said = shell.run(&with(&["create"], &few));
    assert_eq!(said.code, 3, "{said:#?}");
    assert!(said.out.contains("gave up: 100 accounts on end failed with not-allowed"), "{}", said.out);
    assert!(said.out.contains("the same command goes on from there"), "{}", said.out);
    serving.peer().options.accounts_max = None;
    let said = shell.run(&with(&["create"], &few));
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(said.err.contains("50 accounts are there"), "{}", said.err);
}

#[test]
fn mistakes_are_refused_before_anything_is_sent() {
    let shell = Shell::new(4, 2, 1);
    std::fs::write(shell.path("notes"), "my notes\n").unwrap();
    std::fs::write(shell.path("old"), "xmpp-bench accounts state 1 00\n").unwrap();
    let near = "xmpp://127.0.0.1:1";
    let cases: [(&[&str], &str); 8] = [
        (&["create", "p.toml", "--target", "loopback:"], "name a server with --target"),
        (&["check", "p.toml", "--target", near, "--rate", "0/s"], "--rate must be above zero"),
        (&["check", "p.toml", "--target", near, "--rate", "fast"], "like \"200/s\""),
        (&["create", "p.toml", "--target", near, "--state", "notes"], "not a state file"),
        (&["create", "p.toml", "--target", near, "--state", "old"], "--fresh"),
        (&["create", "p.toml", "--target", near, "--state", "no/such/folder"], "--state"),
        (
            &["delete", "p.toml", "--target", "xmpp://192.0.2.1:5222"],
            "4 accounts of localhost are to be DELETED",
        ),
        (
            &["check", "p.toml", "--target", near, "--set", "users.0={count=2,auth=[\"ANONYMOUS\"]}"],
            "there are no accounts",
        ),
    ];
    for (words, says) in cases {
        let said = shell.run_bare(words);
        assert_eq!(said.code, 2, "{words:?}: {said:#?}");
        assert_eq!(said.out, "", "stdout is data: {words:?}");
        assert!(said.err.contains(says), "{words:?} should say `{says}`: {}", said.err);
    }
    assert_eq!(std::fs::read_to_string(shell.path("notes")).unwrap(), "my notes\n");
}

#[test]
fn a_list_is_for_other_programs() {
    let shell = Shell::new(3, 2, 1);
    let said = shell.run_bare(&["list", "p.toml"]);
    assert_eq!(said.out, "jid\nu0@localhost\nu1@localhost\nu2@localhost\n");
    let said = shell.run_bare(&["list", "p.toml", "--contacts", "--set", "users.0.count=4"]);
    assert_eq!((said.code, said.out.lines().count()), (0, 1 + 4 * 2));
}
