//! Options of the form `NAME=VALUE`, checked at the edge.

use std::path::PathBuf;
use std::str::FromStr;

/// A function and the program that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FunctionProgram {
    pub(super) name: String,
    pub(super) path: PathBuf,
}

impl FromStr for FunctionProgram {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, path) = pair(text, "NAME=PATH")?;
        Ok(Self { name: name.to_owned(), path: PathBuf::from(path) })
    }
}

/// A variable for every function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) value: String,
}

impl FromStr for Variable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').ok_or_else(|| expected(text, "NAME=VALUE"))?;
        let fits = !name.is_empty()
            && !name.starts_with(|sign: char| sign.is_ascii_digit())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !fits || value.contains('\0') {
            return Err(expected(text, "NAME=VALUE with a name of letters, digits and `_`"));
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

/// How many of the requests to a bucket are refused with `SlowDown`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SlowBucket {
    pub(super) bucket: String,
    /// 0 to 1.
    pub(super) share: f64,
}

impl FromStr for SlowBucket {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = "BUCKET=PERCENT with 0 to 100 percent";
        let (bucket, percent) = pair(text, wanted)?;
        let percent: f64 = percent.parse().map_err(|_| expected(text, wanted))?;
        if !(0.0..=100.0).contains(&percent) {
            return Err(expected(text, wanted));
        }
        Ok(Self { bucket: bucket.to_owned(), share: percent / 100.0 })
    }
}

fn pair<'a>(text: &'a str, wanted: &str) -> Result<(&'a str, &'a str), String> {
    let found = text.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty());
    found.ok_or_else(|| expected(text, wanted))
}

fn expected(text: &str, wanted: &str) -> String {
    format!("expected {wanted}, found {text:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_checked() {
        let function = |text: &str| text.parse::<FunctionProgram>().map(|function| function.name);
        assert_eq!(function("transform=/bin/transform"), Ok("transform".to_owned()));
        assert_eq!(function("a=b=c").as_deref(), Ok("a"));
        assert!(function("transform").is_err() && function("=x").is_err() && function("x=").is_err());
        let variable = |text: &str| text.parse::<Variable>().map(|variable| variable.value);
        assert_eq!(variable("A_1="), Ok(String::new()));
        assert_eq!(variable("A=b=c"), Ok("b=c".to_owned()));
        assert!(variable("1A=x").is_err() && variable("A B=x").is_err() && variable("A").is_err());
        let slow = |text: &str| text.parse::<SlowBucket>().map(|slow| slow.share);
        assert_eq!(slow("raw=5"), Ok(0.05));
        assert!(slow("raw=101").is_err() && slow("raw=x").is_err() && slow("raw=NaN").is_err());
    }
}
