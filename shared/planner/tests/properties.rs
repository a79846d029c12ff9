//! What holds for every source, every job size and every wish.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use job::Job;
use planner::{
    Forecast, Kind, Overrides, PackLimits, Packer, Rates, Strategy, Survey, compare, cuts, forecast, recommend,
};
use proptest::prelude::*;
use proptest::strategy::Strategy as _;

fn job() -> Job {
    Job::parse("{version: 1, name: j, source: {bucket: raw}, output: {bucket: clean}}").unwrap()
}

fn kinds() -> impl proptest::strategy::Strategy<Value = Kind> {
    prop::sample::select(vec![Kind::Lines, Kind::Whole, Kind::Compressed])
}

/// Objects: key, size, kind.
fn objects() -> impl proptest::strategy::Strategy<Value = Vec<(String, u64, Kind)>> {
    let size = (0_u32..40).prop_flat_map(|power| 0..=(1_u64 << power));
    prop::collection::vec(("[a-z/\"ä]{1,60}", size, kinds()), 0..60)
}

fn survey_of(objects: &[(String, u64, Kind)]) -> Survey {
    let mut survey = Survey::default();
    objects.iter().for_each(|(key, size, kind)| survey.add(key, *size, *kind));
    survey
}

/// A source of any size: groups of equal objects.
fn sources() -> impl proptest::strategy::Strategy<Value = Survey> {
    let group = (1_u64..200_000_000, 0_u32..43, 1_u64..1024, kinds());
    prop::collection::vec(group, 0..5).prop_map(|groups| {
        let mut survey = Survey::default();
        for (objects, power, key_bytes, kind) in groups {
            survey.merge(&Survey::uniform(objects, 1 << power, key_bytes, kind));
        }
        survey
    })
}

/// Numbers that must hold for every plan that is not refused.
fn hold(strategy: Strategy, planned: &Forecast, survey: &Survey) {
    for check in planned.checks.iter().filter(|check| !check.is_guideline) {
        assert!(check.holds(), "{strategy}: {check:?}");
    }
    let design = &planned.design;
    assert!((1..=10_000).contains(&design.max_items) && (1..=10_000).contains(&design.max_concurrency), "{design:?}");
    assert!(planned.concurrency <= planned.children, "{planned:?}");
    assert_eq!(planned.bytes, survey.bytes());
    assert_eq!(planned.items == 0, survey.listed() == 0, "{planned:?}");
    assert!(planned.children <= planned.items, "{planned:?}");
    if !strategy.has_units() {
        assert_eq!(planned.items, survey.listed());
    }
    let parts = planned.seconds.plan + planned.seconds.map_runs + planned.seconds.batches + planned.seconds.report;
    assert!(planned.seconds.total.is_finite() && (parts - planned.seconds.total).abs() < 1.0, "{planned:?}");
    assert!(planned.cost.total.is_finite() && planned.cost.total >= 0.0, "{planned:?}");
    assert!(planned.warnings.len() <= 10);
}

proptest! {
    #[test]
    fn surveys_merge_in_any_order(objects in objects(), at in 0_usize..60, turned in any::<bool>()) {
        let whole = survey_of(&objects);
        let (left, right) = objects.split_at(at.min(objects.len()));
        let (mut one, mut other) = (survey_of(left), survey_of(right));
        if turned {
            std::mem::swap(&mut one, &mut other);
        }
        one.merge(&other);
        prop_assert_eq!(&one, &whole);
        prop_assert_eq!(one.objects(), objects.len() as u64);
        prop_assert_eq!(one.bytes(), objects.iter().map(|(_, size, _)| size).sum::<u64>());
        let text = serde_json::to_string(&one).unwrap();
        prop_assert_eq!(serde_json::from_str::<Survey>(&text).unwrap(), one);
    }

    #[test]
    fn no_plan_passes_a_quota(
        survey in sources(),
        max_items in prop::option::of(0_u64..20_000),
        max_concurrency in prop::option::of(0_u64..20_000),
        job_bytes in prop_oneof![0_u64..5_000, 0_u64..300_000],
    ) {
        let overrides = Overrides { max_items, max_concurrency, tolerated_failure_percentage: None };
        let compared = compare(&job(), &survey, &Rates::built_in().unwrap(), &overrides, job_bytes);
        for (strategy, planned) in &compared {
            match planned {
                Ok(planned) => hold(*strategy, planned, &survey),
                Err(refused) => {
                    prop_assert!(refused.found > refused.quota.limit, "{}", refused);
                    prop_assert!(!refused.advice.is_empty() && !refused.advice.contains("fault"), "{}", refused);
                }
            }
        }
        let recommended = recommend(&compared);
        let possible = compared.iter().any(|(_, planned)| planned.is_ok());
        let is_possible = compared.iter().any(|(strategy, planned)| *strategy == recommended && planned.is_ok());
        prop_assert!(is_possible || !possible || compared[0].1.is_err(), "{}", recommended);
    }

    #[test]
    fn packing_loses_nothing_and_keeps_within_its_limits(
        items in prop::collection::vec((1_usize..40, 0.0_f64..12.0), 0..300),
        weight in 1.0_f64..30.0,
        most in 1_usize..50,
        open in 1_usize..8,
    ) {
        let limits = PackLimits { weight, bytes: 400, items: most, open };
        let mut packer = Packer::new(limits);
        let mut closed = Vec::new();
        for (number, (length, weight)) in items.iter().enumerate() {
            let text = format!("{number:<length$}");
            closed.extend(packer.add(&text, *weight));
        }
        closed.extend(packer.finish());
        let mut numbers: Vec<usize> = Vec::new();
        for batch in &closed {
            let found: Vec<usize> = batch.text.split(',').map(|text| text.trim().parse().unwrap()).collect();
            prop_assert_eq!(found.len(), batch.items);
            prop_assert!(batch.items <= most && batch.text.len() <= 400);
            prop_assert!(batch.weight <= weight + 1e-9 || batch.items == 1, "{:?}", batch);
            let sum: f64 = found.iter().map(|number| items[*number].1).sum();
            prop_assert!((sum - batch.weight).abs() < 1e-6);
            numbers.extend(found);
        }
        numbers.sort_unstable();
        prop_assert_eq!(numbers, (0..items.len()).collect::<Vec<_>>());
    }

    #[test]
    fn cuts_are_even_and_cover_everything(size in 0_u64..1 << 50, longest in 1_u64..1 << 45) {
        let longest = longest.max(size / 10_000);
        let ranges: Vec<(u64, u64)> = cuts(size, longest).collect();
        prop_assert_eq!(ranges.len() as u64, size.div_ceil(longest));
        let mut reached = 0;
        for (start, end) in &ranges {
            prop_assert_eq!(*start, reached);
            prop_assert!(end > start && end - start <= longest);
            reached = *end;
        }
        prop_assert_eq!(reached, size);
        let lengths = ranges.iter().map(|(start, end)| end - start);
        let (least, most) = (lengths.clone().min().unwrap_or(0), lengths.max().unwrap_or(0));
        prop_assert!(most - least <= 1);
    }
}

/// The case for which packing is made.
#[test]
fn one_huge_object_among_many_small_ones() {
    let survey = |kind: Kind| {
        let mut survey = Survey::uniform(10_000, 200_000, 40, Kind::Lines);
        survey.add("huge.ndjson", 2 << 30, kind);
        survey
    };
    let rates = Rates::built_in().unwrap();
    let plan = |strategy, kind| forecast(strategy, &job(), &survey(kind), &rates, &Overrides::default(), 500).unwrap();
    let (simple, packed) = (plan(Strategy::Simple, Kind::Lines), plan(Strategy::Packed, Kind::Lines));
    assert!(packed.longest_batch_seconds <= 2.0 * packed.middle_batch_seconds, "{packed:?}");
    assert!(simple.longest_batch_seconds > 4.0 * simple.middle_batch_seconds, "{simple:?}");
    assert!(packed.seconds.total < simple.seconds.total);
    let compared = compare(&job(), &survey(Kind::Lines), &rates, &Overrides::default(), 500);
    assert_eq!(recommend(&compared), Strategy::Packed);
    let whole = plan(Strategy::Packed, Kind::Whole);
    assert!(
        whole.warnings.iter().any(|warning| warning.contains("huge.ndjson") && warning.contains("not cut")),
        "{whole:?}"
    );
}

/// Each refusal names its quota.
#[test]
fn what_must_fail_is_refused_by_the_name_of_its_quota() {
    let check = |survey: &Survey, overrides: Overrides, job_bytes: u64, quota: &str| {
        let rates = Rates::built_in().unwrap();
        let refused = forecast(Strategy::Simple, &job(), survey, &rates, &overrides, job_bytes).unwrap_err();
        assert!(refused.to_string().contains(quota), "{refused}");
    };
    let small = Survey::uniform(1000, 1000, 40, Kind::Lines);
    check(&small, Overrides { max_items: Some(10_001), ..Overrides::default() }, 500, "items of a batch");
    check(&small, Overrides { max_concurrency: Some(10_001), ..Overrides::default() }, 500, "MaxConcurrency");
    check(&small, Overrides::default(), 225_000, "MaxInputBytesPerBatch");
    check(&Survey::uniform(100_000_001, 10, 40, Kind::Lines), Overrides::default(), 500, "items that a Map Run reads");
    check(&Survey::uniform(1, 1 << 40, 40, Kind::Compressed), Overrides::default(), 500, "Express execution");
    let tolerant = Overrides { tolerated_failure_percentage: Some(5.0), ..Overrides::default() };
    let survey = Survey::uniform(100, 1 << 40, 40, Kind::Compressed);
    let planned = forecast(Strategy::Simple, &job(), &survey, &Rates::built_in().unwrap(), &tolerant, 500).unwrap();
    assert!(planned.warnings.iter().any(|warning| warning.contains("will fail")), "{planned:?}");
}

/// 65,000 objects of 200 KB by workers: nesting gains nothing, and S3 is most of the money.
#[test]
fn with_workers_the_guides_objects_need_no_nesting() {
    let survey = Survey::uniform(65_000, 200_000, 40, Kind::Lines);
    let compared = compare(&job(), &survey, &Rates::built_in().unwrap(), &Overrides::default(), 500);
    assert_eq!(recommend(&compared), Strategy::Simple);
    let simple = compared[0].1.as_ref().unwrap();
    assert!(simple.seconds.total < 60.0, "{simple:?}");
    assert!(simple.cost.s3_requests > simple.cost.step_functions, "{:?}", simple.cost);
    assert_eq!(simple.events.parent, 29);
}
