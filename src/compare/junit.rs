//! The comparison as JUnit XML: a test case per gate, and one per primary measure where there is no gate.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::outcome::{Comparison, GateState};
use super::text::summary;

/// What a case came to: nothing, or an element with its message.
struct Case {
    name: String,
    trouble: Option<(&'static str, &'static str, String)>,
    said: String,
}

impl Comparison {
    /// A JUnit report. A gate that failed is a `failure`, one without enough evidence an `error`; measures without a gate always
    /// pass, and say what they came to.
    pub fn junit(&self) -> String {
        let cases = self.cases();
        let count = |what: &str| {
            cases
                .iter()
                .filter(|case| case.trouble.as_ref().is_some_and(|(element, ..)| *element == what))
                .count()
                .to_string()
        };
        let numbers =
            [("tests", cases.len().to_string()), ("failures", count("failure")), ("errors", count("error"))];
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
        let begun = |name: &'static str| {
            let mut start = BytesStart::new(name);
            start.push_attribute(("name", "xmpp-bench compare"));
            start.extend_attributes(numbers.iter().map(|(key, value)| (*key, value.as_str())));
            start
        };
        let mut events = vec![
            Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)),
            Event::Start(begun("testsuites")),
            Event::Start(begun("testsuite")),
        ];
        events.extend(cases.iter().flat_map(Case::events));
        // Of the whole comparison: a gate says nothing of how its measure's runs followed each other.
        let drifts = printable(&self.drift_lines().join("; "));
        if !drifts.is_empty() {
            events.extend(said(&drifts));
        }
        events.extend([Event::End(BytesEnd::new("testsuite")), Event::End(BytesEnd::new("testsuites"))]);
        for event in events {
            writer.write_event(event).expect("writing to memory does not fail");
        }
        let mut text = String::from_utf8(writer.into_inner()).expect("names and texts are UTF-8");
        text.push('\n');
        text
    }

    fn cases(&self) -> Vec<Case> {
        if self.gates.is_empty() {
            let case = |row: &super::Row| Case {
                name: printable(&row.measure),
                trouble: None,
                said: printable(&summary(row)),
            };
            return self.primary().map(case).collect();
        }
        let case = |gate: &super::GateOutcome| {
            let trouble = match gate.state {
                GateState::Passed => None,
                GateState::Failed => Some(("failure", "regression", printable(&gate.reason))),
                GateState::NotEnoughEvidence => {
                    Some(("error", "not-enough-evidence", printable(&gate.reason)))
                }
            };
            Case { name: printable(&gate.gate), trouble, said: printable(&gate.reason) }
        };
        self.gates.iter().map(case).collect()
    }
}

impl Case {
    fn events(&self) -> Vec<Event<'_>> {
        let mut start = BytesStart::new("testcase");
        start.push_attribute(("classname", "xmpp-bench.compare"));
        start.push_attribute(("name", self.name.as_str()));
        let mut events = vec![Event::Start(start)];
        if let Some((element, kind, message)) = &self.trouble {
            let mut trouble = BytesStart::new(*element);
            trouble.push_attribute(("type", *kind));
            trouble.push_attribute(("message", message.as_str()));
            events.push(Event::Empty(trouble));
        }
        events.extend(said(&self.said));
        events.push(Event::End(BytesEnd::new("testcase")));
        events
    }
}

/// What a person may read beside it.
fn said(text: &str) -> [Event<'_>; 3] {
    let (start, end) = (BytesStart::new("system-out"), BytesEnd::new("system-out"));
    [Event::Start(start), Event::Text(BytesText::new(text)), Event::End(end)]
}

/// XML 1.0 has no way to write some characters; what a name holds of them becomes a space.
fn printable(text: &str) -> String {
    let is_lawful = |c: char| !matches!(c, '\u{fffe}' | '\u{ffff}');
    super::show::clean(text).chars().map(|c| if is_lawful(c) { c } else { ' ' }).collect()
}
