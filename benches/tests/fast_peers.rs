//! The crates that only the measurements use give the right answers, too.

#[path = "../targets/fast_peers.rs"]
mod fast_peers;

use engine_benches::check_answers;
use engine_benches::workloads::Answer;

#[test]
fn fast_crates_give_the_answers_of_the_others() {
    let workloads = fast_peers::workloads();
    assert!(workloads.iter().any(|workload| workload.answer != Answer::Read), "something is compared");
    check_answers(&workloads).unwrap();
}
