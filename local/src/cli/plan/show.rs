//! Plans for people.

use planner::{Check, Forecast, Kind, Rates, Refused, Strategy, Survey};

use crate::cli::Terminal;
use crate::cli::terminal::{human_bytes, human_count, shorten};

/// What can be done with objects of a kind, in words.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Lines => "objects of lines that can be cut into ranges",
        Kind::Whole => "objects that are processed as a whole, not compressed",
        Kind::Compressed => "compressed objects",
    }
}

/// One plan, with every number beside its quota.
pub(super) fn plan(survey: &Survey, rates: &Rates, planned: &Forecast, best: Strategy, terminal: &Terminal) {
    source(survey, terminal);
    let design = &planned.design;
    terminal.line("");
    let advice = if best == design.strategy { String::new() } else { format!(" (the plan would choose {best})") };
    terminal.line(format!("strategy {}{advice}", design.strategy));
    terminal.line("");
    let row = |name: &str, value: String| terminal.line(format!("  {name:<12} {value}"));
    let batches = human_count(planned.children);
    let of_items = match design.range_bytes {
        Some(range) => {
            format!("of about {:.0} s each; objects over {} are cut", design.batch_seconds, human_bytes(range))
        }
        None => format!("of at most {} objects", human_count(design.max_items)),
    };
    row("batches", format!("{batches} {of_items}"));
    if let (Some(items), Some(groups)) = (design.group_items, design.group_concurrency) {
        let (all, items, groups) = (human_count(planned.groups), human_count(items), human_count(groups));
        row("groups", format!("{all} of at most {items} objects, {groups} at the same time"));
    }
    let most = human_count(design.max_concurrency);
    row(
        "at once",
        format!("{} batches at most are expected, {most} of a Map are allowed", human_count(planned.concurrency)),
    );
    let (middle, longest) = (planned.middle_batch_seconds, planned.longest_batch_seconds);
    row("a batch", format!("{middle:.1} s for most, {longest:.1} s for the longest"));
    let memory = format!("{} MB; {} MB would cost least", planned.memory_mb, planned.fitting_memory_mb);
    row("memory", memory);
    let seconds = &planned.seconds;
    row(
        "time",
        format!(
            "{}: plan {:.0} s, Map Runs {:.0} s, batches {:.0} s, report {:.0} s",
            duration(seconds.total),
            seconds.plan,
            seconds.map_runs,
            seconds.batches,
            seconds.report
        ),
    );
    let cost = &planned.cost;
    row(
        "money",
        format!(
            "{}: Step Functions {}, Lambda {}, S3 requests {}",
            money(cost.total, rates),
            money(cost.step_functions, rates),
            money(cost.lambda, rates),
            money(cost.s3_requests, rates)
        ),
    );
    let child = planned.events.standard_child.map_or(String::new(), |events| format!(", {events} of a group"));
    row("history", format!("{} events of the execution{child}", planned.events.parent));
    terminal.line("");
    terminal.line("  quotas");
    planned.checks.iter().for_each(|check| terminal.line(quota(check)));
    if !planned.warnings.is_empty() {
        terminal.line("");
        planned.warnings.iter().for_each(|warning| terminal.line(format!("  warning: {warning}")));
    }
    footer(rates, terminal);
}

fn quota(check: &Check) -> String {
    let (value, limit) = (human_count(check.value), human_count(check.quota.limit));
    let kind = if check.is_guideline { " (a guideline)" } else { "" };
    format!("    {value:>12} of {limit:>13} {}: {}{kind}", check.quota.unit, check.quota.name)
}

/// The strategies side by side.
pub(super) fn comparison(
    survey: &Survey,
    rates: &Rates,
    compared: &[(Strategy, Result<Forecast, Refused>)],
    best: Strategy,
    terminal: &Terminal,
) {
    source(survey, terminal);
    terminal.line("");
    let line = |name: &str, cell: &dyn Fn(&Forecast) -> String| {
        let cells = compared.iter().map(|(_, planned)| planned.as_ref().map_or_else(|_| "-".to_owned(), cell));
        let cells: Vec<String> = cells.map(|cell| format!("{cell:>16}")).collect();
        terminal.line(format!("  {name:<22}{}", cells.concat()));
    };
    let names: Vec<String> = compared.iter().map(|(strategy, _)| format!("{:>16}", strategy.name())).collect();
    terminal.line(format!("  {:<22}{}", "", names.concat()));
    line("time", &|planned| duration(planned.seconds.total));
    line("money", &|planned| money(planned.cost.total, rates));
    line("  Step Functions", &|planned| money(planned.cost.step_functions, rates));
    line("  Lambda", &|planned| money(planned.cost.lambda, rates));
    line("  S3 requests", &|planned| money(planned.cost.s3_requests, rates));
    line("batches", &|planned| human_count(planned.children));
    line("objects of a batch", &|planned| match planned.design.range_bytes {
        Some(_) => "by weight".to_owned(),
        None => human_count(planned.design.max_items),
    });
    line("groups", &|planned| human_count(planned.groups));
    line("batches at once", &|planned| human_count(planned.concurrency));
    line("most batches", &|planned| format!("{:.1} s", planned.middle_batch_seconds));
    line("the longest batch", &|planned| format!("{:.1} s", planned.longest_batch_seconds));
    line("events of history", &|planned| human_count(planned.events.parent));
    for (strategy, planned) in compared {
        match planned {
            Err(refused) => terminal.line(format!("\n  {strategy} would fail: {refused}")),
            Ok(planned) => {
                planned.warnings.iter().for_each(|warning| terminal.line(format!("\n  {strategy}: {warning}")));
            }
        }
    }
    terminal.line("");
    terminal.line(format!("recommended: {best}"));
    footer(rates, terminal);
}

fn source(survey: &Survey, terminal: &Terminal) {
    let (objects, bytes) = (human_count(survey.objects()), human_bytes(survey.bytes()));
    terminal.line(format!("{objects} objects, {bytes}"));
    if let Some(largest) = survey.largest.first() {
        terminal.line(format!("  the largest: {} of {}", shorten(&largest.key), human_bytes(largest.bytes)));
    }
    let left_out = survey.left_out.total();
    if left_out > 0 {
        terminal.line(format!("  not to be processed: {} more", human_count(left_out)));
    }
}

fn footer(rates: &Rates, terminal: &Terminal) {
    terminal.line("");
    terminal.line(format!(
        "prices and speeds of {} for {}; docs/planning.md says which are measured and which assumed",
        rates.date, rates.region
    ));
}

fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, _) => format!("{seconds:.1} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

fn money(amount: f64, rates: &Rates) -> String {
    let digits = if amount >= 1.0 { 2 } else { 4 };
    format!("{amount:.digits$} {}", rates.currency)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sums_are_short() {
        let check = |seconds: f64, expected: &str| assert_eq!(duration(seconds), expected);
        check(0.0, "0.0 s");
        check(59.4, "59.4 s");
        check(61.0, "1 min 1 s");
        check(7322.0, "2 h 2 min");
        let rates = Rates::built_in().unwrap();
        assert_eq!(money(0.35419, &rates), "0.3542 USD");
        assert_eq!(money(12.345, &rates), "12.35 USD");
    }
}
