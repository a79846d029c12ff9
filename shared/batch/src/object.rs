//! One object: read, expand, reshape, compress, write.

use crate::item_error::ItemError;
use crate::ledger::WrittenObject;
use crate::outcome::{Bytes, Records};
use crate::rejects::RejectHandler;
use crate::stream_options::StreamPlan;
use job::{Job, OutputCompression};
use object_store::{
    Compression, Compressor, ETag, ErrorClass, Expander, ExpansionLimits, ObjectAddress, ObjectStore, ObjectWriter,
    OpenRequest, ResumeOptions, ResumingReader, WriteRequest, WriterOptions, detect_compression, peek,
};
use record_stream::{Progress, RecordCounts, RecordStream};
use std::sync::Arc;

/// Bytes read from the expander at a time.
const CHUNK_BYTES: usize = 128 * 1024;

/// Lines gather up to this many bytes before they are compressed and handed on.
const LINES_TARGET: usize = 128 * 1024;

/// First bytes of an object that decide about compression and format.
const PEEK_BYTES: usize = 4 * 1024;

/// What is the same for every object of a batch.
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) job: Job,
    pub(crate) plan: StreamPlan,
    pub(crate) store: Arc<dyn ObjectStore>,
}

/// Where an object is and where what becomes of it goes; all are checked to be allowed.
pub(crate) struct Addresses {
    pub(crate) source: ObjectAddress,
    pub(crate) output: ObjectAddress,
    pub(crate) rejects: ObjectAddress,
}

/// What came of an object, also of one that failed on the way.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) etag: Option<String>,
    pub(crate) records: Records,
    pub(crate) bytes: Bytes,
    pub(crate) outputs: Vec<WrittenObject>,
    pub(crate) rejects: Option<WrittenObject>,
}

/// Processes one object. The report is filled as far as things went.
pub(crate) async fn process(
    run: &Run,
    Addresses { source, output: target, rejects: quarantine }: Addresses,
    etag: Option<ETag>,
    report: &mut Report,
) -> Result<(), ItemError> {
    let source = &source;
    let request = OpenRequest { if_match: etag, ..OpenRequest::whole(source.clone()) };
    let reader = ResumingReader::open(run.store.clone(), request, ResumeOptions::default()).await?;
    report.etag = Some(reader.etag().as_str().to_owned());
    let mut input = Input::open(run, source, reader).await?;
    let mut rejects = RejectHandler::new(&run.job.rejects, source, quarantine, run.store.clone());
    let mut output = Output::new(run, target);
    let mut result = stream_records(&mut input, &mut rejects, &mut output, report).await;
    report.bytes.read = input.expander.compressed_bytes();
    report.bytes.expanded = input.expander.expanded_bytes();
    // The quarantine object appears also when the object fails: it shows why. It comes before the output, so that an
    // output never stands there without its rejects.
    match rejects.finish().await {
        Ok(set_aside) => report.rejects = set_aside,
        Err(error) => result = result.and(Err(error)),
    }
    if let Err(error) = result {
        return Err(output.abort(error).await);
    }
    let written = output.finish().await?;
    report.bytes.written = written.bytes + report.rejects.as_ref().map_or(0, |object| object.bytes);
    report.outputs.push(WrittenObject { records: report.records.written, ..written });
    Ok(())
}

async fn stream_records(
    input: &mut Input,
    rejects: &mut RejectHandler,
    output: &mut Output,
    report: &mut Report,
) -> Result<(), ItemError> {
    let mut lines = Vec::new();
    let mut chunk = std::mem::take(&mut input.first);
    let mut length = chunk.len();
    chunk.resize(CHUNK_BYTES.max(length), 0);
    loop {
        let is_end = length == 0;
        input.stream.fill(&chunk[..length]);
        loop {
            let progress = input.stream.process(is_end, &mut lines, LINES_TARGET, &mut |reject| {
                let flow = rejects.take(&reject);
                if rejects.pending_bytes() >= LINES_TARGET { record_stream::Flow::Stop } else { flow }
            });
            rejects.flush().await?;
            let progress = progress?;
            output.write(&lines).await?;
            lines.clear();
            match progress {
                Progress::OutputFull | Progress::Stopped => {}
                Progress::NeedInput => break,
                Progress::Finished => {
                    let counts = input.stream.counts();
                    rejects.judge(counts)?;
                    report.records = records(counts);
                    return Ok(());
                }
            }
        }
        length = input.expander.read_chunk(&mut chunk).await?;
    }
}

fn records(counts: RecordCounts) -> Records {
    Records { read: counts.read, written: counts.written, filtered: counts.filtered, rejected: counts.rejected }
}

/// The expanded bytes of an object and the stream that reads them.
struct Input {
    expander: Expander,
    stream: RecordStream,
    /// The first bytes, which were looked at to tell the format.
    first: Vec<u8>,
}

impl Input {
    async fn open(run: &Run, source: &ObjectAddress, reader: ResumingReader) -> Result<Self, ItemError> {
        let job = &run.job;
        let content_type = reader.content_type().map(str::to_owned);
        let content_encoding = reader.content_encoding().map(str::to_owned);
        let (first, body) = peek(reader.into_body(), PEEK_BYTES).await?;
        let compression = match job.source.compression {
            job::Compression::Auto => detect_compression(source.key.as_str(), content_encoding.as_deref(), &first)
                .map_err(|unsupported| {
                    ItemError::new(ErrorClass::Configuration, "unsupported_compression", unsupported.to_string())
                })?,
            job::Compression::None => Compression::None,
            job::Compression::Gzip => Compression::Gzip,
            job::Compression::Zstd => Compression::Zstd,
            job::Compression::Bzip2 => return Err(unsupported("bzip2")),
            job::Compression::Xz => return Err(unsupported("xz")),
        };
        let limits = ExpansionLimits {
            expanded_bytes: job.limits.expanded_bytes.bytes(),
            expansion_ratio: job.limits.expansion_ratio,
            ..ExpansionLimits::default()
        };
        let mut expander = Expander::new(body, compression, limits, source.clone());
        let mut first = vec![0; PEEK_BYTES];
        let mut length = 0;
        while length < PEEK_BYTES {
            match expander.read_chunk(&mut first[length..]).await? {
                0 => break,
                more => length += more,
            }
        }
        first.truncate(length);
        let options = run.plan.for_object(job, source.key.as_str(), content_type.as_deref(), &first);
        let options = options.ok_or_else(|| {
            let message = "the format cannot be told from the extension, the content type or the first bytes; \
                           say it in source.format";
            ItemError::new(ErrorClass::Configuration, "unknown_format", message)
        })?;
        Ok(Self { expander, stream: RecordStream::new(&options), first })
    }
}

fn unsupported(name: &str) -> ItemError {
    let message = format!("objects compressed by {name} cannot be read");
    ItemError::new(ErrorClass::Configuration, "unsupported_compression", message)
}

/// The compressed output of an object.
struct Output {
    compressor: Compressor,
    writer: ObjectWriter,
    target: ObjectAddress,
}

impl Output {
    fn new(run: &Run, target: ObjectAddress) -> Self {
        let compression = match run.job.output.compression {
            OutputCompression::None => Compression::None,
            OutputCompression::Gzip => Compression::Gzip,
            OutputCompression::Zstd => Compression::Zstd,
        };
        let request =
            WriteRequest { content_type: Some("application/x-ndjson".to_owned()), ..WriteRequest::new(target.clone()) };
        Self {
            compressor: Compressor::new(compression, target.clone()),
            writer: ObjectWriter::new(run.store.clone(), request, WriterOptions::default()),
            target,
        }
    }

    async fn write(&mut self, lines: &[u8]) -> Result<(), ItemError> {
        if lines.is_empty() {
            return Ok(());
        }
        self.compressor.write(lines).await?;
        let compressed = self.compressor.output();
        self.writer.write(compressed).await?;
        compressed.clear();
        Ok(())
    }

    async fn finish(mut self) -> Result<WrittenObject, ItemError> {
        let compressed = self.compressor.finish().await?;
        self.writer.write(&compressed).await?;
        let written = self.writer.finish().await?;
        Ok(WrittenObject {
            bucket: self.target.bucket.as_str().to_owned(),
            key: self.target.key.as_str().to_owned(),
            bytes: written.bytes,
            records: 0,
            etag: Some(written.etag.as_str().to_owned()),
        })
    }

    /// Gives the output up and hands the error back that is to blame.
    async fn abort(self, error: ItemError) -> ItemError {
        if let Err(left_over) = self.writer.abort().await {
            tracing::warn!(error = %left_over, "an unfinished upload could not be removed");
        }
        error
    }
}
