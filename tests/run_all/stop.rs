//! The generator itself stands still for a second and a half: it must convict itself, and acquit the server.

use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use xmpp_bench::clock::Epoch;
use xmpp_bench::units::Offset;

use crate::world::{Running, World, is_generator_limited, max, quantile, quantile_of, wait_for, wait_until};

const PROFILE: &str = r#"
deadline = "10s"
drain = "10s"
[target]
url = "loopback:"
domain = "localhost"
[[users]]
count = 40
jid = "u{n}@{domain}"
password = "p{n}"
contacts = 4
[[phase]]
name = "ramp"
duration = "1s"
users = 40
[[phase]]
name = "settle"
duration = "2s"
[[phase]]
name = "steady"
duration = "10s"
measure = true
[[activity]]
kind = "message"
rate = "400/s"
arrivals = "constant"
body = 64
to = "contact"
"#;

const STOP: Duration = Duration::from_millis(1_500);
const MEASURED: (f64, f64) = (3.0, 13.0);

#[test]
fn a_stopped_generator_convicts_itself() {
    let world = World::new(PROFILE);
    let (server, target) = serve(&world);
    let run = world.start_run(&["--target", &target, "--set", "target.ca_file=ca.pem", "--workers", "1"]);
    wait_until(&world, "result.json", 5.0);
    let clock = Epoch::start();
    let stopped = signal_at(&run, Signal::STOP, clock);
    std::thread::sleep(STOP);
    let continued = signal_at(&run, Signal::CONT, clock);
    let ended = world.end_of(run);
    end(server);

    // The run's zero on our clock: no message can have reached the server before it was intended, and of thousands one
    // was there within a millisecond or two.
    let truth = world.truth("truth.jsonl");
    let on_our_clock = |nanos: u64| nanos as i64 + truth.header.epoch_monotonic_ns as i64;
    let copies = truth.copies.iter();
    let zero =
        copies.map(|c| on_our_clock(c.received_ns) - c.token.intended.as_nanos() as i64).min().unwrap();
    let since_zero =
        |at: Offset| (clock.as_monotonic_nanos() as i64 + at.as_nanos() as i64 - zero) as f64 / 1e9;
    let (stopped, continued) = (since_zero(stopped), since_zero(continued));
    eprintln!("stopped from {stopped:.3} s to {continued:.3} s");
    let plan = world.plan(7);
    let measured: Vec<f64> = plan
        .iter()
        .map(|action| action.at.as_secs_f64())
        .filter(|at| (MEASURED.0..MEASURED.1).contains(at))
        .collect();
    let inside = measured.iter().filter(|at| (stopped..continued).contains(at));
    let mut waits: Vec<f64> = inside.map(|at| continued - at).collect();
    assert!(waits.len() >= 590, "the stop lies in the measured phase: {} messages in it", waits.len());

    let seen = &ended.result.operations["message.delivery"].figures;
    for fraction in [0.95, 0.99] {
        let predicted = quantile_of(&mut waits, measured.len(), fraction);
        for (name, times) in [("response", &seen.response_us), ("lag", &seen.lag_us)] {
            let value = quantile(times, fraction);
            eprintln!("{name} p{}: {value:.3} s, predicted {predicted:.3} s", fraction * 100.0);
            // The signal takes effect a little after it was sent; a busy machine wakes the process late.
            let bounds = predicted * 0.9 - 0.01..predicted * 1.1 + 0.4;
            assert!(bounds.contains(&value), "{name}: {value} s, predicted {predicted} s");
        }
    }
    // What was sent late was answered at once: the server is not blamed.
    let (service, response) = (quantile(&seen.service_us, 0.99), quantile(&seen.response_us, 0.99));
    eprintln!("service p99: {service:.3} s");
    assert!(service < response * 0.4, "service time p99 {service} s, response {response} s");
    // The worker's loop knows that it did not run.
    let steady = ended.result.generator.workers.iter().filter(|worker| worker.phase == "steady");
    let turn = steady.map(|worker| worker.turn_max_us).max().unwrap() as f64 / 1e6;
    assert!(turn >= (continued - stopped) * 0.9, "the longest turn is {turn} s");
    assert!(max(&seen.lag_us) >= (continued - stopped) * 0.9);
    assert!(is_generator_limited(&ended.result), "{:#?}", ended.result.verdict);
    for predicate in ["lag p99", "turn p99"] {
        let evidence = &ended.result.verdict.evidence;
        let convicted = evidence.iter().any(|e| {
            e.predicate == predicate && e.state == xmpp_bench::results::VerdictState::GeneratorLimited
        });
        assert!(convicted, "{predicate} says nothing: {evidence:#?}");
    }
    assert_eq!(ended.code, 7);
    let ledger = ended.result.ledger.message;
    assert_eq!([ledger.lost, ledger.failed, ledger.indeterminate], [0; 3]);
}

/// The embedded server in a process of its own, and how to reach it.
fn serve(world: &World) -> (Running, String) {
    let mut command: Command = world.command("serve");
    command.args(["serve", "--profile", "profile.toml", "--listen", "127.0.0.1:0"]);
    command.args(["--truth", "truth.jsonl", "--ca-out", "ca.pem"]);
    let server = Running::new(command.spawn().unwrap());
    let address = wait_for("server", || {
        let text = world.text("serve.err");
        let rest = text.split_once("listening on ")?.1;
        Some(rest.split_once(';')?.0.to_owned())
    });
    (server, format!("xmpp://{address}"))
}

fn end(mut server: Running) {
    server.signal(Signal::TERM);
    assert_eq!(server.wait(), 0);
}

fn signal_at(run: &Running, signal: Signal, clock: Epoch) -> Offset {
    run.signal(signal);
    clock.now()
}
