//! When something was said first, for those who are shown it later (XEP-0203, with the times of XEP-0082).

use std::time::Duration;

use crate::server::Server;
use crate::server::reply::push;
use crate::units::Offset;
use crate::xmpp::namespaces::DELAY;
use crate::xmpp::write::attribute;

impl Server {
    /// The mark of something that came at `at` and is shown again by `by`.
    pub(super) fn delay(&self, by: &str, at: Offset) -> String {
        let mut mark = Vec::new();
        push(&mut mark, &format!("<delay xmlns='{DELAY}'"));
        attribute(&mut mark, "from", by);
        attribute(&mut mark, "stamp", &self.stamp(at));
        push(&mut mark, "/>");
        String::from_utf8_lossy(&mark).into_owned()
    }

    /// An instant as XEP-0082 writes it.
    pub(super) fn stamp(&self, at: Offset) -> String {
        utc(self.options.epoch_unix + Duration::from_nanos(at.as_nanos()))
    }
}

/// Time since 1970 as `2026-11-22T10:00:00.000Z`.
fn utc(since_1970: Duration) -> String {
    let seconds = since_1970.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let millis = since_1970.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Year, month and day of a day counted from 1970-01-01. Years begin in March here, so that the day that some of them
/// have more is the last one.
const fn civil(day: u64) -> (u64, u64, u64) {
    const FROM_MARCH_OF_YEAR_0: u64 = 719_468;
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let day = day + FROM_MARCH_OF_YEAR_0;
    let (cycle, rest) = (day / DAYS_OF_400_YEARS, day % DAYS_OF_400_YEARS);
    let year = (rest - rest / 1_460 + rest / 36_524 - rest / 146_096) / 365;
    let rest = rest - (365 * year + year / 4 - year / 100);
    let month = (5 * rest + 2) / 153;
    let day = rest - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (cycle * 400 + year + next_year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_as_calendars_say() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.250Z"),
            (951_782_400, "2000-02-29T00:00:00.250Z"),
            (951_868_799, "2000-02-29T23:59:59.250Z"),
            (1_709_251_200, "2024-03-01T00:00:00.250Z"),
            (1_767_225_599, "2025-12-31T23:59:59.250Z"),
            (4_107_542_400, "2100-03-01T00:00:00.250Z"),
        ] {
            assert_eq!(utc(Duration::from_millis(seconds * 1_000 + 250)), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn they_are_what_another_library_makes_of_them(seconds in 0u64..10_000_000_000) {
            let other = humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + Duration::from_secs(seconds));
            proptest::prop_assert_eq!(utc(Duration::from_secs(seconds)), other.to_string());
        }
    }
}
