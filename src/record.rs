//! Samples and the ledger of one worker, and their merge.

pub mod ledger;
