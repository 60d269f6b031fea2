//! What became of a lot. Names resolve for ever: who has an old one, from a label or a paper, finds the lot that it is now.

use crate::{Desk, DeskError};
use heatmark_lots::Kind;
use heatmark_vault::{LotEventRow, LotRow, LotState, VaultError};

/// How many events one name is followed through, so that no request takes for ever.
const MAX_STEPS: usize = 10_000;

impl Desk {
    /// The lot that a name leads to: that of the name, or what it was relabelled into since.
    pub(super) fn lot_of_name(&self, name: &str) -> Result<LotRow, DeskError> {
        let mut row = self.parts.vault.lot_named(name)?.ok_or(VaultError::UnknownLot)?;
        for _ in 0..MAX_STEPS {
            match self.use_of(&row)? {
                Some((Kind::Relabel, event)) => match self.continued(&row, &event)? {
                    Some(next) => row = next,
                    None => break,
                },
                _ => break,
            }
        }
        Ok(row)
    }

    /// The kind of event that used a lot, and the names of what it became.
    pub(super) fn became(
        &self,
        row: &LotRow,
    ) -> Result<(Option<&'static str>, Vec<String>), DeskError> {
        let Some((kind, event)) = self.use_of(row)? else { return Ok((None, Vec::new())) };
        let mut last = match self.continued(row, &event)? {
            Some(next) => next,
            None => return Ok((Some(kind.word()), self.names(&event)?)),
        };
        for _ in 0..MAX_STEPS {
            let Some((_, event)) = self.use_of(&last)? else { break };
            match self.continued(&last, &event)? {
                Some(next) => last = next,
                None => break,
            }
        }
        Ok((Some(kind.word()), vec![last.name]))
    }

    /// The event that used a lot, once it stands.
    fn use_of(&self, row: &LotRow) -> Result<Option<(Kind, LotEventRow)>, DeskError> {
        let Some(digest) = row.used_by.filter(|_| row.state == LotState::Used) else {
            return Ok(None);
        };
        let event = self.parts.vault.lot_event(&digest)?.ok_or(VaultError::Damaged)?;
        let kind = Kind::from_code(event.kind).map_err(|_| VaultError::Damaged)?;
        Ok(Some((kind, event)))
    }

    /// The lot that one is after an event that keeps each for itself, where it stayed here.
    fn continued(&self, row: &LotRow, event: &LotEventRow) -> Result<Option<LotRow>, DeskError> {
        let kind = Kind::from_code(event.kind).map_err(|_| VaultError::Damaged)?;
        let keeps =
            kind.is_pairwise() || matches!(kind, Kind::Repair | Kind::Adjust | Kind::Correct);
        let place = event.inputs.iter().position(|input| *input == row.hash);
        let next = place.filter(|_| keeps).and_then(|place| event.outputs.get(place));
        Ok(next.map(|next| self.parts.vault.lot(next)).transpose()?.flatten())
    }

    fn names(&self, event: &LotEventRow) -> Result<Vec<String>, DeskError> {
        let mut names = Vec::with_capacity(event.outputs.len());
        for output in &event.outputs {
            names.extend(self.parts.vault.lot(output)?.map(|lot| lot.name));
        }
        Ok(names)
    }
}
