//! Where time went: batches over time, how durations and sizes are spread, the slowest.

use super::chart::{bar, bar_from, rows, running};
use super::results::key;
use super::table::{Column, table};
use super::words::{bytes, count, counted, duration, share, short_duration, visible};
use crate::figures::{Bucket, Figures, LongBatch, Spread, Timeline};
use maud::{Markup, html};

/// Rows of a list of the longest; the figures have some more.
const SHOWN: usize = 12;

/// The batches of the run over time, and the longest of them.
pub(super) fn batches(figures: &Figures) -> Option<Markup> {
    let timeline = &figures.timeline;
    let took = timeline.duration_ms()?;
    let spread = &figures.batches.durations;
    Some(html! {
        figure {
            figcaption {
                "Batches that ran at the same time, on average over " (duration(timeline.slice_ms)) ". "
                (counted(spread.count, "batch")) " in " (duration(took)) "; half of them took at most about " (duration(spread.median))
                ", the longest " (duration(spread.largest)) "."
                @if figures.batches.failed > 0 { " Red marks on the base line: a batch failed there." }
            }
            (running(timeline))
            details {
                summary { "The chart as a table" }
                div.scroll tabindex="0" role="region" aria-label="Batches over time as a table" {
                    table {
                        thead { tr { th scope="col" { "From the start" } th.n scope="col" { "Running" } th.n scope="col" { "Began" } th.n scope="col" { "Failed" } } }
                        tbody { @for [since, ran, began, failed] in rows(timeline) { tr { th scope="row" { (since) } td.n { (ran) } td.n { (began) } td.n { (failed) } } } }
                    }
                }
            }
        }
        h3 { "The longest batches" }
        (longest(&figures.batches.longest, timeline, took))
    })
}

fn longest(batches: &[LongBatch], timeline: &Timeline, took: u64) -> Markup {
    let columns = [
        Column::text("Began after"),
        Column::drawn("When"),
        Column::number("Took"),
        Column::number("Items"),
        Column::text("Ending"),
    ];
    let started = timeline.started.unwrap_or_default();
    let rows = batches.iter().take(SHOWN).map(|batch| {
        let offset = u64::try_from(batch.started - started).unwrap_or_default();
        let ending = match (&batch.error, batch.without_output) {
            (Some(error), _) => visible(error),
            (None, Some(left)) if left > 0 => format!("{} without output", count(left)),
            _ => "succeeded".to_owned(),
        };
        vec![
            html! { (duration(offset)) },
            bar_from(offset as f64, batch.duration_ms as f64, took as f64, batch.error.is_some()),
            html! { (duration(batch.duration_ms)) },
            html! { @if let Some(items) = batch.items { (count(items)) } },
            html! { (ending) },
        ]
    });
    html! { div.gantt { (table("Each bar lies where the batch ran within the run", &columns, rows.collect())) } }
}

/// How durations and sizes of items are spread.
pub(super) fn spread(figures: &Figures) -> Option<Markup> {
    if figures.durations.count == 0 {
        return None;
    }
    let label = |bucket: &Bucket, name: fn(u64) -> String| match bucket.to {
        Some(to) if bucket.from == 0 => format!("under {}", name(to)),
        Some(to) => format!("{} – {}", name(bucket.from), name(to)),
        None => format!("{} and more", name(bucket.from)),
    };
    let whole_bytes = |size: u64| bytes(size).replace(".00", "").replace(".0", "");
    Some(html! {
        div.pair {
            div {
                h3 { "How long an item took" }
                (histogram(&figures.durations, "Took", duration, |bucket| label(bucket, short_duration)))
            }
            div {
                h3 { "How large an item was" }
                (histogram(&figures.sizes, "Size", bytes, |bucket| label(bucket, whole_bytes)))
            }
        }
    })
}

fn histogram(spread: &Spread, head: &str, name: fn(u64) -> String, label: impl Fn(&Bucket) -> String) -> Markup {
    let most = spread.buckets.iter().map(|bucket| bucket.count).max().unwrap_or_default();
    html! {
        table.bars {
            caption {
                "Half at most about " (name(spread.median)) ", 95 % at most about " (name(spread.most)) ", the largest " (name(spread.largest)) "."
            }
            thead { tr { th scope="col" { (head) } td {} th.n scope="col" { "Items" } th.n.share scope="col" { "Share" } } }
            tbody {
                @for bucket in &spread.buckets {
                    tr {
                        th scope="row" { (label(bucket)) }
                        td.b { (bar(bucket.count as f64, most as f64)) }
                        td.n { (count(bucket.count)) }
                        td.n.share { (share(bucket.count, spread.count)) }
                    }
                }
            }
        }
    }
}

/// The items that took longest.
pub(super) fn slowest(figures: &Figures) -> Option<Markup> {
    let most = figures.slowest.first()?.duration_ms;
    let columns = [
        Column::wide("Item"),
        Column::drawn("Compared"),
        Column::number("Took"),
        Column::number("Read"),
        Column::number("Records"),
        Column::number("Sent again"),
        Column::text("Ending"),
    ];
    let rows = figures.slowest.iter().take(SHOWN).map(|item| {
        vec![
            key(&item.key, item.range.as_deref()),
            bar(item.duration_ms as f64, most as f64),
            html! { (duration(item.duration_ms)) },
            html! { (bytes(item.bytes)) },
            html! { (count(item.records)) },
            html! { (count(item.retries)) },
            html! { (visible(&item.status)) },
        ]
    });
    Some(html! { div.slow { (table("The items that took longest", &columns, rows.collect())) } })
}
