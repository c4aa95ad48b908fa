//! Textures of stacked areas, so that who cannot tell their colours apart can tell the areas.

use crate::report::html::markup::Markup;

/// The class of an area's texture by its place in the stack; the first has none.
pub fn texture_class(place: usize) -> Option<&'static str> {
    const CLASSES: [&str; 9] = ["t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9"];
    CLASSES.get(place.checked_sub(1)?.min(CLASSES.len() - 1)).copied()
}

/// What the textures are drawn of: for each its name and its lines in a square of eight.
const LINES: [(&str, &str); 9] = [
    ("t1", "M-2 2L2 -2M0 8L8 0M6 10L10 6"),
    ("t2", "M-2 6L2 10M0 0L8 8M6 -2L10 2"),
    ("t3", "M0 4H8"),
    ("t4", "M4 0V8"),
    ("t5", "M0 4H8M4 0V8"),
    ("t6", "M0 8L8 0M0 0L8 8"),
    ("t7", "M3 4H5"),
    ("t8", "M0 2H8M0 6H8"),
    ("t9", "M2 0V8M6 0V8"),
];

/// The textures, once for a page; the style sheet names them.
pub fn textures(page: &mut Markup) {
    page.within("svg", &[("class", "unseen"), ("aria-hidden", "true")], |page| {
        page.within("defs", &[], |page| {
            for (id, lines) in LINES {
                let square =
                    [("id", id), ("width", "8"), ("height", "8"), ("patternUnits", "userSpaceOnUse")];
                page.within("pattern", &square, |page| {
                    page.empty("path", &[("class", "texture"), ("d", lines)]);
                });
            }
        });
    });
    page.line();
}
