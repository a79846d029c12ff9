//! GetObjectTagging, PutObjectTagging and DeleteObjectTagging.

use s3s::dto::{
    DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectTaggingInput, GetObjectTaggingOutput,
    PutObjectTaggingInput, PutObjectTaggingOutput, Tag,
};

use super::refuse;
use crate::s3::error::StoreError;
use crate::s3::store::ObjectStore;
use crate::s3::tags::Tags;

pub(super) fn get(store: &ObjectStore, input: &GetObjectTaggingInput) -> Result<GetObjectTaggingOutput, StoreError> {
    refuse(&[("versionId", input.version_id.is_some())])?;
    let tags = store.tags(&input.bucket, &input.key)?;
    let tag_set = tags.pairs().iter().map(|(key, value)| Tag { key: Some(key.clone()), value: Some(value.clone()) });
    Ok(GetObjectTaggingOutput { tag_set: tag_set.collect(), ..GetObjectTaggingOutput::default() })
}

pub(super) async fn put(
    store: &ObjectStore,
    input: PutObjectTaggingInput,
) -> Result<PutObjectTaggingOutput, StoreError> {
    refuse(&[("versionId", input.version_id.is_some())])?;
    let pairs = input.tagging.tag_set.into_iter();
    let pairs = pairs.map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()));
    store.set_tags(&input.bucket, &input.key, Tags::new(pairs.collect())?).await?;
    Ok(PutObjectTaggingOutput::default())
}

pub(super) async fn delete(
    store: &ObjectStore,
    input: &DeleteObjectTaggingInput,
) -> Result<DeleteObjectTaggingOutput, StoreError> {
    refuse(&[("versionId", input.version_id.is_some())])?;
    store.set_tags(&input.bucket, &input.key, Tags::default()).await?;
    Ok(DeleteObjectTaggingOutput::default())
}

/// The tags of the header of a write.
pub(super) fn of_header(header: Option<&str>) -> Result<Tags, StoreError> {
    header.map_or_else(|| Ok(Tags::default()), Tags::of_header)
}
