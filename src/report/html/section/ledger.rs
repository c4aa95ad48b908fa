//! The account of every copy.

use crate::report::html::chart::Table;
use crate::report::html::context::{Context, section};
use crate::report::html::markup::Markup;
use crate::report::overlay::Run;
use crate::results::{LedgerCounts, LedgerKind, RoomOrder};
use crate::units::show_count;

/// The section.
pub fn write(page: &mut Markup, context: &Context<'_>) {
    section(page, "ledger", "Delivery account", |page| {
        page.leaf("p", &[], EQUATION);
        page.leaf("p", &[("class", "note")], BESIDE);
        let rows: Vec<Vec<String>> =
            context.runs.iter().flat_map(|run| run.kinds().map(|kind| whole(context, run, kind))).collect();
        if rows.is_empty() {
            page.leaf("p", &[], "Nothing was owed to anybody in this run.");
            return;
        }
        let mut table = head("account");
        table.rows = rows;
        table.write(page, "Delivery account over the whole run");
        for run in context.runs {
            order(page, context, run);
        }
        page.within("details", &[], |page| {
            page.leaf("summary", &[], "Account of each phase");
            let mut table = head("phase");
            table.rows = context.runs.iter().flat_map(|run| phases(context, run)).collect();
            table.write(page, "Delivery account of each phase");
        });
    });
}

const EQUATION: &str =
    "expected = delivered + lost + failed + indeterminate, for every copy and in every phase.";
const BESIDE: &str = "late and reordered are among the delivered; duplicated, misdelivered, unsent, replayed and stale are \
                      counted beside the account.";

fn head(first: &str) -> Table {
    let columns = LedgerCounts::COLUMNS.iter().map(|(name, _)| *name);
    let heads: Vec<&str> = [first, "balanced"].into_iter().chain(columns).collect();
    Table::new(&heads)
}

fn row(name: String, counts: &LedgerCounts) -> Vec<String> {
    let settled = [counts.delivered, counts.lost, counts.failed, counts.indeterminate];
    let settled: u128 = settled.into_iter().map(u128::from).sum();
    let balanced = if u128::from(counts.expected) == settled { "✓ yes" } else { "✗ no" };
    let columns = LedgerCounts::COLUMNS.iter().map(|(_, read)| show_count(read(counts)));
    [name, balanced.to_owned()].into_iter().chain(columns).collect()
}

fn whole(context: &Context<'_>, run: &Run, kind: LedgerKind) -> Vec<String> {
    row(format!("{}{}", whose(context, run), kind.as_str()), run.result.ledger.of(kind))
}

fn phases(context: &Context<'_>, run: &Run) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for phase in &run.result.phases {
        for kind in run.kinds() {
            let name = format!("{}{}, {}", whose(context, run), phase.name, kind.as_str());
            rows.push(row(name, phase.ledger.of(kind)));
        }
    }
    rows
}

fn whose(context: &Context<'_>, run: &Run) -> String {
    if context.single().is_some() { String::new() } else { format!("{}: ", run.letter) }
}

fn order(page: &mut Markup, context: &Context<'_>, run: &Run) {
    let Some(RoomOrder { rooms, compared, differing, not_compared }) = run.result.room_order else { return };
    let text = format!(
        "{}Order in {} rooms: {} occupants compared, {} saw another than most; {} not compared (came late, left, or missed \
         a copy).",
        whose(context, run),
        show_count(rooms),
        show_count(compared),
        show_count(differing),
        show_count(not_compared),
    );
    page.leaf("p", &[], &text);
}
