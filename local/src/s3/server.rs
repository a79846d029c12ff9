//! The HTTP server in front of a store, on loopback only.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use super::service::Service;
use super::store::ObjectStore;

/// The access key that clients of the embedded S3 must use. It protects nothing; it makes clients sign, as S3 does.
pub const ACCESS_KEY_ID: &str = "mapmill-local";

/// The secret that belongs to [`ACCESS_KEY_ID`].
pub const SECRET_ACCESS_KEY: &str = "mapmill-local-secret";

/// The region clients should name. Any other is accepted as well.
pub const REGION: &str = "us-east-1";

/// Connections served at the same time; more wait until one ends.
const MAX_CONNECTIONS: usize = 1024;

/// How long requests in flight may take when the server shuts down.
const GRACE: Duration = Duration::from_secs(5);

/// Waiting time after a connection could not be accepted, for instance because no file descriptor was free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The port cannot be bound.
    #[error("cannot listen on 127.0.0.1 port {port}: choose another port, or 0 for any free one")]
    Bind {
        /// The port asked for.
        port: u16,
        /// The cause.
        source: std::io::Error,
    },
}

/// A running server. Dropping it ends the server at once; [`S3Server::shutdown`] lets requests in flight finish.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl S3Server {
    /// Starts to serve `store` on 127.0.0.1. Port 0 takes any free port. Needs a Tokio runtime.
    ///
    /// # Errors
    /// [`ServerError::Bind`].
    pub async fn start(store: Arc<ObjectStore>, port: u16) -> Result<Self, ServerError> {
        let bind = |source| ServerError::Bind { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let mut builder = S3ServiceBuilder::new(Service::new(store));
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY_ID, SECRET_ACCESS_KEY));
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(listener, builder.build(), stopped));
        Ok(Self { address, stop: Some(stop), task })
    }

    /// The address the server listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint to give to a client. It is an IP address, so SDKs put the bucket into the path.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The environment variables by which the `aws` command and every SDK find the server.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL_S3", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY.to_owned()),
            ("AWS_REGION", REGION.to_owned()),
        ]
    }

    /// Stops accepting, lets requests in flight finish for at most five seconds and ends the server.
    pub async fn shutdown(mut self) {
        if let Some(stop) = self.stop.take() {
            // The receiver is gone only when the server has ended already.
            let _ = stop.send(());
        }
        let _ = (&mut self.task).await;
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, service: S3Service, mut stopped: oneshot::Receiver<()>) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // Dropped with this task, and then every connection ends.
    let mut connections = JoinSet::new();
    loop {
        // Without a place nothing is accepted and clients wait in the backlog of the socket.
        let accept = async {
            let place = Arc::clone(&places).acquire_owned().await;
            listener.accept().await.map(|(stream, _)| (stream, place))
        };
        tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = accept => match accepted {
                Ok((stream, place)) => {
                    let connection = graceful.watch(connect(stream, service.clone()));
                    connections.spawn(async move {
                        // Broken connections are the client's affair; it sees the error itself.
                        let _ = connection.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
    connections.shutdown().await;
}

fn connect(stream: TcpStream, service: S3Service) -> http1::Connection<TokioIo<TcpStream>, S3Service> {
    // Small answers should not wait for more; a failure costs only speed.
    let _ = stream.set_nodelay(true);
    http1::Builder::new().serve_connection(TokioIo::new(stream), service)
}
