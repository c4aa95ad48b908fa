//! Stream headers as servers really write them, and as they must not.

use super::*;

const STREAM: &str = "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'";

fn parse(text: &str) -> Result<Header, HeaderError> {
    Header::parse(text.as_bytes())
}

#[test]
fn a_header_is_read_whatever_its_prefix() {
    for text in [
        format!("<stream:stream {STREAM} id='1' from='a&amp;b' version='1.0' xml:lang='en'>"),
        format!("<?xml version='1.0'?>\n<stream:stream {STREAM} id='1' from='a&#38;b' version='1.0' xml:lang='en'>"),
        format!("<?xml version=\"1.0\" encoding='Utf-8' standalone='yes'?><stream:stream\n{STREAM}\nid='1' from='a&amp;b' version='1.0' xml:lang='en' >"),
        "<foo:stream xmlns='jabber:client' xmlns:foo='http://etherx.jabber.org/streams' id='1' from='a&amp;b' version='1.0' xml:lang='en'>".to_owned(),
        "<stream xmlns='http://etherx.jabber.org/streams' id='1' from='a&amp;b' version='1.0' xml:lang='en'>".to_owned(),
    ] {
        let header = parse(&text).expect(&text);
        assert_eq!(header.id.as_deref(), Some("1"), "{text}");
        assert_eq!(header.from.as_deref(), Some("a&b"), "{text}");
        assert_eq!((header.version, header.lang.as_deref()), (Some((1, 0)), Some("en")), "{text}");
        assert_eq!(header.content, ContentNamespace::Client, "{text}");
    }
    let component =
        "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'>";
    assert_eq!(parse(component).unwrap().content, ContentNamespace::Component);
}

#[test]
fn what_is_no_stream_of_ours_is_refused_with_its_condition() {
    use StreamCondition as Condition;
    let declared = |declaration: &str| format!("{declaration}<stream:stream {STREAM}>");
    for (text, condition) in [
        (
            "<stream:stream xmlns='jabber:client' xmlns:stream='urn:x'>".to_owned(),
            Condition::InvalidNamespace,
        ),
        (
            "<stream:stream xmlns='urn:x' xmlns:stream='http://etherx.jabber.org/streams'>".to_owned(),
            Condition::InvalidNamespace,
        ),
        (
            "<stream:stream xmlns:stream='http://etherx.jabber.org/streams'>".to_owned(),
            Condition::InvalidNamespace,
        ),
        (format!("<stream:features {STREAM}>"), Condition::InvalidNamespace),
        ("<stream:stream>".to_owned(), Condition::BadNamespacePrefix),
        (declared("<?xml version='1.0' encoding='UTF-16'?>"), Condition::UnsupportedEncoding),
        (declared("<?xml version='1.0' encoding='iso-8859-1'?>"), Condition::UnsupportedEncoding),
        (declared("<?xml version='1.1'?>"), Condition::NotWellFormed),
        (declared("<?xml encoding='utf-8'?>"), Condition::NotWellFormed),
        (format!("<stream:stream {STREAM} version='one'>"), Condition::UnsupportedVersion),
        (format!("<stream:stream {STREAM} version='99999999.0'>"), Condition::UnsupportedVersion),
        (format!("<stream:stream {STREAM} id='1' id='2'>"), Condition::NotWellFormed),
        (format!("<stream:stream {STREAM} id='&x;'>"), Condition::RestrictedXml),
    ] {
        assert_eq!(parse(&text).map_err(|error| error.condition()), Err(condition), "{text}");
    }
}

#[test]
fn what_is_written_is_read() {
    let mut out = Vec::new();
    write_client(&mut out, "a&b.example", Some("u@a&b.example"));
    let header = Header::parse(&out).unwrap();
    assert_eq!((header.to.as_deref(), header.from.as_deref()), (Some("a&b.example"), Some("u@a&b.example")));
    assert_eq!(header.namespaces, StreamNamespaces::default());
    out.clear();
    write_server(&mut out, "example", None, "id'1");
    let header = Header::parse(&out).unwrap();
    assert_eq!((header.id.as_deref(), header.version), (Some("id'1"), Some((1, 0))));
}

#[test]
fn stream_errors_are_read_and_written() {
    let namespaces = StreamNamespaces::default();
    for &condition in StreamCondition::ALL {
        let mut out = Vec::new();
        write_error(&mut out, condition, Some("why <not>"));
        let error = StreamError::parse(&Element::parse(&out, &namespaces).unwrap());
        assert_eq!((error.condition, error.text.as_deref()), (condition, Some("why <not>")));
    }
    let read = |text: &str| StreamError::parse(&Element::parse(text.as_bytes(), &namespaces).unwrap());
    let moved = read(
        "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>[2001:db8::1]:9222\
         </see-other-host></stream:error>",
    );
    assert_eq!(moved.host.as_deref(), Some("[2001:db8::1]:9222"));
    let unknown = read("<stream:error><oops xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>");
    assert_eq!(
        (unknown.condition, unknown.text.as_deref()),
        (StreamCondition::UndefinedCondition, Some("oops"))
    );
}
