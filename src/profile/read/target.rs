//! Reading `[target]`.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::super::document::{Node, Value, shorten};
use super::super::keys::{Frame, Given, Keys, Readable, Reported};
use super::super::load::Library;
use super::super::problem::{Wrong, did_you_mean};
use super::super::registry::{KeySpec, Presence, Shape};
use super::super::target::{Endpoint, Target, Tls, Trust};
use super::texts;

/// The keys of `[target]`.
pub const TARGET_KEYS: &[KeySpec] = &[
    KeySpec {
        name: "url",
        shape: Shape::Texts,
        presence: Presence::Required,
        doc: "where to connect: \"xmpp://host:5222\", \"xmpps://host:5223\" or \"loopback:\"; a list spreads users over targets",
    },
    KeySpec {
        name: "domain",
        shape: Shape::Text,
        presence: Presence::Optional,
        doc: "the XMPP domain of the users' accounts; \"localhost\" with loopback:",
    },
    KeySpec {
        name: "tls",
        shape: Shape::Choice(&["required", "preferred", "off"]),
        presence: Presence::Default("\"required\""),
        doc: "STARTTLS on xmpp: and loopback: targets; xmpps: is always encrypted",
    },
    KeySpec {
        name: "ca_file",
        shape: Shape::Text,
        presence: Presence::Optional,
        doc: "a PEM file of the certificates to trust instead of the system's",
    },
    KeySpec {
        name: "pin",
        shape: Shape::Text,
        presence: Presence::Optional,
        doc: "\"sha256:…\", hex or base64, of the server's certificate or its public key: nothing else is trusted",
    },
    KeySpec {
        name: "insecure",
        shape: Shape::Boolean,
        presence: Presence::Default("false"),
        doc: "believe any certificate; the result says so",
    },
    KeySpec {
        name: "source_addresses",
        shape: Shape::Texts,
        presence: Presence::Optional,
        doc: "local addresses to connect from: \"127.0.0.2\" or \"127.0.0.2-127.0.0.9\"; one runs out near 28,000 connections",
    },
];

/// More targets than this are a mistake.
const ENDPOINTS_MAX: usize = 1_000;
/// More source addresses than this are a mistake.
const ADDRESSES_MAX: u128 = 4_096;

/// Reads the whole table.
pub(in crate::profile) fn read(mut keys: Keys<'_>, library: &Library<'_>) -> Result<Target, Reported> {
    let endpoints = keys.take::<Endpoints>("url").map(|list| list.0);
    let tls = read_tls(&mut keys, endpoints.as_ref().ok());
    let domain = read_domain(&mut keys, endpoints.as_ref().ok());
    let trust = read_trust(&mut keys, library);
    let source_addresses =
        keys.find::<Addresses>("source_addresses").map(|list| list.map_or_else(Vec::new, |list| list.0));
    Ok(Target {
        endpoints: endpoints?,
        domain: domain?,
        tls: tls?,
        trust: trust?,
        source_addresses: source_addresses?,
    })
}

fn read_tls(keys: &mut Keys<'_>, endpoints: Option<&Vec<Endpoint>>) -> Result<Tls, Reported> {
    let tls =
        keys.choose("tls", &[("required", Tls::Required), ("preferred", Tls::Preferred), ("off", Tls::Off)])?;
    let direct = |endpoint: &Endpoint| matches!(endpoint, Endpoint::DirectTls { .. });
    if keys.has("tls") && endpoints.is_some_and(|endpoints| endpoints.iter().all(direct)) {
        let wrong = Wrong::new("is for xmpp: targets only; xmpps: is TLS from the first byte");
        return Err(keys.refuse("tls", wrong.help("leave `tls` out, or use xmpp:")));
    }
    Ok(tls)
}

fn read_domain(keys: &mut Keys<'_>, endpoints: Option<&Vec<Endpoint>>) -> Result<String, Reported> {
    match keys.find::<Domain>("domain")? {
        Some(domain) => Ok(domain.0),
        None if endpoints.is_none_or(|endpoints| endpoints.iter().all(|one| *one == Endpoint::Loopback)) => {
            Ok("localhost".to_owned())
        }
        None => Err(keys.missing("domain")),
    }
}

fn read_trust(keys: &mut Keys<'_>, library: &Library<'_>) -> Result<Trust, Reported> {
    let pin = keys.find::<Pin>("pin");
    let insecure = keys.take::<bool>("insecure");
    let given: Vec<&str> = ["ca_file", "pin", "insecure"]
        .into_iter()
        .filter(|&key| keys.has(key) && (key != "insecure" || insecure == Ok(true)))
        .collect();
    if let [first, second, ..] = given[..] {
        let wrong = Wrong::new(format!("and `{first}` exclude each other"));
        return Err(keys.refuse(second, wrong.help("keep the one that says which certificates you believe")));
    }
    if let Some(pin) = pin? {
        return Ok(Trust::Pin(pin.0));
    }
    if insecure? {
        return Ok(Trust::Insecure);
    }
    read_ca_file(keys, library)
}

fn read_ca_file(keys: &mut Keys<'_>, library: &Library<'_>) -> Result<Trust, Reported> {
    let Some(path) = keys.find::<String>("ca_file")? else { return Ok(Trust::System) };
    let (path, read) = library.read(&path, &keys.place_of("ca_file"));
    let pem = read.map_err(|why| {
        keys.refuse("ca_file", Wrong::new(format!("cannot be read: {}: {why}", path.display())))
    })?;
    if !pem.contains("-----BEGIN CERTIFICATE-----") {
        let wrong = Wrong::new(format!("holds no certificate: {}", path.display()));
        return Err(
            keys.refuse("ca_file", wrong.help("a PEM file has lines like -----BEGIN CERTIFICATE-----"))
        );
    }
    Ok(Trust::CaFile { path, pem: Arc::from(pem) })
}

struct Endpoints(Vec<Endpoint>);

impl Readable for Endpoints {
    fn read(value: &Given<'_>, _: Frame<'_>) -> Result<Self, Wrong> {
        let texts = texts(value.0, "an address")?;
        if texts.len() > ENDPOINTS_MAX {
            return Err(Wrong::new(format!(
                "must be no more than {ENDPOINTS_MAX} addresses, not {}",
                texts.len()
            )));
        }
        texts
            .into_iter()
            .map(|(text, node)| endpoint(text).map_err(|wrong| wrong.at(&node.place)))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn endpoint(text: &str) -> Result<Endpoint, Wrong> {
    if text == "loopback:" {
        return Ok(Endpoint::Loopback);
    }
    let Some((scheme, rest)) = text.split_once("://") else { return Err(no_scheme(text)) };
    let (host, port) = host_and_port(rest, text)?;
    match scheme {
        "xmpp" => Ok(Endpoint::Tcp { host, port: port.unwrap_or(5222) }),
        "xmpps" => Ok(Endpoint::DirectTls { host, port: port.unwrap_or(5223) }),
        "loopback" => Err(Wrong::new("must be written \"loopback:\", with nothing behind the colon")),
        other => Err(Wrong::new(format!(
            "must begin with xmpp: or xmpps:, or be loopback:, not \"{}\"",
            shorten(other)
        ))
        .help(did_you_mean(other, ["xmpp", "xmpps", "loopback"]))),
    }
}

fn no_scheme(text: &str) -> Wrong {
    let wrong =
        Wrong::new(format!("must be an address like \"xmpp://127.0.0.1:5222\", not \"{}\"", shorten(text)));
    match text.split_once(':') {
        Some(("loopback" | "lopback" | "loop", _)) | None
            if text.starts_with("loo") || text.starts_with("lop") =>
        {
            wrong.help("the embedded server is \"loopback:\", with the colon")
        }
        Some(("xmpp" | "xmpps", rest)) => wrong.help(format!(
            "two slashes after the colon: \"{}://{}\"",
            text.split(':').next().unwrap_or("xmpp"),
            shorten(rest)
        )),
        _ => wrong.help(format!("did you mean \"xmpp://{}\"?", shorten(text))),
    }
}

pub(super) fn host_and_port(rest: &str, whole: &str) -> Result<(String, Option<u16>), Wrong> {
    let wrong = |what: &str| Wrong::new(format!("{what}: \"{}\"", shorten(whole)));
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '@', '?', '#']) {
        return Err(wrong("must be a host and a port, nothing else")
            .help("the domain and the accounts have keys of their own"));
    }
    let (host, port) = match rest.strip_prefix('[') {
        Some(inner) => inner.split_once(']').ok_or_else(|| wrong("must have a ] after the IPv6 address"))?,
        None => rest.find(':').map_or((rest, ""), |colon| rest.split_at(colon)),
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        Some(number) => {
            Some(number.parse().ok().filter(|&port: &u16| port > 0).ok_or_else(|| bad_port(whole))?)
        }
        None => return Err(bad_port(whole)),
    };
    let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_host = host.parse::<IpAddr>().is_ok()
        || (!host.is_empty() && host.len() <= 253 && host.chars().all(in_name));
    if !is_host {
        return Err(wrong("must name a host")
            .help("a name or an address; an IPv6 address stands in brackets: xmpp://[::1]:5222"));
    }
    Ok((host.to_owned(), port))
}

fn bad_port(whole: &str) -> Wrong {
    Wrong::new(format!("must end in a port between 1 and 65535: \"{}\"", shorten(whole)))
        .help("an IPv6 address stands in brackets: xmpp://[::1]:5222")
}

struct Domain(String);

impl Readable for Domain {
    fn read(value: &Given<'_>, _: Frame<'_>) -> Result<Self, Wrong> {
        let text = value.text("a domain")?;
        let forbidden = |c: char| c.is_whitespace() || c.is_control() || "@/\"'<>&".contains(c);
        if text.is_empty() || text.len() > 1_023 || text.contains(forbidden) {
            return Err(Wrong::new(format!(
                "must be a domain like \"example.org\", not \"{}\"",
                shorten(text)
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

struct Pin([u8; 32]);

impl Readable for Pin {
    fn read(value: &Given<'_>, _: Frame<'_>) -> Result<Self, Wrong> {
        const HELP: &str =
            "write \"sha256:\" and 64 hexadecimal digits (colons allowed) or 44 characters of base64";
        let text = value.text("a pin").map_err(|wrong| wrong.help(HELP))?;
        let digest = text.strip_prefix("sha256:").and_then(digest);
        digest
            .map(Self)
            .ok_or_else(|| Wrong::new("must be the SHA-256 of a certificate or public key").help(HELP))
    }
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let hex: String = text.chars().filter(|&c| c != ':').collect();
    if hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let mut digest = [0; 32];
        for (at, byte) in digest.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()?;
        }
        return Some(digest);
    }
    let any_padding = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, any_padding);
    engine.decode(text).ok()?.try_into().ok()
}

struct Addresses(Vec<IpAddr>);

impl Readable for Addresses {
    fn read(value: &Given<'_>, _: Frame<'_>) -> Result<Self, Wrong> {
        if let Value::Text(text) = &value.0.value
            && text.trim().is_empty()
        {
            return Err(Wrong::new("must not be empty"));
        }
        let mut addresses = Vec::new();
        for (text, node) in texts(value.0, "an address")? {
            for address in range(text, node)? {
                if addresses.contains(&address) {
                    return Err(Wrong::new(format!("names {address} twice")).at(&node.place));
                }
                addresses.push(address);
            }
        }
        Ok(Self(addresses))
    }
}

fn range(text: &str, node: &Node) -> Result<Vec<IpAddr>, Wrong> {
    let wrong = |what: String| {
        Wrong::new(what).at(&node.place).help("write \"127.0.0.2\" or \"127.0.0.2-127.0.0.9\"")
    };
    let parse = |text: &str| {
        let address = text.trim().parse::<IpAddr>();
        address.map_err(|_| wrong(format!("must be IP addresses, not \"{}\"", shorten(text))))
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (parse(first)?, parse(last)?) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            between(u128::from(first.to_bits()), u128::from(last.to_bits()))
                .map(|all| all.map(|bits| IpAddr::V4((bits as u32).into())).collect())
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => between(first.to_bits(), last.to_bits())
            .map(|all| all.map(|bits| IpAddr::V6(bits.into())).collect()),
        _ => Err("must not mix IPv4 and IPv6 in one range".to_owned()),
    }
    .map_err(wrong)
}

fn between(first: u128, last: u128) -> Result<std::ops::RangeInclusive<u128>, String> {
    match last.checked_sub(first) {
        None => Err("must go from the lower to the higher address".to_owned()),
        Some(more) if more >= ADDRESSES_MAX => Err(format!("must be no more than {ADDRESSES_MAX} addresses")),
        Some(_) => Ok(first..=last),
    }
}
