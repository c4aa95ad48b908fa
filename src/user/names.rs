//! The bare JIDs of a whole population in one text: some twenty bytes a user.

/// See the module text.
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
    }
}
