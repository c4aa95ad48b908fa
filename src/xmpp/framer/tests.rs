//! The framer at every split point, and against what it must refuse.

use super::*;

const TINY: Limits = Limits { stanza_bytes_max: 64, depth_max: 3 };

/// All items of `stream`, shown in pieces that end at `cuts`, as (kind, text).
fn frames(stream: &[u8], cuts: &[usize], limits: Limits) -> Result<Vec<(FrameKind, Vec<u8>)>, FrameError> {
    let mut framer = Framer::new(limits);
    let (mut found, mut begin) = (Vec::new(), 0);
    for &cut in cuts.iter().chain([&stream.len()]) {
        loop {
            match framer.next(&stream[begin..cut])? {
                Scan::More { consumed } => {
                    begin += consumed;
                    break;
                }
                Scan::Frame(frame) => {
                    found.push((frame.kind, stream[begin..][frame.range.clone()].to_vec()));
                    begin += frame.range.end;
                }
            }
        }
    }
    Ok(found)
}

fn at_once(stream: &str) -> Result<Vec<(FrameKind, Vec<u8>)>, FrameError> {
    frames(stream.as_bytes(), &[], Limits::default())
}

#[test]
fn state_is_small_enough_to_keep_for_every_idle_connection() {
    assert!(size_of::<Framer>() <= 24, "{} bytes", size_of::<Framer>());
}

#[test]
fn a_stream_is_the_same_items_however_it_is_cut() {
    let stream = "<?xml version='1.0'?>\n<stream:stream xmlns:stream='s' a='>'>  <a/>\n<b c=\"/>'\">t\u{1f600}<![CDATA[</b>]]]>\
                  <d e='<'/></b>\r\n \t</stream:stream>\n";
    let whole = at_once(stream).unwrap();
    let kinds: Vec<_> = whole.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [FrameKind::Header, FrameKind::Element, FrameKind::Element, FrameKind::Close]);
    assert_eq!(whole[1].1, b"<a/>");
    assert_eq!(whole[3].1, b"</stream:stream>");
    let stream = stream.as_bytes();
    for first in 0..stream.len() {
        assert_eq!(frames(stream, &[first], Limits::default()).as_ref(), Ok(&whole), "cut at {first}");
    }
    let everywhere: Vec<_> = (0..stream.len()).collect();
    assert_eq!(frames(stream, &everywhere, Limits::default()), Ok(whole));
}

#[test]
fn a_byte_at_a_time_is_scanned_once() {
    let body = "x".repeat(200_000);
    let stream = format!("<s><m>{body}</m>");
    let every_byte: Vec<_> = (0..stream.len()).collect();
    // Quadratic scanning would take 2 × 10^10 steps here.
    assert_eq!(frames(stream.as_bytes(), &every_byte, Limits::default()).unwrap().len(), 2);
}

#[test]
fn what_no_stream_may_hold_is_refused() {
    use FrameError::{AfterEnd, Comment, Declaration, Encoding, Instruction, Malformed, StrayText};
    for (stream, error) in [
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><s>", Declaration),
        ("<s><!ELEMENT a>", Declaration),
        ("<s><a><!doctype", Declaration),
        ("<!-- -->", Comment),
        ("<s><!-- --></s>", Comment),
        ("<s><a>text<!---->", Comment),
        ("<?php ?>", Instruction),
        ("<?xml-stylesheet ?><s>", Instruction),
        (" <?xml version='1.0'?><s>", Instruction),
        ("<?xml version='1.0'?><?xml version='1.0'?><s>", Instruction),
        ("<s><?xml version='1.0'?>", Instruction),
        ("<s><a><?b?>", Instruction),
        ("text", StrayText),
        ("<s>text", StrayText),
        ("<s><a/>&lt;<b/>", StrayText),
        ("<s><![CDATA[a]]>", StrayText),
        ("\u{feff}<s>", StrayText),
        ("</s>", Malformed),
        ("<s><a><>", Malformed),
        ("<s>< a>", Malformed),
        ("<s><1a>", Malformed),
        ("<s><a><![CDATB[", Malformed),
        ("<s></s>a", AfterEnd),
        ("<s></s><s>", AfterEnd),
        ("<s/><a/>", AfterEnd),
    ] {
        let stream = stream.as_bytes();
        assert_eq!(frames(stream, &[], Limits::default()), Err(error), "{}", stream.escape_ascii());
        let everywhere: Vec<_> = (0..stream.len()).collect();
        assert_eq!(frames(stream, &everywhere, Limits::default()), Err(error), "{}", stream.escape_ascii());
    }
    assert_eq!(frames(b"\xff\xfe<\0", &[], TINY), Err(Encoding));
}

#[test]
fn encoding_is_checked_across_pieces() {
    let good = "<s><a b='\u{e9}\u{20ac}\u{10ffff}'>\u{1f600}</a>".as_bytes();
    for cut in 0..good.len() {
        assert_eq!(frames(good, &[cut], Limits::default()).map(|found| found.len()), Ok(2), "cut at {cut}");
    }
    for bad in [
        &b"\xc0\x80"[..],
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xff",
        b"\x80",
        b"\xf0\x9f\x98x",
        b"\xe2\x82",
    ] {
        let stream = [b"<s><a>", bad, b"</a>"].concat();
        for cut in 0..stream.len() {
            let found = frames(&stream, &[cut], Limits::default());
            assert_eq!(found, Err(FrameError::Encoding), "{} cut at {cut}", stream.escape_ascii());
        }
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let fits = format!("<s><a>{}</a>", "x".repeat(64 - 7));
    assert_eq!(frames(fits.as_bytes(), &[], TINY).map(|found| found.len()), Ok(2));
    let larger = format!("<s><a>{}</a>", "x".repeat(64 - 6));
    assert_eq!(frames(larger.as_bytes(), &[], TINY), Err(FrameError::TooLarge(64)));
    assert_eq!(frames(b"<s><a><b><c/></b></a>", &[], TINY).map(|found| found.len()), Ok(2));
    assert_eq!(frames(b"<s><a><b><c><d/>", &[], TINY), Err(FrameError::TooDeep(3)));
    assert_eq!(frames(b"<s><a><b><c><d>", &[], TINY), Err(FrameError::TooDeep(3)));
    let deepest = Limits { depth_max: u16::MAX, ..Limits::default() };
    let bottomless = format!("<s>{}", "<a>".repeat(100_000));
    assert_eq!(frames(bottomless.as_bytes(), &[], deepest), Err(FrameError::TooDeep(u16::MAX)));
}

#[test]
fn an_empty_stream_begins_and_ends() {
    let found = at_once(" <s a='b'/> ").unwrap();
    assert_eq!(found, [(FrameKind::Header, b"<s a='b'/>".to_vec()), (FrameKind::Close, Vec::new())]);
}

#[test]
fn white_space_between_stanzas_is_not_kept() {
    let mut framer = Framer::new(TINY);
    framer.next(b"<s>").unwrap();
    for _ in 0..1000 {
        assert_eq!(framer.next(b" \n\t\r "), Ok(Scan::More { consumed: 5 }));
    }
}
