//! Cuts a stream into pieces of one length. A full piece is held until more follows, since only then it is not the last.

use zeroize::Zeroizing;

use crate::ContentError;

/// Bytes that wait for the rest of their piece, wiped when they are dropped.
pub(super) struct Cutter {
    held: Zeroizing<Vec<u8>>,
    piece_bytes: usize,
}

impl Cutter {
    pub(super) fn new(piece_bytes: usize) -> Self {
        Self { held: Zeroizing::new(Vec::with_capacity(piece_bytes)), piece_bytes }
    }

    /// Hands on every piece that is now known not to be the last.
    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        mut piece: impl FnMut(&[u8]) -> Result<(), ContentError>,
    ) -> Result<(), ContentError> {
        loop {
            let missing = self.piece_bytes.saturating_sub(self.held.len());
            let Some((now, later)) =
                bytes.split_at_checked(missing).filter(|(_, later)| !later.is_empty())
            else {
                self.held.extend_from_slice(bytes);
                return Ok(());
            };
            if self.held.is_empty() {
                piece(now)?;
            } else {
                self.held.extend_from_slice(now);
                piece(&self.held)?;
                self.held.clear();
            }
            bytes = later;
        }
    }

    /// The last piece: at most the full length, and empty only if nothing ever came.
    pub(super) fn last(&self) -> &[u8] {
        &self.held
    }
}
