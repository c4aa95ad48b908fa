//! The embedded server, told as stories: transcripts, routing, faults and their truth, hostile input, real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "server_all/copies.rs"]
mod copies;
#[path = "server_all/faults.rs"]
mod faults;
#[path = "server_all/hostile.rs"]
mod hostile;
#[path = "server_all/hostile_rooms.rs"]
mod hostile_rooms;
#[path = "server_all/login.rs"]
mod login;
#[path = "server_all/online.rs"]
mod online;
#[path = "server_all/registration.rs"]
mod registration;
#[path = "server_all/rooms.rs"]
mod rooms;
#[path = "server_all/roster.rs"]
mod roster;
#[path = "server_all/sockets.rs"]
mod sockets;
#[path = "server_all/world.rs"]
mod world;
