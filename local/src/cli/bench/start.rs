//! `mapmill bench start`: how long does a function take from the start of its process until it asks for its first event?
//!
//! That is the part of a cold start that a program decides; Lambda's own part, fetching the zip and starting a machine, is not
//! in it. Programs take turns in each round, so what slows down this machine for a while slows down all of them.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use clap::{Args, value_parser};
use serde::Serialize;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::cli::run::program_folder;
use crate::cli::signals::StopSignals;
use crate::cli::{CommandError, Exit, Terminal, block_on};

/// The functions of Mapmill.
const FUNCTIONS: [&str; 3] = ["plan", "transform", "report"];

/// A program that asks for nothing in this time is taken to be no function; Lambda gives it as long.
const LONGEST_START: Duration = Duration::from_secs(10);

/// What every function asks for when it is ready.
const FIRST_REQUEST: &[u8] = b"GET /2018-06-01/runtime/invocation/next ";

/// Where systems keep the certificates that programs trust, in one file. Lambda has the first; without a name many systems have
/// each certificate searched for in a folder besides, which no function on Lambda has to do.
const CERTIFICATES: [&str; 2] = ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt"];

/// Measures how long functions take from the start of their process until they ask for their first event.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mapmill bench start\n  mapmill bench start --beside target/release/hello --json")]
pub(super) struct Arguments {
    /// The folder of the function programs; without it the folder of this program
    #[arg(long, value_name = "DIR")]
    functions: Option<PathBuf>,

    /// Another function program, whose time is taken from that of the others
    #[arg(long, value_name = "PROGRAM")]
    beside: Option<PathBuf>,

    /// How often each is started
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u32).range(1..=10_000))]
    repeat: u32,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// How long a program took, in milliseconds.
#[derive(Debug, Serialize)]
struct Figures {
    program: String,
    median_ms: f64,
    /// Nine of ten starts took at most that.
    ninth_decile_ms: f64,
    /// The median without that of the program beside.
    over_beside_ms: Option<f64>,
}

pub(super) fn run(arguments: &Arguments, terminal: &Terminal) -> Result<Exit, CommandError> {
    if cfg!(debug_assertions) {
        terminal.warning("this mapmill was built without full optimisation; so are perhaps the functions beside it");
    }
    block_on(async {
        let mut signals = StopSignals::listen()?;
        tokio::select! {
            signal = signals.stopped() => Ok(Exit::Stopped(signal)),
            figures = measure(arguments, terminal) => {
                show(&figures?, arguments.json, terminal)?;
                Ok(Exit::Success)
            }
        }
    })
}

fn show(figures: &[Figures], as_json: bool, terminal: &Terminal) -> Result<(), CommandError> {
    if as_json {
        terminal.json(&serde_json::to_value(figures).map_err(CommandError::failed)?);
        return Ok(());
    }
    for Figures { program, median_ms, ninth_decile_ms, over_beside_ms } in figures {
        let over = over_beside_ms.map_or_else(String::new, |over| format!(", {over:+.1} ms over the other program"));
        terminal.line(format!("{program:<12} {median_ms:>6.1} ms, nine of ten within {ninth_decile_ms:.1} ms{over}"));
    }
    Ok(())
}

async fn measure(arguments: &Arguments, terminal: &Terminal) -> Result<Vec<Figures>, CommandError> {
    let folder = program_folder(arguments.functions.as_deref())?;
    let mut programs: Vec<PathBuf> = arguments.beside.clone().into_iter().collect();
    programs.extend(FUNCTIONS.map(|name| folder.join(name)));
    let mut times = vec![Vec::new(); programs.len()];
    let mut progress = terminal.progress(u64::from(arguments.repeat), "rounds");
    for round in 0..=arguments.repeat {
        for (program, times) in programs.iter().zip(&mut times) {
            let took = start(program).await?;
            // In the first round the programs come from the disk.
            if round > 0 {
                times.push(took);
            }
        }
        progress.set(u64::from(round));
    }
    progress.finish();
    let mut figures: Vec<Figures> = Vec::new();
    for (program, mut times) in programs.iter().zip(times) {
        times.sort_unstable();
        let at = |part: f64| times[((times.len() - 1) as f64 * part).round() as usize].as_secs_f64() * 1_000.0;
        let median_ms = at(0.5);
        let beside = figures.first().filter(|_| arguments.beside.is_some());
        let over_beside_ms = beside.map(|beside| median_ms - beside.median_ms);
        let program = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        figures.push(Figures { program, median_ms, ninth_decile_ms: at(0.9), over_beside_ms });
    }
    Ok(figures)
}

/// Starts a program as Lambda does, and ends it when it has asked for an event.
async fn start(program: &Path) -> Result<Duration, CommandError> {
    let failed = |message: String| CommandError::usage(format!("{}: {message}", program.display()));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(CommandError::failed)?;
    let address = listener.local_addr().map_err(CommandError::failed)?.to_string();
    let variables = [
        ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/bench"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "none"),
        ("AWS_SECRET_ACCESS_KEY", "none"),
        ("MAPMILL_READ", "raw"),
        ("MAPMILL_WRITE", "clean"),
    ];
    let mut command = Command::new(program);
    let certificates = CERTIFICATES.into_iter().find(|file| Path::new(file).exists());
    let certificates = certificates.map(|file| ("SSL_CERT_FILE", file));
    command
        .env_clear()
        .envs(variables)
        .envs(certificates)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let begin = Instant::now();
    let mut process = command.kill_on_drop(true).spawn().map_err(|error| failed(error.to_string()))?;
    let asked = async {
        let (mut connection, _) = listener.accept().await?;
        let mut request = [0; FIRST_REQUEST.len()];
        connection.read_exact(&mut request).await?;
        Ok::<_, std::io::Error>((request, begin.elapsed(), connection))
    };
    let result = tokio::select! {
        asked = tokio::time::timeout(LONGEST_START, asked) => match asked {
            Ok(Ok((request, took, _))) if request == *FIRST_REQUEST => Ok(took),
            Ok(Ok(_)) => Err(failed("expected a Lambda function, but it asks for something else than an event".to_owned())),
            Ok(Err(error)) => Err(CommandError::failed(error)),
            Err(_) => Err(failed(format!("it asked for no event in {} s", LONGEST_START.as_secs()))),
        },
        ended = process.wait() => match ended {
            Ok(status) => Err(failed(format!("it ended before it asked for an event ({status})"))),
            Err(error) => Err(CommandError::failed(error)),
        },
    };
    // Nothing is left of it when the next one is started.
    let _ended = process.kill().await;
    result
}
