//! From an error of the operating system or of rustls to the cause a machine is told.

use std::io::{Error, ErrorKind};

use rustix::io::Errno;
use rustls::{AlertDescription, CertificateError};

use crate::machine::{CloseCause, LocalLimit};

/// The cause of a failed system call on a socket.
pub(super) fn of_io(error: &Error) -> CloseCause {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE) => CloseCause::LocalLimit(LocalLimit::Descriptors),
        Some(Errno::ADDRNOTAVAIL) => CloseCause::LocalLimit(LocalLimit::Ports),
        Some(Errno::NOBUFS | Errno::NOMEM) => CloseCause::LocalLimit(LocalLimit::Memory),
        Some(Errno::CONNREFUSED) => CloseCause::Refused,
        Some(Errno::CONNRESET | Errno::PIPE | Errno::CONNABORTED) => CloseCause::Reset,
        _ => of_kind(error),
    }
}

/// The cause of a failed connect: the kernel giving up is a timeout too.
pub(super) fn of_connect(error: &Error) -> CloseCause {
    if error.kind() == ErrorKind::TimedOut { CloseCause::ConnectTimeout } else { of_io(error) }
}

/// The cause of a failed handshake.
pub(super) fn of_handshake(error: &Error) -> CloseCause {
    match rustls_error(error) {
        Some(tls) => CloseCause::Tls(reason(tls)),
        None if error.kind() == ErrorKind::UnexpectedEof => CloseCause::HandshakeCut,
        None => of_io(error),
    }
}

fn of_kind(error: &Error) -> CloseCause {
    match rustls_error(error) {
        Some(tls) => CloseCause::Tls(reason(tls)),
        None if error.kind() == ErrorKind::UnexpectedEof => CloseCause::Truncated,
        None => CloseCause::Io(error.to_string()),
    }
}

fn rustls_error(error: &Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// What to tell a person: for a certificate, what is wrong with it.
fn reason(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(wrong) => certificate_reason(wrong),
        rustls::Error::AlertReceived(alert) => format!("the peer refused: {}", alert_text(*alert)),
        rustls::Error::General(text) => text.clone(),
        other => other.to_string(),
    }
}

fn certificate_reason(wrong: &CertificateError) -> String {
    match wrong {
        CertificateError::NotValidForNameContext { expected, presented } => format!(
            "certificate is not valid for name {}; it is for {}",
            expected.to_str(),
            if presented.is_empty() { "no name".to_owned() } else { presented.join(", ") }
        ),
        CertificateError::NotValidForName => "certificate is not valid for this name".to_owned(),
        CertificateError::UnknownIssuer => "certificate has an unknown issuer".to_owned(),
        CertificateError::BadSignature => {
            "certificate was not signed by the trusted authority of its issuer's name".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "certificate is not valid yet".to_owned()
        }
        other => format!("certificate is not acceptable: {other}"),
    }
}

fn alert_text(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::UnknownCA => "it does not know the certificate's issuer".to_owned(),
        AlertDescription::BadCertificate => "it does not accept the certificate".to_owned(),
        other => format!("alert {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_become_the_causes_a_report_counts() {
        for (errno, cause) in [
            (Errno::MFILE, CloseCause::LocalLimit(LocalLimit::Descriptors)),
            (Errno::NFILE, CloseCause::LocalLimit(LocalLimit::Descriptors)),
            (Errno::ADDRNOTAVAIL, CloseCause::LocalLimit(LocalLimit::Ports)),
            (Errno::NOBUFS, CloseCause::LocalLimit(LocalLimit::Memory)),
            (Errno::CONNREFUSED, CloseCause::Refused),
            (Errno::CONNRESET, CloseCause::Reset),
            (Errno::PIPE, CloseCause::Reset),
        ] {
            assert_eq!(of_io(&errno.into()), cause, "{errno:?}");
        }
        assert_eq!(of_connect(&Errno::TIMEDOUT.into()), CloseCause::ConnectTimeout);
        assert!(matches!(of_io(&Errno::HOSTUNREACH.into()), CloseCause::Io(text) if text.contains("route")));
    }

    #[test]
    fn a_bad_certificate_is_named() {
        let tls = |error: rustls::Error| of_handshake(&Error::new(ErrorKind::InvalidData, error));
        assert_eq!(
            tls(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)),
            CloseCause::Tls("certificate has an unknown issuer".to_owned())
        );
        assert_eq!(
            tls(rustls::Error::InvalidCertificate(CertificateError::Expired)),
            CloseCause::Tls("certificate has expired".to_owned())
        );
        assert_eq!(of_handshake(&ErrorKind::UnexpectedEof.into()), CloseCause::HandshakeCut);
    }
}
