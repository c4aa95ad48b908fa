//! A certificate made on the spot: an authority that signs one server certificate and is then forgotten.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};

/// A certificate for one run, and what verifies it; all as PEM.
pub(super) struct Certificate {
    pub(super) ca: String,
    pub(super) chain: String,
    pub(super) key: String,
}

/// No certificate could be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a certificate for `{domain}`: {source}")]
pub struct CertificateError {
    domain: String,
    source: rcgen::Error,
}

/// For `domain`, `localhost`, the loopback addresses and `address`.
pub(super) fn make(domain: &str, address: IpAddr) -> Result<Certificate, CertificateError> {
    sign(domain, address).map_err(|source| CertificateError { domain: domain.to_owned(), source })
}

fn sign(domain: &str, address: IpAddr) -> Result<Certificate, rcgen::Error> {
    let mut authority = params("xmpp-bench embedded server CA");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

    let mut leaf = params("xmpp-bench embedded server");
    leaf.subject_alt_names = names(domain, address)?;
    leaf.use_authority_key_identifier_extension = true;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let leaf = leaf.signed_by(&key, &authority)?;
    Ok(Certificate { ca: authority.pem(), chain: leaf.pem(), key: key.serialize_pem() })
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    // Wide enough for a host whose clock is wrong; the key lives as long as the process.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    params
}

fn names(domain: &str, address: IpAddr) -> Result<Vec<SanType>, rcgen::Error> {
    let mut names = vec![SanType::DnsName("localhost".try_into()?)];
    match domain.parse::<IpAddr>() {
        Ok(ip) => names.push(SanType::IpAddress(ip)),
        Err(_) if domain != "localhost" => names.push(SanType::DnsName(domain.try_into()?)),
        Err(_) => {}
    }
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    for ip in loopback.into_iter().chain([address]).map(SanType::IpAddress) {
        if !names.contains(&ip) {
            names.push(ip);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_the_domain_localhost_and_the_addresses_each_once() {
        let shown = |domain, ip: &str| names(domain, ip.parse().unwrap()).unwrap().len();
        assert_eq!(shown("localhost", "127.0.0.1"), 3);
        assert_eq!(shown("bench.example", "127.0.0.2"), 5);
        assert_eq!(shown("127.0.0.1", "127.0.0.1"), 3);
    }

    #[test]
    fn a_domain_no_certificate_can_name_is_an_error() {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert!(make("bücher.example", ip).is_err_and(|error| error.to_string().contains("bücher")));
        assert!(make("localhost", ip).unwrap().ca.starts_with("-----BEGIN CERTIFICATE-----"));
    }
}
