//! Profiles from the outside: what they accept, what they say to mistakes, what they become.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod commands;
mod corpus;
mod documents;
mod overrides;
mod registry;
mod schema;
mod sound;
mod topology;
