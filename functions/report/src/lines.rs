//! JSON objects of any number out of files of any size: JSON Lines, or the elements of an array.
//!
//! Bytes go through the record engine, which cuts them into records of a limited length and reports what is no JSON. What
//! comes out are blocks of whole lines, so that memory holds one block and one record whatever the file holds. Many small
//! files would each cost the waiting time of a request; [`Ahead`] therefore opens several of them before they are needed
//! and keeps the first bytes of each.

use batch::BatchError;
use bytes::Bytes;
use object_store::{ErrorClass, ObjectAddress, ObjectError, ObjectStore, OpenRequest, ResumeOptions, ResumingReader};
use record_stream::{Flow, JsonLayout, JsonMode, Progress, RecordFormat, RecordLimits, RecordStream, StreamOptions};
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio_util::task::AbortOnDropHandle;

/// Files that are opened before they are needed.
const FILES_AHEAD: usize = 24;

/// Bytes of each of them that are held.
const BYTES_AHEAD: usize = 256 << 10;

/// About the size of a block of lines.
const BLOCK_BYTES: usize = 256 << 10;

/// The longest record: a child of a Distributed Map has an input and an output of 256 KiB each, as text within text.
const RECORD_BYTES: usize = 4 << 20;

/// The longest file that is read whole: a plan, a manifest of a Map Run, an earlier `report.json`.
const WHOLE_BYTES: usize = 8 << 20;

/// How the records of a file lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One a line.
    Lines,
    /// The elements of an array, or one after another.
    Elements,
    /// The elements of the array under this name.
    Member(&'static str),
}

/// A file that is open, with its first bytes.
pub(crate) struct Begun {
    first: VecDeque<Bytes>,
    /// None when the first bytes are all of them.
    rest: Option<ResumingReader>,
}

/// Opens a file and reads its first bytes.
async fn begin(store: Arc<dyn ObjectStore>, address: ObjectAddress) -> Result<Begun, ObjectError> {
    let mut reader = ResumingReader::open(store, OpenRequest::whole(address), ResumeOptions::default()).await?;
    let (mut first, mut bytes) = (VecDeque::new(), 0);
    while bytes < BYTES_AHEAD {
        match reader.next().await? {
            Some(chunk) => {
                bytes += chunk.len();
                first.push_back(chunk);
            }
            None => return Ok(Begun { first, rest: None }),
        }
    }
    Ok(Begun { first, rest: Some(reader) })
}

/// Records of one file, a block at a time.
pub(crate) struct Lines {
    begun: Begun,
    stream: RecordStream,
    block: Vec<u8>,
    has_ended: bool,
    /// The file is cut off or no JSON: what comes behind cannot be read.
    pub(crate) is_broken: bool,
    /// Records that are no JSON, or longer than allowed.
    pub(crate) refused: u64,
}

impl Lines {
    pub(crate) fn new(begun: Begun, layout: Layout) -> Self {
        let format = match layout {
            Layout::Lines => RecordFormat::NdJson,
            Layout::Elements => RecordFormat::Json(JsonLayout::default()),
            Layout::Member(name) => {
                RecordFormat::Json(JsonLayout { pointer: vec![name.to_owned()], mode: JsonMode::Array })
            }
        };
        let limits =
            RecordLimits { record_bytes: RECORD_BYTES, output_bytes: 2 * RECORD_BYTES, ..RecordLimits::default() };
        let options = StreamOptions { limits, ..StreamOptions::new(format) };
        let stream = RecordStream::new(&options);
        Self { begun, stream, block: Vec::new(), has_ended: false, is_broken: false, refused: 0 }
    }

    /// Whole lines of JSON; none at the end.
    ///
    /// # Errors
    /// That of the store. What is wrong with the bytes is counted instead.
    pub(crate) async fn block(&mut self) -> Result<Option<&[u8]>, ObjectError> {
        self.block.clear();
        while !self.has_ended && self.block.len() < BLOCK_BYTES {
            let refused = &mut self.refused;
            let mut count = |_: record_stream::Reject<'_>| {
                *refused += 1;
                Flow::Continue
            };
            match self.stream.process(false, &mut self.block, BLOCK_BYTES, &mut count) {
                Ok(Progress::NeedInput) => {}
                Ok(_) => continue,
                Err(_) => {
                    self.give_up();
                    break;
                }
            }
            match self.begun.next().await? {
                Some(chunk) => self.stream.fill(&chunk),
                None => {
                    // The rest has no line end behind it.
                    let rest = self.stream.process(true, &mut self.block, usize::MAX, &mut count);
                    self.has_ended = true;
                    self.is_broken |= rest.is_err();
                }
            }
        }
        Ok((!self.block.is_empty()).then_some(self.block.as_slice()))
    }

    fn give_up(&mut self) {
        (self.has_ended, self.is_broken) = (true, true);
    }
}

impl Begun {
    async fn next(&mut self) -> Result<Option<Bytes>, ObjectError> {
        if let Some(chunk) = self.first.pop_front() {
            return Ok(Some(chunk));
        }
        match &mut self.rest {
            Some(reader) => reader.next().await,
            None => Ok(None),
        }
    }
}

/// Opens one file for its records; none when there is none.
pub(crate) async fn open(
    store: &Arc<dyn ObjectStore>,
    address: &ObjectAddress,
    layout: Layout,
) -> Result<Option<Lines>, BatchError> {
    match begin(Arc::clone(store), address.clone()).await {
        Ok(begun) => Ok(Some(Lines::new(begun, layout))),
        Err(error) if error.class == ErrorClass::NotFound => Ok(None),
        Err(error) => Err(unread(&error)),
    }
}

/// The lines of a block.
pub(crate) fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    block.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// Opens files in order, several before they are needed.
pub(crate) struct Ahead<T> {
    store: Arc<dyn ObjectStore>,
    opening: VecDeque<(T, AbortOnDropHandle<Result<Begun, ObjectError>>)>,
}

impl<T> Ahead<T> {
    pub(crate) fn new(store: &Arc<dyn ObjectStore>) -> Self {
        Self { store: Arc::clone(store), opening: VecDeque::new() }
    }

    /// True when another file may be opened.
    pub(crate) fn has_room(&self) -> bool {
        self.opening.len() < FILES_AHEAD
    }

    /// Begins to open a file. `about` comes back with it.
    pub(crate) fn open(&mut self, about: T, address: ObjectAddress) {
        let opening = tokio::spawn(begin(Arc::clone(&self.store), address));
        self.opening.push_back((about, AbortOnDropHandle::new(opening)));
    }

    /// The next file, in the order in which they were opened; none when none is being opened.
    pub(crate) async fn next(&mut self) -> Result<Option<(T, Begun)>, BatchError> {
        let Some((about, opening)) = self.opening.pop_front() else { return Ok(None) };
        let opened =
            opening.await.map_err(|error| BatchError::Internal(format!("a task of the report ended: {error}")))?;
        Ok(Some((about, opened.map_err(|error| unread(&error))?)))
    }
}

/// A file of the run that cannot be read. One that changes while it is read belongs to a batch that still runs: EXPRESS
/// children go on for a while after their run was stopped.
pub(crate) fn unread(error: &ObjectError) -> BatchError {
    let doing = "a file of the run cannot be read";
    match error.class {
        ErrorClass::Changed | ErrorClass::NotFound => {
            BatchError::Transient(format!("{doing}, a batch may still run: {error}"))
        }
        _ => BatchError::from_store(doing, error),
    }
}

/// A file that is read whole, as JSON. None when there is none and it is not needed.
pub(crate) async fn json<T: DeserializeOwned>(
    store: &Arc<dyn ObjectStore>,
    address: &ObjectAddress,
    what: &str,
    is_needed: bool,
) -> Result<Option<T>, BatchError> {
    let begun = match begin(Arc::clone(store), address.clone()).await {
        Ok(begun) => begun,
        Err(error) if !is_needed && error.class == ErrorClass::NotFound => return Ok(None),
        Err(error) => return Err(BatchError::from_store(&format!("{what} cannot be read"), &error)),
    };
    whole(begun, address, what).await.map(Some)
}

/// The rest of a file that is read whole, as JSON.
pub(crate) async fn whole<T: DeserializeOwned>(
    mut begun: Begun,
    address: &ObjectAddress,
    what: &str,
) -> Result<T, BatchError> {
    let mut text = Vec::new();
    while let Some(chunk) = begun.next().await.map_err(|error| unread(&error))? {
        if text.len() + chunk.len() > WHOLE_BYTES {
            let message = format!("{what} ({address}) is longer than {WHOLE_BYTES} bytes");
            return Err(BatchError::InvalidEvent(message));
        }
        text.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&text).map_err(|error| {
        BatchError::InvalidEvent(format!("{what} ({address}) is not what this version of Mapmill writes: {error}"))
    })
}
