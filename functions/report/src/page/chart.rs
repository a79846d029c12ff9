//! Charts as inline SVG. A chart is as wide as its column: what has a shape is drawn in a box that is stretched, and text
//! stands beside it in percent of the width, so it is never stretched and is as large on a phone as on paper.

use super::words::{count, duration, short_duration};
use crate::figures::Timeline;
use maud::{Markup, html};
use std::fmt::Write;

/// Height of the drawing in pixels; the labels need 20 above and 22 below.
const HEIGHT: u64 = 150;

/// What the steps of an axis of time may be, in milliseconds.
const TIME_STEPS: [u64; 22] = [
    10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000,
    1_800_000, 3_600_000, 7_200_000, 14_400_000, 28_800_000,
];

/// A bar as long as its part of the whole, on a track.
pub(super) fn bar(part: f64, whole: f64) -> Markup {
    bar_from(0.0, part, whole, false)
}

/// A bar that begins somewhere, red if something failed.
pub(super) fn bar_from(from: f64, length: f64, whole: f64, has_failed: bool) -> Markup {
    let percent = |value: f64| if whole > 0.0 { (value * 100.0 / whole).clamp(0.0, 100.0) } else { 0.0 };
    // What is there shall be seen, however small it is.
    let width = if length > 0.0 { percent(length).max(0.4) } else { 0.0 };
    let x = percent(from).min(100.0 - width);
    html! {
        svg.bar width="100%" height="12" aria-hidden="true" focusable="false" {
            rect.track width="100%" height="12" rx="2" {}
            rect.mark-bad[has_failed] x=(format!("{x:.2}%")) width=(format!("{width:.2}%")) height="12" rx="2" {}
        }
    }
}

/// Parts of a whole beside each other. A part that is there is at least a sliver.
pub(super) fn stacked(parts: &[(&'static str, u64)]) -> Markup {
    const SLIVER: f64 = 0.8;
    let whole: u64 = parts.iter().map(|(_, part)| part).sum();
    let exact = |part: u64| part as f64 * 100.0 / whole.max(1) as f64;
    let there = parts.iter().filter(|(_, part)| *part > 0);
    let widths: Vec<(&str, f64)> = there.map(|(class, part)| (*class, exact(*part).max(SLIVER))).collect();
    let scale = 100.0 / widths.iter().map(|(_, width)| width).sum::<f64>().max(100.0);
    let bars = widths.into_iter().scan(0.0, |x, (class, width)| {
        let begin = *x;
        *x += width * scale;
        Some((class, begin, width * scale))
    });
    html! {
        svg width="100%" height="20" aria-hidden="true" focusable="false" {
            rect.track width="100%" height="20" rx="2" {}
            @for (class, x, width) in bars {
                rect class=(format!("c-{class}")) x=(format!("{x:.2}%")) width=(format!("{width:.2}%")) height="20" {}
            }
        }
    }
}

/// A small square in the colour of a status.
pub(super) fn swatch(class: &str) -> Markup {
    html! {
        svg width="12" height="12" aria-hidden="true" focusable="false" { rect class=(format!("c-{class}")) width="12" height="12" rx="2" {} }
    }
}

/// How many batches ran when.
pub(super) fn running(timeline: &Timeline) -> Markup {
    let most = timeline.slices.iter().map(|slice| timeline.running(slice)).fold(0.0, f64::max);
    let top = nice_top(most);
    let slices = timeline.slices.len();
    let y = |value: f64| 20.0 + HEIGHT as f64 * (1.0 - value / top);
    let span = timeline.slice_ms.saturating_mul(slices as u64).max(1);
    let before =
        timeline.started.map_or(0, |started| u64::try_from(started - timeline.first_slice).unwrap_or_default());
    let ticks = time_ticks(span - before);
    html! {
        svg.plot width="100%" height=(HEIGHT + 44) role="img" aria-labelledby="running-title" {
            title id="running-title" { "Batches that ran at the same time: at most about " (format!("{most:.1}")) }
            @for value in [top, top / 2.0] {
                line.grid x1="0" x2="100%" y1=(y(value)) y2=(y(value)) {}
                text x="0" y=(y(value) - 5.0) { (axis_number(value)) }
            }
            svg x="0" y="20" width="100%" height=(HEIGHT) viewBox=(format!("0 0 {slices} 100")) preserveAspectRatio="none" {
                @let outline = outline(timeline, top);
                path.area d=(format!("M0 100{outline}V100Z")) {}
                path.edge d=(format!("M0 100{outline}")) {}
                @for (index, _) in timeline.slices.iter().enumerate().filter(|(_, slice)| slice.failed > 0) {
                    rect.mark-bad x=(index) y="94" width="1" height="6" {}
                }
            }
            line.base x1="0" x2="100%" y1=(20 + HEIGHT) y2=(20 + HEIGHT) {}
            @for tick in &ticks {
                @let x = (tick + before) as f64 * 100.0 / span as f64;
                @let anchor = if x < 4.0 { "start" } else if x > 94.0 { "end" } else { "middle" };
                line.base x1=(format!("{x:.2}%")) x2=(format!("{x:.2}%")) y1=(20 + HEIGHT) y2=(25 + HEIGHT) {}
                text x=(format!("{x:.2}%")) y=(HEIGHT + 40) text-anchor=(anchor) { (if *tick == 0 { "0".to_owned() } else { short_duration(*tick) }) }
            }
        }
    }
}

/// The steps of the batches that ran, as a path.
fn outline(timeline: &Timeline, top: f64) -> String {
    let mut path = String::new();
    for (index, slice) in timeline.slices.iter().enumerate() {
        // Writing to a string cannot fail.
        let _written = write!(path, "V{:.2}H{}", 100.0 - timeline.running(slice) * 100.0 / top, index + 1);
    }
    path
}

/// The end of an axis: one, two or five times a power of ten, never under one.
fn nice_top(most: f64) -> f64 {
    let power = 10_f64.powf(most.max(1.0).log10().floor());
    let found = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0].into_iter().map(|step| step * power).find(|top| *top >= most);
    found.unwrap_or(10.0 * power)
}

fn axis_number(value: f64) -> String {
    if value.fract() == 0.0 { count(value as u64) } else { format!("{value:.1}") }
}

/// Places on an axis of time, at most six.
fn time_ticks(span: u64) -> Vec<u64> {
    let last = TIME_STEPS[TIME_STEPS.len() - 1];
    let days = span / (5 * last) + 1;
    let step = TIME_STEPS.into_iter().find(|step| span / step <= 5).unwrap_or(last * days);
    (0..=span / step).map(|index| index * step).collect()
}

/// A row of the table behind the chart: when, how many ran, began and failed.
pub(super) fn rows(timeline: &Timeline) -> impl Iterator<Item = [String; 4]> + '_ {
    let started = timeline.started.unwrap_or_default();
    timeline.slices.iter().enumerate().map(move |(index, slice)| {
        let begin = timeline.first_slice + (index as u64 * timeline.slice_ms) as i64;
        let since = duration(u64::try_from(begin - started).unwrap_or_default());
        [since, format!("{:.1}", timeline.running(slice)), count(slice.started), count(slice.failed)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        let check = |most: f64, top: f64| assert!((nice_top(most) - top).abs() < 1e-9, "{most}: {}", nice_top(most));
        check(0.0, 1.0);
        check(0.2, 1.0);
        check(1.0, 1.0);
        check(1.2, 2.0);
        check(37.0, 40.0);
        check(61.0, 80.0);
        check(999.0, 1000.0);
        assert_eq!(axis_number(0.5), "0.5");
        assert_eq!(axis_number(1500.0), "1,500");
    }

    #[test]
    fn times_on_an_axis_are_few_and_round() {
        assert_eq!(time_ticks(252_000), [0, 60_000, 120_000, 180_000, 240_000]);
        assert_eq!(time_ticks(999), [0, 200, 400, 600, 800]);
        for span in [1, 10, 100, 60_000, 3_600_000, 86_400_000, 30 * 86_400_000, u64::MAX / 4] {
            let ticks = time_ticks(span);
            assert!((1..=6).contains(&ticks.len()), "{span}: {ticks:?}");
        }
    }

    #[test]
    fn small_parts_are_seen_and_all_fit() {
        let text = stacked(&[("succeeded", 1_000_000), ("failed", 1), ("skipped", 0)]).into_string();
        assert_eq!(text.matches("class=\"c-").count(), 2, "{text}");
        assert!(text.contains("width=\"0.79%\""), "{text}");
        let none = stacked(&[("succeeded", 0)]).into_string();
        assert!(!none.contains("c-succeeded"), "{none}");
        assert!(bar(1.0, 1e9).into_string().contains("width=\"0.40%\""));
        assert!(!bar(0.0, 0.0).into_string().contains("NaN"));
    }
}
