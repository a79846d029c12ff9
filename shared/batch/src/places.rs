//! The places that a function may touch, and how a refusal says what to do.

use object_store::{ObjectAddress, ObjectError, Places};

/// The environment variable that lists where a function may read: `bucket/prefix,bucket`.
pub const READ_VARIABLE: &str = "MAPMILL_READ";

/// The environment variable that lists where a function may write.
pub const WRITE_VARIABLE: &str = "MAPMILL_WRITE";

/// Refuses to read outside the places, and names the variable that lists them.
///
/// # Errors
/// [`object_store::ErrorClass::Denied`].
pub fn check_read(places: &Places, address: &ObjectAddress) -> Result<(), ObjectError> {
    places.check("open", address).map_err(|error| with_hint(error, READ_VARIABLE))
}

/// Refuses to write outside the places, and names the variable that lists them.
///
/// # Errors
/// [`object_store::ErrorClass::Denied`].
pub fn check_write(places: &Places, address: &ObjectAddress) -> Result<(), ObjectError> {
    places.check("put", address).map_err(|error| with_hint(error, WRITE_VARIABLE))
}

fn with_hint(error: ObjectError, variable: &str) -> ObjectError {
    let message = format!("{}; the function's environment variable {variable} lists what is allowed", error.message);
    ObjectError { message, ..error }
}
