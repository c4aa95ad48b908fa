//! Views against elements written out.

use super::*;

fn parse(text: &str) -> Element<'_> {
    static PLAIN: std::sync::LazyLock<StreamNamespaces> = std::sync::LazyLock::new(StreamNamespaces::default);
    Element::parse(text.as_bytes(), &PLAIN).expect(text)
}

#[test]
fn a_kind_is_a_name_in_a_namespace() {
    use ElementKind as Kind;
    for (text, kind) in [
        ("<message/>", Kind::Message),
        ("<message xmlns='jabber:client'><body>a</body></message>", Kind::Message),
        ("<message xmlns='jabber:server'/>", Kind::Other),
        ("<c:message xmlns:c='jabber:client'/>", Kind::Message),
        ("<x:message xmlns:x='urn:other'/>", Kind::Other),
        ("<presence\ntype='unavailable'/>", Kind::Presence),
        ("<iq type='result' id='1'/>", Kind::Iq),
        ("<stream:features/>", Kind::Features),
        ("<features xmlns='http://etherx.jabber.org/streams'/>", Kind::Features),
        ("<features/>", Kind::Other),
        ("<stream:error><a/></stream:error>", Kind::StreamError),
        ("<error/>", Kind::Other),
        ("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", Kind::Proceed),
        ("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", Kind::TlsFailure),
        ("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", Kind::SaslFailure),
        ("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sm:3'/>", Kind::Other),
        ("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>dg==</success>", Kind::Success),
    ] {
        assert_eq!(parse(text).kind(), kind, "{text}");
    }
}

#[test]
fn prefixes_are_what_the_header_says() {
    let other = StreamNamespaces::new([("", "jabber:client"), ("foo", namespaces::STREAMS)].into_iter());
    let kind = |text: &str| Element::parse(text.as_bytes(), &other).unwrap().kind();
    assert_eq!(kind("<foo:features/>"), ElementKind::Features);
    assert_eq!(kind("<stream:features/>"), ElementKind::Other);
    assert_eq!(kind("<iq/>"), ElementKind::Iq);

    let server = StreamNamespaces::new([("stream", namespaces::STREAMS), ("", "jabber:server")].into_iter());
    assert_eq!(Element::parse(b"<iq/>", &server).unwrap().kind(), ElementKind::Iq);
    assert_eq!(Element::parse(b"<iq xmlns='jabber:client'/>", &server).unwrap().kind(), ElementKind::Other);
}

#[test]
fn attributes_are_found_whatever_the_quotes_and_spaces() {
    let element = parse("<iq id = \"a'b\"\tfrom='a&amp;b&#x40;c' data-type='x' type='get' e='>'\n/>");
    assert_eq!(element.id().as_deref(), Some("a'b"));
    assert_eq!(element.from().as_deref(), Some("a&b@c"));
    assert_eq!(element.stanza_type().as_deref(), Some("get"));
    assert_eq!(element.attribute("e").as_deref(), Some(">"));
    assert_eq!(element.to(), None);
    assert!(matches!(element.id(), Some(Cow::Borrowed(_))));
}

#[test]
fn white_space_in_a_value_is_spaces() {
    let element = parse("<iq id='a\tb\r\nc\n&#10;d'/>");
    assert_eq!(element.id().as_deref(), Some("a b c \nd"));
}

#[test]
fn a_text_of_ampersands_is_read_in_linear_time() {
    let text = format!("<m><body>{}</body></m>", "&".repeat(1 << 20));
    assert_eq!(parse(&text).child_text("body").map(|body| body.len()), Some(1 << 20));
}

#[test]
fn text_is_whole_across_references_and_sections() {
    for (text, body) in [
        ("<m><body>plain</body></m>", "plain"),
        ("<m><body>a &amp; b &lt;c&gt; &quot;&apos;&#65;&#x1F600;</body></m>", "a & b <c> \"'A\u{1f600}"),
        ("<m><body>a<![CDATA[<b>&amp;]]>c<x>not mine</x>d</body></m>", "a<b>&amp;cd"),
        ("<m><body>&unknown; &#0; &</body></m>", "&unknown; &#0; &"),
        ("<m><body></body></m>", ""),
        ("<m><body/></m>", ""),
    ] {
        assert_eq!(parse(text).child_text("body").as_deref(), Some(body), "{text}");
    }
}

#[test]
fn children_are_the_first_level_only() {
    let message = parse(
        "<message>\n<a><body>inner</body></a><x:body xmlns:x='urn:x'>no</x:body><body xmlns='urn:y'>no</body>\
         <body>TOKEN rest&amp;more</body><body>second</body></message>",
    );
    let names: Vec<_> = message.children().map(|child| child.local()).collect();
    assert_eq!(names, ["a", "body", "body", "body", "body"]);
    assert_eq!(message.body_prefix(), Some(&b"TOKEN rest"[..]));
    assert_eq!(message.child_text("body").as_deref(), Some("TOKEN rest&more"));
    let a = message.child("a", "jabber:client").unwrap();
    assert_eq!(a.child_text("body").as_deref(), Some("inner"));
}

#[test]
fn bindings_come_down_from_parents() {
    let iq = parse("<iq xmlns:p='urn:p'><query xmlns='urn:q'><p:item><a/></p:item></query></iq>");
    let query = iq.child("query", "urn:q").unwrap();
    let item = query.child("item", "urn:p").unwrap();
    assert_eq!(item.children().next().unwrap().namespace(), "urn:q");
}

#[test]
fn delay_is_an_element_not_a_word() {
    assert!(parse("<message><body>a</body><delay xmlns='urn:xmpp:delay' stamp='x'/></message>").has_delay());
    assert!(!parse("<message><body>delay urn:xmpp:delay</body></message>").has_delay());
    assert!(!parse("<message><x><delay xmlns='urn:xmpp:delay'/></x></message>").has_delay());
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_a_view_panic(bytes in "[<>/a='\" !\\[\\]&;#:xmlns\u{e9}]{0,60}") {
        let stream = StreamNamespaces::default();
        for text in [bytes.clone(), format!("<a {bytes}>{bytes}</a>")] {
            if let Ok(element) = Element::parse(text.as_bytes(), &stream) {
                let _ = (element.kind(), element.id(), element.text(), element.has_delay(), element.body_prefix());
                for child in element.children() {
                    let _ = (child.namespace(), child.text(), child.children().count());
                }
            }
        }
    }
}
