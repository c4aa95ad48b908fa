//! The profile: raw TOML to a validated `Profile` that cannot be wrong; every error with file, line and hint.
