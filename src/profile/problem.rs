//! What is wrong with a profile: where, what, and what to do.

use std::cell::RefCell;
use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::document::Place;
use super::keys::Reported;

/// No more problems than this are shown; the others are counted.
const SHOWN: usize = 20;
/// No more than this are kept, so that a file of nothing but mistakes costs bounded memory.
const KEPT: usize = 1_000;

/// One mistake.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) place: Place,
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// Another place that has to do with it, and what.
    pub(super) related: Option<(Place, String)>,
}

/// What is wrong with a value, before it is known which key's it is: the message completes a sentence that begins
/// with the key.
#[derive(Clone, Debug)]
pub struct Wrong {
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// Where, if more precise than the whole value.
    pub(super) place: Option<Place>,
}

impl Wrong {
    /// `message` is a predicate: `must be below 10`.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, place: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn at(mut self, place: &Place) -> Self {
        self.place.get_or_insert_with(|| place.clone());
        self
    }
}

/// Where problems are written down while a profile is read.
#[derive(Debug, Default)]
pub(super) struct Notebook {
    problems: RefCell<Vec<Problem>>,
}

impl Notebook {
    pub(super) fn add(&self, problem: Problem) -> Reported {
        let mut problems = self.problems.borrow_mut();
        if problems.len() < KEPT {
            problems.push(problem);
        }
        Reported::new()
    }

    /// A problem without relations.
    pub(super) fn say(&self, place: &Place, message: impl Into<String>, help: impl Into<String>) -> Reported {
        let (message, help) = (message.into(), Some(help.into()).filter(|help| !help.is_empty()));
        self.add(Problem { place: place.clone(), message, help, related: None })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    pub(super) fn close(self, texts: Vec<Text>) -> Problems {
        let mut problems = self.problems.into_inner();
        problems.sort_by(|a, b| a.place.cmp(&b.place));
        Problems { texts, problems }
    }
}

/// A text problems are in, passwords masked.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) name: String,
    pub(super) text: String,
}

/// All that is wrong with a profile. Displayed, it is what a compiler would print: file, line, the line itself, a caret
/// under the mistake, and what to do. Passwords are masked.
#[derive(Debug)]
pub struct Problems {
    texts: Vec<Text>,
    problems: Vec<Problem>,
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    /// Without colours; see [`Problems::styled`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

impl Problems {
    /// How many.
    pub fn count(&self) -> usize {
        self.problems.len()
    }

    /// The same text with colours, for a terminal.
    pub fn styled(&self) -> String {
        self.render(&Renderer::styled())
    }

    fn render(&self, renderer: &Renderer) -> String {
        let mut parts: Vec<String> =
            self.problems.iter().take(SHOWN).map(|problem| renderer.render(&[self.group(problem)])).collect();
        if let Some(more @ 1..) = self.problems.len().checked_sub(SHOWN) {
            let plural = if more == 1 { "" } else { "s" };
            parts.push(format!("… and {more} more problem{plural}"));
        }
        parts.extend(self.overrides_note(renderer));
        parts.join("\n\n")
    }

    /// Reminds of overrides where a problem is in the file, which may be right without them.
    fn overrides_note(&self, renderer: &Renderer) -> Option<String> {
        let in_file = self.problems.iter().take(SHOWN).any(|problem| !problem.place.is_override());
        let overrides: Vec<&str> =
            self.texts.iter().skip(1).take(SHOWN).map(|text| text.text.as_str()).collect();
        let note = format!("this is the profile with --set {}", overrides.join(" --set "));
        let group = Group::with_title(Level::NOTE.secondary_title(note));
        (in_file && !overrides.is_empty()).then(|| renderer.render(&[group]))
    }

    fn group<'a>(&'a self, problem: &'a Problem) -> Group<'a> {
        let mut snippet = self.snippet(&problem.place);
        let mut elsewhere = None;
        if let Some((place, label)) = &problem.related {
            if place.text == problem.place.text {
                let context = AnnotationKind::Context.span(self.span(place)).label(label.as_str());
                snippet = snippet.annotation(context);
            } else {
                elsewhere = Some(format!("{label}: {}", self.position(place)));
            }
        }
        let mut group = Level::ERROR.primary_title(problem.message.as_str()).element(snippet);
        if problem.place.is_override() {
            group =
                group.element(Level::NOTE.message(format!("from --set {}", self.text(&problem.place).text)));
        }
        group = group.elements(elsewhere.map(|text| Level::NOTE.message(text)));
        group.elements(problem.help.as_deref().map(|help| Level::HELP.message(help)))
    }

    fn snippet(&self, place: &Place) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
        let text = self.text(place);
        Snippet::source(text.text.as_str())
            .path(text.name.as_str())
            .annotation(AnnotationKind::Primary.span(self.span(place)))
    }

    fn text(&self, place: &Place) -> &Text {
        &self.texts[place.text.min(self.texts.len() - 1)]
    }

    /// The place's range, cut to its text, to whole characters and to its first line.
    fn span(&self, place: &Place) -> std::ops::Range<usize> {
        let text = &self.text(place).text;
        let whole = |at: &usize| text.is_char_boundary(*at);
        let start = (0..=place.start.min(text.len())).rev().find(whole).unwrap_or(0);
        let end = (place.end.clamp(start, text.len())..=text.len()).find(whole).unwrap_or(text.len());
        let line = text[start..end].find('\n').filter(|&at| at > 0);
        start..line.map_or(end, |at| start + at)
    }

    fn position(&self, place: &Place) -> String {
        let text = self.text(place);
        let line = text.text[..self.span(place).start].matches('\n').count() + 1;
        format!("{}:{line}", text.name)
    }
}

/// The one of `known` that `found` was probably meant to be.
pub(super) fn suggestion<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found = found.to_lowercase();
    known
        .into_iter()
        .map(|name| (likeness(&found, &name.to_lowercase()), name))
        .filter(|&(likeness, _)| likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// 0 to 1. A single slip of the finger in a short name counts as very like, which the measure alone would not say.
fn likeness(found: &str, name: &str) -> f64 {
    let slip = found.len() > 2 && strsim::damerau_levenshtein(found, name) == 1;
    strsim::jaro_winkler(found, name).max(if slip { 0.95 } else { 0.0 })
}

/// What to do about a name nobody knows.
pub(super) fn did_you_mean<'a>(found: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(name) = suggestion(found, known.clone()) {
        return format!("did you mean `{name}`?");
    }
    let names: Vec<String> = known.into_iter().map(|name| format!("`{name}`")).collect();
    format!("known here: {}", names.join(", "))
}
