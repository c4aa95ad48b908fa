//! Profiles from the outside: what they accept, what they say to mistakes, what they become.

mod corpus;
mod overrides;
mod registry;
mod schema;
mod sound;
mod topology;
