//! What was done, for a person.

use crate::accounts::Ending;
use crate::accounts::audit::{Audit, Found};
use crate::accounts::create::Created;
use crate::accounts::remove::Removed;
use crate::accounts::tally::FaultCount;
use crate::report::advice;
use crate::results::Exit;
use crate::sample::Fault;
use crate::units::{clean, show_count};

pub(super) fn created(done: &Created, notes: &[String]) -> String {
    let mut page = Page::default();
    page.row("accounts", done.accounts, "");
    page.row("  created", done.created, "");
    page.row("  existed already", done.existed, "left as they were, password included");
    page.row_if("  failed", done.failed, "");
    page.row_if("  not tried", done.not_tried, "");
    if let Some(contacts) = &done.contacts {
        page.row("users with contacts", contacts.of, "");
        page.row("  complete", contacts.complete, "both sides say so");
        let passes = format!("in {} passes; {} grants", contacts.passes, show_count(contacts.granted));
        page.row("  requests sent", contacts.asked, &passes);
        if contacts.complete < contacts.of {
            page.row("  contacts left", contacts.left, "at the last look");
            page.examples(&contacts.examples);
        }
    }
    page.faults(&done.faults);
    for note in notes {
        page.line(note);
    }
    page.0
}

pub(super) fn audit(found: &Audit) -> String {
    let mut page = Page::default();
    page.row("accounts", found.accounts, "");
    page.row("  logged in", found.let_in, "");
    page.found("  no such account", &found.no_account);
    page.found("  wrong password", &found.wrong_password);
    if found.not_let_in.count > 0 {
        page.found("  not let in", &found.not_let_in);
    }
    page.row_if("  failed", found.failed, "");
    page.row_if("  not tried", found.not_tried, "");
    let contacts = &found.contacts;
    page.row(
        "contacts",
        contacts.mutual + contacts.one_sided.count + contacts.missing.count,
        "from either end",
    );
    page.row("  mutual", contacts.mutual, "");
    page.found("  one-sided", &contacts.one_sided);
    page.found("  missing", &contacts.missing);
    page.found("  surplus", &contacts.surplus);
    page.faults(&found.faults);
    page.0
}

pub(super) fn removed(done: &Removed) -> String {
    let mut page = Page::default();
    page.row("accounts", done.accounts, "");
    page.row("  deleted", done.deleted, "");
    page.row("  not there", done.absent, "");
    page.row_if("  failed", done.failed, "");
    page.row_if("  not tried", done.not_tried, "");
    page.faults(&done.faults);
    page.0
}

/// What accounts that failed alike lack, as a predicate.
pub(super) fn alike(fault: &Fault) -> String {
    match fault.condition.as_str() {
        "no-account" => "are not known to the server".to_owned(),
        "wrong-password" => "have another password on the server".to_owned(),
        "not-let-in" => "were refused, and PLAIN does not tell why".to_owned(),
        condition => {
            let said =
                if fault.text.is_empty() { String::new() } else { format!(" ({})", clean(&fault.text)) };
            format!("failed with {condition} at {}{said}", fault.step)
        }
    }
}

/// What to do where all failed alike.
pub(super) fn remedy(ending: &Ending) -> String {
    let Ending::Alike(fault) = ending else { return String::new() };
    let advice = match fault.condition.as_str() {
        "no-account" => "`accounts create` makes them; or `jid` and `domain` are not the server's",
        "wrong-password" => "`password`, or the accounts file, must say the one they were made with",
        "not-let-in" => "`accounts create` makes them if they are not there; or `password` is not theirs",
        _ => advice(&fault.text).unwrap_or("the server's log may say more"),
    };
    format!("{advice}\n--keep-going tries the rest too\n")
}

/// Why it did not end well.
pub(super) fn reasons(exit: &Exit) -> String {
    let line = |(code, reason): (u8, &str)| format!("Exit code {code}: {reason}\n");
    exit.reasons.iter().map(|reason| line((reason.code, &reason.reason))).collect()
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn row(&mut self, name: &str, count: u64, remark: &str) {
        let gap = if remark.is_empty() { "" } else { "  " };
        self.0 += &format!("{name:<22}{:>12}{gap}{remark}\n", show_count(count));
    }

    fn row_if(&mut self, name: &str, count: u64, remark: &str) {
        if count > 0 {
            self.row(name, count, remark);
        }
    }

    fn found(&mut self, name: &str, found: &Found) {
        self.row(name, found.count, "");
        self.examples(&found.examples);
    }

    fn examples(&mut self, examples: &[String]) {
        for example in examples {
            self.0 += &format!("      {}\n", clean(example));
        }
    }

    fn faults(&mut self, faults: &[FaultCount]) {
        for fault in faults {
            let FaultCount { class, step, condition, count, examples } = fault;
            self.0 += &format!("{:>12}  {condition} at {step} ({class})\n", show_count(*count));
            self.examples(examples);
            if let Some(advice) = examples.iter().find_map(|example| advice(example)) {
                self.line(&format!("      {advice}"));
            }
        }
    }

    fn line(&mut self, text: &str) {
        self.0 += &format!("{text}\n");
    }
}
