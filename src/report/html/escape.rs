//! Making text harmless: whatever a file or a peer said is shown, and stays text.

use std::borrow::Cow;

/// Text for a page's element or quoted attribute.
///
/// `&`, `<`, `>` and both quotes become references. What has no shape of its own becomes visible: control characters as
/// their pictures (U+2400…), marks that turn or hide text (bidirectional controls, separators, zero widths), and what XML
/// forbids, as their code point.
pub fn escape(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => visible(c, &mut out),
        }
    }
    Cow::Owned(out)
}

/// Text whose every character can be seen, for forms that are no markup.
pub fn seen(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| visible(c, &mut out));
    out
}

fn is_plain(c: char) -> bool {
    !matches!(c, '&' | '<' | '>' | '"' | '\'') && !is_formless(c)
}

fn visible(c: char, out: &mut String) {
    match c {
        '\0'..='\u{1f}' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')),
        '\u{7f}' => out.push('\u{2421}'),
        c if is_formless(c) => out.push_str(&format!("[U+{:04X}]", u32::from(c))),
        c => out.push(c),
    }
}

const fn is_formless(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
        || c as u32 & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn markup_becomes_text_and_the_formless_is_seen() {
        for (text, shown) in [
            ("message.delivery", "message.delivery"),
            (
                "</script><b a='1' c=\"2\">&amp;",
                "&lt;/script&gt;&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;amp;",
            ),
            ("a\0b\u{1b}[2J\n", "a␀b␛[2J␊"),
            ("\u{202e}gpj.exe\u{200f}", "[U+202E]gpj.exe[U+200F]"),
            ("\u{fffe}\u{1ffff}\u{feff}", "[U+FFFE][U+1FFFF][U+FEFF]"),
            ("Zürich 日本 שלום", "Zürich 日本 שלום"),
        ] {
            assert_eq!(escape(text), shown);
        }
    }

    proptest! {
        #[test]
        fn nothing_that_could_end_text_survives(text in ".*") {
            let out = escape(&text);
            prop_assert!(!out.contains(['<', '>', '"', '\'']));
            prop_assert!(out.chars().all(|c| !is_formless(c)));
            prop_assert!(!seen(&text).contains(['\n', '\r', '\0']));
        }
    }
}
