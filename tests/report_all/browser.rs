//! The page in a browser, from disk, without a network.

use std::fs;

use tempfile::TempDir;
use xmpp_bench::report::{Run, html};

use crate::chromium::{Opened, browser, open};
use crate::hostile::{HOSTILE, hostile};
use crate::page::{kept, run_of};

const DESK: (u32, u32) = (1_280, 900);
/// The narrowest window the browser makes.
const PHONE: (u32, u32) = (500, 900);

/// Writes into the document what a test wants to know of it. Stands in for a person: it reads a chart by pointer and by keys.
const PROBE: &str = r#"
addEventListener("load", function () {
  var all = Array.from(document.querySelectorAll("*"));
  var plots = Array.from(document.querySelectorAll(".plot[tabindex]"));
  var said = [];
  if (plots.length) {
    var plot = plots[0], output = plot.parentNode.querySelector("output");
    ["Home", "ArrowRight", "End", "Escape"].forEach(function (key) {
      plot.dispatchEvent(new KeyboardEvent("keydown", { key: key }));
      said.push(output.textContent);
    });
    var box = plot.querySelector("svg").getBoundingClientRect();
    plot.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + box.width / 2, clientY: box.top + 20 }));
    said.push(output.textContent);
  }
  var facts = {
    pwned: String(window.pwned),
    scripts: document.scripts.length,
    tags: Array.from(new Set(all.map(function (one) { return one.localName; }))).sort(),
    handlers: all.filter(function (one) {
      return Array.from(one.attributes).some(function (attribute) { return attribute.name.startsWith("on"); });
    }).length,
    figures: document.querySelectorAll("figure").length,
    plots: plots.length,
    tables: document.querySelectorAll("figure table").length,
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    fetched: performance.getEntriesByType("resource").length,
    text: document.querySelector("main").textContent,
    said: said
  };
  document.body.replaceChildren();
  document.body.setAttribute("data-facts", JSON.stringify(facts));
});
"#;

struct Bench {
    browser: std::path::PathBuf,
    folder: TempDir,
}

impl Bench {
    /// Nothing where there is no browser, which is said.
    fn new() -> Option<Self> {
        match browser() {
            Ok(browser) => Some(Self { browser, folder: TempDir::new().expect("a folder") }),
            Err(why) => {
                println!("SKIPPED: {why}");
                None
            }
        }
    }

    fn open(&self, page: &str, size: (u32, u32)) -> Opened {
        let path = self.folder.path().join("page.html");
        fs::write(&path, page).expect("it is written");
        open(&self.browser, &path, size)
    }

    /// What the probe finds in a page. The policy would refuse the probe, so it is taken out for it.
    fn facts(&self, page: &str, size: (u32, u32)) -> serde_json::Value {
        let start = page.find("<meta http-equiv=").expect("the policy");
        let end = start + page[start..].find("/>").expect("its end") + 2;
        let probed = format!("{}{}", &page[..start], &page[end..]);
        let probed = probed.replacen("</body>", &format!("<script>{PROBE}</script></body>"), 1);
        let Opened { dom, console } = self.open(&probed, size);
        assert_eq!(console, Vec::<String>::new());
        let start =
            dom.find("data-facts=\"").unwrap_or_else(|| panic!("the probe did not run: {dom:.500}")) + 12;
        let facts = &dom[start..start + dom[start..].find('"').expect("its end")];
        let facts = facts
            .replace("&quot;", "\"")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&nbsp;", "\u{a0}")
            .replace("&amp;", "&");
        serde_json::from_str(&facts).unwrap_or_else(|error| panic!("{error}: {facts:.500}"))
    }
}

fn two() -> String {
    html::render(&Run::all([
        ("prosody.json".to_owned(), kept("quickstart-prosody.json")),
        ("ejabberd.json".to_owned(), kept("quickstart-ejabberd.json")),
    ]))
}

#[test]
fn a_page_opens_from_disk_without_a_word_on_the_console_and_fetches_nothing() {
    let Some(bench) = Bench::new() else { return };
    for page in [html::render(&run_of("a.json", kept("quickstart-prosody.json"))), two()] {
        let Opened { dom, console } = bench.open(&page, DESK);
        assert_eq!(console, Vec::<String>::new());
        assert!(dom.contains("<p class=\"state\">valid</p>"), "{dom:.500}");
        assert!(dom.contains("<output></output>"), "its script ran under its policy");
    }
    let refused = two().replace("\"use strict\";", "\"use strict\"; ");
    let Opened { dom, console } = bench.open(&refused, DESK);
    assert!(!dom.contains("<output>"), "a script of another hash does not run");
    assert!(console.iter().any(|line| line.contains("Content Security Policy")), "{console:?}");
}

#[test]
fn charts_are_read_by_pointer_and_by_keys_and_nothing_is_wider_than_the_window() {
    let Some(bench) = Bench::new() else { return };
    let page = html::render(&run_of("a.json", kept("quickstart-prosody.json")));
    for size in [DESK, PHONE] {
        let facts = bench.facts(&page, size);
        assert_eq!(facts["wide"], 0, "{size:?}");
        assert_eq!(facts["fetched"], 0);
        assert_eq!(facts["figures"], facts["tables"]);
        assert!(facts["plots"].as_u64() >= Some(10), "{}", facts["plots"]);
        let said: Vec<&str> =
            facts["said"].as_array().expect("a list").iter().filter_map(|one| one.as_str()).collect();
        let [home, right, end, escaped, pointed] = said[..] else { panic!("{said:?}") };
        assert!(home.starts_with("from 0:00 · attempts ") && home.contains(" · p50 "), "{home}");
        assert!(right.starts_with("from 0:01 · "), "{right}");
        assert!(end.starts_with("from 0:30 · "), "{end}");
        assert_eq!(escaped, "");
        assert!(pointed.starts_with("from 0:1"), "{pointed}");
    }
    assert_eq!(bench.facts(&two(), PHONE)["wide"], 0);
}

#[test]
fn hostile_text_is_text_in_a_browser_too() {
    let Some(bench) = Bench::new() else { return };
    let page = html::render(&run_of(&HOSTILE.join(" "), hostile()));
    let Opened { console, .. } = bench.open(&page, DESK);
    assert_eq!(console, Vec::<String>::new());
    let facts = bench.facts(&page, PHONE);
    assert_eq!((&facts["pwned"], &facts["handlers"]), (&"undefined".into(), &0.into()));
    assert_eq!(facts["scripts"], 2, "the page's and the probe's");
    assert_eq!(facts["wide"], 0, "no text stretches the page");
    let tags: Vec<&str> =
        facts["tags"].as_array().expect("a list").iter().filter_map(|tag| tag.as_str()).collect();
    for stranger in ["img", "b", "i", "iframe", "textarea", "h5"] {
        assert!(!tags.contains(&stranger), "<{stranger}>");
    }
    let text = facts["text"].as_str().expect("text");
    assert!(text.contains(HOSTILE[0]) && text.contains(HOSTILE[1]) && text.contains("[U+202E]drowssap"));
}
