//! The house keeps its shape: imports go along the table, the pure layers do no I/O, and every file is fit to be read.
//!
//! Each finding names the file, the line, the rule and what to do. That a rule can be broken at all is tested beside it.

#[path = "house/imports.rs"]
mod imports;
#[path = "house/source.rs"]
mod source;
#[path = "house/tidy.rs"]
mod tidy;

use source::Source;

/// Fails with all findings at once, one per line.
fn assert_none(findings: &[String]) {
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn imports_go_along_the_table() {
    assert_none(&Source::all("src").iter().flat_map(imports::findings).collect::<Vec<_>>());
}

#[test]
fn the_pure_layers_do_no_io() {
    assert_none(&Source::all("src").iter().flat_map(imports::impurities).collect::<Vec<_>>());
}

#[test]
fn every_file_is_fit_to_be_read() {
    let sources = ["src", "tests", "benches"].into_iter().flat_map(Source::all);
    assert_none(&sources.flat_map(|source| tidy::findings(&source)).collect::<Vec<_>>());
}
