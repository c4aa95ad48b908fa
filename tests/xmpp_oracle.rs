//! The framer and the strict level against rxml, an independent parser of XMPP's XML, on generated streams and
//! mutations of them, at every split point.
//!
//! Both have to agree on whether a stream may be read on, on how many first-level elements came before that, and on
//! what is in them. Where they may differ is the list [`Difference`], and nothing else.

use proptest::prelude::*;
use rxml::error::EndOrError;
use rxml::{Event, Parse, Parser};
use xmpp_bench::xmpp::framer::{FrameError, FrameKind, Framer, Limits, Scan};
use xmpp_bench::xmpp::{Element, Flow, Item, ReadError, StreamReader};

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

/// Where the two may differ, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Difference {
    /// XML has character data between first-level elements; RFC 6120 section 4.1 has white space alone there.
    TextAtStreamLevel,
    /// rxml judges every token as it comes; here an element is judged when it is whole.
    UnfinishedElement,
    /// rxml waits for the rest of a character, a comment, an instruction, or an end tag with a quote in it, that its start rules out
    /// already.
    RefusedEarlier,
    /// rxml passes over a declaration of the namespace that declarations are in (Namespaces in XML 1.0 section 3 forbids it), and over a
    /// second default namespace in a tag (XML 1.0 has no attribute twice).
    Declarations,
}

/// How reading ended.
#[derive(Clone, Debug, PartialEq)]
enum End {
    Waiting,
    Closed,
    Refused(ReadError),
}

/// An element as a tree: namespace, name, text of its own, attributes in order, children.
#[derive(Clone, Debug, Default, PartialEq)]
struct Tree {
    name: (String, String),
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Self>,
}

/// The frames of a stream shown in pieces that end at `cuts`, and how it ended.
fn frames(stream: &[u8], cuts: &[usize]) -> (Vec<(FrameKind, std::ops::Range<usize>)>, End) {
    let mut framer = Framer::new(Limits::default());
    let (mut found, mut begin) = (Vec::new(), 0);
    for &cut in cuts.iter().chain([&stream.len()]) {
        loop {
            match framer.next(&stream[begin..cut]) {
                Ok(Scan::More { consumed }) => {
                    begin += consumed;
                    break;
                }
                Ok(Scan::Frame(frame)) => {
                    found.push((frame.kind, begin + frame.range.start..begin + frame.range.end));
                    begin += frame.range.end;
                }
                Err(error) => return (found, End::Refused(error.into())),
            }
        }
    }
    let closed = found.last().is_some_and(|(kind, _)| *kind == FrameKind::Close);
    (found, if closed { End::Closed } else { End::Waiting })
}

fn ours(stream: &[u8]) -> (Vec<Tree>, End) {
    let (mut trees, mut end) = (Vec::new(), End::Waiting);
    let mut reader = StreamReader::new(Limits::default());
    let done = reader.push(stream, |item| -> Result<Flow, ReadError> {
        match item {
            Item::Header(_) => {}
            Item::Element(element) => trees.push(tree(&element)),
            Item::Close => end = End::Closed,
        }
        Ok(Flow::Continue)
    });
    (trees, done.map_or_else(End::Refused, |_| end))
}

fn tree(element: &Element<'_>) -> Tree {
    Tree {
        name: (element.namespace().into_owned(), element.local().to_owned()),
        attributes: ["a", "b", "xml:lang"]
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), element.attribute(name)?.into_owned())))
            .collect(),
        text: element.text().into_owned(),
        children: element.children().map(|child| tree(&child)).collect(),
    }
}

fn theirs(stream: &[u8]) -> (Vec<Tree>, Result<bool, String>) {
    let mut parser = Parser::new();
    let (mut rest, mut open, mut whole) = (stream, Vec::<Tree>::new(), Vec::new());
    loop {
        match parser.parse(&mut rest, false) {
            Ok(Some(Event::StartElement(_, (namespace, name), attributes))) => open.push(Tree {
                name: (namespace.to_string(), name.to_string()),
                attributes: known(&attributes),
                ..Tree::default()
            }),
            Ok(Some(Event::Text(_, text))) => {
                if let Some(element) = open.last_mut() {
                    element.text += &text;
                }
            }
            Ok(Some(Event::EndElement(_))) => {
                let element = open.pop().expect("rxml matches ends");
                match open.len() {
                    0 => {}
                    1 => whole.push(element),
                    _ => open.last_mut().expect("it has a parent").children.push(element),
                }
                if open.is_empty() {
                    return (whole, after_end(&mut parser, rest));
                }
            }
            Ok(Some(Event::XmlDeclaration(..))) => {}
            Ok(None) => return (whole, Ok(true)),
            Err(EndOrError::NeedMoreData) => return (whole, Ok(false)),
            Err(EndOrError::Error(error)) => return (whole, Err(format!("{error:?}"))),
        }
    }
}

/// White space may follow the end; whether more does.
fn after_end(parser: &mut Parser, mut rest: &[u8]) -> Result<bool, String> {
    match parser.parse(&mut rest, true) {
        Err(EndOrError::Error(error)) => Err(format!("{error:?}")),
        Ok(Some(event)) => Err(format!("{event:?}")),
        _ => Ok(true),
    }
}

fn known(attributes: &rxml::AttrMap) -> Vec<(String, String)> {
    let xml = "http://www.w3.org/XML/1998/namespace";
    ["a", "b", "xml:lang"]
        .iter()
        .filter_map(|name| {
            let (namespace, local) = name.split_once(':').map_or(("", *name), |(_, local)| (xml, local));
            let found =
                attributes.iter().find(|((ns, n), _)| ns.as_str() == namespace && n.as_str() == local);
            Some(((*name).to_owned(), found?.1.clone()))
        })
        .collect()
}

/// Which difference two endings are, if they may differ so.
fn difference(stream: &[u8], ours: &End, theirs: &Result<bool, String>) -> Option<Difference> {
    match (ours, theirs) {
        (End::Refused(ReadError::Strict(_)), Ok(_)) if misdeclares(stream) => Some(Difference::Declarations),
        (End::Refused(_), Ok(false)) if has_quote_in_last_end_tag(stream) => Some(Difference::RefusedEarlier),
        (End::Refused(ReadError::Frame(FrameError::StrayText)), _) => Some(Difference::TextAtStreamLevel),
        (
            End::Refused(ReadError::Frame(
                FrameError::Encoding | FrameError::Instruction | FrameError::Comment,
            )),
            Ok(false),
        ) => Some(Difference::RefusedEarlier),
        (End::Waiting, Err(_)) => Some(Difference::UnfinishedElement),
        _ => None,
    }
}

fn misdeclares(stream: &[u8]) -> bool {
    let text = String::from_utf8_lossy(stream);
    text.contains("xmlns='http://www.w3.org/2000/xmlns/'")
        || text.split('<').any(|tag| tag.matches("xmlns=").count() > 1)
}

fn has_quote_in_last_end_tag(stream: &[u8]) -> bool {
    let begin = stream.windows(2).rposition(|pair| pair == b"</");
    begin.is_some_and(|begin| stream[begin..].iter().any(|byte| matches!(byte, b'\'' | b'"')))
}

/// Both read `stream`; what differs must have a name.
fn compare(stream: &[u8]) -> Result<Option<Difference>, TestCaseError> {
    let (our_trees, our_end) = ours(stream);
    let (their_trees, their_end) = theirs(stream);
    let text = stream[HEADER.len()..].escape_ascii();
    let agree = matches!(
        (&our_end, &their_end),
        (End::Waiting, Ok(false)) | (End::Closed, Ok(true)) | (End::Refused(_), Err(_))
    );
    let named = difference(stream, &our_end, &their_end);
    prop_assert!(agree || named.is_some(), "{text}\nours {our_end:?}, theirs {their_end:?}");
    // Where only rxml reads on, it has read more.
    if matches!(named, Some(Difference::TextAtStreamLevel | Difference::Declarations)) {
        prop_assert!(our_trees.len() <= their_trees.len(), "{text}");
    } else {
        prop_assert_eq!(our_trees, their_trees, "{}", text);
    }
    Ok(named.filter(|_| !agree))
}

/// The frames are the same however the stream is cut.
fn cut_everywhere(stream: &[u8]) -> Result<(), TestCaseError> {
    let (whole, end) = frames(stream, &[]);
    for cut in 0..stream.len() {
        let (found, found_end) = frames(stream, &[cut]);
        prop_assert_eq!(&found, &whole, "cut at {}: {}", cut, stream.escape_ascii());
        // Of two errors in one element either may be told.
        let alike = matches!((&end, &found_end), (End::Refused(_), End::Refused(_))) || end == found_end;
        prop_assert!(alike, "cut at {cut}: {end:?}, {found_end:?}: {}", stream.escape_ascii());
    }
    let everywhere: Vec<_> = (0..stream.len()).collect();
    prop_assert_eq!(frames(stream, &everywhere).0, whole);
    Ok(())
}

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[a-z >\"'\t\n]{0,8}",
        2 => proptest::sample::select(vec!["&lt;", "&amp;", "&#65;", "&#x1F600;", "\u{e9}", "\u{20ac}", "\u{10ffff}", "]]"]).prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat().replace("]]>", ""))
}

fn attributes() -> impl Strategy<Value = String> {
    let value = "[a-z> ]{0,6}|&lt;|&quot;\u{e9}|&#9;";
    (proptest::option::of(value), proptest::option::of(value), any::<bool>(), any::<bool>()).prop_map(
        |(a, b, lang, double)| {
            let a = a.map_or(String::new(), |value| format!(" a='{value}'"));
            let b = b.map_or(String::new(), |value| format!("\n b = \"{value}\""));
            let lang = if lang { " xml:lang='en'" } else { "" };
            if double { format!("{b}{lang}{a} ") } else { format!("{a}{b}{lang}") }
        },
    )
}

fn element() -> impl Strategy<Value = String> {
    let name = || {
        proptest::sample::select(vec![
            ("message", ""),
            ("iq", " xmlns='jabber:client'"),
            ("x", " xmlns=''"),
            ("p:y", " xmlns:p='urn:p'"),
            ("p:z-1", " xmlns:p='urn:&amp;q' p:a='1'"),
            ("stream:features", ""),
            ("\u{e9}t\u{e9}", " xmlns='urn:e'"),
        ])
    };
    let leaf = (name(), attributes(), text()).prop_map(|((name, declared), attributes, text)| match &*text {
        "" => format!("<{name}{declared}{attributes}/>"),
        _ => format!("<{name}{declared}{attributes}>{text}</{name}>"),
    });
    leaf.prop_recursive(3, 12, 4, move |inner| {
        let inside = proptest::collection::vec((inner, text(), any::<bool>()), 0..4);
        (name(), attributes(), inside).prop_map(|((name, declared), attributes, inside)| {
            let inside: String = inside
                .into_iter()
                .map(
                    |(child, text, cdata)| {
                        if cdata { format!("{child}<![CDATA[<&{text}]]>") } else { child + &text }
                    },
                )
                .collect();
            format!("<{name}{declared}{attributes}>{inside}</{name} >")
        })
    })
}

fn stream() -> impl Strategy<Value = String> {
    (proptest::collection::vec((element(), "[ \n\t]{0,2}"), 0..3), any::<bool>()).prop_map(
        |(elements, closed)| {
            let inside: String = elements.into_iter().map(|(element, space)| element + &space).collect();
            format!("{HEADER}{inside}{}", if closed { "</stream:stream>\n" } else { "" })
        },
    )
}

/// What mutations put in.
const HOSTILE: [&[u8]; 44] = [
    b"<",
    b">",
    b"&",
    b"'",
    b"\"",
    b"/",
    b"=",
    b":",
    b";",
    b"]]>",
    b"<!",
    b"<!--",
    b"<!-- -->",
    b"<?",
    b"<?a?>",
    b"?>",
    b"<!DOCTYPE a>",
    b"<![CDATA[",
    b"</",
    b"/>",
    b"</a>",
    b"<a>",
    b"<1a/>",
    b"<x:a/>",
    b"<a:b:c/>",
    b"<a b='<'/>",
    b" a=''",
    b" xmlns:p=''",
    b" xmlns:xml='urn:x'",
    b" xmlns:xmlns='urn:x'",
    b" p:a='1'",
    b" xmlns='http://www.w3.org/2000/xmlns/'",
    b"&#0;",
    b"&#xFFFE;",
    b"&#xD800;",
    b"&#x1111111;",
    b"&nbsp;",
    b"\x00",
    b"\x01",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xef\xbf\xbf",
    b"\xf0\x9f\x98",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn valid_streams_are_read_alike(stream in stream()) {
        prop_assert_eq!(compare(stream.as_bytes())?, None, "{}", stream);
        cut_everywhere(stream.as_bytes())?;
    }

    #[test]
    fn mutated_streams_are_judged_alike(
        stream in stream(), at in any::<prop::sample::Index>(), dropped in 0usize..4,
        hostile in proptest::option::of(prop::sample::select(HOSTILE.to_vec()))
    ) {
        let mut bytes = stream.into_bytes();
        let at = HEADER.len() + at.index(bytes.len() - HEADER.len() + 1);
        let end = (at + dropped).min(bytes.len());
        bytes.splice(at..end, hostile.unwrap_or_default().iter().copied());
        compare(&bytes)?;
        cut_everywhere(&bytes)?;
    }
}

/// Each named difference exists: a name nothing needs any more has to go.
#[test]
fn every_difference_has_an_example() {
    for (inside, expected) in [
        (&b"<a>\xff"[..], Some(Difference::RefusedEarlier)),
        (b"<a><?", Some(Difference::RefusedEarlier)),
        (b"</stream:stream'>\n", Some(Difference::RefusedEarlier)),
        (b"<a></a '>", Some(Difference::RefusedEarlier)),
        (b"<a></a=>", None),
        (b"<a xmlns='http://www.w3.org/2000/xmlns/'/>", Some(Difference::Declarations)),
        (b"<a xmlns='' xmlns=''/>", Some(Difference::Declarations)),
        (b"<a xmlns='urn:y' xmlns='urn:x'/>", Some(Difference::Declarations)),
        (b"text<a/>", Some(Difference::TextAtStreamLevel)),
        (b"<a>&#0;", Some(Difference::UnfinishedElement)),
        (b"<a>&#0;</a>", None),
        (b"</other>", None),
    ] {
        let stream = [HEADER.as_bytes(), inside].concat();
        assert_eq!(compare(&stream).unwrap(), expected, "{}", inside.escape_ascii());
    }
}
