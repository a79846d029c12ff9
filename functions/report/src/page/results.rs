//! What came of the run: items, failures and what to do about them, rejects, plan, files.

use super::chart::{stacked, swatch};
use super::table::{Column, table};
use super::words::{bytes, count, counted, duration, money, share, visible};
use crate::figures::{Figures, Kind};
use maud::{Markup, html};

/// How items ended, in the order in which they are shown.
pub(super) fn items(figures: &Figures) -> Markup {
    let items = figures.items;
    let parts = [
        ("succeeded", "Succeeded", items.succeeded),
        ("failed", "Failed", items.failed),
        ("unprocessed", "Unprocessed", items.unprocessed),
        ("missing", "Missing", items.missing),
        ("skipped", "Skipped", items.skipped),
    ];
    let bars: Vec<(&str, u64)> = parts.iter().map(|(class, _, part)| (*class, *part)).collect();
    html! {
        figure {
            (stacked(&bars))
            table.legend {
                caption { "How the items ended" }
                thead {
                    tr { td {} th scope="col" { "Ending" } th.n scope="col" { "Items" } th.n scope="col" { "Share" } }
                }
                tbody {
                    @for (class, name, part) in parts {
                        @if part > 0 || class == "succeeded" || class == "failed" {
                            tr {
                                td.s { (swatch(class)) }
                                th scope="row" { (name) @if let Some(note) = note(figures, class) { span.soft { " " (note) } } }
                                td.n { (count(part)) }
                                td.n { (share(part, items.total)) }
                            }
                        }
                    }
                    tr.sum { td {} th scope="row" { "All" } td.n { (count(items.total)) } td.n { (share(items.total, items.total)) } }
                }
            }
        }
        h3 { "Amounts" }
        (amounts(figures))
    }
}

/// What is to be said of an ending.
fn note(figures: &Figures, class: &str) -> Option<String> {
    match class {
        "missing" => Some("no line in any ledger".to_owned()),
        "unprocessed" => Some("begun or waiting when time ran out".to_owned()),
        "skipped" => {
            let reasons = figures.skipped.iter().take(6);
            let reasons: Vec<String> = reasons
                .map(|(reason, items)| format!("{} {}", count(*items), visible(&reason.replace('_', " "))))
                .collect();
            Some(reasons.join(", "))
        }
        _ => None,
    }
}

fn amounts(figures: &Figures) -> Markup {
    let (records, batches) = (&figures.records, &figures.batches);
    let rate = figures.timeline.duration_ms().filter(|took| *took > 0 && figures.repairs.is_none());
    let rate = rate.map(|took| format!("{}/s", bytes((figures.bytes.read as f64 * 1000.0 / took as f64) as u64)));
    let detail = [(records.written, "written"), (records.filtered, "filtered"), (records.rejected, "rejected")];
    let detail = detail.map(|(number, what)| format!("{} {what}", count(number)));
    let mut ended = vec![format!("{} failed", count(batches.failed))];
    if batches.never_started > 0 {
        ended.push(format!("{} never started", count(batches.never_started)));
    }
    html! {
        dl.figures {
            div { dt { "Records read" } dd.big { (count(records.read)) } @for line in detail { dd { (line) } } }
            div { dt { "Bytes read" } dd.big { (bytes(figures.bytes.read)) } dd { (bytes(figures.bytes.expanded)) " expanded" } @if let Some(rate) = rate { dd { (rate) } } }
            div { dt { "Outputs" } dd.big { (count(figures.outputs.objects)) } dd { (bytes(figures.outputs.bytes)) } }
            @if batches.total > 0 { div { dt { "Batches" } dd.big { (count(batches.total)) } @for line in ended { dd { (line) } } } }
            div { dt { "Requests sent again" } dd.big { (count(figures.retries)) } dd { "after errors that usually pass" } }
        }
    }
}

/// Items without output by kind, batches that failed, and how to repair.
pub(super) fn failures(figures: &Figures) -> Option<Markup> {
    if figures.failures.is_empty() && figures.batches.errors.is_empty() && figures.items.without_output() == 0 {
        return None;
    }
    let nameless = figures.items.missing - figures.items.missing_named;
    let repairable = figures.items.without_output() - nameless;
    Some(html! {
        @if repairable > 0 {
            p { "A repair processes " (counted(repairable, "item")) " again and leaves the others alone:" }
            pre.commands { code { "mapmill repair --run " (visible(&figures.run_id)) " --job FILE" } }
        }
        @if nameless > 0 {
            p { (counted(nameless, "item")) " cannot be named: no ledger and no failed batch tells of them. Run the job again, or compare the source with the manifest." }
        }
        ol.kinds { @for kind in &figures.failures { (of_kind(kind, "item")) } }
        @if !figures.batches.errors.is_empty() {
            h3 { "Batches that failed" }
            ol.kinds { @for kind in &figures.batches.errors { (of_kind(kind, "batch")) } }
        }
    })
}

fn of_kind(kind: &Kind, noun: &str) -> Markup {
    let name = if kind.code.is_empty() { kind.class.clone() } else { format!("{} / {}", kind.class, kind.code) };
    html! {
        li {
            h3 { code { (visible(&name)) } span { (counted(kind.count, noun)) } }
            @if let Some(action) = action(&kind.class) { p.soft { (action) } }
            ul.example {
                @for example in &kind.examples {
                    li {
                        span.key { (visible(&example.name)) }
                        @if !example.message.is_empty() { span.soft { (visible(&example.message)) } }
                    }
                }
                @if kind.count > kind.examples.len() as u64 && !kind.examples.is_empty() {
                    li.soft { "and " (count(kind.count - kind.examples.len() as u64)) " more" }
                }
            }
        }
    }
}

/// What to do about a class of errors, as the operating guide says it.
fn action(class: &str) -> Option<&'static str> {
    Some(match class {
        "transient" => "Broken connections, timeouts, errors of the service. Repair the run.",
        "throttled" => "Too many requests. Lower batch.max_concurrency and repair the run.",
        "bad_data" => "The object is not what the job says. Mend the object or the job, then repair the run.",
        "denied" => "The role, MAPMILL_READ or MAPMILL_WRITE does not allow it. Mend the rights, then repair the run.",
        "not_found" => "The object is gone since it was listed.",
        "changed" => "The object is another version than the one listed. A repair takes the present one.",
        "too_large" => "A limit was passed; the message names it.",
        "configuration" => "The job does not fit the object. Mend the job and run it again.",
        "unprocessed" => "Time ran out before the item was done. Repair the run, with a longer timeout or more memory.",
        "missing" => "Its batch failed or was never started, so no worker wrote of it. Repair the run.",
        _ => return None,
    })
}

/// The items with the most refused records.
pub(super) fn rejects(figures: &Figures) -> Option<Markup> {
    if figures.most_rejects.is_empty() {
        return None;
    }
    let columns = [
        Column::wide("Item"),
        Column::number("Rejected"),
        Column::number("Of its records"),
        Column::wide("The records"),
    ];
    let rows = figures.most_rejects.iter().map(|item| {
        vec![
            key(&item.key, item.range.as_deref()),
            html! { (count(item.rejected)) },
            html! { (share(item.rejected, item.records)) },
            html! { @if let Some(rejects) = &item.rejects { span.key { (visible(rejects)) } } },
        ]
    });
    let records = &figures.records;
    let seen = records.written + records.filtered + records.rejected;
    Some(html! {
        p { (count(records.rejected)) " of " (count(seen)) " records were rejected (" (share(records.rejected, seen)) ")." }
        (table("Items with the most rejected records", &columns, rows.collect()))
    })
}

/// A key, with the part of the object if it is one.
pub(super) fn key(key: &str, range: Option<&str>) -> Markup {
    html! { span.key { (visible(key)) } @if let Some(range) = range { span.soft { " bytes " (visible(range)) } } }
}

/// What was planned beside what came.
pub(super) fn plan(figures: &Figures) -> Option<Markup> {
    let plan = figures.plan.as_ref()?;
    let columns = [Column::text("What"), Column::number("Planned"), Column::number("Found")];
    let mut rows: Vec<Vec<Markup>> = Vec::new();
    let mut add = |name: &str, planned: Option<String>, found: Option<String>| {
        if planned.is_some() {
            let cell = |text: Option<String>| html! { (text.unwrap_or_else(|| "not told".to_owned())) };
            rows.push(vec![html! { (name) }, cell(planned), cell(found)]);
        }
    };
    let own_items = figures.runs.last().map(|run| count(run.items));
    add("Items of this run", Some(count(plan.items)), own_items);
    let is_repair = figures.repairs.is_some();
    add("Bytes", plan.bytes.map(bytes), (!is_repair).then(|| bytes(figures.bytes.read)));
    let expected = plan.expected.unwrap_or_default();
    let batches = (figures.batches.total > 0).then(|| count(figures.batches.total));
    add("Batches", expected.children.map(count), batches);
    let seconds = expected.duration_seconds.map(|seconds| duration((seconds.max(0.0) * 1000.0) as u64));
    add("Duration", seconds, figures.timeline.duration_ms().map(duration));
    if let Some(cost) = &figures.cost {
        let amount = |amount: f64| money(amount, &cost.currency);
        let planned = cost.planned;
        add(
            "Step Functions",
            planned.map(|money| amount(money.step_functions)),
            Some(amount(cost.used.step_functions)),
        );
        add("Lambda", planned.map(|money| amount(money.lambda)), Some(amount(cost.used.lambda)));
        add("S3 requests", planned.map(|money| amount(money.s3)), Some(amount(cost.used.s3)));
        add("Cost in all", planned.map(|money| amount(money.total())), Some(amount(cost.used.total())));
    }
    Some(html! {
        div.narrow { (table("What was planned and what was found", &columns, rows)) }
        @if let Some(cost) = &figures.cost {
            p.soft { "Cost is an estimate at the prices of " (visible(&cost.prices_of)) ", from what ledgers and result files tell: without invocations that were repeated, cold starts, traffic and storage." }
        }
    })
}

/// The runs that belong together.
pub(super) fn runs(figures: &Figures) -> Option<Markup> {
    if figures.runs.len() < 2 {
        return None;
    }
    let columns = [
        Column::wide("Run"),
        Column::number("Items"),
        Column::number("Succeeded"),
        Column::number("Left"),
        Column::text("Report made"),
    ];
    let rows = figures.runs.iter().map(|run| {
        vec![
            html! { span.key { (visible(&run.run_id)) } },
            html! { (count(run.items)) },
            html! { (count(run.succeeded)) },
            html! { (count(run.left)) },
            html! { (visible(&run.created_at)) },
        ]
    });
    Some(html! { div.narrow { (table("Each run took what the one before had left", &columns, rows.collect())) } })
}

/// Where things lie.
pub(super) fn files(figures: &Figures) -> Markup {
    let files = &figures.files;
    html! {
        dl.places {
            div { dt { "Every output, with records, bytes and ETag" } dd.key { (visible(&files.manifest)) } }
            div { dt { "Every item without output, for a repair" } dd.key { (visible(&files.failed)) } }
            div { dt { "A line for every item of this run" } dd.key { (visible(&files.ledgers)) } }
        }
    }
}
