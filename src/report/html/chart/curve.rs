//! Percentile curves: which response time so many of all attempts did not exceed. The axis is stretched towards the last
//! ones, a decade of rarity for each step, so that p99 and p99.9 have room.

use super::frame::{BOTTOM, LEFT, RIGHT, TOP, WIDTH, foot_label, rule, side_label};
use super::path::Path;
use super::scale::Scale;
use crate::report::html::markup::{Markup, length};
use crate::report::summary::quantity;
use crate::report::timeline::Responses;
use crate::results::Unit;
use crate::results::histogram::value_of;
use crate::units::Quantile;

/// One curve.
pub struct Curve<'a> {
    /// The times it is made of.
    pub responses: &'a Responses,
    /// How it looks.
    pub class: &'a str,
}

/// A point: the share of attempts that did not take longer, and the time in microseconds.
type Point = (f64, f64);

const STRIP: f64 = 14.0;

/// The picture; nothing where no curve has a point to show.
pub fn curves(label: &str, all: &[Curve<'_>]) -> Option<Markup> {
    let points: Vec<Vec<Point>> = all.iter().map(|curve| points(curve.responses)).collect();
    let values = || points.iter().flatten().map(|&(_, micros)| micros);
    values().next()?;
    let scale = Scale::log(values());
    let last = points.iter().flatten().map(|&(share, _)| nines(share)).fold(1.0, f64::max);
    let beyond = all.iter().any(|curve| curve.responses.infinite > 0);
    let strip = if beyond { STRIP } else { 0.0 };
    let y = |micros: f64| BOTTOM - scale.place(micros) * (BOTTOM - TOP - strip);
    let x = |share: f64| LEFT + (nines(share) / last).clamp(0.0, 1.0) * (RIGHT - LEFT);
    let mut page = Markup::new();
    page.open(
        "svg",
        &[
            ("viewBox", &format!("0 0 {WIDTH} {}", length(BOTTOM + 26.0))),
            ("role", "img"),
            ("aria-label", label),
        ],
    );
    axes(&mut page, &scale, y, last, x);
    if beyond {
        rule(&mut page, TOP + strip, "rule beyond");
        side_label(&mut page, TOP + strip / 2.0, "> deadline");
    }
    for (curve, points) in all.iter().zip(&points) {
        let mut path = Path::new();
        let mut from = 0.0;
        for &(share, micros) in points {
            if path.is_empty() {
                path.move_to(x(from), y(micros));
            } else {
                path.to(x(from), y(micros));
            }
            path.to(x(share), y(micros));
            from = share;
        }
        if ends_among_the_infinite(curve.responses) && !path.is_empty() {
            path.to(x(from), TOP + strip / 2.0);
            path.to(RIGHT, TOP + strip / 2.0);
        }
        page.empty("path", &[("class", curve.class), ("d", &path.into_text())]);
    }
    Some(page)
}

fn axes(page: &mut Markup, scale: &Scale, y: impl Fn(f64) -> f64, last: f64, x: impl Fn(f64) -> f64) {
    for tick in scale.ticks() {
        rule(page, y(tick), "rule");
        side_label(page, y(tick), &quantity(tick, Unit::Micros));
    }
    rule(page, BOTTOM, "axis");
    for fraction in [0.5, 0.9, 0.99, 0.999, 0.9999, 0.999_99, 0.999_999] {
        let Some(quantile) = Quantile::new(fraction).filter(|_| nines(fraction) <= last + 1e-9) else {
            continue;
        };
        let at = length(x(fraction));
        let (top, bottom) = (length(TOP), length(BOTTOM));
        page.empty("line", &[("class", "rule"), ("x1", &at), ("x2", &at), ("y1", &top), ("y2", &bottom)]);
        foot_label(page, x(fraction), &quantile.to_string());
    }
}

/// How rare the rest is: 1 for a tenth of all, 2 for a hundredth.
fn nines(share: f64) -> f64 {
    (1.0 / (1.0 - share).max(1e-9)).log10()
}

/// The steps of a curve as far as ten observations lie beyond them.
fn points(responses: &Responses) -> Vec<Point> {
    let all = responses.attempts();
    let mut seen = 0u64;
    let mut points = Vec::new();
    for &(bucket, count) in &responses.buckets.0 {
        let supported = all.saturating_sub(10);
        if seen >= supported {
            break;
        }
        seen = seen.saturating_add(count);
        let micros = value_of(bucket.saturating_add(1)).saturating_sub(1).max(1);
        points.push((seen.min(supported) as f64 / all as f64, micros as f64));
    }
    thin(points)
}

/// Leaves out the steps between two that no eye tells apart.
fn thin(points: Vec<Point>) -> Vec<Point> {
    let mut kept: Vec<Point> = Vec::new();
    let last = points.len().saturating_sub(1);
    for (place, point) in points.into_iter().enumerate() {
        let far = kept.last().is_none_or(|&(share, micros)| {
            nines(point.0) - nines(share) > 0.004 || (point.1 / micros).ln() > 0.01
        });
        if far || place == last {
            kept.push(point);
        }
    }
    kept
}

/// Whether percentiles with enough observations lie among what never completed.
fn ends_among_the_infinite(responses: &Responses) -> bool {
    responses.infinite > 10
}
