//! Percentile curves: which response time so many of all attempts did not exceed. The axis is stretched towards the last
//! ones, a decade of rarity for each step, so that p99 and p99.9 have room.

use super::frame::{BOTTOM, LEFT, RIGHT, TOP, WIDTH, foot_label, rule, side_label};
use super::path::Path;
use super::scale::Scale;
use crate::report::html::markup::{Markup, length};
use crate::report::summary::quantity;
use crate::report::timeline::{BEYOND_MIN, Responses};
use crate::results::Unit;
use crate::results::histogram::last_of;
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

/// The picture; nothing where no curve has the attempts for a point.
pub fn curves(label: &str, all: &[Curve<'_>]) -> Option<Markup> {
    let steps: Vec<Vec<Point>> = all.iter().map(|curve| points(curve.responses)).collect();
    let told = all.iter().filter_map(|curve| curve.responses.told());
    let last = told.map(nines).reduce(f64::max)?.max(1.0);
    let scale = Scale::log(steps.iter().flatten().map(|&(_, micros)| micros));
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
    for (curve, points) in all.iter().zip(&steps) {
        let finite = points.iter().map(|&(share, micros)| (share, y(micros)));
        // What never completed ranks last: from there on the curve lies in the strip, as far as the attempts tell.
        let told = curve.responses.told().filter(|_| ends_among_the_infinite(curve.responses));
        let infinite = told.map(|share| (share, TOP + strip / 2.0));
        let mut path = Path::new();
        let mut from = 0.0;
        for (share, height) in finite.chain(infinite) {
            if path.is_empty() {
                path.move_to(x(from), height);
            } else {
                path.to(x(from), height);
            }
            path.to(x(share), height);
            from = share;
        }
        if !path.is_empty() {
            page.empty("path", &[("class", curve.class), ("d", &path.into_text())]);
        }
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

/// The steps of a curve as far as the attempts tell.
fn points(responses: &Responses) -> Vec<Point> {
    let all = responses.attempts();
    let mut seen = 0u64;
    let mut points = Vec::new();
    for &(bucket, count) in &responses.buckets.0 {
        let supported = all.saturating_sub(BEYOND_MIN);
        if seen >= supported {
            break;
        }
        seen = seen.saturating_add(count);
        let micros = last_of(bucket).max(1);
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
    responses.infinite > BEYOND_MIN
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Buckets;

    fn responses(completed: u64, infinite: u64) -> Responses {
        let buckets = if completed > 0 { vec![(500, completed)] } else { Vec::new() };
        Responses { buckets: Buckets(buckets), infinite }
    }

    /// The paths of a picture, and the percentiles under its axis.
    fn drawn(all: &[Responses]) -> Option<(Vec<String>, Vec<String>)> {
        let all: Vec<Curve<'_>> = all.iter().map(|responses| Curve { responses, class: "line" }).collect();
        let text = curves("curves", &all)?.into_text();
        let after = |mark: &str, end: char| -> Vec<String> {
            let parts = text.split(mark).skip(1);
            parts.map(|part| part.split(end).next().unwrap_or_default().to_owned()).collect()
        };
        let feet = after(">p", '<').into_iter().map(|digits| format!("p{digits}"));
        Some((after(" d=\"", '"'), feet.collect()))
    }

    #[test]
    fn what_lost_everything_is_a_line_in_the_strip_from_the_first_attempt_on() {
        let (paths, feet) = drawn(&[responses(0, 1_000)]).expect("there are attempts");
        let strip = length(TOP + STRIP / 2.0);
        assert_eq!(paths, [format!("M{} {strip}H{}", length(LEFT), length(RIGHT))]);
        assert_eq!(feet, ["p50", "p90", "p99"]);
        let (paths, _) = drawn(&[responses(1_000, 0), responses(0, 1_000)]).expect("there are attempts");
        assert_eq!(paths.len(), 2, "beside another one too");
    }

    #[test]
    fn the_axis_reaches_as_far_as_the_attempts_tell_whatever_was_lost() {
        let (paths, feet) = drawn(&[responses(9_800, 200)]).expect("there are attempts");
        assert_eq!(
            feet,
            ["p50", "p90", "p99", "p99.9"],
            "2 % lost leave p99 and p99.9 beyond every deadline"
        );
        assert!(paths[0].ends_with(&format!("H{}", length(RIGHT))), "{paths:?}");
        assert_eq!(drawn(&[responses(10, 0), responses(0, 10)]), None, "too few for a point");
    }

    #[test]
    fn a_curve_ends_where_its_own_attempts_do() {
        let (paths, _) = drawn(&[responses(100_000, 0), responses(0, 100)]).expect("there are attempts");
        assert!(!paths[1].ends_with(&format!("H{}", length(RIGHT))), "{paths:?}");
    }
}
