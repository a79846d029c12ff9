//! Texts with placeholders: whether what was found can be what was expected.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// A date-time as the recorder recognised it.
static DATE_TIME: LazyLock<Regex> = LazyLock::new(|| {
    let day = "(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31|02-29)";
    let time = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,9})?(?:Z|[+-][01][0-9]:?(?:[0-5][0-9])?)";
    Regex::new(&format!("[1-9][0-9]{{3}}-{day}T{time}")).unwrap()
});

/// What placeholders stand for, and what they were found to be.
#[derive(Clone)]
pub(crate) struct Placeholders {
    kinds: BTreeMap<String, Kind>,
    bound: BTreeMap<String, String>,
}

#[derive(Clone)]
enum Kind {
    /// Exactly this text.
    Text(String),
    /// Any text, the same everywhere.
    Any,
    /// Any value where it stands alone.
    AnyValue,
    /// The word for every date-time.
    AnyTimestamp,
    Account,
    Partition,
    Region,
}

impl Placeholders {
    pub(crate) fn of(scenario: &Value, tokens: &BTreeMap<String, String>) -> Self {
        let mut kinds = BTreeMap::from([
            ("111111111111".to_owned(), Kind::Account),
            ("<partition>".to_owned(), Kind::Partition),
            ("<region>".to_owned(), Kind::Region),
        ]);
        for (name, rule) in scenario["placeholders"].as_object().into_iter().flatten() {
            let kind = if let Some(token) = rule.get("token").and_then(Value::as_str) {
                tokens.get(token).map_or(Kind::Any, |value| Kind::Text(value.clone()))
            } else if let Some(text) = rule.get("text").and_then(Value::as_str) {
                Kind::Text(text.to_owned())
            } else if rule.get("anyValue").is_some() {
                Kind::AnyValue
            } else if rule.get("anyTimestamp").is_some() {
                Kind::AnyTimestamp
            } else {
                Kind::Any
            };
            if !matches!(name.as_str(), "<partition>" | "<region>") {
                kinds.insert(name.clone(), kind);
            }
        }
        Self { kinds, bound: BTreeMap::new() }
    }

    /// True for a word that any value matches.
    pub(crate) fn is_any_value(&self, expected: &str) -> bool {
        matches!(self.kinds.get(expected), Some(Kind::AnyValue))
    }

    /// True where the recorder put a word for date-times.
    pub(crate) fn masks_dates(&self) -> bool {
        self.kinds.values().any(|kind| matches!(kind, Kind::AnyTimestamp))
    }

    /// Whether the text can be what was expected; placeholders are bound by what they matched.
    pub(crate) fn matches(&mut self, expected: &str, found: &str) -> bool {
        let found =
            if self.masks_dates() { DATE_TIME.replace_all(found, "date").into_owned() } else { found.to_owned() };
        let parts = self.parts(expected);
        let mut bound = self.bound.clone();
        let matched = self.matched(&parts, &found, &mut bound);
        if matched {
            self.bound = bound;
        }
        matched
    }

    /// The text cut at its placeholders, longest names first.
    fn parts(&self, expected: &str) -> Vec<Part> {
        let mut names: Vec<_> = self
            .kinds
            .iter()
            .filter(|(_, kind)| !matches!(kind, Kind::AnyValue | Kind::AnyTimestamp))
            .map(|(name, _)| name.as_str())
            .collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        let mut parts = Vec::new();
        let mut rest = expected;
        'text: while !rest.is_empty() {
            for name in &names {
                if let Some(after) = rest.strip_prefix(name) {
                    parts.push(Part::Placeholder((*name).to_owned()));
                    rest = after;
                    continue 'text;
                }
            }
            let length = rest.chars().next().map_or(1, char::len_utf8);
            match parts.last_mut() {
                Some(Part::Literal(text)) => text.push_str(&rest[..length]),
                _ => parts.push(Part::Literal(rest[..length].to_owned())),
            }
            rest = &rest[length..];
        }
        parts
    }

    fn matched(&self, parts: &[Part], found: &str, bound: &mut BTreeMap<String, String>) -> bool {
        let Some((part, rest)) = parts.split_first() else { return found.is_empty() };
        let name = match part {
            Part::Literal(text) => {
                return found.strip_prefix(text.as_str()).is_some_and(|after| self.matched(rest, after, bound));
            }
            Part::Placeholder(name) => name,
        };
        if let Some(text) = bound.get(name).cloned() {
            return found.strip_prefix(text.as_str()).is_some_and(|after| self.matched(rest, after, bound));
        }
        let allowed: fn(&str) -> bool = match &self.kinds[name] {
            Kind::Text(text) => {
                return found.strip_prefix(text.as_str()).is_some_and(|after| self.matched(rest, after, bound));
            }
            Kind::Account => |text| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()),
            Kind::Partition => |text| text.starts_with("aws"),
            Kind::Region => |text| text.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '-'),
            Kind::Any | Kind::AnyValue | Kind::AnyTimestamp => |_| true,
        };
        // Those that stand for the same thing everywhere are bound; an account or region may differ from text to text.
        let binds = matches!(self.kinds[name], Kind::Any);
        let ends = found.char_indices().map(|(at, sign)| at + sign.len_utf8());
        for end in ends {
            if !allowed(&found[..end]) {
                continue;
            }
            let mut tried = bound.clone();
            if binds {
                tried.insert(name.clone(), found[..end].to_owned());
            }
            if self.matched(rest, &found[end..], &mut tried) {
                *bound = tried;
                return true;
            }
        }
        false
    }
}

enum Part {
    Literal(String),
    Placeholder(String),
}
