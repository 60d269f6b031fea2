//! Pieces of ciphertext, asked for and sent. They say nothing to whoever has no secret; still only owner, agents, and the
//! buyers and arbiters of deals get them. Refuses pieces that nobody here waits for.

use super::depositing::member;
use super::{Outgoing, names};
use crate::{Desk, DeskError};
use heatmark_envelopes::RootHasher;
use heatmark_escrow::files::{PieceAsk, Pieces, TermsContent};
use heatmark_escrow::{Manifest, SectionEntry, Terms};
use heatmark_evidence::transfer::SignedFile as _;
use heatmark_ledger::ids::MemberId;
use heatmark_vault::{DealRole, DealRow, VaultError};

/// Pieces that are asked for at once: as many as a letter holds.
const PIECES_ASKED: u32 = 47;
/// Most bytes of pieces in one letter.
const MAX_LETTER_PIECES: usize = 3 << 20;

impl Desk {
    /// Somebody asks for pieces.
    pub(super) fn asked_for_pieces(
        &self,
        from: MemberId,
        content: &[u8],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let ask: PieceAsk = self.file_from(from, content)?;
        self.for_us(&ask.to)?;
        if !self.may_have(&from, &ask.root)? {
            return Err(DeskError::NotForUs);
        }
        let root: [u8; 32] = ask.root.as_slice().try_into().map_err(|_| DeskError::NotForUs)?;
        let (mut pieces, mut bytes) = (Vec::new(), 0_usize);
        for number in (ask.first..).take(usize::try_from(ask.count).unwrap_or(0)) {
            let Some(piece) = self.parts.vault.piece(&root, number)? else { break };
            bytes = bytes.saturating_add(piece.len());
            if bytes > MAX_LETTER_PIECES {
                break;
            }
            pieces.push(piece.to_vec());
        }
        let pieces = Pieces {
            from: self.parts.member.to_vec(),
            to: from.to_vec(),
            root: ask.root.clone(),
            first: ask.first,
            pieces,
            ..Pieces::default()
        };
        let content = pieces.signed(&self.parts.intake.network(), &self.parts.signing);
        Ok(vec![Outgoing { to: from, name: names::PIECES, content }])
    }

    fn may_have(&self, member: &MemberId, root: &[u8]) -> Result<bool, DeskError> {
        let held = |manifest: &Manifest| manifest.sections.iter().any(|entry| entry.root == root);
        for row in self.parts.vault.deposits()? {
            let manifest = self.manifest_of(&row.manifest)?;
            if held(&manifest) && manifest.index_of(member).is_some() {
                return Ok(true);
            }
        }
        for row in self.parts.vault.holdings()? {
            if row.manifest.is_empty() {
                continue;
            }
            let manifest = self.manifest_of(&row.manifest)?;
            if !held(&manifest) {
                continue;
            }
            let of_it = manifest.owner == member.as_bytes() || manifest.index_of(member).is_some();
            if of_it || self.deals_with(member, &row.digest)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a member is buyer or arbiter of a deal about a deposit that this organisation is an agent of.
    fn deals_with(&self, member: &MemberId, manifest: &[u8]) -> Result<bool, DeskError> {
        for row in self.parts.vault.deals()? {
            let agent = row.role == i32::from(DealRole::Agent) && row.manifest == manifest;
            if !agent || row.terms.is_empty() {
                continue;
            }
            let terms = self.terms_in(&row.terms)?;
            let arbiter = terms.arbiter.as_ref();
            let arbiter = arbiter.is_some_and(|party| party.member == member.as_bytes());
            if row.buyer == member.as_bytes() || arbiter {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The terms in what a row keeps of them.
    pub(super) fn terms_in(&self, content: &[u8]) -> Result<Terms, DeskError> {
        let content = TermsContent::read(content).map_err(|_| VaultError::Damaged)?;
        let terms: Terms =
            prost::Message::decode(content.terms.as_slice()).map_err(|_| VaultError::Damaged)?;
        Ok(terms)
    }

    /// Asks an agent of a deal for the next pieces that are missing, and the next agent where one does not answer.
    pub(super) fn missing_pieces(
        &self,
        row: &DealRow,
        section: &SectionEntry,
        terms: &Terms,
    ) -> Result<Option<Outgoing>, DeskError> {
        let agents: Result<Vec<MemberId>, DeskError> =
            terms.agents.iter().map(|agent| member(&agent.member)).collect();
        let Some(first) = self.first_missing(section)? else { return Ok(None) };
        let turn = self.turn((row.deal.clone(), section.root.clone()), first);
        let Some(turn) = turn else { return Ok(None) };
        let agents = agents?;
        let agent = agents.get(turn.checked_rem(agents.len()).unwrap_or(0));
        let agent = agent.ok_or(VaultError::Damaged)?;
        self.ask_for_pieces(section, first, agent).map(Some)
    }

    /// Whether pieces of a section are missing.
    pub(super) fn any_missing(&self, section: &SectionEntry) -> Result<bool, DeskError> {
        let content = section.content().ok_or(VaultError::Damaged)?;
        let missing = self.parts.vault.first_missing_piece(&content.root().0, content.pieces())?;
        Ok(missing.is_some())
    }

    /// The first piece that is missing; all of them where those that are here are not it.
    pub(super) fn first_missing(&self, section: &SectionEntry) -> Result<Option<u32>, DeskError> {
        let content = section.content().ok_or(VaultError::Damaged)?;
        let root = content.root().0;
        let missing = self.parts.vault.first_missing_piece(&root, content.pieces())?;
        if missing.is_none() && !self.is_whole(section)? {
            // Somebody sent what is not it, or it rotted: all of it is asked for again.
            self.parts.vault.drop_pieces(&root, content.pieces())?;
            return Ok(Some(0));
        }
        Ok(missing)
    }

    fn is_whole(&self, section: &SectionEntry) -> Result<bool, DeskError> {
        let content = section.content().ok_or(VaultError::Damaged)?;
        let mut hasher = RootHasher::new();
        for number in 0..content.pieces() {
            let Some(piece) = self.parts.vault.piece(&content.root().0, number)? else {
                return Ok(false);
            };
            if hasher.push(&piece).is_err() {
                return Ok(false);
            }
        }
        Ok(hasher.finish().is_ok_and(|whole| whole == content))
    }

    pub(super) fn ask_for_pieces(
        &self,
        section: &SectionEntry,
        first: u32,
        from: &MemberId,
    ) -> Result<Outgoing, DeskError> {
        let ask = PieceAsk {
            from: self.parts.member.to_vec(),
            to: from.to_vec(),
            root: section.root.clone(),
            first,
            count: PIECES_ASKED.min(section.pieces.saturating_sub(first)),
            ..PieceAsk::default()
        };
        let content = ask.signed(&self.parts.intake.network(), &self.parts.signing);
        Ok(Outgoing { to: *from, name: names::PIECE_ASK, content })
    }

    /// Pieces arrived.
    pub(super) fn pieces_arrived(
        &self,
        from: MemberId,
        content: &[u8],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let file: Pieces = self.file_from(from, content)?;
        self.for_us(&file.to)?;
        let _alone = self.alone();
        let holdings = self.parts.vault.holdings()?;
        for row in holdings.into_iter().filter(|row| !row.signed && !row.manifest.is_empty()) {
            let manifest = self.manifest_of(&row.manifest)?;
            if self.take_pieces(&manifest, &from, &file)? {
                let wrong_source = file.pieces.is_empty();
                return if wrong_source {
                    Ok(Vec::new())
                } else {
                    self.go_on_holding(row, &manifest)
                };
            }
        }
        for row in self.parts.vault.deals_left()? {
            let buyer = row.role == i32::from(DealRole::Buyer) && !row.opened;
            if !buyer || row.terms.is_empty() {
                continue;
            }
            let kept = TermsContent::read(&row.terms).map_err(|_| VaultError::Damaged)?;
            let manifest = self.manifest_of(&kept.manifest)?;
            if self.take_pieces(&manifest, &from, &file)? {
                self.look_at(&row);
                return Ok(Vec::new());
            }
        }
        Ok(Vec::new())
    }

    /// Keeps pieces of a section that are missing; false where they are of none of this manifest.
    fn take_pieces(
        &self,
        manifest: &Manifest,
        from: &MemberId,
        file: &Pieces,
    ) -> Result<bool, DeskError> {
        let Some(section) = manifest.sections.iter().find(|entry| entry.root == file.root) else {
            return Ok(false);
        };
        let of_it = manifest.owner == from.as_bytes() || manifest.index_of(from).is_some();
        let content = section.content().ok_or(VaultError::Damaged)?;
        let root = content.root().0;
        let missing = self.parts.vault.first_missing_piece(&root, content.pieces())?;
        if !of_it || missing != Some(file.first) {
            return Ok(of_it);
        }
        let fits = |(number, piece): (u32, &Vec<u8>)| {
            content.piece_bytes(number).is_ok_and(|bytes| bytes == piece.len())
        };
        if !(file.first..).zip(&file.pieces).all(fits) {
            return Err(DeskError::NotForUs);
        }
        self.parts.vault.put_pieces(&root, file.first, &file.pieces)?;
        Ok(true)
    }
}
