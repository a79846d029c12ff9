//! A body as an asynchronous reader that counts the bytes that were used.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures::StreamExt;
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use crate::body::Body;

/// Hands out the chunks of a body without copying them. Errors of the body travel inside `io::Error`.
pub(super) struct CountingReader {
    body: Body,
    chunk: Bytes,
    used: Arc<AtomicU64>,
}

impl CountingReader {
    pub(super) fn new(body: Body, used: Arc<AtomicU64>) -> Self {
        Self { body, chunk: Bytes::new(), used }
    }
}

impl AsyncBufRead for CountingReader {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let reader = self.get_mut();
        while reader.chunk.is_empty() {
            match ready!(reader.body.poll_next_unpin(context)) {
                Some(Ok(chunk)) => reader.chunk = chunk,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => break,
            }
        }
        Poll::Ready(Ok(&reader.chunk))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        let reader = self.get_mut();
        reader.chunk.advance(amount);
        reader.used.fetch_add(amount as u64, Ordering::Relaxed);
    }
}

impl AsyncRead for CountingReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let available = ready!(self.as_mut().poll_fill_buf(context))?;
        let count = available.len().min(buffer.remaining());
        buffer.put_slice(&available[..count]);
        self.consume(count);
        Poll::Ready(Ok(()))
    }
}
