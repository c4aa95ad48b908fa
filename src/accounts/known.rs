//! What is known of contacts while a pass over the population goes on: who has asked, and what one side says that the other
//! ought to hear.

use std::collections::HashSet;

use crate::xmpp::Subscription;

/// A contact that is not mutual, as the owner of the roster has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// The contact.
    pub contact: u32,
    /// Who sees whom, by the owner's roster.
    pub subscription: Subscription,
}

/// See the module text.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Users who have asked all their contacts, one bit each; none where everybody has.
    asked: Option<Vec<u64>>,
    /// Only in a pass that mends: who said last that a contact is not mutual, and of whom.
    complaints: Option<HashSet<(u32, u32)>>,
}

impl Known {
    /// Everybody has asked, and nobody complains.
    pub fn everyone_asked() -> Self {
        Self::default()
    }

    /// Nobody has asked yet, of so many.
    pub fn nobody_asked(population: u32) -> Self {
        Self { asked: Some(vec![0; population.div_ceil(64) as usize]), ..Self::default() }
    }

    /// One more has asked its contacts.
    pub fn note_asked(&mut self, user: u32) {
        if let Some(word) = self.asked.as_mut().and_then(|words| words.get_mut(user as usize / 64)) {
            *word |= 1 << (user % 64);
        }
    }

    /// Whether a user has asked its contacts.
    pub fn has_asked(&self, user: u32) -> bool {
        self.asked.as_ref().is_none_or(|words| {
            words.get(user as usize / 64).is_some_and(|word| word & (1 << (user % 64)) != 0)
        })
    }

    /// For a pass that mends: who said in the one before that a contact is not mutual, and of whom.
    pub fn complaints(said: impl Iterator<Item = (u32, u32)>) -> Self {
        Self { asked: None, complaints: Some(said.collect()) }
    }

    /// Whether this pass mends, and nobody asks or grants.
    pub const fn is_for_mending(&self) -> bool {
        self.complaints.is_some()
    }

    /// A user has looked again: what it no longer says is withdrawn.
    pub fn withdraw(&mut self, user: u32, contacts: impl Iterator<Item = u32>, left: &[Left]) {
        let Some(complaints) = &mut self.complaints else { return };
        for contact in contacts.filter(|contact| left.iter().all(|left| left.contact != *contact)) {
            complaints.remove(&(user, contact));
        }
    }

    /// Whether a user says that a contact is not mutual.
    pub fn is_complaint(&self, user: u32, contact: u32) -> bool {
        self.complaints.as_ref().is_some_and(|complaints| complaints.contains(&(user, contact)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_asked_is_kept_by_the_bit() {
        let mut known = Known::nobody_asked(130);
        for user in [0, 63, 64, 129] {
            assert!(!known.has_asked(user));
            known.note_asked(user);
            assert!(known.has_asked(user));
        }
        assert!(!known.has_asked(1) && !known.has_asked(100_000));
        known.note_asked(100_000);
        assert!(Known::everyone_asked().has_asked(100_000));
    }

    #[test]
    fn a_complaint_holds_until_it_is_withdrawn() {
        let mut known = Known::complaints([(3, 5)].into_iter());
        assert!(known.is_for_mending() && !Known::everyone_asked().is_for_mending());
        assert!(known.is_complaint(3, 5) && !known.is_complaint(5, 3));
        let still = Left { contact: 5, subscription: Subscription::To };
        known.withdraw(3, [4, 5].into_iter(), &[still]);
        assert!(known.is_complaint(3, 5));
        known.withdraw(3, [4, 5].into_iter(), &[]);
        assert!(!known.is_complaint(3, 5));
    }
}
