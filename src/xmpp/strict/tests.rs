//! What the strict level refuses, by the rule it breaks.

use super::*;

fn check_text(text: &str) -> Result<(), StreamCondition> {
    check(text.as_bytes(), &StreamNamespaces::default()).map_err(|error| error.condition())
}

#[test]
fn what_is_well_formed_passes() {
    for text in [
        "<message to='a@b' xml:lang='en'><body>a &amp; b &#x1F600;\r\n\t<![CDATA[<&]]></body></message>",
        "<stream:features><a xmlns='urn:a'/></stream:features>",
        "<p:a xmlns:p='urn:p' p:b='1' b='2'><p:c/><q:d xmlns:q='urn:q' q:b='1'/></p:a >",
        "<a xmlns=''><b xmlns:xml='http://www.w3.org/XML/1998/namespace'/></a>",
        "<a\tb\n=\r'1'  c = \"'\"></a>",
        "<\u{e9}l\u{e9}ment a.b-c='\u{7f}'/>",
        "<a>&lt;&gt;&apos;&quot;&#9;&#xD;]]</a>",
    ] {
        assert_eq!(check_text(text), Ok(()), "{text}");
    }
}

/// RFC 6120 section 15: xml-restriction-*, xml-wellformed-*.
#[test]
fn what_is_not_is_refused_with_its_condition() {
    use StreamCondition::{BadNamespacePrefix, NotWellFormed, PolicyViolation, RestrictedXml};
    let many = format!("<a {}/>", (0..100_000).map(|n| format!("a{n}=''")).collect::<Vec<_>>().join(" "));
    let bindings =
        format!("<a {}/>", (0..200).map(|n| format!("xmlns:a{n}='urn:a'")).collect::<Vec<_>>().join(" "));
    for (text, condition) in [
        // 66, 67: restricted
        ("<a>&nbsp;</a>", RestrictedXml),
        ("<a b='&e;'/>", RestrictedXml),
        ("<a><!-- --></a>", RestrictedXml),
        ("<a><?p?></a>", RestrictedXml),
        ("<a><!DOCTYPE b></a>", RestrictedXml),
        // 68: characters
        ("<a>&#0;</a>", NotWellFormed),
        ("<a>&#xFFFE;</a>", NotWellFormed),
        ("<a>&#xD800;</a>", NotWellFormed),
        ("<a>&#x1111111;</a>", NotWellFormed),
        ("<a>&#99999999999999999999;</a>", NotWellFormed),
        ("<a b='&#1;'/>", NotWellFormed),
        ("<a>&#;</a>", NotWellFormed),
        ("<a>&#x;</a>", NotWellFormed),
        ("<a>&#X41;</a>", NotWellFormed),
        ("<a>&#+65;</a>", NotWellFormed),
        ("<a>&;</a>", NotWellFormed),
        ("<a>& b</a>", NotWellFormed),
        ("<a b='&'/>", NotWellFormed),
        ("<a>\u{1}</a>", NotWellFormed),
        ("<a b='\u{1f}'/>", NotWellFormed),
        ("<a>\u{ffff}</a>", NotWellFormed),
        ("<a><![CDATA[\u{0}]]></a>", NotWellFormed),
        // 71: attributes
        (&*many, PolicyViolation),
        (&*bindings, PolicyViolation),
        ("<a b='1' c='2' b='3'/>", NotWellFormed),
        ("<a xmlns:p='urn:x' xmlns:q='urn:x' p:b='1' q:b='2'/>", NotWellFormed),
        ("<a b='<'/>", NotWellFormed),
        ("<a b=c/>", NotWellFormed),
        ("<a b/>", NotWellFormed),
        ("<a b='1'c='2'/>", NotWellFormed),
        ("<a 1b='1'/>", NotWellFormed),
        ("<a b:c:d='1'/>", NotWellFormed),
        // 72: namespaces
        ("<x:a/>", BadNamespacePrefix),
        ("<a x:b='1'/>", BadNamespacePrefix),
        ("<a><b xmlns:x='urn:x'/><x:c/></a>", BadNamespacePrefix),
        ("<a xmlns:xml='urn:x'/>", BadNamespacePrefix),
        ("<a xmlns:xmlns='urn:x'/>", BadNamespacePrefix),
        ("<a xmlns:x='http://www.w3.org/XML/1998/namespace'/>", BadNamespacePrefix),
        ("<a xmlns='http://www.w3.org/2000/xmlns/'/>", BadNamespacePrefix),
        ("<a xmlns:x=''/>", BadNamespacePrefix),
        ("<xmlns:a/>", BadNamespacePrefix),
        // 74, 75: structure
        ("<a><b></a></b>", NotWellFormed),
        ("<a></b>", NotWellFormed),
        ("<a></ a>", NotWellFormed),
        ("<a>]]></a>", NotWellFormed),
        ("<1a/>", NotWellFormed),
        ("<a:/>", NotWellFormed),
        ("<:a/>", NotWellFormed),
        ("<a/ >", NotWellFormed),
        ("<a>", NotWellFormed),
        ("<a/><b/>", NotWellFormed),
        ("<a/>b", NotWellFormed),
        ("", NotWellFormed),
    ] {
        assert_eq!(check_text(text), Err(condition), "{}", &text[..text.len().min(80)]);
    }
}

#[test]
fn errors_name_no_byte_of_the_peer() {
    let error = check(b"<a>\xff</a>", &StreamNamespaces::default()).unwrap_err();
    assert_eq!(error.to_string(), "not well-formed: bytes that are not UTF-8");
}
