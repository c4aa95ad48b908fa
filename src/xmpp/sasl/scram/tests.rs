//! The protocol's vectors and transcripts of scram.

use super::*;

fn client(hash: Hash, nonce: &str) -> ScramClient {
    ScramClient::new(hash, "user", "pencil".into(), nonce).unwrap()
}

/// The published exchanges: RFC 5802 section 5 and RFC 7677 section 3, both halves.
#[test]
fn published_exchanges_are_reproduced() {
    for (hash, nonce, servers_nonce, salt, challenge, last, signature) in [
        (
            Hash::Sha1,
            "fyko+d2lbbFgONRv9qkxdawL",
            "3rfcNHYJY1ZVvWVs7j",
            "QSXCR+Q6sek8bf92",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ),
        (
            Hash::Sha256,
            "rOprNGfwEbeRWgbNEkqO",
            "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            "W22ZaJ0SNY7soEsUEjb6gQ==",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ),
    ] {
        let mut client = client(hash, nonce);
        assert_eq!(client.first(), format!("n,,n=user,r={nonce}"));
        let mut server = ScramServer::new(hash, client.first().as_bytes(), servers_nonce).unwrap();
        assert_eq!(server.username(), "user");
        assert_eq!(server.challenge(&STANDARD.decode(salt).unwrap(), 4096), challenge);
        let key = salted_password(&client.handle_challenge(challenge.as_bytes()).unwrap());
        assert_eq!(client.handle_key(&key), Ok(last.to_owned()));
        let keys = ScramKeys::from_salted_password(hash, &key);
        assert_eq!(server.handle_response(last.as_bytes(), &keys), Ok(signature.to_owned()));
        assert_eq!(client.handle_final(signature.as_bytes()), Ok(()));
    }
}

/// Cases 34 to 36.
#[test]
fn challenges_that_are_not_safe_end_the_exchange() {
    for (challenge, error) in [
        ("r=other,s=QSXC,i=4096", ScramError::Nonce),
        ("r=mine,s=QSXC,i=4096", ScramError::Nonce),
        ("r=mine\u{e9},s=QSXC,i=4096", ScramError::Nonce),
        ("r=mine2,s=QSXC,i=4095", ScramError::TooFewIterations(4095)),
        ("r=mine2,s=QSXC,i=1000001", ScramError::TooManyIterations),
        ("r=mine2,s=QSXC,i=2147483648", ScramError::TooManyIterations),
        ("r=mine2,s=QSXC,i=99999999999999999999", ScramError::TooManyIterations),
        ("r=mine2,s=QSXC,i=-1", ScramError::Syntax),
        ("r=mine2,s=QSXC,i=+4096", ScramError::Syntax),
        ("r=mine2,s=QSXC,i=04096", ScramError::Syntax),
        ("r=mine2,s=QSXC,i=", ScramError::Syntax),
        ("r=mine2,s=QSXC", ScramError::Syntax),
        ("r=mine2,i=4096", ScramError::Syntax),
        ("r=mine2,s=,i=4096", ScramError::Syntax),
        ("r=mine2,s=QS XC,i=4096", ScramError::Syntax),
        ("r=mine2,s=QSX,i=4096", ScramError::Syntax),
        ("m=ext,r=mine2,s=QSXC,i=4096", ScramError::Extension),
        ("e=unknown-user", ScramError::Refused),
        ("", ScramError::Syntax),
    ] {
        let mut client = client(Hash::Sha256, "mine");
        assert_eq!(client.handle_challenge(challenge.as_bytes()), Err(error), "{challenge}");
        assert_eq!(client.handle_key(&[0; 32]), Err(ScramError::Order), "it cannot be continued");
    }
    assert!(client(Hash::Sha1, "mine").handle_challenge(b"r=mine2,s=QSXC,i=4096,x=ignored").is_ok());
    assert_eq!(client(Hash::Sha1, "mine").handle_challenge(b"\xff"), Err(ScramError::Syntax));
}

/// Cases 37, 38.
#[test]
fn a_server_has_to_prove_itself() {
    for (last, error) in [
        ("v=rmF9pqV8S7suAoZWja4dJRkFsKR=", ScramError::Syntax),
        ("v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=", ScramError::Signature),
        ("v=rmF9", ScramError::Signature),
        ("v=", ScramError::Signature),
        ("", ScramError::Signature),
        ("e=other-error", ScramError::Refused),
    ] {
        let mut client = client(Hash::Sha1, "mine");
        client.handle_challenge(b"r=mine2,s=QSXC,i=4096").unwrap();
        client.handle_key(&[1; 20]).unwrap();
        assert_eq!(client.handle_final(last.as_bytes()), Err(error), "{last}");
    }
    assert_eq!(client(Hash::Sha1, "mine").handle_final(b"v=AA=="), Err(ScramError::Order));
}

#[test]
fn a_client_has_to_prove_itself() {
    let keys = ScramKeys::from_salted_password(Hash::Sha256, &[1; 32]);
    let begin = || {
        let mut server = ScramServer::new(Hash::Sha256, b"n,,n=user,r=mine", "2").unwrap();
        server.challenge(b"salt", 4096);
        server
    };
    let wrong = STANDARD.encode([0; 32]);
    for (message, error) in [
        (format!("c=biws,r=mine2,p={wrong}"), ScramError::Proof),
        ("c=biws,r=mine2,p=AAAA".to_owned(), ScramError::Proof),
        (format!("c=biws,r=mine3,p={wrong}"), ScramError::Nonce),
        (format!("c=eSws,r=mine2,p={wrong}"), ScramError::Extension),
        ("c=biws,r=mine2".to_owned(), ScramError::Syntax),
        ("c=biws,r=mine2,p=?".to_owned(), ScramError::Syntax),
    ] {
        assert_eq!(begin().handle_response(message.as_bytes(), &keys), Err(error), "{message}");
    }
    let mut unasked = ScramServer::new(Hash::Sha256, b"n,,n=user,r=mine", "2").unwrap();
    assert_eq!(unasked.handle_response(b"c=biws,r=mine2,p=AAAA", &keys), Err(ScramError::Order));
    for (first, error) in [
        ("p=tls-exporter,,n=user,r=a", ScramError::Extension),
        ("n,,m=x,n=user,r=a", ScramError::Extension),
        ("n,b=x,n=user,r=a", ScramError::Syntax),
        ("n,,n=us=er,r=a", ScramError::Syntax),
        ("n,,n=,r=a", ScramError::Syntax),
        ("n,,n=user,r=", ScramError::Syntax),
        ("n,,n=user", ScramError::Syntax),
        ("x,,n=user,r=a", ScramError::Syntax),
        ("", ScramError::Syntax),
    ] {
        assert_eq!(ScramServer::new(Hash::Sha1, first.as_bytes(), "2").err(), Some(error), "{first}");
    }
}

#[test]
fn names_are_escaped_and_unprepared_ones_refused() {
    let client = ScramClient::new(Hash::Sha1, "a,b=c", "p".into(), "n").unwrap();
    assert_eq!(client.first(), "n,,n=a=2Cb=3Dc,r=n");
    assert_eq!(ScramServer::new(Hash::Sha1, client.first().as_bytes(), "s").unwrap().username(), "a,b=c");
    for (name, password) in [("\u{e9}", "p"), ("u", "\u{e9}"), ("", "p"), ("u", ""), ("u\n", "p")] {
        let refused = ScramClient::new(Hash::Sha1, name, password.into(), "n").err();
        assert_eq!(refused, Some(ScramError::Credentials), "{name:?} {password:?}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn the_halves_agree_exactly_if_the_keys_do(user in "[ -~]{1,20}", salt in proptest::collection::vec(0u8.., 1..40),
                                               clients in "[!-+.-~]{1,30}", servers in "[!-+.-~]{1,30}", key: [u8; 32], flip in 0usize..32) {
        for (servers_key, good) in [(key, true), ({ let mut other = key; other[flip] ^= 1; other }, false)] {
            let mut client = ScramClient::new(Hash::Sha256, &user, "p".into(), &clients).unwrap();
            let mut server = ScramServer::new(Hash::Sha256, client.first().as_bytes(), &servers).unwrap();
            proptest::prop_assert_eq!(server.username(), &user);
            let job = client.handle_challenge(server.challenge(&salt, 4096).as_bytes()).unwrap();
            proptest::prop_assert_eq!(&job.salt, &salt);
            let proof = client.handle_key(&key).unwrap();
            let keys = ScramKeys::from_salted_password(Hash::Sha256, &servers_key);
            let last = server.handle_response(proof.as_bytes(), &keys);
            proptest::prop_assert_eq!(last.is_ok(), good);
            if let Ok(last) = last {
                proptest::prop_assert_eq!(client.handle_final(last.as_bytes()), Ok(()));
            }
        }
    }
}
