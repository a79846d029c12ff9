//! Bodies: streams of bytes that may end with an error.

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use crate::error::ObjectError;

/// The bytes of an object, in chunks of any size.
pub type Body = BoxStream<'static, Result<Bytes, ObjectError>>;

/// Looks at the first bytes of a body without losing them.
///
/// Returns at least `wanted` bytes, or all when the body is shorter, and a body that begins with those bytes again.
pub async fn peek(mut body: Body, wanted: usize) -> Result<(Bytes, Body), ObjectError> {
    let mut first = BytesMut::new();
    while first.len() < wanted {
        match body.try_next().await? {
            Some(chunk) => first.extend_from_slice(&chunk),
            None => break,
        }
    }
    let first = first.freeze();
    let again = first.clone();
    Ok((first, stream::once(async move { Ok(again) }).chain(body).boxed()))
}
