//! The on-disk schema and its versions: the result file and the journal beside a running one.
