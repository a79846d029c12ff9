//! The job file: any text is read or refused, and what is read is written and read again as the same job.

#![no_main]

use job::Job;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let job = match Job::parse(text) {
        Ok(job) => job,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let normalised = serde_json::to_string(&job).expect("a job has a JSON form");
    let again = Job::parse(&normalised).unwrap_or_else(|error| panic!("{error} in the normalised job {normalised}"));
    assert_eq!(again, job, "the normalised job means the same");
    assert_eq!(serde_json::to_string(&again).expect("JSON"), normalised, "normalising again changes nothing");
    assert_eq!(again.digest(), job.digest());
    assert!(!job.overlap(), "a job never reads what it writes");
});
