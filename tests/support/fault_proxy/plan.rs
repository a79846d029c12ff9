//! Which request meets which fault.
//!
//! The text form of a rule has four words: operation, object, which requests, faults. `get raw/*.csv 1-2 reset@100`
//! resets the first two readings of every object that ends in `.csv`; `* * 33%7 500,503` answers a third of all
//! requests with one of the two, chosen by the seed 7. Without a share, several faults come in turn.

use super::fault::{Fault, ParseFaultError};
use super::record::{Moment, Record};
use super::request::{Operation, Subject};
use globset::{Glob, GlobMatcher};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// What the proxy does.
#[derive(Clone, Default)]
pub struct Plan {
    /// The rules; the first that fits a request decides.
    pub rules: Vec<Rule>,
    /// The most bytes a second of all bodies together, in both directions.
    pub bytes_per_second: Option<u64>,
    pub(super) observer: Option<Observer>,
}

pub(super) type Observer = Arc<dyn Fn(&Record, Moment) + Send + Sync>;

impl Plan {
    /// A plan by rules in their text form.
    ///
    /// # Errors
    /// The first text that is no rule.
    pub fn parse(rules: &[&str]) -> Result<Self, ParseRuleError> {
        let rules = rules.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        Ok(Self { rules, ..Self::default() })
    }

    /// The same plan with a rule more, after the others.
    #[must_use]
    pub fn with(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// The same plan with someone who is told of every moment of every request. It must not wait for anything.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Fn(&Record, Moment) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// The fault of a request that is the `nth` of its kind, from 1.
    pub(super) fn fault(&self, subject: &Subject, nth: u32) -> Option<Fault> {
        self.rules.iter().find_map(|rule| rule.fault(subject, nth))
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Plan").field("rules", &self.rules).finish_non_exhaustive()
    }
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    operation: Option<Operation>,
    object: GlobMatcher,
    which: Which,
    faults: Vec<Fault>,
}

/// Which of the requests for one operation on one object, or one part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// `*`: all.
    All,
    /// `2` or `1-3`: the first to the last of these, from 1.
    Nth(u32, u32),
    /// `33%7`: this share in percent, chosen by this seed.
    Share {
        /// From 0 to 100.
        percent: u32,
        /// Another seed chooses other requests.
        seed: u64,
    },
}

impl Rule {
    /// A rule with one fault, for a fault that has no text form. `operation`, `object` and `which` are as in a text.
    ///
    /// # Errors
    /// One of the three is not readable.
    pub fn new(operation: &str, object: &str, which: &str, fault: Fault) -> Result<Self, ParseRuleError> {
        Self::of_words(operation, object, which, vec![fault])
    }

    fn of_words(operation: &str, object: &str, which: &str, faults: Vec<Fault>) -> Result<Self, ParseRuleError> {
        let operation = match operation {
            "*" => None,
            name => Some(name.parse().map_err(|()| ParseRuleError::Operation(name.to_owned()))?),
        };
        let glob = Glob::new(object).map_err(|error| ParseRuleError::Object(error.to_string()))?;
        Ok(Self { operation, object: glob.compile_matcher(), which: which.parse()?, faults })
    }

    fn fault(&self, subject: &Subject, nth: u32) -> Option<Fault> {
        let is_fitting = self.operation.is_none_or(|operation| operation == subject.operation)
            && self.object.is_match(&subject.object);
        if !is_fitting {
            return None;
        }
        let chosen = match self.which {
            Which::All => u64::from(nth.saturating_sub(1)),
            Which::Nth(first, last) if (first..=last).contains(&nth) => u64::from(nth - first),
            Which::Nth(..) => return None,
            Which::Share { percent, seed } => {
                let drawn = draw(seed, subject, nth);
                if drawn % 100 >= u64::from(percent) {
                    return None;
                }
                drawn / 100
            }
        };
        let index = usize::try_from(chosen % self.faults.len().max(1) as u64).unwrap_or(0);
        self.faults.get(index).cloned()
    }
}

/// A number that follows from a seed and a request: FNV-1a over its parts and the finish of SplitMix64, which spreads
/// small differences over all bits.
fn draw(seed: u64, subject: &Subject, nth: u32) -> u64 {
    let text = format!("{seed} {} {:?} {nth} {}", subject.operation, subject.part, subject.object);
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.bytes() {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// A text that is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseRuleError {
    /// Not four words.
    #[error("expected a rule of four words, OPERATION OBJECT WHICH FAULT[,FAULT]; found {0:?}")]
    Words(String),
    /// The first word.
    #[error("expected *, get, head, put, delete, create, part, complete, abort or other as the operation; found {0:?}")]
    Operation(String),
    /// The second word.
    #[error("expected a glob of bucket/key: {0}")]
    Object(String),
    /// The third word.
    #[error("expected which requests as *, 2, 1-3 or 33%7 (percent and seed); found {0:?}")]
    Which(String),
    /// The fourth word.
    #[error(transparent)]
    Fault(#[from] ParseFaultError),
}

impl FromStr for Rule {
    type Err = ParseRuleError;

    fn from_str(text: &str) -> Result<Self, ParseRuleError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [operation, object, which, faults] = words[..] else {
            return Err(ParseRuleError::Words(text.to_owned()));
        };
        let faults = faults.split(',').map(str::parse).collect::<Result<_, _>>()?;
        Self::of_words(operation, object, which, faults)
    }
}

impl FromStr for Which {
    type Err = ParseRuleError;

    fn from_str(text: &str) -> Result<Self, ParseRuleError> {
        let number = |part: &str| part.parse::<u32>().ok();
        let parsed = if text == "*" {
            Some(Self::All)
        } else if let Some((percent, seed)) = text.split_once('%') {
            let percent = number(percent).filter(|percent| *percent <= 100);
            percent.zip(seed.parse().ok()).map(|(percent, seed)| Self::Share { percent, seed })
        } else {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            number(first)
                .zip(number(last))
                .filter(|(first, last)| *first > 0 && first <= last)
                .map(|(a, b)| Self::Nth(a, b))
        };
        parsed.ok_or_else(|| ParseRuleError::Which(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(operation: Operation, object: &str) -> Subject {
        Subject { operation, object: object.to_owned(), part: None }
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let plan =
            Plan::parse(&["get raw/*.csv 2-3 500", "* clean/* * lost", "get * 1 reset,403", "head * 2-4 500,lost"])
                .unwrap();
        let check = |operation, object: &str, nth, expected: Option<&str>| {
            let fault = plan.fault(&subject(operation, object), nth).map(|fault| fault.to_string());
            assert_eq!(fault.as_deref(), expected, "{operation} {object} {nth}");
        };
        check(Operation::Get, "raw/in/a.csv", 1, Some("reset"));
        check(Operation::Get, "raw/in/a.csv", 2, Some("500"));
        check(Operation::Get, "raw/in/a.csv", 3, Some("500"));
        check(Operation::Get, "raw/in/a.csv", 4, None);
        check(Operation::Put, "raw/in/a.csv", 2, None);
        check(Operation::Put, "clean/a", 9, Some("lost"));
        check(Operation::Head, "raw/a", 1, None);
        check(Operation::Head, "raw/a", 2, Some("500"));
        check(Operation::Head, "raw/a", 3, Some("lost"));
        check(Operation::Head, "raw/a", 4, Some("500"));
    }

    #[test]
    fn a_share_is_drawn_by_its_seed() {
        let share = |seed: u64| {
            let plan = Plan::parse(&[&format!("* * 33%{seed} 500,503,reset")]).unwrap();
            let faults = (0..3000).map(|number| plan.fault(&subject(Operation::Get, &format!("raw/{number}")), 1));
            faults.map(|fault| fault.map(|fault| fault.to_string())).collect::<Vec<_>>()
        };
        let drawn = share(7);
        assert_eq!(drawn, share(7));
        assert_ne!(drawn, share(8));
        let count = |wanted: &str| drawn.iter().flatten().filter(|fault| *fault == wanted).count();
        for fault in ["500", "503", "reset"] {
            assert!((250..420).contains(&count(fault)), "{fault}: {}", count(fault));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let check = |text: &str, expected: &str| {
            let error = text.parse::<Rule>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        };
        check("", "four words");
        check("get raw/a 1", "four words");
        check("read raw/a 1 reset", "as the operation");
        check("get raw/[ 1 reset", "a glob");
        check("get raw/a 0 reset", "which requests");
        check("get raw/a 3-2 reset", "which requests");
        check("get raw/a 101%1 reset", "which requests");
        check("get raw/a 10% reset", "which requests");
        check("get raw/a 1 reset,", "expected a fault");
    }
}
