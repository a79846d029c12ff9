//! Walking through the JSON text around the records.
//!
//! The records of an object may lie in an array deep inside it (`source.json.pointer`). The walker reads everything
//! before and after that array byte by byte, checks the grammar and keeps only a stack of open brackets, so the text
//! around the records may be of any size.

use crate::checkpoint::ArrayLevel;
use crate::json::{Text, is_whitespace, scan_string};

/// Longest member name that can match a segment of the pointer; longer names are skipped unread.
const LONGEST_NAME: usize = 4 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    FirstElementOrEnd,
    FirstNameOrEnd,
    Name,
    Colon,
    CommaOrEnd,
    InName,
    InString,
    Escape { in_name: bool },
    Hex { in_name: bool, left: u8 },
    Number(NumberPart),
    Literal(&'static [u8]),
    Finished,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NumberPart {
    Minus,
    Zero,
    Integer,
    Dot,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

/// Why the walker returned.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// All input is read and more is needed.
    NeedMore,
    /// The next byte begins the value that the pointer names.
    Target,
    /// The outermost value is complete.
    Finished,
}

/// The grammar is broken, or nested too deep.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    Grammar(&'static str),
    TooDeep,
}

/// A JSON reader that keeps no values.
#[derive(Debug)]
pub(crate) struct Walker {
    pointer: Vec<String>,
    stack: Vec<ArrayLevel>,
    depth_limit: usize,
    expect: Expect,
    /// How many of the open containers, outermost first, stand at the entry that the pointer names.
    matched: usize,
    found: bool,
    name: Vec<u8>,
}

impl Walker {
    pub(crate) fn new(pointer: Vec<String>, depth_limit: usize) -> Self {
        Self {
            pointer,
            stack: Vec::new(),
            depth_limit,
            expect: Expect::Value,
            matched: 0,
            found: false,
            name: Vec::new(),
        }
    }

    /// Reads on from `*at`, which moves to the first byte not read. After [`Step::Target`] the caller reads the value
    /// itself and calls [`Walker::value_was_read`].
    pub(crate) fn walk(&mut self, input: &[u8], at: &mut usize) -> Result<Step, Broken> {
        while let Some(byte) = input.get(*at).copied() {
            match self.expect {
                Expect::InName | Expect::InString => {
                    let end = scan_string(input, *at);
                    if self.expect == Expect::InName {
                        self.keep_name(&input[*at..end]);
                    }
                    *at = end;
                    if let Some(stop) = input.get(end) {
                        self.string_stop(*stop)?;
                        *at += 1;
                    }
                }
                Expect::Number(part) => match part.after(byte) {
                    Some(next) => {
                        self.expect = Expect::Number(next);
                        *at += 1;
                    }
                    None if part.may_end() => self.expect = self.after_value(),
                    None => return Err(Broken::Grammar("a digit")),
                },
                Expect::Finished => return Ok(Step::Finished),
                Expect::Value | Expect::FirstElementOrEnd
                    if self.is_target() && !is_whitespace(byte) && byte != b']' =>
                {
                    self.found = true;
                    return Ok(Step::Target);
                }
                _ if is_whitespace(byte) && self.allows_whitespace() => *at += 1,
                _ => {
                    self.take(byte)?;
                    *at += 1;
                }
            }
        }
        Ok(if self.expect == Expect::Finished { Step::Finished } else { Step::NeedMore })
    }

    /// The caller has read the value at the target.
    pub(crate) fn value_was_read(&mut self) {
        self.expect = self.after_value();
    }

    /// A number at the very end of the input is complete there.
    pub(crate) fn end_of_input(&mut self) -> Step {
        if let Expect::Number(part) = self.expect
            && part.may_end()
        {
            self.expect = self.after_value();
        }
        if self.expect == Expect::Finished { Step::Finished } else { Step::NeedMore }
    }

    /// The open containers around the target and how many of them the pointer names.
    pub(crate) fn levels(&self) -> (&[ArrayLevel], usize) {
        (&self.stack, self.matched)
    }

    /// Puts the walker where another one was when its caller read the target.
    pub(crate) fn resume_at_target(&mut self, levels: Vec<ArrayLevel>, matched: usize) {
        (self.stack, self.matched, self.found) = (levels, matched, true);
    }

    /// True once the pointer's target was met.
    pub(crate) fn found(&self) -> bool {
        self.found
    }

    /// True when nothing but white space was read so far.
    pub(crate) fn is_at_start(&self) -> bool {
        self.stack.is_empty() && self.expect == Expect::Value
    }

    fn is_target(&self) -> bool {
        !self.found && self.matched == self.stack.len() && self.matched == self.pointer.len()
    }

    fn allows_whitespace(&self) -> bool {
        !matches!(self.expect, Expect::Escape { .. } | Expect::Hex { .. } | Expect::Literal(_))
    }

    fn take(&mut self, byte: u8) -> Result<(), Broken> {
        self.expect = match (self.expect, byte) {
            (Expect::Value | Expect::FirstElementOrEnd, b'{') => self.open(true)?,
            (Expect::Value | Expect::FirstElementOrEnd, b'[') => self.open(false)?,
            (Expect::FirstElementOrEnd, b']') | (Expect::FirstNameOrEnd, b'}') => self.close(),
            (Expect::Value | Expect::FirstElementOrEnd, b'"') => Expect::InString,
            (Expect::Value | Expect::FirstElementOrEnd, b'-') => Expect::Number(NumberPart::Minus),
            (Expect::Value | Expect::FirstElementOrEnd, b'0') => Expect::Number(NumberPart::Zero),
            (Expect::Value | Expect::FirstElementOrEnd, b'1'..=b'9') => Expect::Number(NumberPart::Integer),
            (Expect::Value | Expect::FirstElementOrEnd, b't') => Expect::Literal(b"rue"),
            (Expect::Value | Expect::FirstElementOrEnd, b'f') => Expect::Literal(b"alse"),
            (Expect::Value | Expect::FirstElementOrEnd, b'n') => Expect::Literal(b"ull"),
            (Expect::Value | Expect::FirstElementOrEnd, _) => return Err(Broken::Grammar("a JSON value")),
            (Expect::FirstNameOrEnd | Expect::Name, b'"') => {
                self.name.clear();
                Expect::InName
            }
            (Expect::FirstNameOrEnd | Expect::Name, _) => return Err(Broken::Grammar("a member name in quotes")),
            (Expect::Colon, b':') => Expect::Value,
            (Expect::Colon, _) => return Err(Broken::Grammar("`:`")),
            (Expect::CommaOrEnd, b',') => self.next_entry(),
            (Expect::CommaOrEnd, b'}') if self.in_object() => self.close(),
            (Expect::CommaOrEnd, b']') if !self.in_object() => self.close(),
            (Expect::CommaOrEnd, _) => return Err(Broken::Grammar("`,` or a closing bracket")),
            (Expect::Escape { in_name }, b'u') => {
                self.keep_escape(in_name, byte);
                Expect::Hex { in_name, left: 4 }
            }
            (Expect::Escape { in_name }, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.keep_escape(in_name, byte);
                in_string(in_name)
            }
            (Expect::Hex { in_name, left }, digit) if digit.is_ascii_hexdigit() => {
                self.keep_escape(in_name, byte);
                if left == 1 { in_string(in_name) } else { Expect::Hex { in_name, left: left - 1 } }
            }
            (Expect::Escape { .. } | Expect::Hex { .. }, _) => return Err(Broken::Grammar("a valid escape sequence")),
            (Expect::Literal(rest), letter) if rest.first() == Some(&letter) => {
                if rest.len() == 1 {
                    self.after_value()
                } else {
                    Expect::Literal(&rest[1..])
                }
            }
            (Expect::Literal(_), _) => return Err(Broken::Grammar("`true`, `false` or `null`")),
            (other, _) => other,
        };
        Ok(())
    }

    fn string_stop(&mut self, byte: u8) -> Result<(), Broken> {
        let in_name = self.expect == Expect::InName;
        self.expect = match byte {
            b'"' if in_name => {
                self.match_name();
                Expect::Colon
            }
            b'"' => self.after_value(),
            b'\\' => {
                self.keep_escape(in_name, byte);
                Expect::Escape { in_name }
            }
            _ => return Err(Broken::Grammar("an escaped control character")),
        };
        Ok(())
    }

    fn open(&mut self, is_object: bool) -> Result<Expect, Broken> {
        if self.stack.len() >= self.depth_limit {
            return Err(Broken::TooDeep);
        }
        self.stack.push(ArrayLevel { is_object, index: 0 });
        if !is_object {
            self.match_index(0);
        }
        Ok(if is_object { Expect::FirstNameOrEnd } else { Expect::FirstElementOrEnd })
    }

    /// A comma: the innermost container goes on to its next entry.
    fn next_entry(&mut self) -> Expect {
        self.matched = self.matched.min(self.stack.len().saturating_sub(1));
        let Some(level) = self.stack.last_mut() else { return Expect::Finished };
        if level.is_object {
            return Expect::Name;
        }
        level.index += 1;
        let index = level.index;
        self.match_index(index);
        Expect::Value
    }

    /// The innermost array stands at this element: notes whether it is the one that the pointer names.
    fn match_index(&mut self, index: usize) {
        if self.matched + 1 == self.stack.len()
            && self.pointer.get(self.matched).is_some_and(|token| is_index(token, index))
        {
            self.matched += 1;
        }
    }

    /// The innermost object stands at the member just named: notes whether it is the one that the pointer names.
    fn match_name(&mut self) {
        if self.matched + 1 != self.stack.len() || self.name.len() > LONGEST_NAME {
            return;
        }
        if self.pointer.get(self.matched).is_some_and(|token| Text::new(&self.name).is(token.as_bytes())) {
            self.matched += 1;
        }
    }

    fn close(&mut self) -> Expect {
        self.stack.pop();
        self.matched = self.matched.min(self.stack.len());
        self.after_value()
    }

    fn after_value(&self) -> Expect {
        if self.stack.is_empty() { Expect::Finished } else { Expect::CommaOrEnd }
    }

    fn in_object(&self) -> bool {
        self.stack.last().is_some_and(|level| level.is_object)
    }

    fn keep_name(&mut self, part: &[u8]) {
        if self.name.len() <= LONGEST_NAME {
            self.name.extend_from_slice(&part[..part.len().min(LONGEST_NAME + 1)]);
        }
    }

    fn keep_escape(&mut self, in_name: bool, byte: u8) {
        if in_name {
            self.keep_name(&[byte]);
        }
    }
}

/// A token names an element when it is its index in decimal, without leading zeros (RFC 6901, section 4).
fn is_index(token: &str, index: usize) -> bool {
    token.parse() == Ok(index) && (token == "0" || !token.starts_with(['0', '+']))
}

fn in_string(in_name: bool) -> Expect {
    if in_name { Expect::InName } else { Expect::InString }
}

impl NumberPart {
    /// The part that the number is in after this byte; nothing when the byte does not belong to it.
    fn after(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Minus, b'0') => Some(Self::Zero),
            (Self::Minus, b'1'..=b'9') | (Self::Integer, b'0'..=b'9') => Some(Self::Integer),
            (Self::Zero | Self::Integer, b'.') => Some(Self::Dot),
            (Self::Dot | Self::Fraction, b'0'..=b'9') => Some(Self::Fraction),
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Some(Self::Exponent),
            (Self::Exponent, b'+' | b'-') => Some(Self::ExponentSign),
            (Self::Exponent | Self::ExponentSign | Self::ExponentDigits, b'0'..=b'9') => Some(Self::ExponentDigits),
            _ => None,
        }
    }

    fn may_end(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::ExponentDigits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks `text` in chunks of every size and expects the target at one offset, and the outcome at the end.
    fn check(text: &str, pointer: &[&str], target: Option<usize>, last: Result<Step, Broken>) {
        for chunk in 1..=text.len().max(1) {
            let mut walker = Walker::new(pointer.iter().map(|token| (*token).to_owned()).collect(), 8);
            let (mut offset, mut met) = (0, None);
            let mut outcome = Ok(Step::NeedMore);
            'chunks: for part in text.as_bytes().chunks(chunk) {
                let mut at = 0;
                while at < part.len() {
                    outcome = walker.walk(part, &mut at);
                    match outcome {
                        Ok(Step::Target) if met.is_none() => {
                            met = Some(offset + at);
                            break 'chunks;
                        }
                        Ok(Step::NeedMore) => {}
                        _ => break 'chunks,
                    }
                }
                offset += part.len();
            }
            if outcome == Ok(Step::NeedMore) {
                outcome = Ok(walker.end_of_input());
            }
            assert_eq!(met, target, "target in {text} by {chunk}");
            if target.is_none() {
                assert_eq!(outcome, last, "end of {text} by {chunk}");
            }
        }
    }

    #[test]
    fn pointers_lead_to_their_value() {
        let done = || Ok(Step::Finished);
        check("[1]", &[], Some(0), done());
        check(r#"{"a":[1]}"#, &["a"], Some(5), done());
        check(r#"{"b":{"a":0},"a":[1]}"#, &["a"], Some(17), done());
        check(r#"{"a":1,"b":{"a":{},"c" : 5}}"#, &["b", "c"], Some(25), done());
        check(r#"[[0],[1, {"x":[]}]]"#, &["1", "1", "x"], Some(14), done());
        check(r#"[[7]]"#, &["0", "0"], Some(2), done());
        check(r#"{"a\u0062":[1]}"#, &["ab"], Some(11), done());
        check(r#"{"x":[[],{}],"a":1}"#, &["b"], None, done());
        check(r#"[1]"#, &["1"], None, done());
        check(r#"{"a":{"b":1},"c":2}"#, &["a", "c"], None, done());
        check("12", &["a"], None, done());
        check("[1,2]", &["01"], None, done());
        check(r#"{"0":[1]}"#, &["0"], Some(5), done());
    }

    #[test]
    fn broken_text_is_refused() {
        let away = ["none"];
        let broken = |expected| Err(Broken::Grammar(expected));
        check("{,}", &away, None, broken("a member name in quotes"));
        check("[1 2]", &away, None, broken("`,` or a closing bracket"));
        check("[1}", &away, None, broken("`,` or a closing bracket"));
        check("[01]", &away, None, broken("`,` or a closing bracket"));
        check("[1.]", &away, None, broken("a digit"));
        check("[tru]", &away, None, broken("`true`, `false` or `null`"));
        check(r#"["\x"]"#, &away, None, broken("a valid escape sequence"));
        check(r#"{"a" 1}"#, &away, None, broken("`:`"));
        check("[[[[[[[[[", &away, None, Err(Broken::TooDeep));
        check("[1,]", &away, None, broken("a JSON value"));
        check("{\"a", &away, None, Ok(Step::NeedMore));
    }
}
