//! What to do about the errors everybody meets on the first day.

/// What to do about an error, by the text it is reported with; most explain themselves.
pub fn advice(error: &str) -> Option<&'static str> {
    error
        .contains("certificate has an unknown issuer")
        .then_some("what to do: --set target.ca_file=ca.pem of who signed it, or target.pin")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_a_remedy_gets_advice() {
        assert!(
            advice("certificate has an unknown issuer").is_some_and(|text| text.contains("target.ca_file"))
        );
        assert_eq!(advice("connection refused"), None);
        assert_eq!(advice(""), None);
    }
}
