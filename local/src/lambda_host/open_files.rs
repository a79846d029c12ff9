//! How many environments the limit on open files allows.
//!
//! `mapmill` holds for each environment the listener and connections of its Runtime API, the pipes of its output, and the
//! connections of the function to the embedded S3 with the files behind them. Many systems allow a process 1,024 open
//! files unless it asks for more.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Open files per environment: about five of its own, and a few objects that the function reads and writes at a time.
const PER_ENVIRONMENT: u64 = 16;
/// Open files for everything else.
const RESERVED: u64 = 128;
/// Enough for the most environments there may be; some systems refuse to go as high as their own maximum.
const WANTED: u64 = 32_768;

/// How many of `wanted` environments the limit on open files allows, at least one. Raises the limit of this process as
/// far as the system lets it, so call it before work begins.
pub fn environments_that_fit(wanted: usize) -> usize {
    wanted.min(fitting(raise_limit())).max(1)
}

/// Raises the limit and returns what it is now; `None`: there is none.
fn raise_limit() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let target = maximum.map_or(WANTED, |maximum| maximum.min(WANTED));
    if current.is_some_and(|current| current < target) {
        // A system that refuses leaves the limit as it is, and we make do with it.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(target), maximum });
    }
    getrlimit(Resource::Nofile).current
}

fn fitting(limit: Option<u64>) -> usize {
    limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit.saturating_sub(RESERVED) / PER_ENVIRONMENT).unwrap_or(usize::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_become_environments() {
        let check = |limit, expected: usize| assert_eq!(fitting(limit), expected, "{limit:?}");
        check(None, usize::MAX);
        check(Some(1_024), 56);
        check(Some(64), 0);
        assert!(fitting(Some(WANTED)) >= super::super::ENVIRONMENTS_MAX);
    }

    #[test]
    fn the_limit_is_raised_as_far_as_allowed() {
        let maximum = getrlimit(Resource::Nofile).maximum.map_or(WANTED, |maximum| maximum.min(WANTED));
        assert_eq!(environments_that_fit(1), 1);
        assert!(getrlimit(Resource::Nofile).current.is_none_or(|current| current >= maximum));
        assert_eq!(environments_that_fit(50_000_000) >= 1_000, maximum >= 1_000 * PER_ENVIRONMENT + RESERVED);
    }
}
