//! `--set`: what it reaches, and how values are spelt.
