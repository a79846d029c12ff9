//! The page: the figures of a run, to look at.
//!
//! One file without scripts, fonts, pictures or anything else from elsewhere; the policy in its head tells browsers to
//! refuse such things, should one ever slip in. Everything that is drawn stands in a table as well. Every value is escaped
//! by the templates, and the texts that come from outside (keys, messages, names) also show what is invisible.

mod chart;
mod results;
mod table;
mod time;
mod words;

use crate::figures::Figures;
use crate::verdict::Verdict;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};
use words::{count, counted, duration, time, visible};

const STYLE: &str = include_str!("style.css");

/// Renders the page.
#[must_use]
pub fn render(figures: &Figures) -> String {
    let parts: Vec<(&str, &str, Markup)> = [
        ("items", "Items", Some(results::items(figures))),
        ("failures", "What failed", results::failures(figures)),
        ("time", "Batches over time", time::batches(figures)),
        ("spread", "Durations and sizes", time::spread(figures)),
        ("slowest", "Slowest items", time::slowest(figures)),
        ("rejects", "Rejected records", results::rejects(figures)),
        ("plan", "Plan and cost", results::plan(figures)),
        ("runs", "Runs", results::runs(figures)),
        ("files", "Files", Some(results::files(figures))),
    ]
    .into_iter()
    .filter_map(|(id, title, part)| Some((id, title, part?)))
    .collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="referrer" content="no-referrer";
                title { (visible(&figures.job)) ": run " (visible(&figures.run_id)) }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#items" { "Skip to the figures" }
                div.sheet {
                    (head(figures))
                    nav aria-label="Parts of this page" {
                        ul { @for (id, title, _) in &parts { li { a href=(format!("#{id}")) { (title) } } } }
                    }
                    main {
                        @for (id, title, part) in &parts {
                            section id=(id) aria-labelledby=(format!("{id}-title")) {
                                h2 id=(format!("{id}-title")) { (title) }
                                div.body { (part) }
                            }
                        }
                    }
                    footer {
                        "Report of Mapmill, made " time datetime=(figures.created_at) { (figures.created_at) } ". Times are in UTC. "
                        "An item is an object, or a part of one. The same figures for programs: "
                        span.key { (visible(&figures.files.figures)) }
                    }
                }
            }
        }
    };
    page.into_string()
}

/// Nothing may be loaded, and nothing but this style counts.
fn policy() -> String {
    let digest = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'")
}

fn head(figures: &Figures) -> Markup {
    let is_good = figures.verdict == Verdict::Succeeded;
    html! {
        header {
            p.kind { "Report of a run" @if figures.repairs.is_some() { ", a repair" } }
            h1 { (visible(&figures.job)) }
            p.verdict.succeeded[is_good].failed[!is_good] {
                (sign(is_good))
                span { strong { @if is_good { "Succeeded" } @else { "Failed" } } ". " (sentence(figures)) }
            }
            @if !figures.reasons.is_empty() {
                div.why role="group" aria-label="Why the run failed" {
                    ul { @for reason in &figures.reasons { li { (visible(reason)) } } }
                }
            }
            @if !figures.remarks.is_empty() {
                div.why.remarks role="group" aria-label="Remarks" {
                    ul { @for remark in &figures.remarks { li { (visible(remark)) } } }
                }
            }
            (about(figures))
        }
    }
}

/// What became of the run, in words.
fn sentence(figures: &Figures) -> String {
    let items = figures.items;
    if items.total == 0 {
        return "There was nothing to do.".to_owned();
    }
    let took = figures.timeline.duration_ms().map(|took| format!(" in {}", duration(took))).unwrap_or_default();
    let together = if figures.repairs.is_some() { ", together with the run that it repairs" } else { "" };
    let left = match items.without_output() {
        0 if items.skipped == 0 => "all of them have their output".to_owned(),
        0 => format!("all but {} skipped ones have their output", count(items.skipped)),
        left => format!("{} without output", counted(left, "item")),
    };
    format!("{}{took}: {left}{together}.", counted(items.total, "item"))
}

/// A tick or a cross, so that colour is not the only sign.
fn sign(is_good: bool) -> Markup {
    let shape = if is_good { "M6 12.5l4 4 8-9" } else { "M7.5 7.5l9 9m0-9l-9 9" };
    html! {
        svg width="24" height="24" viewBox="0 0 24 24" aria-hidden="true" focusable="false" {
            circle class=(if is_good { "c-succeeded" } else { "c-failed" }) cx="12" cy="12" r="12" {}
            path.sign d=(shape) {}
        }
    }
}

fn about(figures: &Figures) -> Markup {
    let began = figures.timeline.started.map(time);
    let strategy = figures.plan.as_ref().and_then(|plan| plan.strategy.as_deref());
    html! {
        dl.about {
            div { dt { "Run" } dd.key { (visible(&figures.run_id)) } }
            @if let Some(repairs) = &figures.repairs { div { dt { "Repairs" } dd.key { (visible(repairs)) } } }
            @if let Some(began) = began { div { dt { "First batch" } dd { (began) " UTC" } } }
            @if let Some(strategy) = strategy { div { dt { "Strategy" } dd { (visible(strategy)) } } }
            div { dt { "Source" } dd.key { (visible(&figures.source)) } }
            div { dt { "Output" } dd.key { (visible(&figures.output)) } }
        }
    }
}
