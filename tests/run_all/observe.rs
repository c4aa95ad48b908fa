//! `[observe]`: what a result says of a process, held against what the kernel says of it to others.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rustix::process::Signal;
use xmpp_bench::results::{ColumnKind, ColumnUnit, ObservedSource, SourceKind, ThreadRole};

use crate::world::{Ended, Running, World, wait_for, wait_until};

const PROFILE: &str = r#"
deadline = "5s"
drain = "5s"
[target]
url = "loopback:"
domain = "localhost"
[[users]]
count = 100
jid = "u{n}@{domain}"
password = "p{n}"
contacts = 4
[[phase]]
name = "ramp"
duration = "3s"
users = 100
rate = 0
[[phase]]
name = "steady"
duration = "4s"
measure = true
[[activity]]
kind = "message"
rate = "200/s"
"#;

fn only_source(ended: &Ended) -> &ObservedSource {
    let sources = &ended.result.observed.as_ref().expect("something was observed").sources;
    assert_eq!(sources.len(), 1);
    &sources[0]
}

fn column(source: &ObservedSource, name: &str) -> Vec<Option<f64>> {
    source.columns.get(name).unwrap_or_else(|| panic!("{name}")).values.clone()
}

#[test]
fn the_embedded_servers_threads_are_told_apart_from_the_generators() {
    let world = World::new(PROFILE);
    let ended = world.run(&["--set", "observe.process=loopback:"]);
    let source = only_source(&ended);
    assert_eq!((source.kind, source.name.as_str()), (SourceKind::EmbeddedServer, "loopback:"));
    assert_eq!(
        (source.memory.as_ref(), source.processes.len()),
        (None, 0),
        "memory is shared with the generator"
    );
    let seen = column(source, "cpu_seconds").into_iter().flatten().last().expect("readings");
    // The generator counts its threads by itself, and looks at other instants: the server's sum is between the two.
    let threads = ended.result.generator.threads.iter();
    let own: f64 =
        threads.filter(|thread| thread.role == ThreadRole::Server).map(|one| one.user_s + one.system_s).sum();
    assert!(seen > 0.0 && (seen / own - 1.0).abs() < 0.35, "{seen} s against {own} s");
    let derived = &ended.result.observed.as_ref().unwrap().derived;
    assert!(derived.cpu_s_per_1000_logins.operations <= 100, "{derived:?}");
    assert!(derived.memory_bytes_per_user.reason.contains("no source knows"), "{derived:?}");
}

/// What the kernel tells everybody of a process, beside our own reading of it: CPU seconds, resident bytes, descriptors.
fn told_by_the_kernel(pid: u32) -> Option<(f64, f64, f64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<f64>().ok();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = resident.split_whitespace().next()?.parse().ok()?;
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    Some(((number(11)? + number(12)?) / ticks, kib * 1024.0, descriptors as f64))
}

/// A server of its own process, and its port.
fn serve(world: &World) -> (Running, u32, String) {
    let mut command = world.command("serve");
    let child = command.args(["serve", "--listen", "127.0.0.1:0", "--accounts", "100"]).spawn().unwrap();
    let pid = child.id();
    let running = Running::new(child);
    let url = wait_for("address", || {
        let text = world.text("serve.out") + &world.text("serve.err");
        let at = text.find("127.0.0.1:")?;
        let address: String =
            text[at..].chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
        Some(format!("xmpp://{address}"))
    });
    (running, pid, url)
}

#[test]
fn a_process_is_seen_as_the_kernel_shows_it_to_others() {
    let world =
        World::new(&PROFILE.replace("domain = \"localhost\"", "domain = \"localhost\"\ninsecure = true"));
    let (server, pid, url) = serve(&world);
    let before = told_by_the_kernel(pid).expect("it runs");
    let ended = world.run(&["--target", &url, "--set", &format!("observe.pid={pid}")]);
    let after = told_by_the_kernel(pid).expect("it runs");
    let source = only_source(&ended);
    let derived = &ended.result.observed.as_ref().unwrap().derived;
    eprintln!("before {before:?}, after {after:?}, {derived:?}");
    assert_eq!(source.kind, SourceKind::Process);
    assert_eq!(source.faults, [], "nothing failed");
    assert!(source.processes.iter().any(|one| one.pid == pid), "{:?}", source.processes);
    for (name, read) in [
        ("cpu_seconds", (|(cpu, _, _)| cpu) as fn((f64, f64, f64)) -> f64),
        ("memory_bytes", |(_, resident, _)| resident),
    ] {
        let values: Vec<f64> = column(source, name).into_iter().flatten().collect();
        let (first, last) = (values[0], values[values.len() - 1]);
        // Before the run nothing happens, so the first reading is what was seen before, but for what the kernel rounds.
        assert!(
            (first - read(before)).abs() <= 0.02_f64.max(read(before) * 0.1),
            "{name}: {first}, {before:?}"
        );
        assert!(last >= first && last <= read(after) * 1.1 + 0.02, "{name}: {last}, {after:?}");
    }
    // All but the end of the drain and of the sessions lies between the first reading and the last.
    let seen: Vec<f64> = column(source, "cpu_seconds").into_iter().flatten().collect();
    let (used, told) = (seen[seen.len() - 1] - seen[0], after.0 - before.0);
    assert!(used > 0.5 * told && used <= told + 0.02, "{used} s of {told} s");
    let most = column(source, "descriptors").into_iter().flatten().fold(0.0, f64::max);
    assert!((most - (before.2 + 100.0)).abs() <= 2.0, "a descriptor for each user: {most}, {before:?}");
    let cost = &derived.cpu_s_per_1000_logins;
    // A machine that is late has logins end in the phase after; then there is no figure.
    assert!(cost.operations <= 100 && (cost.value.is_none() || cost.operations >= 90), "{cost:?}");
    assert!(cost.cpu_s.is_some_and(|cpu_s| cpu_s <= used + 0.02), "{cost:?}");
    drop(server);
}

/// A process that does nothing, and does not outlive its test.
fn idle() -> (Running, u32) {
    let child: Child = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
    let pid = child.id();
    (Running::new(child), pid)
}

#[test]
fn a_process_that_ends_is_a_gap_and_the_run_goes_on() {
    let world = World::new(PROFILE);
    let (server, pid) = idle();
    let running = world.start_run(&["--set", &format!("observe.pid={pid}")]);
    wait_until(&world, "result.json", 3.0);
    server.signal(Signal::KILL);
    let ended = world.end_of(running);
    assert!(ended.result.complete);
    let source = only_source(&ended);
    let cpu = column(source, "cpu_seconds");
    let last = cpu.iter().rposition(Option::is_some).expect("it was read while it ran");
    assert!((2..7).contains(&last) && cpu.len() > last + 1, "{cpu:?}");
    let fault = source.faults.iter().find(|fault| fault.what.contains("no process has the number"));
    let missed = cpu.iter().filter(|value| value.is_none()).count() as u64;
    assert_eq!(fault.map(|fault| fault.count), Some(missed), "{:?}", source.faults);
    assert!(source.processes[0].last_s < source.readings as f64 - 1.0, "{:?}", source.processes);
}

#[test]
fn what_cannot_be_observed_is_refused_before_the_run_with_what_to_do() {
    let world = World::new(PROFILE);
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).unwrap();
    let page = format!("observe.prometheus=http://{free}/metrics");
    let parent = format!("observe.pid={}", std::process::id());
    for (set, said) in [
        (&["observe.process=no-such-server"][..], "no process is called `no-such-server`"),
        (&["observe.pid=4194000"], "no process has the number 4194000"),
        (&[parent.as_str()], "is xmpp-bench or what started it"),
        (&[page.as_str(), "observe.metrics=x_total"], "is the exporter running?"),
    ] {
        let options: Vec<&str> = set.iter().flat_map(|set| ["--set", *set]).collect();
        let code = world.start_run(&options).wait();
        let text = world.text("run.err");
        assert!(code == 2 && text.contains(said), "{set:?}: {code}: {text}");
        assert!(!world.path("result.json.journal").exists(), "nothing was begun");
    }
}

/// An exporter that answers as `answer` says to its n-th visitor, and counts them. It ends with the test's process.
fn exporter(answer: impl Fn(u64) -> String + Send + 'static) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let visitors = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&visitors);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4_096]);
            let text = answer(counted.fetch_add(1, Ordering::SeqCst));
            let _ = stream.write_all(text.as_bytes());
        }
    });
    (format!("http://{address}/metrics"), visitors)
}

#[test]
fn a_page_of_metrics_is_read_every_second_and_a_failing_one_is_a_gap() {
    let given = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&given);
    let (url, visitors) = exporter(move |visit| {
        if visit == 3 {
            return "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n".to_owned();
        }
        log.lock().unwrap().push(visit);
        let page = format!(
            "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total {}\n\
             # TYPE sessions gauge\nsessions{{host=\"a\"}} 3\nsessions{{host=\"b\"}} 4\nsize_bytes 4096\n",
            visit as f64 * 0.25
        );
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{page}", page.len())
    });
    let world = World::new(&format!(
        "{PROFILE}\n[[observe]]\nprometheus = \"{url}\"\ncpu = \"process_cpu_seconds_total\"\n\
         metrics = [\"sessions\", 'sessions{{host=\"b\"}}', \"size_bytes\", \"sessionz\"]\n"
    ));
    let ended = world.run(&[]);
    let source = only_source(&ended);
    assert_eq!((source.kind, source.name.as_str()), (SourceKind::Prometheus, url.as_str()));
    assert_eq!(
        visitors.load(Ordering::SeqCst),
        source.readings + 1,
        "one look before the run, then one a second"
    );
    let kinds: Vec<_> =
        source.columns.iter().map(|(name, column)| (name.as_str(), column.unit, column.kind)).collect();
    let (gauge, count) = (ColumnKind::Gauge, ColumnUnit::Count);
    let expected = [
        ("process_cpu_seconds_total", ColumnUnit::Seconds, ColumnKind::Counter),
        ("sessions", count, gauge),
        ("sessions{host=\"b\"}", count, gauge),
        ("sessionz", count, gauge),
        ("size_bytes", ColumnUnit::Bytes, gauge),
    ];
    assert_eq!(kinds, expected);
    // The look before the run was visit 0; the one that failed was the third of the run.
    let seen: Vec<f64> = column(source, "process_cpu_seconds_total").into_iter().flatten().collect();
    let told: Vec<f64> = given.lock().unwrap().iter().skip(1).map(|visit| *visit as f64 * 0.25).collect();
    assert_eq!(seen, told);
    assert!(column(source, "process_cpu_seconds_total").contains(&None), "the gap");
    let faults: Vec<_> = source.faults.iter().map(|fault| (fault.what.as_str(), fault.count)).collect();
    assert_eq!(faults, [("the answer is 500 Internal Server Error", 1)]);
    assert!(column(source, "sessions").into_iter().flatten().all(|value| (value - 7.0).abs() < 1e-9));
    assert!(
        column(source, "sessions{host=\"b\"}").into_iter().flatten().all(|value| (value - 4.0).abs() < 1e-9)
    );
    let warned = &ended.result.host.preflight;
    assert!(warned.iter().any(|text| text.contains("no sessionz yet; did you mean sessions?")), "{warned:?}");
    // A quarter of a second of CPU in each second.
    let cost = &ended.result.observed.as_ref().unwrap().derived.cpu_s_per_1000_messages;
    assert!(cost.cpu_s.is_some_and(|cpu_s| (cpu_s - 1.0).abs() < 0.3), "{cost:?}");
}
