//! Who may talk to whom: pure functions of the profile, never of the seed.
