//! `mapmill sample`: many distinct objects from one file.

use std::path::PathBuf;

use clap::{Args, ValueEnum, value_parser};
use job::ByteSize;

use super::terminal::{human_bytes, human_count};
use super::{CommandError, Exit, Terminal};
use crate::sample::{self, MAX_OBJECTS, SampleCompression, SampleError, SampleOptions};

/// Makes many distinct objects from the records of one real file, to try a job at scale. Records are drawn at random
/// and copied as they are. The same file, options and seed give the same bytes on every machine.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  mapmill sample --from orders.csv --objects 65000 --size 200KB --seed 1 --out data/\n\n\
                        CSV files keep their header row in every object. From a JSON file, the elements of the array \
                  at the top are taken, or of the only array among the members of the object at the top, or the \
                  document itself."
)]
pub(super) struct Arguments {
    /// The file to take records from: .csv, .tsv, .ndjson, .jsonl or .json, at most 256 MiB
    #[arg(long, value_name = "FILE")]
    from: PathBuf,

    /// How many objects to make
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..=MAX_OBJECTS))]
    objects: u64,

    /// About how large each is before compression, such as 200KB or 1MiB; at most 1GiB
    #[arg(long, value_name = "BYTES", value_parser = ByteSize::parse)]
    size: ByteSize,

    /// Chooses what is drawn; any whole number
    #[arg(long, value_name = "S")]
    seed: u64,

    /// The folder to write to: OUT/000/part-000000.csv and so on
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// How to compress each object
    #[arg(long, value_enum, default_value_t = Compression::None)]
    compression: Compression,

    /// The field delimiter of a CSV file, one ASCII character [default: a comma, for .tsv a tab]
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    delimiter: Option<u8>,

    /// Write into a folder that is not empty; files of the same names are replaced
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n') => Ok(*byte),
        _ => Err("expected one ASCII character that is no quote and no line end".to_owned()),
    }
}

pub(super) fn run(arguments: Arguments, terminal: &Terminal) -> Result<Exit, CommandError> {
    let out = arguments.out.display().to_string();
    let options = SampleOptions {
        from: arguments.from,
        objects: arguments.objects,
        object_bytes: arguments.size.bytes(),
        seed: arguments.seed,
        out: arguments.out,
        compression: match arguments.compression {
            Compression::None => SampleCompression::None,
            Compression::Gzip => SampleCompression::Gzip,
            Compression::Zstd => SampleCompression::Zstd,
        },
        delimiter: arguments.delimiter,
        force: arguments.force,
    };
    let mut progress = terminal.progress(options.objects, "objects");
    let made = sample::make(&options, |done| progress.set(done));
    progress.finish();
    let report = made.map_err(|error| match error {
        SampleError::Write { .. } => CommandError::failed(error),
        _ => CommandError::usage(error),
    })?;
    terminal.line(format!(
        "{} objects, {} ({} written), from {} records, in {out}",
        human_count(report.objects),
        human_bytes(report.bytes),
        human_bytes(report.written_bytes),
        human_count(report.source_records),
    ));
    if report.duplicates > 0 {
        terminal.warning(format!(
            "{} objects have the same content as another one: the file has too few records for this many distinct \
             objects of this size",
            human_count(report.duplicates)
        ));
    }
    Ok(Exit::Success)
}
