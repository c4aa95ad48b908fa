//! Reports of long runs.

use xmpp_bench::report::{Run, html};

use crate::hour::hour;
use crate::page::assert_sound;

#[test]
fn the_report_of_an_hour_is_a_page_of_a_few_megabytes() {
    const MOST: usize = 5_000_000;
    let result = hour(40, 1);
    let page = html::render(&Run::all([("hour.json".to_owned(), result.clone())]));
    assert!(page.len() < MOST, "{} bytes", page.len());
    assert_sound(&page);
    assert!(page.contains("Over all attempts of each 30 seconds"), "columns are as wide as a p99 needs");
    let three = html::render(&Run::all((0..3).map(|number| (format!("{number}.json"), result.clone()))));
    assert!(three.len() < MOST, "{} bytes of three", three.len());
}
