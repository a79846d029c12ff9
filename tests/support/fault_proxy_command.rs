//! The command `fault-proxy`: the fault proxy by hand, in front of any S3 on this machine.

use clap::Parser;
use std::io::Write;
use std::net::SocketAddr;
use tests::fault_proxy::{FaultProxy, Moment, Plan, Record, Rule};

const RULES: &str = "\
A rule has four words: OPERATION OBJECT WHICH FAULT[,FAULT]. The first rule that fits a request decides.

  OPERATION  get, head, put, delete, create, part, complete, abort, other, or * for all
  OBJECT     a glob over bucket/key
  WHICH      * for all; 2 or 1-3 counts the requests for an operation on an object or part;
             33%7 for a random third (seed 7)
  FAULT      reset         the connection is reset before anything is forwarded
             reset@N       ... after N bytes of the answer
             upload-reset@N  ... after N bytes of the request's body were forwarded
             lost          the request is done, and the connection is reset instead of the answer
             truncate@N    the answer ends after N bytes, its header promises more
             shorten@N     the answer ends after N bytes, as its header promises
             stall@N       N bytes of the answer, and then nothing
             silence       no answer at all
             trickle@N     the answer at N bytes a second
             corrupt@N     byte N of the answer is another one
             checksum      the answer has a wrong checksum
             500, 503+2    this status, with Retry-After in seconds after the plus sign

Several faults come in turn, or are drawn like the share.

  fault-proxy --upstream 127.0.0.1:9000 --rule 'get raw/*.gz 1 reset@1000' --rule '* * 33%7 500,lost'";

/// An HTTP proxy on 127.0.0.1 that makes trouble for clients of the S3 behind it. Give it to them as their endpoint, in
/// AWS_ENDPOINT_URL_S3. Every request is printed with what was done to it.
#[derive(Debug, Parser)]
#[command(name = "fault-proxy", after_help = RULES)]
struct Options {
    /// Address and port of the S3, which speaks HTTP.
    #[arg(long)]
    upstream: SocketAddr,
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// A rule; may be given again.
    #[arg(long)]
    rule: Vec<Rule>,
    /// The most bytes a second of all bodies together.
    #[arg(long)]
    bytes_per_second: Option<u64>,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let options = Options::parse();
    let mut plan = Plan::default();
    (plan.rules, plan.bytes_per_second) = (options.rule, options.bytes_per_second);
    let plan = plan.with_observer(|record: &Record, moment| {
        if moment == Moment::Arrived {
            // Nobody reads any more; the proxy goes on.
            let _ = writeln!(std::io::stdout().lock(), "{record}");
        }
    });
    let proxy = FaultProxy::start(options.upstream, options.port, plan).await?;
    writeln!(std::io::stdout().lock(), "listening on {}", proxy.endpoint())?;
    std::future::pending().await
}
