//! DeleteObjects: many keys in one request, each with an end of its own.

use s3s::dto::{DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETagCondition, Error, ObjectIdentifier};

use super::errors::to_s3;
use super::objects::write_condition;
use super::refuse;
use crate::s3::error::StoreError;
use crate::s3::store::ObjectStore;

/// Most keys of one request.
const MAX_KEYS: usize = 1_000;

pub(super) async fn delete(store: &ObjectStore, input: DeleteObjectsInput) -> Result<DeleteObjectsOutput, StoreError> {
    store.bucket(&input.bucket)?;
    let objects = input.delete.objects;
    if objects.is_empty() || objects.len() > MAX_KEYS {
        let what = format!("DeleteObjects names {} keys: expected 1 to {MAX_KEYS}", objects.len());
        return Err(StoreError::InvalidArgument { what });
    }
    let quiet = input.delete.quiet.unwrap_or(false);
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for object in objects {
        let key = object.key.clone();
        match delete_one(store, &input.bucket, object).await {
            Ok(()) if quiet => {}
            Ok(()) => deleted.push(DeletedObject { key: Some(key), ..DeletedObject::default() }),
            Err(error) => {
                let error = to_s3(error);
                errors.push(Error {
                    code: Some(error.code().as_str().to_owned()),
                    key: Some(key),
                    message: error.message().map(str::to_owned),
                    ..Error::default()
                });
            }
        }
    }
    Ok(DeleteObjectsOutput {
        deleted: (!deleted.is_empty()).then_some(deleted),
        errors: (!errors.is_empty()).then_some(errors),
        ..DeleteObjectsOutput::default()
    })
}

async fn delete_one(store: &ObjectStore, bucket: &str, object: ObjectIdentifier) -> Result<(), StoreError> {
    refuse(&[
        ("VersionId in DeleteObjects", object.version_id.is_some()),
        ("LastModifiedTime in DeleteObjects", object.last_modified_time.is_some()),
        ("Size in DeleteObjects", object.size.is_some()),
    ])?;
    let condition = write_condition(object.e_tag.map(ETagCondition::ETag), None)?;
    store.delete(bucket, &object.key, condition).await
}
