//! Reports from the outside: the page in a real parser and in a real browser, the other forms against the result they were
//! made of, and everything that can be wrong with a result.

#![allow(clippy::print_stdout, reason = "what was skipped stands in the log")]

#[path = "report_all/browser.rs"]
mod browser;
#[path = "report_all/chromium.rs"]
mod chromium;
#[path = "report_all/forms.rs"]
mod forms;
#[path = "report_all/hostile.rs"]
mod hostile;
#[path = "results_all/hour.rs"]
mod hour;
#[path = "report_all/long.rs"]
mod long;
#[path = "report_all/observed.rs"]
mod observed;
#[path = "report_all/outages.rs"]
mod outages;
#[path = "report_all/page.rs"]
mod page;
#[path = "report_all/parsed.rs"]
mod parsed;
#[allow(dead_code, reason = "shared with the tests of results, which use the rest")]
#[path = "results_all/world.rs"]
mod world;
