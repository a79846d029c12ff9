//! Bodies on their way through the proxy: in small pieces, at a pace, and spoiled as the fault says.

use super::fault::Fault;
use bytes::{Bytes, BytesMut};
use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use std::error::Error;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// A body that the proxy sends on.
pub(super) type Outgoing = UnsyncBoxBody<Bytes, BoxError>;

/// The largest piece of a body that is forwarded at once, in bytes.
const PIECE_BYTES: usize = 16 * 1024;

/// Pieces a second of a body that trickles, unless it is slower than one byte each.
const TRICKLE_PIECES: u64 = 20;

/// Between the last bytes before a break and the break: what was sent before arrives before.
const BREAK_PAUSE: Duration = Duration::from_millis(20);

/// After this time a client that waits for a stalled body or a silent answer is hung up on.
pub(super) const LONGEST_STALL: Duration = Duration::from_secs(600);

/// The connection to a client, as far as it can be broken.
#[derive(Clone)]
pub(super) struct Line(pub(super) Arc<TcpStream>);

impl Line {
    /// Lets the connection end with a reset as soon as it is closed. What was not delivered yet is lost.
    pub(super) fn reset(&self) {
        // A connection that is gone already is reset enough.
        let _ = socket2::SockRef::from(&*self.0).set_linger(Some(Duration::ZERO));
    }
}

/// What is wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoil {
    Nothing,
    End(u64),
    Reset(u64),
    Stall(u64),
    Trickle(u64),
    Corrupt(u64),
}

impl Spoil {
    /// What a fault does to the body of an answer.
    pub(super) fn of_answer(fault: Option<&Fault>) -> Self {
        match fault {
            Some(Fault::ResetAfter(bytes)) => Self::Reset(*bytes),
            Some(Fault::Truncate(bytes) | Fault::Shorten(bytes)) => Self::End(*bytes),
            Some(Fault::Stall(bytes)) => Self::Stall(*bytes),
            Some(Fault::Trickle(rate)) => Self::Trickle(*rate),
            Some(Fault::Corrupt(offset)) => Self::Corrupt(*offset),
            _ => Self::Nothing,
        }
    }

    /// What a fault does to the body of a request.
    pub(super) fn of_request(fault: Option<&Fault>) -> Self {
        match fault {
            Some(Fault::ResetUpload(bytes)) => Self::Reset(*bytes),
            _ => Self::Nothing,
        }
    }

    /// The most bytes of the next piece after `passed`; 0 when it is time for the fault.
    fn room(self, passed: u64) -> usize {
        let room = match self {
            Self::End(bytes) | Self::Reset(bytes) | Self::Stall(bytes) => bytes.saturating_sub(passed),
            Self::Trickle(rate) => (rate / TRICKLE_PIECES).max(1),
            Self::Nothing | Self::Corrupt(_) => u64::MAX,
        };
        usize::try_from(room).unwrap_or(usize::MAX).min(PIECE_BYTES)
    }
}

/// Bytes a second that all bodies share.
#[derive(Debug)]
pub(super) struct Bandwidth {
    bytes_per_second: u64,
    free_at: Mutex<Instant>,
}

impl Bandwidth {
    pub(super) fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), free_at: Mutex::new(Instant::now()) }
    }

    /// Waits for the turn of so many bytes.
    async fn pass(&self, bytes: usize) {
        let turn = {
            let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
            *free_at = (*free_at).max(Instant::now()) + time_for(bytes, self.bytes_per_second);
            *free_at
        };
        sleep_until(turn).await;
    }
}

fn time_for(bytes: usize, bytes_per_second: u64) -> Duration {
    Duration::from_secs_f64(bytes as f64 / bytes_per_second as f64)
}

/// Told how many bytes have passed.
pub(super) type Meter = Box<dyn Fn(u64) + Send + Sync>;

/// A body, and what happens to it.
pub(super) struct Flow {
    pub(super) body: Incoming,
    pub(super) spoil: Spoil,
    pub(super) line: Line,
    pub(super) bandwidth: Option<Arc<Bandwidth>>,
    pub(super) meter: Option<Meter>,
}

impl Flow {
    pub(super) fn into_body(self) -> Outgoing {
        let state = Running { flow: self, ready: Bytes::new(), passed: 0 };
        StreamBody::new(stream::try_unfold(state, Running::next)).boxed_unsync()
    }
}

struct Running {
    flow: Flow,
    /// Bytes that came and were not forwarded yet.
    ready: Bytes,
    passed: u64,
}

impl Running {
    async fn next(mut self) -> Result<Option<(Frame<Bytes>, Self)>, BoxError> {
        let room = self.flow.spoil.room(self.passed);
        if room == 0 {
            return Err(self.fail().await);
        }
        while self.ready.is_empty() {
            let Some(frame) = self.flow.body.frame().await else { return Ok(None) };
            self.ready = frame?.into_data().unwrap_or_default();
        }
        let mut piece = self.ready.split_to(self.ready.len().min(room));
        match self.flow.spoil {
            Spoil::Trickle(rate) => sleep(time_for(piece.len(), rate)).await,
            Spoil::Corrupt(offset) => piece = corrupt(piece, offset.checked_sub(self.passed)),
            _ => {}
        }
        if let Some(bandwidth) = &self.flow.bandwidth {
            bandwidth.pass(piece.len()).await;
        }
        self.passed += piece.len() as u64;
        if let Some(meter) = &self.flow.meter {
            meter(self.passed);
        }
        Ok(Some((Frame::data(piece), self)))
    }

    /// Ends the body in the way of its fault.
    async fn fail(&self) -> BoxError {
        match self.flow.spoil {
            Spoil::Reset(_) => {
                sleep(BREAK_PAUSE).await;
                self.flow.line.reset();
            }
            Spoil::Stall(_) => sleep(LONGEST_STALL).await,
            _ => sleep(BREAK_PAUSE).await,
        }
        "the fault proxy broke the body".into()
    }
}

/// The piece with another byte at an offset, if that is inside.
fn corrupt(piece: Bytes, offset: Option<u64>) -> Bytes {
    let Some(offset) = offset.and_then(|offset| usize::try_from(offset).ok()).filter(|offset| *offset < piece.len())
    else {
        return piece;
    };
    let mut bytes = BytesMut::from(piece);
    bytes[offset] ^= 0x55;
    bytes.freeze()
}

/// Reads a body to its end and forgets it.
pub(super) async fn drain(mut body: Incoming) -> Result<(), hyper::Error> {
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok(())
}
