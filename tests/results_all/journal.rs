use std::io::{self, Write};

use proptest::prelude::*;
use xmpp_bench::results::journal::{
    self, Interval, Journal, JournalReadError, JournalWriteError, JournalWriter, TailReason,
};
use xmpp_bench::results::{LedgerCounts, SecondFacts, Totals, VerdictState, check};
use xmpp_bench::sample::Outcome;

use crate::world;

/// A journal of three intervals, and where each of its lines begins.
pub fn journal(concluded: bool) -> (Vec<u8>, Vec<usize>) {
    let mut totals = Totals::new(world::layout()).expect("a small layout");
    let mut writer = JournalWriter::begin(Vec::new(), &world::preamble()).expect("memory");
    for number in 1..=3 {
        totals.record(0, &world::completed(world::LOGIN, 0, 100_000, 20, 0, 9_000));
        totals.record(1, &world::completed(world::MESSAGE, 1, 2_500_000, 20, 3, 900 * number));
        totals.record(1, &world::ended(world::MESSAGE, 0, 2_600_000, Outcome::Lost));
        totals.note_second(&SecondFacts {
            second: 2,
            users_online: Some(1),
            bytes_in: 900,
            ..SecondFacts::default()
        });
        let counts = LedgerCounts {
            expected: 21 * number,
            delivered: 19 * number,
            lost: number,
            ..Default::default()
        };
        let (delta, ledgers) = (totals.close_interval(), world::ledgers(counts));
        writer
            .interval(&Interval { end_s: number as f64, delta, ledgers, ..Interval::default() })
            .expect("memory");
    }
    let bytes = if concluded {
        let counts = LedgerCounts { expected: 60, delivered: 57, lost: 3, ..LedgerCounts::default() };
        writer.conclude(&world::conclusion(VerdictState::Valid, Vec::new(), counts)).expect("memory")
    } else {
        writer.into_inner()
    };
    let ends = bytes.iter().enumerate().filter(|&(_, &byte)| byte == b'\n').map(|(at, _)| at + 1);
    let starts = std::iter::once(0).chain(ends).collect();
    (bytes, starts)
}

fn read(bytes: &[u8]) -> Result<Journal, JournalReadError> {
    journal::read(bytes)
}

#[test]
fn a_run_that_was_killed_leaves_a_result_whose_open_messages_are_indeterminate() {
    let (bytes, _) = journal(false);
    let result = read(&bytes).expect("a journal").into_result();
    assert!(!result.complete);
    assert_eq!(result.verdict.state, VerdictState::Interrupted);
    assert_eq!(result.exit.code, 130);
    let message = result.ledger.message;
    assert_eq!((message.expected, message.delivered, message.lost, message.indeterminate), (63, 57, 3, 3));
    assert_eq!(check::contradictions(&result), Vec::<String>::new());
}

#[test]
fn a_run_that_concluded_is_whole_in_its_journal() {
    let (bytes, _) = journal(true);
    let read = read(&bytes).expect("a journal");
    assert_eq!((read.intervals, &read.tail), (3, &None));
    let result = read.into_result();
    assert!(result.complete);
    assert_eq!(result.verdict.state, VerdictState::Valid);
    assert_eq!(check::contradictions(&result), Vec::<String>::new());
}

#[test]
fn a_journal_torn_at_any_byte_of_its_tail_holds_everything_before_it() {
    let (bytes, starts) = journal(true);
    for (line, &start) in starts.iter().enumerate().skip(2) {
        // Every byte of the last two records; the boundaries of the others.
        let first = if line + 2 >= starts.len() { starts[line - 1] } else { start };
        for end in first..=start {
            let read = read(&bytes[..end]).expect("the first record is whole");
            let whole = starts.iter().filter(|&&boundary| boundary <= end).count() - 1;
            assert_eq!(read.intervals, (whole as u64 - 1).min(3), "cut at {end}");
            let at_boundary = starts.contains(&end);
            assert_eq!(read.tail.is_none(), at_boundary, "cut at {end}");
            if let Some(tail) = read.tail {
                assert_eq!(
                    (tail.reason, tail.offset),
                    (TailReason::Torn, starts[whole] as u64),
                    "cut at {end}"
                );
            }
        }
    }
}

#[test]
fn a_journal_torn_in_its_first_record_says_so_at_every_byte() {
    let (bytes, starts) = journal(false);
    for end in 0..starts[1] {
        let error = read(&bytes[..end]).expect_err("nothing to read");
        assert!(error.to_string().contains("killed before it began"), "cut at {end}: {error}");
    }
}

#[test]
fn a_missing_doubled_or_later_record_ends_the_reading() {
    let (bytes, starts) = journal(true);
    let line = |number: usize| &bytes[starts[number]..starts[number + 1]];
    for (order, intervals) in
        [(vec![0, 1, 3], 1), (vec![0, 1, 1], 1), (vec![0, 1, 0], 1), (vec![0, 1, 2, 3, 4, 4], 3)]
    {
        let bytes: Vec<u8> = order.iter().flat_map(|&number| line(number)).copied().collect();
        let read = read(&bytes).expect("the first record is whole");
        assert_eq!(read.intervals, intervals, "{order:?}");
        assert_eq!(read.tail.expect("something was left out").reason, TailReason::OutOfTurn, "{order:?}");
    }
}

#[test]
fn a_record_of_another_run_is_not_believed() {
    let (bytes, starts) = journal(false);
    let mut preamble = world::preamble();
    preamble.layout.operations.truncate(1);
    let mut foreign = JournalWriter::begin(Vec::new(), &preamble).expect("memory").into_inner();
    foreign.extend_from_slice(&bytes[starts[1]..]);
    let read = read(&foreign).expect("the first record is whole");
    assert_eq!(read.intervals, 0);
    assert!(matches!(read.tail.expect("left out").reason, TailReason::Impossible(_)));
}

#[test]
fn another_major_version_is_refused_with_advice_whatever_its_shape() {
    for (schema, advice) in [
        ("xmpp-bench/result/2.0", "newer xmpp-bench"),
        ("xmpp-bench/result/0.9", "the xmpp-bench that wrote it"),
    ] {
        let json = format!(r#"{{"preamble":{{"schema":"{schema}","other":"shape"}}}}"#);
        let line = format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()));
        let error = read(line.as_bytes()).expect_err("another version");
        assert!(error.to_string().contains(advice), "{error}");
    }
}

/// A disk with room for so many bytes.
#[derive(Debug)]
struct SmallDisk(usize);

impl Write for SmallDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_said_once_and_nothing_is_written_after_a_torn_line() {
    let room = journal(false).1[1] + 10;
    let mut writer =
        JournalWriter::begin(SmallDisk(room), &world::preamble()).expect("room for the first record");
    let first = writer.interval(&Interval::default()).expect_err("no room");
    assert!(matches!(first, JournalWriteError::NoSpace(_)), "{first:?}");
    let second = writer.interval(&Interval::default()).expect_err("broken");
    assert!(matches!(second, JournalWriteError::Broken), "{second:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_bytes_make_reading_panic(place in any::<prop::sample::Index>(), byte: u8, noise in any::<Vec<u8>>()) {
        let _ = read(&noise);
        let (mut bytes, _) = journal(true);
        let place = place.index(bytes.len());
        let changed = bytes[place] != byte;
        bytes[place] = byte;
        if let Ok(read) = read(&bytes) {
            prop_assert_eq!(read.tail.is_some(), changed, "a changed byte is noticed");
            let result = read.into_result();
            prop_assert_eq!(check::contradictions(&result), Vec::<String>::new());
        }
    }

    /// Records whose checksum is right but whose numbers are forged: refused or bounded, never a crash.
    #[test]
    fn forged_numbers_do_not_panic(value in any::<u64>(), field in 0usize..6) {
        let (bytes, starts) = journal(false);
        let text = std::str::from_utf8(&bytes[starts[1] + 9..starts[2] - 1]).expect("JSON");
        let mut record: serde_json::Value = serde_json::from_str(text).expect("JSON");
        let pointer = [
            "/interval/interval/delta/leaves/0/operation",
            "/interval/interval/delta/leaves/0/response/buckets/0/0",
            "/interval/interval/delta/leaves/0/response/buckets/0/1",
            "/interval/interval/delta/operations/0/second",
            "/interval/interval/delta/seconds/0/bytes_in",
            "/interval/interval/ledgers/1/message/expected",
        ][field];
        *record.pointer_mut(pointer).expect("a field of the record") = value.into();
        let json = record.to_string();
        let mut forged = bytes[..starts[1]].to_vec();
        for _ in 0..2 {
            forged.extend_from_slice(format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes())).as_bytes());
        }
        if let Ok(read) = read(&forged) {
            let _ = check::contradictions(&read.into_result());
        }
    }
}
