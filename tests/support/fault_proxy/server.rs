//! Accepting connections, forwarding requests.

use super::answer;
use super::fault::Fault;
use super::flow::{Bandwidth, BoxError, Flow, LONGEST_STALL, Line, Outgoing, Spoil, drain};
use super::plan::Plan;
use super::record::{Moment, Record, Records};
use super::request::{Operation, Subject};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// Connections at the same time; more wait.
const MAX_CONNECTIONS: usize = 1024;

/// Waiting time after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A checksum of the right length that no body has by accident.
const WRONG_CRC32: &str = "AAAAAA==";

/// A running proxy. Dropping it ends it and all its connections.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    records: Arc<Records>,
    task: JoinHandle<()>,
}

impl FaultProxy {
    /// Listens on 127.0.0.1, at a free port if `port` is 0, and forwards to the server at `upstream`.
    ///
    /// # Errors
    /// The port cannot be bound.
    pub async fn start(upstream: SocketAddr, port: u16, plan: Plan) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let records = Arc::new(Records::default());
        let bandwidth = plan.bytes_per_second.map(|rate| Arc::new(Bandwidth::new(rate)));
        let proxy = Arc::new(Proxy { upstream, plan, records: Arc::clone(&records), bandwidth });
        Ok(Self { address, records, task: tokio::spawn(serve(listener, proxy)) })
    }

    /// The endpoint for clients.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far, in the order of their coming.
    #[must_use]
    pub fn requests(&self) -> Vec<Record> {
        self.records.all()
    }

    /// The requests for one operation on one object (`bucket/key`).
    #[must_use]
    pub fn requests_of(&self, operation: Operation, object: &str) -> Vec<Record> {
        let of_it = |record: &Record| record.operation == operation && record.object == object;
        self.requests().into_iter().filter(of_it).collect()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Proxy {
    upstream: SocketAddr,
    plan: Plan,
    records: Arc<Records>,
    bandwidth: Option<Arc<Bandwidth>>,
}

async fn serve(listener: TcpListener, proxy: Arc<Proxy>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // Dropped with this task, and then every connection ends.
    let mut connections = JoinSet::new();
    loop {
        let accept = async {
            let place = Arc::clone(&places).acquire_owned().await;
            listener.accept().await.map(|(stream, _)| (stream, place))
        };
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = accept => match accepted {
                Ok((stream, place)) => {
                    let proxy = Arc::clone(&proxy);
                    connections.spawn(async move {
                        // Broken connections are what this program is for.
                        let _ = connect(stream, proxy).await;
                        drop(place);
                    });
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}

async fn connect(stream: TcpStream, proxy: Arc<Proxy>) -> Result<(), BoxError> {
    stream.set_nodelay(true)?;
    let stream = stream.into_std()?;
    let line = Line(Arc::new(stream.try_clone()?));
    let stream = TcpStream::from_std(stream)?;
    let service = service_fn(|request| proxy.handle(request, line.clone()));
    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await?;
    Ok(())
}

impl Proxy {
    async fn handle(&self, request: Request<Incoming>, line: Line) -> Result<Response<Outgoing>, BoxError> {
        let subject = Subject::of(request.method(), request.uri());
        let header = |name: &str| {
            let value = request.headers().get(name).and_then(|value| value.to_str().ok());
            value.map(str::to_owned)
        };
        let decide = |subject: &Subject, nth: u32| self.plan.fault(subject, nth);
        let line_of_request = format!("{} {}", request.method(), request.uri());
        let record = self.records.add(subject, line_of_request, header("range"), header("if-match"), decide);
        self.tell(record.as_ref(), Moment::Arrived);
        let fault = record.as_ref().and_then(|record| record.fault.clone());
        match &fault {
            Some(Fault::Reset) => {
                line.reset();
                return Err("reset".into());
            }
            Some(Fault::Silence) => {
                sleep(LONGEST_STALL).await;
                return Err("silence".into());
            }
            Some(Fault::Answer { status, retry_after }) => {
                drain(request.into_body()).await?;
                return Ok(answer::error(*status, *retry_after));
            }
            Some(Fault::First(action)) => action.run().await,
            _ => {}
        }
        let answer = match self.forward(request, &record, &line).await {
            Ok(answer) => answer,
            Err(error) => {
                line.reset();
                return Err(error);
            }
        };
        if fault == Some(Fault::Lost) {
            // An answer may begin before the request is done.
            drain(answer.into_body()).await?;
            self.tell(record.as_ref(), Moment::Answered);
            line.reset();
            return Err("lost".into());
        }
        self.tell(record.as_ref(), Moment::Answered);
        Ok(self.answer(answer, fault.as_ref(), line))
    }

    /// Sends a request on, over a connection of its own.
    async fn forward(
        &self,
        request: Request<Incoming>,
        record: &Option<Record>,
        line: &Line,
    ) -> Result<Response<Incoming>, BoxError> {
        let stream = TcpStream::connect(self.upstream).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the answer.
        tokio::spawn(connection);
        let (mut head, body) = request.into_parts();
        head.headers.remove(CONNECTION);
        head.headers.remove(TRANSFER_ENCODING);
        let body = if body.is_end_stream() {
            Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync()
        } else {
            let meter =
                record.clone().zip(self.plan.observer.clone()).map(|(record, observer)| -> super::flow::Meter {
                    Box::new(move |bytes| observer(&record, Moment::Sent(bytes)))
                });
            let spoil = Spoil::of_request(record.as_ref().and_then(|record| record.fault.as_ref()));
            Flow { body, spoil, line: line.clone(), bandwidth: self.bandwidth.clone(), meter }.into_body()
        };
        Ok(sender.send_request(Request::from_parts(head, body)).await?)
    }

    /// Sends an answer on.
    fn answer(&self, answer: Response<Incoming>, fault: Option<&Fault>, line: Line) -> Response<Outgoing> {
        let (mut head, body) = answer.into_parts();
        head.headers.remove(CONNECTION);
        head.headers.remove(TRANSFER_ENCODING);
        match fault {
            Some(Fault::Shorten(bytes)) => {
                let length =
                    head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
                let shorter = length.map_or(*bytes, |length| length.min(*bytes));
                head.headers.insert(CONTENT_LENGTH, shorter.into());
            }
            Some(Fault::Checksum) => {
                head.headers.insert("x-amz-checksum-crc32", HeaderValue::from_static(WRONG_CRC32));
            }
            _ => {}
        }
        let bandwidth = self.bandwidth.clone();
        let flow = Flow { body, spoil: Spoil::of_answer(fault), line, bandwidth, meter: None };
        Response::from_parts(head, flow.into_body())
    }

    fn tell(&self, record: Option<&Record>, moment: Moment) {
        if let (Some(record), Some(observer)) = (record, &self.plan.observer) {
            observer(record, moment);
        }
    }
}
