//! The name of a field within its record: segments separated by `/`. Refuses anything that two readers could
//! take for different paths, or that could not be printed. Specification: `proto/README.md` section 9.

use std::fmt;

use crate::RecordError;

/// Longest path, in bytes of UTF-8.
pub const MAX_PATH_BYTES: usize = 512;

/// A field's path, such as `chemistry/C`: 1 to 512 bytes, no empty segment, no control character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(String);

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// `BadPath` when it is empty, too long, has an empty segment or a control character.
    pub fn new(text: &str) -> Result<Self, RecordError> {
        let bounded = !text.is_empty() && text.len() <= MAX_PATH_BYTES;
        if bounded && text.split('/').all(is_segment) {
            Ok(Self(text.to_owned()))
        } else {
            Err(RecordError::BadPath)
        }
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as the bytes that are hashed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_segment(segment: &str) -> bool {
    !segment.is_empty() && !segment.chars().any(char::is_control)
}
