//! Tables for people: no lines, numbers to the right, as wide as the page and no wider.

use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};

/// A table whose first column is never broken, close-set on a narrow page.
pub fn table(header: &[&str], width: u16) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width - 1);
    table.set_header(header.iter().map(Cell::new));
    let gap = if width < ROOMY { 1 } else { 2 };
    for column in table.column_iter_mut() {
        column.set_padding((0, gap));
    }
    if let Some(column) = table.column_mut(0) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    table
}

/// From this width on columns stand two spaces apart.
const ROOMY: u16 = 90;

/// Numbers to the right, from this column on.
pub fn align(table: &mut Table, from: usize) {
    for column in table.column_iter_mut().skip(from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// Text to the left, in this column.
pub fn left(table: &mut Table, column: usize) {
    if let Some(column) = table.column_mut(column) {
        column.set_cell_alignment(CellAlignment::Left);
    }
}
