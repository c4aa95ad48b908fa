//! One connection's input, whole and in pieces.

use super::*;

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

/// What a visitor saw, with the flow asked for at elements named so.
fn read(reader: &mut StreamReader, bytes: &[u8], seen: &mut Vec<String>) -> Result<usize, ReadError> {
    reader.push(bytes, |item| {
        Ok(match item {
            Item::Header(header) => {
                seen.push(format!("header {:?}", header.content));
                Flow::Continue
            }
            Item::Element(element) => {
                seen.push(format!("{} {:?}", element.local(), element.kind()));
                match element.local() {
                    "success" => Flow::Restart,
                    "proceed" => Flow::Stop,
                    _ => Flow::Continue,
                }
            }
            Item::Close => {
                seen.push("close".to_owned());
                Flow::Continue
            }
        })
    })
}

#[test]
fn a_stream_restarts_between_two_items_of_one_read() {
    let stream = format!(
        "{HEADER}<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>{HEADER}<stream:features/> <iq/></stream:stream>"
    );
    let expected =
        ["header Client", "success Success", "header Client", "features Features", "iq Iq", "close"];
    for cut in 0..stream.len() {
        let (mut reader, mut seen) = (StreamReader::new(Limits::default()), Vec::new());
        for piece in [&stream[..cut], &stream[cut..]] {
            assert_eq!(read(&mut reader, piece.as_bytes(), &mut seen), Ok(0));
        }
        assert_eq!(seen, expected, "cut at {cut}");
        assert_eq!(reader.tail.capacity(), 0, "an idle reader owns no buffer");
    }
}

/// Case 21: what was pipelined behind `<proceed/>` in the clear is never read.
#[test]
fn bytes_behind_a_stop_are_left_over() {
    let stream = format!("{HEADER}<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><message/>");
    let (mut reader, mut seen) = (StreamReader::new(Limits::default()), Vec::new());
    assert_eq!(read(&mut reader, stream.as_bytes(), &mut seen), Ok("<message/>".len()));
    assert_eq!(seen, ["header Client", "proceed Proceed"]);
    reader.restart();
    assert_eq!(read(&mut reader, HEADER.as_bytes(), &mut seen), Ok(0));
    assert_eq!(seen.len(), 3);
}

#[test]
fn strictness_is_a_setting() {
    let (mut reader, mut seen) = (StreamReader::new(Limits::default()), Vec::new());
    read(&mut reader, HEADER.as_bytes(), &mut seen).unwrap();
    reader.set_strict(false);
    assert_eq!(read(&mut reader, b"<iq><x:a/></iq>", &mut seen), Ok(0));
    reader.set_strict(true);
    let error = read(&mut reader, b"<iq><x:a/></iq>", &mut seen).unwrap_err();
    assert_eq!(error.condition(), StreamCondition::BadNamespacePrefix);
}

#[test]
fn the_end_tag_is_the_headers() {
    for (end, good) in
        [("</stream:stream>", true), ("</stream:stream >", true), ("</stream>", false), ("</a>", false)]
    {
        let (mut reader, mut seen) = (StreamReader::new(Limits::default()), Vec::new());
        read(&mut reader, HEADER.as_bytes(), &mut seen).unwrap();
        assert_eq!(read(&mut reader, end.as_bytes(), &mut seen).is_ok(), good, "{end}");
    }
}

/// Case 73: what has no end costs no more than the cap.
#[test]
fn endless_text_is_cut_at_the_cap() {
    let limits = Limits { stanza_bytes_max: 1 << 16, depth_max: 8 };
    for opening in ["<iq>", "<iq a='", "<iq", "<iq><![CDATA["] {
        let (mut reader, mut seen) = (StreamReader::new(limits), Vec::new());
        read(&mut reader, HEADER.as_bytes(), &mut seen).unwrap();
        read(&mut reader, opening.as_bytes(), &mut seen).unwrap();
        let chunk = [b'x'; 1000];
        let error = (0..1_000_000).find_map(|_| {
            assert!(reader.kept() <= 1 << 16);
            read(&mut reader, &chunk, &mut seen).err()
        });
        assert_eq!(error, Some(ReadError::Frame(FrameError::TooLarge(1 << 16))), "{opening}");
    }
}
