//! Chromium, opening a page from disk with no network.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// What came of opening a page.
pub struct Opened {
    /// The document after its scripts ran.
    pub dom: String,
    /// What the browser said meanwhile that concerns the page: its console, and what its policy refused.
    pub console: Vec<String>,
}

/// The browser, or why there is none.
pub fn browser() -> Result<PathBuf, &'static str> {
    let named = std::env::var_os("XB_CHROMIUM").map(PathBuf::from);
    let usual = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].map(PathBuf::from);
    let found = named.into_iter().chain(usual).find(|path| path.is_file());
    found.ok_or("chromium is needed (Debian's package chromium; scripts/test installs it)")
}

/// Opens a page in a window of this size.
pub fn open(browser: &Path, page: &Path, (width, height): (u32, u32)) -> Opened {
    let folder = TempDir::new().expect("a folder");
    let words = [
        "--dump-dom".to_owned(),
        format!("--window-size={width},{height}"),
        format!("file://{}", page.display()),
    ];
    let (dom, said) = run(browser, folder.path(), &words);
    let console = said.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
    Opened { dom, console }
}

const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--enable-logging=stderr",
    "--log-level=0",
    // No network: no name is known, and what is asked for by address goes to a port where nobody listens.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-server=http://127.0.0.1:1",
];

fn run(browser: &Path, folder: &Path, words: &[String]) -> (String, String) {
    let errors = folder.join("stderr");
    let mut child = Command::new(browser)
        .args(FLAGS)
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(&errors).expect("a file"))
        .spawn()
        .expect("the browser starts");
    let mut out = child.stdout.take().expect("it is piped");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_| text)
    });
    let ended = wait(&mut child);
    let text = reader.join().expect("the reader does not panic").expect("UTF-8");
    let said = std::fs::read_to_string(&errors).unwrap_or_default();
    assert!(ended, "the browser did not end: {said}");
    (text, said)
}

/// A busy machine is given time; a browser that hangs is ended.
fn wait(child: &mut Child) -> bool {
    const LONGEST: Duration = Duration::from_mins(2);
    let begun = Instant::now();
    while begun.elapsed() < LONGEST {
        if child.try_wait().expect("it can be waited for").is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = child.kill();
    let _ = child.wait();
    false
}
