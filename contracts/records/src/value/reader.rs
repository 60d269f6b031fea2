//! Reads encodings from the front, never past their end. Refuses what is shorter than it says.

use super::Relation;
use crate::RecordError;

/// Reads an encoding from the front; never past its end.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(RecordError::NotCanonical)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        self.take(N)?.try_into().map_err(|_| RecordError::NotCanonical)
    }

    pub(super) fn byte(&mut self) -> Result<u8, RecordError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn flag(&mut self) -> Result<bool, RecordError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(RecordError::NotCanonical),
        }
    }

    pub(super) fn text(&mut self, count: usize) -> Result<String, RecordError> {
        let bytes = self.take(count)?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| RecordError::NotCanonical)
    }

    pub(super) fn rest_text(&mut self) -> Result<String, RecordError> {
        self.text(self.0.len())
    }

    pub(super) fn relation(&mut self) -> Result<Relation, RecordError> {
        Relation::from_code(self.byte()?).ok_or(RecordError::NotCanonical)
    }
}
