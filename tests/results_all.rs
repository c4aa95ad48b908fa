//! Results from the outside: histograms against a naive oracle, journals against the totals they were cut from, files
//! against everything that can be wrong with them, and every result kept in `results/` against the schema.

#[path = "results_all/corpus.rs"]
mod corpus;
#[path = "results_all/file.rs"]
mod file;
#[path = "results_all/fold.rs"]
mod fold;
#[path = "results_all/histogram.rs"]
mod histogram;
#[path = "results_all/journal.rs"]
mod journal;
#[path = "results_all/observed.rs"]
mod observed;
#[path = "results_all/schema.rs"]
mod schema;
#[path = "results_all/summary.rs"]
mod summary;
#[path = "results_all/world.rs"]
mod world;
