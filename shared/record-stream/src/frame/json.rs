//! JSON records: the elements of an array, or values one after another.
//!
//! The walker leads to the array or the outermost value; elements are found by counting brackets (`structure`), so an
//! array is never held, only the element being read. The grammar inside an element is checked later, on its slice.

use super::structure::Brackets;
use super::walker::{Broken, Step, Walker};
use super::{Failure, Flow, Frame};
use crate::checkpoint::{ArrayExpects, ArrayPlace, Framing};
use crate::error::Problem;
use crate::json::{is_whitespace, scan_string, skip_whitespace};
use crate::limits::RecordLimits;

/// What the value at the pointer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JsonMode {
    /// An array gives its elements; anything else is one record. At the top, more values may follow it.
    #[default]
    Auto,
    /// One record.
    Document,
    /// An array whose elements are the records.
    Array,
}

/// How records lie in a JSON object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JsonLayout {
    /// The reference tokens of a JSON Pointer (RFC 6901) to the value that holds the records; none for the outermost.
    pub pointer: Vec<String>,
    /// What that value is.
    pub mode: JsonMode,
}

#[derive(Debug)]
enum State {
    /// Before the first value, or on the pointer's way to it.
    Walking,
    /// Inside the array, where an element or its end may come.
    FirstElementOrEnd,
    Element,
    CommaOrEnd,
    /// Between values that follow one another at the top.
    BetweenValues,
    /// Inside a record that began at the first unconsumed byte.
    Record(Search),
    /// Inside a record that was too long.
    Discarding(Search),
    /// Behind the array.
    Trailing,
}

/// How the end of the record is being looked for.
#[derive(Debug, Clone)]
enum Search {
    Container(Brackets),
    String { searched: usize },
    Scalar { searched: usize },
}

/// Finds records in JSON text.
#[derive(Debug)]
pub(crate) struct JsonFramer {
    mode: JsonMode,
    /// The records are at the top, not at the end of a pointer.
    is_top: bool,
    limit: usize,
    depth_limit: usize,
    walker: Walker,
    state: State,
    in_array: bool,
    /// Offset in the object of the first byte of the next call's input, for messages.
    consumed: u64,
}

impl JsonFramer {
    pub(crate) fn new(layout: JsonLayout, limits: &RecordLimits) -> Self {
        let depth_limit = limits.depth.min(RecordLimits::DEPTH_CEILING);
        Self {
            mode: layout.mode,
            is_top: layout.pointer.is_empty(),
            limit: limits.record_bytes,
            depth_limit,
            walker: Walker::new(layout.pointer, depth_limit),
            state: State::Walking,
            in_array: false,
            consumed: 0,
        }
    }

    /// Says that bytes before the JSON text (a byte order mark) were taken by others.
    pub(crate) fn skip(&mut self, bytes: usize) {
        self.consumed += bytes as u64;
    }

    /// Where the framer stands, if that is between two records; a record that has begun is read again from its start.
    pub(crate) fn checkpoint(&self) -> Option<Framing> {
        let expects = match self.state {
            State::FirstElementOrEnd => ArrayExpects::FirstElementOrEnd,
            State::CommaOrEnd => ArrayExpects::CommaOrEnd,
            State::Element => ArrayExpects::Element,
            State::Record(_) if self.in_array => ArrayExpects::Element,
            State::BetweenValues if self.mode == JsonMode::Auto => return Some(Framing::Values),
            State::Record(_) if self.is_top && self.mode == JsonMode::Auto => return Some(Framing::Values),
            _ => return None,
        };
        let (levels, matched) = self.walker.levels();
        Some(Framing::Array(ArrayPlace { expects, levels: levels.to_vec(), matched }))
    }

    /// Goes on at a checkpoint that stands at this byte of the object.
    pub(crate) fn resume(&mut self, byte: u64, framing: &Framing) -> Result<(), Problem> {
        self.consumed = byte;
        match framing {
            Framing::Values if self.is_top && self.mode == JsonMode::Auto => self.state = State::BetweenValues,
            Framing::Array(place) if self.mode != JsonMode::Document => {
                self.walker.resume_at_target(place.levels.clone(), place.matched);
                self.in_array = true;
                self.state = match place.expects {
                    ArrayExpects::FirstElementOrEnd => State::FirstElementOrEnd,
                    ArrayExpects::Element => State::Element,
                    ArrayExpects::CommaOrEnd => State::CommaOrEnd,
                };
            }
            _ => return Err(Problem::CheckpointMismatch),
        }
        Ok(())
    }

    /// Calls `sink` for each record in `input`; answers the bytes consumed.
    pub(crate) fn frame(
        &mut self,
        input: &[u8],
        end_of_input: bool,
        sink: &mut dyn FnMut(Frame) -> Flow,
    ) -> Result<usize, Failure> {
        let mut at = 0;
        while self.step(input, end_of_input, &mut at, sink)? == Flow::Continue {}
        self.consumed += at as u64;
        Ok(at)
    }

    /// One move of the state machine; `Stop` when more input is needed, all is read, or the sink wants to stop.
    fn step(
        &mut self,
        input: &[u8],
        end: bool,
        at: &mut usize,
        sink: &mut dyn FnMut(Frame) -> Flow,
    ) -> Result<Flow, Failure> {
        match &mut self.state {
            State::Walking | State::Trailing => self.walk(input, end, at),
            State::Record(_) => self.record(input, end, at, sink),
            State::Discarding(search) => {
                let found = search.find_end(&input[*at..], end && self.is_top && !self.in_array);
                if let Some(length) = found {
                    *at += length;
                    self.after_record();
                    return Ok(Flow::Continue);
                }
                *at += search.forget(input.len() - *at);
                self.need_more(end, *at, "a JSON value")
            }
            _ => self.between(input, end, at),
        }
    }

    fn between(&mut self, input: &[u8], end: bool, at: &mut usize) -> Result<Flow, Failure> {
        *at = skip_whitespace(input, *at);
        let Some(byte) = input.get(*at).copied() else {
            if matches!(self.state, State::BetweenValues) {
                return Ok(Flow::Stop);
            }
            return self.need_more(end, *at, "the JSON array of records");
        };
        let closes_array = byte == b']' && !matches!(self.state, State::Element | State::BetweenValues);
        if closes_array {
            *at += 1;
            self.walker.value_was_read();
            self.state = State::Trailing;
            return Ok(Flow::Continue);
        }
        match self.state {
            State::CommaOrEnd if byte == b',' => {
                *at += 1;
                self.state = State::Element;
            }
            State::CommaOrEnd => return Err(self.broken("`,` or `]` after an element of the array", *at)),
            State::BetweenValues if self.mode == JsonMode::Document => {
                return Err(self.broken("nothing after the JSON document", *at));
            }
            _ => self.state = State::Record(self.begin(byte, *at)?),
        }
        Ok(Flow::Continue)
    }

    fn begin(&self, byte: u8, at: usize) -> Result<Search, Failure> {
        match byte {
            b'{' | b'[' => Ok(Search::Container(Brackets::default())),
            b'"' => Ok(Search::String { searched: 1 }),
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => Ok(Search::Scalar { searched: 0 }),
            _ => Err(self.broken("a JSON value", at)),
        }
    }

    fn record(
        &mut self,
        input: &[u8],
        end: bool,
        at: &mut usize,
        sink: &mut dyn FnMut(Frame) -> Flow,
    ) -> Result<Flow, Failure> {
        let State::Record(search) = &mut self.state else { return Ok(Flow::Stop) };
        let start = *at;
        let rest = &input[start..];
        // The end of the input ends a number at the top; elsewhere it cuts it short.
        let frame = match search.find_end(rest, end && self.is_top && !self.in_array) {
            Some(length) if length <= self.limit => {
                *at += length;
                Frame::Record(start..start + length)
            }
            Some(length) => {
                *at += length;
                Frame::Rejected(start..start + self.limit, Problem::RecordTooLarge { limit: self.limit })
            }
            None if rest.len() > self.limit => {
                let mut search = search.clone();
                *at += search.forget(rest.len());
                self.state = State::Discarding(search);
                let problem = Problem::RecordTooLarge { limit: self.limit };
                return Ok(sink(Frame::Rejected(start..start + self.limit, problem)));
            }
            None => return self.need_more(end, start, "a JSON value"),
        };
        self.after_record();
        Ok(sink(frame))
    }

    fn after_record(&mut self) {
        self.state = match (self.in_array, self.is_top) {
            (true, _) => State::CommaOrEnd,
            (false, true) => State::BetweenValues,
            (false, false) => {
                self.walker.value_was_read();
                State::Trailing
            }
        };
    }

    /// Leads to the records, or to the end of the text behind them.
    fn walk(&mut self, input: &[u8], end: bool, at: &mut usize) -> Result<Flow, Failure> {
        let mut step = self.walker.walk(input, at).map_err(|broken| match broken {
            Broken::Grammar(expected) => self.broken(expected, *at),
            Broken::TooDeep => {
                let problem = Problem::StructureTooDeep { limit: self.depth_limit, byte: self.consumed + *at as u64 };
                Failure { problem, offset: *at }
            }
        })?;
        if step == Step::NeedMore && end {
            step = self.walker.end_of_input();
        }
        match step {
            Step::Target => self.target(input[*at], at),
            Step::Finished if !self.walker.found() => Err(Failure { problem: Problem::PointerNotFound, offset: *at }),
            Step::Finished => {
                *at = skip_whitespace(input, *at);
                if *at < input.len() {
                    return Err(self.broken("nothing after the JSON array of records", *at));
                }
                Ok(Flow::Stop)
            }
            Step::NeedMore if end && self.walker.is_at_start() => {
                Err(Failure { problem: Problem::NoJsonValue, offset: *at })
            }
            Step::NeedMore => self.need_more(end, *at, "the JSON text around the records"),
        }
    }

    fn target(&mut self, byte: u8, at: &mut usize) -> Result<Flow, Failure> {
        match (self.mode, byte) {
            (JsonMode::Array | JsonMode::Auto, b'[') => {
                *at += 1;
                self.in_array = true;
                self.state = State::FirstElementOrEnd;
            }
            (JsonMode::Array, other) => {
                let found = match other {
                    b'{' => "an object",
                    b'"' => "a string",
                    b't' | b'f' => "a boolean",
                    b'n' => "null",
                    b'-' | b'0'..=b'9' => "a number",
                    _ => return Err(self.broken("a JSON value", *at)),
                };
                return Err(Failure { problem: Problem::PointerNotAnArray { found }, offset: *at });
            }
            _ => self.state = State::Record(self.begin(byte, *at)?),
        }
        Ok(Flow::Continue)
    }

    fn need_more(&self, end: bool, offset: usize, inside: &'static str) -> Result<Flow, Failure> {
        if end { Err(Failure { problem: Problem::UnexpectedEnd { inside }, offset }) } else { Ok(Flow::Stop) }
    }

    fn broken(&self, expected: &'static str, at: usize) -> Failure {
        let problem = Problem::InvalidJsonStructure { expected, byte: self.consumed + at as u64 };
        Failure { problem, offset: at }
    }
}

impl Search {
    /// End of the record in `text`, which begins where the search began (or where it last forgot).
    fn find_end(&mut self, text: &[u8], end_is_complete: bool) -> Option<usize> {
        match self {
            Self::Container(brackets) => brackets.find_end(text),
            Self::String { searched } => loop {
                let stop = scan_string(text, *searched);
                *searched = stop;
                match text.get(stop) {
                    Some(b'"') => return Some(stop + 1),
                    Some(b'\\') if stop + 1 >= text.len() => return None,
                    Some(b'\\') => *searched = stop + 2,
                    // A control character: the check of the record will refuse it.
                    Some(_) => *searched = stop + 1,
                    None => return None,
                }
            },
            Self::Scalar { searched } => {
                let ends = |byte: &u8| is_whitespace(*byte) || matches!(byte, b',' | b']' | b'}');
                match text[*searched..].iter().position(ends) {
                    Some(found) => Some(*searched + found),
                    None if end_is_complete => Some(text.len()),
                    None => {
                        *searched = text.len();
                        None
                    }
                }
            }
        }
    }

    /// Gives up the bytes already searched, of `available`; answers how many.
    fn forget(&mut self, available: usize) -> usize {
        let searched = match self {
            Self::Container(brackets) => &mut brackets.scanned,
            Self::String { searched } | Self::Scalar { searched } => searched,
        };
        let forgotten = (*searched).min(available);
        *searched -= forgotten;
        forgotten
    }
}
