//! The bare JIDs of a whole population in one text, some twenty bytes a user; and those of rooms, made and read by number.

use crate::sample::Place;

/// The bare JIDs of all users.
#[derive(Debug, Default)]
pub struct Names {
    text: String,
    ends: Vec<u32>,
}

impl Names {
    /// From bare JIDs in the order of their users; an anonymous user's is empty until it is bound.
    pub fn new(jids: impl Iterator<Item = String>) -> Self {
        let mut names = Self::default();
        for jid in jids {
            names.text.push_str(&jid);
            names.ends.push(u32::try_from(names.text.len()).unwrap_or(u32::MAX));
        }
        names
    }

    /// A user's bare JID; empty beyond the population.
    pub fn bare(&self, user: u32) -> &str {
        let index = user as usize;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(index).copied().unwrap_or(start);
        self.text.get(start as usize..end as usize).unwrap_or("")
    }
}

impl Names {
    /// The part of a user's JID before the `@`: its nick in rooms.
    pub fn local(&self, user: u32) -> &str {
        self.bare(user).split('@').next().unwrap_or("")
    }
}

/// The bare JIDs of the run's rooms: `PREFIX`, the room's number, `@SERVICE`. The prefix tells runs apart, so that a room an
/// earlier run left behind is nobody's.
#[derive(Debug, Default)]
pub struct RoomNames {
    prefix: String,
    /// Where each activity's rooms begin, and their service.
    services: Vec<(u32, String)>,
}

impl RoomNames {
    /// Names for a run's rooms: those of each activity with rooms, from which number on and at which service.
    pub fn new(run: u32, services: Vec<(u32, String)>) -> Self {
        Self { prefix: format!("xb{run:06x}-"), services }
    }

    /// A room's bare JID.
    pub fn bare(&self, place: Place) -> String {
        let (_, service) = &self.services[self.services.partition_point(|(first, _)| *first <= place.0) - 1];
        format!("{}{}@{service}", self.prefix, place.0)
    }

    /// The room and the nick of an occupant's JID; the nick is empty for the room itself. Nothing for any other JID.
    pub fn read<'a>(&self, jid: &'a str) -> Option<(Place, &'a str)> {
        if self.services.is_empty() {
            return None;
        }
        let (bare, nick) = jid.split_once('/').unwrap_or((jid, ""));
        let (local, service) = bare.split_once('@')?;
        let number: u32 = local.strip_prefix(self.prefix.as_str())?.parse().ok()?;
        let (_, expected) = self
            .services
            .get(self.services.partition_point(|(first, _)| *first <= number).checked_sub(1)?)?;
        (service == expected).then_some((Place(number), nick))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_user_has_its_own_name() {
        let names = Names::new(
            ["u0@localhost", "o'neil&co@localhost", "", "u3@localhost"].map(str::to_owned).into_iter(),
        );
        assert_eq!(names.bare(0), "u0@localhost");
        assert_eq!(names.bare(1), "o'neil&co@localhost");
        assert_eq!((names.bare(2), names.bare(3), names.bare(4)), ("", "u3@localhost", ""));
        assert_eq!((names.local(0), names.local(2)), ("u0", ""));
    }

    #[test]
    fn rooms_are_read_the_way_they_are_written() {
        let rooms = RoomNames::new(0xab_cdef, vec![(0, "muc.x".to_owned()), (50, "conference.x".to_owned())]);
        assert_eq!(rooms.bare(Place(49)), "xbabcdef-49@muc.x");
        assert_eq!(rooms.bare(Place(50)), "xbabcdef-50@conference.x");
        assert_eq!(rooms.read("xbabcdef-50@conference.x/u7/x"), Some((Place(50), "u7/x")));
        assert_eq!(rooms.read("xbabcdef-3@muc.x"), Some((Place(3), "")));
        for stranger in
            ["", "u3@x", "xbabcdef-3@conference.x/u7", "xb000000-3@muc.x/u7", "xbabcdef-@muc.x", "xbabcdef-3"]
        {
            assert_eq!(rooms.read(stranger), None, "{stranger}");
        }
        assert_eq!(RoomNames::default().read("xbabcdef-3@muc.x"), None);
    }
}
