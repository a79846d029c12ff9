//! Reads the text of a path. Length is bounded by the text's limit, and so is the depth of a filter.

use regex::RegexBuilder;
use serde_json::Value;

use super::filter::{Comparison, Filter, Operand};
use super::{Function, PATH_BYTES_MAX, Path, PathSyntaxError, Root, Segment};

/// Deepest nesting of brackets in a filter.
const FILTER_DEPTH_MAX: usize = 16;
/// Largest compiled pattern of a filter, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;

const FUNCTIONS: [(&str, Function); 9] = [
    ("length", Function::Length),
    ("min", Function::Min),
    ("max", Function::Max),
    ("avg", Function::Average),
    ("sum", Function::Sum),
    ("stddev", Function::StandardDeviation),
    ("keys", Function::Keys),
    ("first", Function::First),
    ("last", Function::Last),
];
/// Longer signs first, because a shorter one may be their beginning.
const COMPARISONS: [(&str, Comparison); 11] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
    ("in ", Comparison::In),
    ("nin ", Comparison::NotIn),
    ("contains ", Comparison::Contains),
    ("size ", Comparison::Size),
    ("empty ", Comparison::Empty),
];

/// Parses a whole path.
pub(super) fn path(text: &str) -> Result<Path, PathSyntaxError> {
    if text.len() > PATH_BYTES_MAX {
        return Err(PathSyntaxError(format!("a path has {} bytes, the limit is {PATH_BYTES_MAX}", text.len())));
    }
    let fail = |message: String| PathSyntaxError(format!("path \"{text}\" {message}"));
    let (root, rest) = root(text).map_err(fail)?;
    let mut reader = Reader { rest, depth: 0 };
    let (segments, function) = reader.segments().map_err(fail)?;
    if !reader.rest.is_empty() {
        return Err(fail(format!("has {:?} where a \".\" or \"[\" is expected", reader.rest.chars().next())));
    }
    Ok(Path { text: text.to_owned(), root, segments, function })
}

fn root(text: &str) -> Result<(Root, &str), String> {
    if let Some(rest) = text.strip_prefix("$$") {
        return Ok((Root::Context, rest));
    }
    let rest = text.strip_prefix('$').ok_or("does not start with \"$\"")?;
    let end = rest.find(|sign: char| !sign.is_alphanumeric() && sign != '_').unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    match name.chars().next() {
        None => Ok((Root::Input, rest)),
        Some(first) if first.is_alphabetic() || first == '_' => Ok((Root::Variable(name.to_owned()), rest)),
        Some(_) => Err(format!("has \"{name}\" directly after \"$\", which is no name of a variable")),
    }
}

struct Reader<'t> {
    rest: &'t str,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn accept(&mut self, sign: &str) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        self.skip_spaces();
        if self.accept(sign) { Ok(()) } else { Err(format!("has no closing \"{sign}\" where one is expected")) }
    }

    /// Segments up to what cannot be one, and perhaps a function as the last.
    fn segments(&mut self) -> Result<(Vec<Segment>, Option<Function>), String> {
        let mut segments = Vec::new();
        loop {
            if self.accept("..") {
                segments.push(Segment::Descent);
                if !self.rest.starts_with('[') {
                    match self.dotted()? {
                        Dotted::Segment(segment) => segments.push(segment),
                        Dotted::Function(function) => return Ok((segments, Some(function))),
                    }
                }
            } else if self.accept(".") {
                // `$.['a']` is the same as `$['a']`.
                if self.rest.starts_with('[') {
                    continue;
                }
                match self.dotted()? {
                    Dotted::Segment(segment) => segments.push(segment),
                    Dotted::Function(function) => return Ok((segments, Some(function))),
                }
            } else if self.accept("[") {
                segments.push(self.bracket()?);
            } else {
                return Ok((segments, None));
            }
        }
    }

    /// What follows a dot: a name may hold anything but the signs that JSONPath gives a meaning.
    fn dotted(&mut self) -> Result<Dotted, String> {
        if self.accept("*") {
            return Ok(Dotted::Segment(Segment::Wildcard));
        }
        let special = |sign: char| sign.is_whitespace() || sign.is_control() || ".[*?@()'\"]{},:&|<>=!".contains(sign);
        let end = self.rest.find(special).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() {
            return Err("has an empty name".to_owned());
        }
        self.rest = rest;
        if self.accept("()") {
            let known = FUNCTIONS.iter().find(|(known, _)| *known == name).map(|(_, function)| *function);
            return known.map(Dotted::Function).ok_or_else(|| {
                let known: Vec<_> = FUNCTIONS.iter().map(|(name, _)| *name).collect();
                format!("calls the function \"{name}()\"; supported: {}", known.join(", "))
            });
        }
        match self.rest.chars().next() {
            Some(sign) if sign == '*' || sign == '@' || sign == '(' || sign == '\'' || sign == '"' => {
                Err(format!("has {sign:?} in a dotted name; write it as ['name']"))
            }
            _ => Ok(Dotted::Segment(Segment::Field(name.to_owned()))),
        }
    }

    /// What follows an opening bracket, up to and with the closing one.
    fn bracket(&mut self) -> Result<Segment, String> {
        self.skip_spaces();
        let segment = if self.accept("*") {
            Segment::Wildcard
        } else if self.accept("?") {
            self.skip_spaces();
            self.expect("(")?;
            let filter = self.any()?;
            self.expect(")")?;
            Segment::Filter(filter)
        } else if self.rest.starts_with(['\'', '"']) {
            let mut names = vec![self.quoted()?];
            loop {
                self.skip_spaces();
                if !self.accept(",") {
                    break;
                }
                self.skip_spaces();
                names.push(self.quoted()?);
            }
            if names.len() == 1 { Segment::Field(names.remove(0)) } else { Segment::Fields(names) }
        } else {
            let end = self.rest.find(']').ok_or("has no closing \"]\"")?;
            let (inside, rest) = self.rest.split_at(end);
            self.rest = rest;
            numbers(inside.trim())?
        };
        self.expect("]")?;
        Ok(segment)
    }

    fn quoted(&mut self) -> Result<String, String> {
        let quote = self.rest.chars().next().filter(|sign| matches!(sign, '\'' | '"')).ok_or("has no quoted name")?;
        let mut name = String::new();
        let mut signs = self.rest[1..].char_indices().peekable();
        while let Some((position, sign)) = signs.next() {
            if sign == '\\' {
                // Only the quote and the backslash can be escaped; before anything else a backslash stands for itself.
                match signs.peek() {
                    Some((_, escaped)) if *escaped == quote || *escaped == '\\' => {
                        name.push(*escaped);
                        signs.next();
                    }
                    _ => name.push('\\'),
                }
            } else if sign == quote {
                self.rest = &self.rest[1 + position + 1..];
                return Ok(name);
            } else {
                name.push(sign);
            }
        }
        Err("has an unclosed quote".to_owned())
    }

    fn any(&mut self) -> Result<Filter, String> {
        let mut filters = vec![self.all()?];
        loop {
            self.skip_spaces();
            if !self.accept("||") {
                break;
            }
            filters.push(self.all()?);
        }
        Ok(if filters.len() == 1 { filters.remove(0) } else { Filter::Or(filters) })
    }

    fn all(&mut self) -> Result<Filter, String> {
        let mut filters = vec![self.condition()?];
        loop {
            self.skip_spaces();
            if !self.accept("&&") {
                break;
            }
            filters.push(self.condition()?);
        }
        Ok(if filters.len() == 1 { filters.remove(0) } else { Filter::And(filters) })
    }

    fn condition(&mut self) -> Result<Filter, String> {
        self.depth += 1;
        if self.depth > FILTER_DEPTH_MAX {
            return Err(format!("has a filter nested deeper than {FILTER_DEPTH_MAX}"));
        }
        self.skip_spaces();
        let filter = if self.accept("!") {
            Filter::Not(Box::new(self.condition()?))
        } else if self.accept("(") {
            let filter = self.any()?;
            self.expect(")")?;
            filter
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn comparison(&mut self) -> Result<Filter, String> {
        let left = self.operand()?;
        self.skip_spaces();
        if self.accept("=~") {
            return Ok(Filter::Matches(left, self.pattern()?));
        }
        for (sign, comparison) in COMPARISONS {
            if self.accept(sign) {
                return Ok(Filter::Compare(left, comparison, self.operand()?));
            }
        }
        match left {
            Operand::At(path) => Ok(Filter::Exists(path)),
            Operand::Literal(_) => Err("has a filter that compares nothing".to_owned()),
        }
    }

    fn operand(&mut self) -> Result<Operand, String> {
        self.skip_spaces();
        if self.accept("@") {
            return match self.segments()? {
                (segments, None) => Ok(Operand::At(segments)),
                (_, Some(_)) => {
                    Err("calls a function in a filter, which is not supported by the local engine".to_owned())
                }
            };
        }
        if self.rest.starts_with(['\'', '"']) {
            return self.quoted().map(|text| Operand::Literal(Value::String(text)));
        }
        if self.rest.starts_with('$') {
            return Err("has a path from \"$\" in a filter, which is not supported by the local engine".to_owned());
        }
        if self.accept("[") {
            return self.list().map(Operand::Literal);
        }
        let end = self.rest.find(|sign: char| sign.is_whitespace() || ")&|<>=!,]".contains(sign));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let value: Value = serde_json::from_str(word).map_err(|_| format!("has the operand \"{word}\" in a filter"))?;
        self.rest = rest;
        Ok(Operand::Literal(value))
    }

    /// The elements of a list after its opening bracket.
    fn list(&mut self) -> Result<Value, String> {
        let mut elements = Vec::new();
        self.skip_spaces();
        while !self.accept("]") {
            match self.operand()? {
                Operand::Literal(value) => elements.push(value),
                Operand::At(_) => return Err("has a path in a list of a filter".to_owned()),
            }
            self.skip_spaces();
            if !self.accept(",") && !self.rest.starts_with(']') {
                return Err("has a list without its closing \"]\" in a filter".to_owned());
            }
            self.skip_spaces();
        }
        Ok(Value::Array(elements))
    }

    /// `/pattern/` with an `i` after it where case does not count.
    fn pattern(&mut self) -> Result<regex::Regex, String> {
        self.skip_spaces();
        let rest = self.rest.strip_prefix('/').ok_or("has no \"/\" after \"=~\"")?;
        let end = rest.find('/').ok_or("has a pattern without its closing \"/\"")?;
        let (pattern, rest) = (&rest[..end], &rest[end + 1..]);
        let (insensitive, rest) = match rest.strip_prefix('i') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        self.rest = rest;
        // The whole text has to match, as in Java's `matches`.
        RegexBuilder::new(&format!("^(?:{pattern})$"))
            .case_insensitive(insensitive)
            .size_limit(PATTERN_BYTES_MAX)
            .build()
            .map_err(|_| format!("has the pattern \"{pattern}\", which cannot be used"))
    }
}

enum Dotted {
    Segment(Segment),
    Function(Function),
}

/// An index, a list of them, or a slice.
fn numbers(inside: &str) -> Result<Segment, String> {
    let number = |text: &str| {
        text.trim()
            .parse::<i64>()
            .map_err(|_| format!("has \"[{inside}]\", which is neither an index nor a quoted name"))
    };
    if inside.starts_with('(') {
        return Err("uses a script (\"[(…)]\"), which is not supported".to_owned());
    }
    if let Some((from, to)) = inside.split_once(':') {
        let end = |text: &str| if text.trim().is_empty() { Ok(None) } else { number(text).map(Some) };
        return Ok(Segment::Slice(end(from)?, end(to)?));
    }
    if inside.contains(',') {
        return Ok(Segment::Indexes(inside.split(',').map(number).collect::<Result<_, _>>()?));
    }
    Ok(Segment::Index(number(inside)?))
}
