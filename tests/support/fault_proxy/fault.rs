//! The faults, and their text form.

use futures::future::BoxFuture;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// What is done to a request, its answer or one of their bodies. Bytes are counted in the body of the answer, from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `reset`: the connection is reset before anything is forwarded.
    Reset,
    /// `reset@N`: the connection is reset after N bytes of the answer.
    ResetAfter(u64),
    /// `upload-reset@N`: the connection is reset after N bytes of the request's body were forwarded.
    ResetUpload(u64),
    /// `lost`: the request is forwarded and done, and the connection is reset instead of its answer.
    Lost,
    /// `truncate@N`: the answer ends after N bytes, though its header promises more.
    Truncate(u64),
    /// `shorten@N`: the answer ends after N bytes, and its header promises no more than that.
    Shorten(u64),
    /// `stall@N`: N bytes of the answer, and then nothing for as long as the client waits.
    Stall(u64),
    /// `silence`: no answer at all for as long as the client waits.
    Silence,
    /// `trickle@N`: the answer at N bytes a second.
    Trickle(u64),
    /// `corrupt@N`: the byte N of the answer is another one.
    Corrupt(u64),
    /// `checksum`: the answer carries a checksum that is not that of its body.
    Checksum,
    /// `400` and so on: an answer with this status and the error code that S3 gives with it. `503+2` also says
    /// `Retry-After: 2`, in seconds.
    Answer {
        /// The HTTP status, from 400 to 599.
        status: u16,
        /// Seconds of `Retry-After`.
        retry_after: Option<u64>,
    },
    /// Only for tests: something is done before the request is forwarded.
    First(Action),
}

/// Something that a test does between two requests.
#[derive(Clone)]
pub struct Action(Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>);

impl Action {
    /// An action that is done whenever its rule fits.
    pub fn new<Work>(action: impl Fn() -> Work + Send + Sync + 'static) -> Self
    where
        Work: Future<Output = ()> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(action())))
    }

    pub(super) async fn run(&self) {
        (self.0)().await;
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Action")
    }
}

impl PartialEq for Action {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Action {}

/// A text that names no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a fault: reset, reset@N, upload-reset@N, lost, truncate@N, shorten@N, stall@N, silence, trickle@N, \
     corrupt@N, checksum, or a status from 400 to 599 such as 500, 503 or 503+2; found {0:?}"
)]
pub struct ParseFaultError(String);

impl FromStr for Fault {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Self, ParseFaultError> {
        let unknown = || ParseFaultError(text.to_owned());
        if let Some((name, count)) = text.split_once('@') {
            let count = count.parse().map_err(|_| unknown())?;
            return match name {
                "reset" => Ok(Self::ResetAfter(count)),
                "upload-reset" => Ok(Self::ResetUpload(count)),
                "truncate" => Ok(Self::Truncate(count)),
                "shorten" => Ok(Self::Shorten(count)),
                "stall" => Ok(Self::Stall(count)),
                "trickle" if count > 0 => Ok(Self::Trickle(count)),
                "corrupt" => Ok(Self::Corrupt(count)),
                _ => Err(unknown()),
            };
        }
        match text {
            "reset" => return Ok(Self::Reset),
            "lost" => return Ok(Self::Lost),
            "silence" => return Ok(Self::Silence),
            "checksum" => return Ok(Self::Checksum),
            _ => {}
        }
        let (status, seconds) = text.split_once('+').map_or((text, None), |(status, seconds)| (status, Some(seconds)));
        let status = status.parse().ok().filter(|status| (400..600).contains(status)).ok_or_else(unknown)?;
        let retry_after = seconds.map(str::parse).transpose().map_err(|_| unknown())?;
        Ok(Self::Answer { status, retry_after })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reset => formatter.write_str("reset"),
            Self::ResetAfter(bytes) => write!(formatter, "reset@{bytes}"),
            Self::ResetUpload(bytes) => write!(formatter, "upload-reset@{bytes}"),
            Self::Lost => formatter.write_str("lost"),
            Self::Truncate(bytes) => write!(formatter, "truncate@{bytes}"),
            Self::Shorten(bytes) => write!(formatter, "shorten@{bytes}"),
            Self::Stall(bytes) => write!(formatter, "stall@{bytes}"),
            Self::Silence => formatter.write_str("silence"),
            Self::Trickle(rate) => write!(formatter, "trickle@{rate}"),
            Self::Corrupt(offset) => write!(formatter, "corrupt@{offset}"),
            Self::Checksum => formatter.write_str("checksum"),
            Self::Answer { status, retry_after: None } => write!(formatter, "{status}"),
            Self::Answer { status, retry_after: Some(seconds) } => write!(formatter, "{status}+{seconds}"),
            Self::First(_) => formatter.write_str("first"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_as_they_are_written() {
        let texts = "reset reset@10 upload-reset@0 lost truncate@1 shorten@2 stall@3 silence trickle@4 corrupt@5 \
                     checksum 400 404 503 503+2";
        for text in texts.split_whitespace() {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
        assert_eq!("503+2".parse(), Ok(Fault::Answer { status: 503, retry_after: Some(2) }));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "rest", "reset@", "reset@-1", "lost@1", "trickle@0", "200", "600", "503+", "503+x", "first"] {
            let error = text.parse::<Fault>().unwrap_err();
            assert!(error.to_string().contains("expected a fault"), "{text}");
        }
    }
}
