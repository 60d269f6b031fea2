//! Pieces of ciphertext, asked for and sent with the proof that each is one of its content. They say nothing to whoever has no
//! secret; still only owner, agents, and the buyers and arbiters of deals get them. Whoever sends what is none is passed over
//! at once. Refuses pieces that nobody here has asked for.

use super::depositing::member;
use super::running::Waiter;
use super::{Outgoing, names};
use crate::{Desk, DeskError};
use heatmark_envelopes::{ContentId, PieceProof, PieceTree, RootHasher};
use heatmark_escrow::files::{PieceAsk, Pieces, TermsContent};
use heatmark_escrow::{Manifest, SectionEntry, Terms};
use heatmark_evidence::transfer::SignedFile as _;
use heatmark_ledger::Hash;
use heatmark_ledger::ids::MemberId;
use heatmark_vault::{ContentOf, DealRole, DealRow, VaultError};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Pieces that are asked for at once: as many as a letter holds.
const PIECES_ASKED: u32 = 47;
/// Most bytes of pieces in one letter.
const MAX_LETTER_PIECES: usize = 3 << 20;

/// What lies here of a content.
enum Found {
    /// All of it.
    Whole,
    /// Not this piece.
    Without(u32),
    /// So many pieces, of which some are another's.
    Another,
}

impl Desk {
    /// Somebody asks for pieces.
    pub(super) fn asked_for_pieces(
        &self,
        from: MemberId,
        content: &[u8],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let ask: PieceAsk = self.file_from(from, content)?;
        self.for_us(&ask.to)?;
        let root: [u8; 32] = ask.root.as_slice().try_into().map_err(|_| DeskError::NotForUs)?;
        let section = self.section_for(&from, &root)?.ok_or(DeskError::NotForUs)?;
        let mut file = Pieces {
            from: self.parts.member.to_vec(),
            to: from.to_vec(),
            root: ask.root.clone(),
            first: ask.first,
            ..Pieces::default()
        };
        let mut bytes = 0_usize;
        for number in (ask.first..section.pieces).take(usize::try_from(ask.count).unwrap_or(0)) {
            // Whoever gets none asks somebody else.
            let Some((piece, proof)) = self.proved_piece(&section, number)? else { break };
            bytes = bytes.saturating_add(piece.len());
            if bytes > MAX_LETTER_PIECES {
                break;
            }
            file.pieces.push(piece);
            let path = proof.path.iter().flat_map(|hash| hash.0).collect();
            file.paths.extend(ask.proved.then_some(path));
        }
        let content = file.signed(&self.parts.intake.network(), &self.parts.signing);
        Ok(vec![Outgoing { to: from, name: names::PIECES, content }])
    }

    /// The section of a content that a member may have the ciphertext of.
    fn section_for(
        &self,
        member: &MemberId,
        root: &[u8; 32],
    ) -> Result<Option<SectionEntry>, DeskError> {
        for known in self.parts.vault.contents_of(root)? {
            let Some(manifest) = self.manifest_known(&known)? else { continue };
            let of_it = manifest.owner == member.as_bytes() || manifest.index_of(member).is_some();
            let digest = manifest.digest().0;
            if of_it || self.parts.vault.has_deal_about(&digest, member.as_bytes())? {
                return Ok(section_of(&manifest, root));
            }
        }
        Ok(None)
    }

    fn manifest_known(&self, known: &ContentOf) -> Result<Option<Manifest>, DeskError> {
        let bytes = match known {
            ContentOf::Deposit(id) => self.parts.vault.deposit(id)?.map(|row| row.manifest),
            ContentOf::Holding(digest) => {
                let row = self.parts.vault.holding(digest)?;
                row.filter(|row| !row.destroyed && !row.manifest.is_empty()).map(|row| row.manifest)
            }
        };
        bytes.map(|bytes| self.manifest_of(&bytes)).transpose()
    }

    /// A piece with its proof; none where the ciphertext is not whole, which is then fetched again.
    pub(super) fn proved_piece(
        &self,
        section: &SectionEntry,
        number: u32,
    ) -> Result<Option<(Vec<u8>, PieceProof)>, DeskError> {
        let content = section.content().ok_or(VaultError::Damaged)?;
        let root = content.root();
        let piece = self.sound_piece(&root, number)?;
        let proof = self.tree_of(&content)?.and_then(|tree| tree.prove(number).ok());
        // The piece may have rotted since the tree was computed.
        let sound = piece.zip(proof).filter(|(piece, proof)| proof.verify(&content, piece).is_ok());
        if sound.is_none() && number < content.pieces() {
            self.ciphertext_rotted(&root)?;
        }
        Ok(sound.map(|(piece, proof)| (piece.to_vec(), proof)))
    }

    fn tree_of(&self, content: &ContentId) -> Result<Option<Arc<PieceTree>>, DeskError> {
        if let Some(known) = self.known_tree(&content.root()) {
            return Ok(Some(known));
        }
        let mut failed = None;
        let pieces = (0..content.pieces()).map_while(|number| {
            let piece = self.sound_piece(&content.root(), number);
            piece.map_err(|error| failed = Some(error)).ok().flatten()
        });
        let tree = PieceTree::new(pieces).ok().filter(|tree| tree.id() == content).map(Arc::new);
        if let Some(error) = failed {
            return Err(error);
        }
        if let Some(tree) = &tree {
            self.remember_tree(tree);
        }
        Ok(tree)
    }

    /// Has ciphertext that is not whole any more fetched again.
    fn ciphertext_rotted(&self, root: &Hash) -> Result<(), DeskError> {
        let _alone = self.alone();
        self.forget_tree(root);
        self.is_known_whole(&root.0, false);
        for known in self.parts.vault.contents_of(&root.0)? {
            let Some(manifest) = self.manifest_known(&known)? else { continue };
            let section = section_of(&manifest, &root.0).ok_or(VaultError::Damaged)?;
            if self.is_whole(&section)? {
                return Ok(());
            }
            let waiter = match known {
                ContentOf::Deposit(id) => Waiter::Deposit(id),
                ContentOf::Holding(digest) => {
                    let row = self.parts.vault.holding(&digest)?;
                    let mut row = row.ok_or(VaultError::Damaged)?;
                    row.signed = false;
                    self.parts.vault.put_holding(&row, None, None)?;
                    Waiter::Holding(digest)
                }
            };
            self.fetching(waiter, true);
            tracing::warn!("ciphertext of a deposit is damaged or gone; it is fetched again");
        }
        self.shared.deals.notify_one();
        Ok(())
    }

    /// Looks the ciphertext of the next holding through; what has rotted is fetched again. One at a time, for ever.
    pub(crate) fn look_through_next(&self) -> Result<(), DeskError> {
        let place = self.running().looked_through;
        let rows = self.parts.vault.newest_holdings(place, 1)?;
        let Some(row) = rows.first() else {
            self.running().looked_through = 0;
            return Ok(());
        };
        self.running().looked_through = place.saturating_add(1);
        if row.destroyed || !row.signed {
            return Ok(());
        }
        for section in &self.manifest_of(&row.manifest)?.sections {
            if !self.is_whole(section)? {
                let content = section.content().ok_or(VaultError::Damaged)?;
                self.ciphertext_rotted(&content.root())?;
            }
        }
        Ok(())
    }

    /// Looks a content through again the next time it is needed.
    pub(super) fn doubt(&self, section: &SectionEntry) -> Result<(), DeskError> {
        let content = section.content().ok_or(VaultError::Damaged)?;
        self.is_known_whole(&content.root().0, false);
        Ok(())
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
        let deal = row.deal.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
        let agents: Result<Vec<MemberId>, DeskError> =
            terms.agents.iter().map(|agent| member(&agent.member)).collect();
        self.fetch(section, Waiter::Deal((deal, row.role)), &agents?)
    }

    /// Asks the next one of those that may have it for what is missing; none while one has been asked, or where nothing is.
    pub(super) fn fetch(
        &self,
        section: &SectionEntry,
        waiter: Waiter,
        sources: &[MemberId],
    ) -> Result<Option<Outgoing>, DeskError> {
        let content = section.content().ok_or(VaultError::Damaged)?;
        let of = (content.root().0, waiter);
        let Some(first) = self.first_missing(section)? else {
            self.waits_no_more(&of);
            return Ok(None);
        };
        let turn = self.turn(of, first, sources);
        Ok(turn.map(|to| self.ask_for_pieces(section, first, &to)))
    }

    /// Whether pieces of a section are missing.
    pub(super) fn any_missing(&self, section: &SectionEntry) -> Result<bool, DeskError> {
        let content = section.content().ok_or(VaultError::Damaged)?;
        Ok(self.first_absent(&content)?.is_some())
    }

    /// The first piece that is not here, whatever those that are here are.
    fn first_absent(&self, content: &ContentId) -> Result<Option<u32>, DeskError> {
        let root = content.root().0;
        let Some(from) = self.known_to(&root) else { return Ok(None) };
        let absent = self.parts.vault.first_missing_piece(&root, (from, content.pieces()))?;
        self.is_here_to(&root, absent.unwrap_or(content.pieces()));
        Ok(absent)
    }

    /// The first piece that is missing; all of them where those that are here are not it.
    pub(super) fn first_missing(&self, section: &SectionEntry) -> Result<Option<u32>, DeskError> {
        let content = section.content().ok_or(VaultError::Damaged)?;
        let root = content.root().0;
        let absent = self.first_absent(&content)?;
        if absent.is_some() || self.known_to(&root).is_none() {
            return Ok(absent);
        }
        match self.found_in(&content)? {
            Found::Whole => {
                self.is_known_whole(&root, true);
                Ok(None)
            }
            Found::Without(number) => {
                self.is_known_whole(&root, false);
                self.parts.vault.drop_piece(&root, number)?;
                Ok(Some(number))
            }
            // Each was proved when it came, and yet they are not it: all of them are asked for again.
            Found::Another => {
                self.is_known_whole(&root, false);
                self.parts.vault.drop_pieces(&root, content.pieces())?;
                Ok(Some(0))
            }
        }
    }

    fn is_whole(&self, section: &SectionEntry) -> Result<bool, DeskError> {
        let content = section.content().ok_or(VaultError::Damaged)?;
        Ok(matches!(self.found_in(&content)?, Found::Whole))
    }

    fn found_in(&self, content: &ContentId) -> Result<Found, DeskError> {
        let mut hasher = RootHasher::new();
        for number in 0..content.pieces() {
            let Some(piece) = self.sound_piece(&content.root(), number)? else {
                return Ok(Found::Without(number));
            };
            if hasher.push(&piece).is_err() {
                return Ok(Found::Another);
            }
        }
        let whole = hasher.finish().is_ok_and(|whole| whole == *content);
        Ok(if whole { Found::Whole } else { Found::Another })
    }

    /// A piece; none where it is missing, or where what lies on the disk is not what was written.
    pub(super) fn sound_piece(
        &self,
        root: &Hash,
        number: u32,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, DeskError> {
        match self.parts.vault.piece(&root.0, number) {
            Err(error) if error.is_damage() => Ok(None),
            read => Ok(read?),
        }
    }

    fn ask_for_pieces(&self, section: &SectionEntry, first: u32, to: &MemberId) -> Outgoing {
        let ask = PieceAsk {
            from: self.parts.member.to_vec(),
            to: to.to_vec(),
            root: section.root.clone(),
            first,
            count: PIECES_ASKED.min(section.pieces.saturating_sub(first)),
            proved: true,
            ..PieceAsk::default()
        };
        let content = ask.signed(&self.parts.intake.network(), &self.parts.signing);
        Outgoing { to: *to, name: names::PIECE_ASK, content }
    }

    /// Pieces arrived.
    pub(super) fn pieces_arrived(
        &self,
        from: MemberId,
        content: &[u8],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let file: Pieces = self.file_from(from, content)?;
        self.for_us(&file.to)?;
        let root: [u8; 32] = file.root.as_slice().try_into().map_err(|_| DeskError::NotForUs)?;
        let _alone = self.alone();
        let mut letters = Vec::new();
        for waiter in self.waiting_for(&root, &from) {
            let Some(section) = self.manifest_for(&waiter)?.and_then(|of| section_of(&of, &root))
            else {
                self.waits_no_more(&(root, waiter));
                continue;
            };
            if !self.keep_sound(&section, &file)? {
                tracing::warn!(%from, "sent no sound ciphertext; another one is asked");
                self.pass_over(&(root, waiter));
            }
            letters.extend(match waiter {
                Waiter::Deal((deal, role)) => self.go_on_with((&deal, role), &section)?,
                _ => self.go_on_fetching(&waiter)?,
            });
        }
        Ok(letters)
    }

    /// Asks for the next pieces that a deal needs, or has it looked at.
    fn go_on_with(
        &self,
        (deal, role): (&[u8; 32], i32),
        section: &SectionEntry,
    ) -> Result<Vec<Outgoing>, DeskError> {
        let role = DealRole::try_from(role).map_err(|_| VaultError::Damaged)?;
        let Some(row) = self.parts.vault.deal(deal, role)? else { return Ok(Vec::new()) };
        let ask = self.missing_pieces(&row, section, &self.terms_in(&row.terms)?)?;
        if ask.is_none() && !self.any_missing(section)? {
            self.look_at(&row);
        }
        Ok(ask.into_iter().collect())
    }

    /// Keeps pieces that are proved to be of a content; false where one is not, or none came.
    fn keep_sound(&self, section: &SectionEntry, file: &Pieces) -> Result<bool, DeskError> {
        let content = section.content().ok_or(VaultError::Damaged)?;
        let proved = (file.first..).zip(file.pieces.iter().zip(&file.paths));
        let sound = proved.fold(0_usize, |sound, (number, (piece, path))| {
            let path = path.as_chunks::<32>().0.iter().map(|hash| Hash(*hash)).collect();
            let proof = PieceProof { number, path };
            sound.saturating_add(usize::from(proof.verify(&content, piece).is_ok()))
        });
        if sound == 0 || sound != file.pieces.len() {
            return Ok(false);
        }
        self.parts.vault.put_pieces(&content.root().0, file.first, &file.pieces)?;
        Ok(true)
    }

    /// What is waited with, as long as ciphertext is still of use to it.
    fn manifest_for(&self, waiter: &Waiter) -> Result<Option<Manifest>, DeskError> {
        let bytes = match waiter {
            Waiter::Deposit(id) => return self.manifest_known(&ContentOf::Deposit(*id)),
            Waiter::Holding(digest) => return self.manifest_known(&ContentOf::Holding(*digest)),
            Waiter::Deal((deal, role)) => {
                let role = DealRole::try_from(*role).map_err(|_| VaultError::Damaged)?;
                let row = self.parts.vault.deal(deal, role)?;
                let row = row.filter(|row| !row.terms.is_empty() && !row.destroyed);
                row.map(|row| TermsContent::read(&row.terms)).transpose()?
            }
        };
        bytes.map(|content| self.manifest_of(&content.manifest)).transpose()
    }

    /// Asks for the next pieces of a deposit, or signs for it once all of it is here.
    pub(super) fn go_on_fetching(&self, waiter: &Waiter) -> Result<Vec<Outgoing>, DeskError> {
        match waiter {
            Waiter::Deposit(id) => self.mend_deposit(id),
            Waiter::Holding(digest) => {
                let row = self.parts.vault.holding(digest)?;
                let Some(row) = row.filter(|row| !row.destroyed && !row.manifest.is_empty()) else {
                    self.fetching(*waiter, false);
                    return Ok(Vec::new());
                };
                let manifest = self.manifest_of(&row.manifest)?;
                self.go_on_holding(row, &manifest)
            }
            // Deals ask when they are looked at.
            Waiter::Deal(_) => Ok(Vec::new()),
        }
    }

    /// Fetches an own deposit's ciphertext from its agents.
    fn mend_deposit(&self, id: &[u8; 32]) -> Result<Vec<Outgoing>, DeskError> {
        let waiter = Waiter::Deposit(*id);
        let row = self.parts.vault.deposit(id)?.filter(|row| !row.destroyed);
        let Some(row) = row else {
            self.fetching(waiter, false);
            return Ok(Vec::new());
        };
        let agents = row.agents.iter().filter(|agent| !agent.receipt.is_empty());
        let agents: Result<Vec<MemberId>, DeskError> =
            agents.map(|agent| member(&agent.member)).collect();
        let (agents, mut letters, mut whole) = (agents?, Vec::new(), true);
        for section in &self.manifest_of(&row.manifest)?.sections {
            letters.extend(self.fetch(section, waiter, &agents)?);
            whole &= !self.any_missing(section)?;
        }
        if whole {
            self.fetching(waiter, false);
        }
        Ok(letters)
    }
}

fn section_of(manifest: &Manifest, root: &[u8; 32]) -> Option<SectionEntry> {
    manifest.sections.iter().find(|entry| entry.root == root).cloned()
}
