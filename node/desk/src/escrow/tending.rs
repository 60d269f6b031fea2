//! Deposits over the years: shared anew among other agents without touching the record, shown to be alive by drills, and
//! destroyed. A drill asks each agent for pieces that it cannot foresee and for what only the shares give. Refuses to destroy
//! what is on hold or to be kept.

use super::DealError;
use super::depositing::{DepositSecrets, SectionSecrets, member, roots_of};
use super::{Outgoing, names};
use crate::{Desk, DeskError, blocking};
use heatmark_envelopes::{PieceProof, SectionSecret, split};
use heatmark_escrow::files::{
    DestroyAsk, Destroyed, DrillAnswer, DrillAsk, DrillPiece, DrillPlace, drill_digest,
};
use heatmark_escrow::{AgentEntry, Manifest, SectionEntry};
use heatmark_evidence::transfer::SignedFile as _;
use heatmark_ledger::Hash;
use heatmark_ledger::ids::MemberId;
use heatmark_vault::{DepositAgent, DepositRow, SecretsOf, VaultError};
use prost::Message as _;
use zeroize::Zeroizing;

/// Pieces that a drill asks each agent for.
const DRILLED: u32 = 4;

impl Desk {
    /// Shares a deposit's secrets anew, among the agents named; the record and the ciphertext stay as they are. Gives the new
    /// deposit's id: the old one serves until it is destroyed.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn refresh_deposit(
        &self,
        id: [u8; 32],
        agents: Vec<MemberId>,
        threshold: u32,
    ) -> Result<[u8; 32], DeskError> {
        let desk = self.clone();
        let id = blocking(move || desk.share_anew(&id, &agents, threshold)).await?;
        self.shared.deals.notify_one();
        Ok(id)
    }

    fn share_anew(
        &self,
        id: &[u8; 32],
        agents: &[MemberId],
        threshold: u32,
    ) -> Result<[u8; 32], DeskError> {
        let _alone = self.alone();
        let row = self.deposit_row(id)?;
        let before = self.manifest_of(&row.manifest)?;
        if row.evidence.is_empty() {
            return Err(DealError::NotDeposited.into());
        }
        let secrets = self.deposit_secrets(id)?;
        let mut manifest = Manifest {
            salt: rand::random::<[u8; 32]>().to_vec(),
            epoch: before.epoch.saturating_add(1),
            previous: before.digest().0.to_vec(),
            threshold,
            agents: Vec::with_capacity(agents.len()),
            deposited_ms: self.now().0,
            ..before.clone()
        };
        for agent in agents {
            let country = self.country_of(agent)?;
            manifest.agents.push(AgentEntry { member: agent.to_vec(), country });
        }
        let mut anew = DepositSecrets::default();
        for (section, kept) in manifest.sections.iter_mut().zip(&secrets.sections) {
            anew.sections.push(deal_again(section, kept, (threshold, agents.len()))?);
        }
        manifest.check()?;
        manifest.check_succeeds(&before)?;
        let id: [u8; 32] = rand::random();
        let agent =
            |member: &MemberId| DepositAgent { member: member.to_vec(), ..DepositAgent::default() };
        let row = DepositRow {
            id: id.to_vec(),
            record: row.record,
            at_ms: manifest.deposited_ms,
            manifest: manifest.to_bytes(),
            clauses: row.clauses,
            agents: agents.iter().map(agent).collect(),
            nonce: rand::random::<[u8; 16]>().to_vec(),
            digest: manifest.digest().0.to_vec(),
            roots: roots_of(&manifest),
            ..DepositRow::default()
        };
        let secrets = Zeroizing::new(anew.encode_to_vec());
        self.parts.vault.put_deposit(&self.actor, &row, Some(&secrets))?;
        self.unfinished(id, true);
        Ok(id)
    }

    fn deposit_secrets(&self, id: &[u8; 32]) -> Result<DepositSecrets, DeskError> {
        let secrets = self.parts.vault.escrow_secrets(SecretsOf::Deposit, id)?;
        let secrets = secrets.ok_or(DealError::SectionsDestroyed)?;
        Ok(DepositSecrets::decode(secrets.as_slice()).map_err(|_| VaultError::Damaged)?)
    }

    /// Asks every agent of a deposit to show that its shares and the ciphertext are alive.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn drill_deposit(&self, id: [u8; 32]) -> Result<usize, DeskError> {
        let desk = self.clone();
        let letters = blocking(move || desk.ask_for_drill(&id)).await?;
        let count = letters.len();
        self.send_out(letters).await?;
        Ok(count)
    }

    fn ask_for_drill(&self, id: &[u8; 32]) -> Result<Vec<Outgoing>, DeskError> {
        let _alone = self.alone();
        let mut row = self.deposit_row(id)?;
        let manifest = self.manifest_of(&row.manifest)?;
        self.deposit_secrets(id)?;
        let mut letters = Vec::new();
        let signed =
            |agent: &&mut DepositAgent| !agent.receipt.is_empty() && agent.destroyed.is_empty();
        for agent in row.agents.iter_mut().filter(signed) {
            let ask = DrillAsk {
                from: self.parts.member.to_vec(),
                to: agent.member.clone(),
                nonce: rand::random::<[u8; 16]>().to_vec(),
                manifest: manifest.digest().0.to_vec(),
                places: places_of(&manifest),
                ..DrillAsk::default()
            };
            let content = ask.signed(&self.parts.intake.network(), &self.parts.signing);
            agent.drill.clone_from(&content);
            "has not answered the drill yet".clone_into(&mut agent.trouble);
            letters.push(Outgoing { to: member(&agent.member)?, name: names::DRILL_ASK, content });
        }
        self.parts.vault.put_deposit(&self.actor, &row, None)?;
        Ok(letters)
    }

    /// An owner asks to see that shares and ciphertext are alive.
    pub(super) fn asked_to_drill(
        &self,
        from: MemberId,
        content: &[u8],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let ask: DrillAsk = self.file_from(from, content)?;
        self.for_us(&ask.to)?;
        let digest: [u8; 32] =
            ask.manifest.as_slice().try_into().map_err(|_| DeskError::NotForUs)?;
        let row = self.parts.vault.holding(&digest)?.ok_or(DealError::UnknownDeposit)?;
        if row.owner != from.as_bytes() {
            return Err(DeskError::NotForUs);
        }
        let manifest = self.manifest_of(&row.manifest)?;
        let mut answer = DrillAnswer {
            from: self.parts.member.to_vec(),
            to: from.to_vec(),
            nonce: ask.nonce.clone(),
            manifest: ask.manifest.clone(),
            ..DrillAnswer::default()
        };
        for place in &ask.places {
            let at = usize::try_from(place.section).ok().and_then(|at| at.checked_sub(1));
            let section = at.and_then(|at| manifest.sections.get(at));
            let section = section.ok_or(DeskError::NotForUs)?;
            let number = place.piece.checked_sub(1).ok_or(DeskError::NotForUs)?;
            answer.pieces.push(self.shown_piece(section, number)?);
        }
        for (share, section) in self.held_shares(&digest)?.iter().zip(&manifest.sections) {
            let share = share.encode();
            let hash = drill_digest(&ask.nonce, &Hash(digest), &section.name, share.as_slice());
            answer.shares.push(hash.0.to_vec());
        }
        let content = answer.signed(&self.parts.intake.network(), &self.parts.signing);
        Ok(vec![Outgoing { to: from, name: names::DRILL_ANSWER, content }])
    }

    /// A piece with its proof; what is none where it is gone, which the owner sees.
    fn shown_piece(&self, section: &SectionEntry, number: u32) -> Result<DrillPiece, DeskError> {
        Ok(self.proved_piece(section, number)?.map_or_else(lost, |(piece, proof)| {
            let path = proof.path.iter().flat_map(|hash| hash.0).collect();
            DrillPiece { piece, path }
        }))
    }

    /// An agent shows it.
    pub(super) fn drill_answered(
        &self,
        from: MemberId,
        content: &[u8],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let answer: DrillAnswer = self.file_from(from, content)?;
        self.for_us(&answer.to)?;
        let now = self.now().0;
        let _alone = self.alone();
        let row = self.parts.vault.deposit_of(&answer.manifest)?;
        let mut row = row.ok_or(DealError::UnknownDeposit)?;
        let manifest = self.manifest_of(&row.manifest)?;
        let id: [u8; 32] = row.id.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
        let secrets = self.deposit_secrets(&id)?;
        let mut agents = row.agents.iter_mut().enumerate();
        let agent = agents.find(|(_, agent)| agent.member == from.as_bytes());
        let (place, agent) = agent.ok_or(DeskError::NotForUs)?;
        let asked = DrillAsk::decode(agent.drill.as_slice()).map_err(|_| VaultError::Damaged)?;
        if asked.nonce != answer.nonce || agent.drill.is_empty() {
            return Err(DeskError::NotForUs);
        }
        agent.trouble = match fault_in(&answer, &asked, (&manifest, &secrets, place)) {
            None => {
                agent.drilled_ms = now;
                String::new()
            }
            Some(fault) => fault.to_owned(),
        };
        agent.drill.clear();
        self.parts.vault.put_deposit(&self.actor, &row, None)?;
        Ok(Vec::new())
    }

    /// Destroys an own deposit's secrets, and asks its agents to destroy their shares; each signs for it. Gives how many were asked.
    ///
    /// # Errors
    /// As of the vault where the record is on hold or to be kept; see [`DeskError`].
    pub async fn destroy_deposit(&self, id: [u8; 32]) -> Result<usize, DeskError> {
        let desk = self.clone();
        let letters = blocking(move || desk.make_destroyed(&id)).await?;
        let asked = letters.len();
        self.send_out(letters).await?;
        Ok(asked)
    }

    fn make_destroyed(&self, id: &[u8; 32]) -> Result<Vec<Outgoing>, DeskError> {
        let _alone = self.alone();
        let mut row = self.deposit_row(id)?;
        let record = Hash::try_from(row.record.as_slice()).map_err(|_| VaultError::Damaged)?;
        self.parts.vault.may_destroy(&record)?;
        row.destroyed = true;
        self.parts.vault.destroy_escrow(&self.actor, &heatmark_vault::Destroyed::Deposit(&row))?;
        let manifest = self.manifest_of(&row.manifest)?;
        let mut letters = Vec::new();
        for agent in row.agents.iter().filter(|agent| agent.sent) {
            let ask = DestroyAsk {
                from: self.parts.member.to_vec(),
                to: agent.member.clone(),
                manifest: manifest.digest().0.to_vec(),
                ..DestroyAsk::default()
            };
            let content = ask.signed(&self.parts.intake.network(), &self.parts.signing);
            letters.push(Outgoing {
                to: member(&agent.member)?,
                name: names::DESTROY_ASK,
                content,
            });
        }
        Ok(letters)
    }

    /// An owner asks for its shares to be destroyed.
    pub(super) fn asked_to_destroy(
        &self,
        from: MemberId,
        content: &[u8],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let ask: DestroyAsk = self.file_from(from, content)?;
        self.for_us(&ask.to)?;
        let digest: [u8; 32] =
            ask.manifest.as_slice().try_into().map_err(|_| DeskError::NotForUs)?;
        let _alone = self.alone();
        let row = self.parts.vault.holding(&digest)?;
        let mut row = row.ok_or(DealError::UnknownDeposit)?;
        if row.owner != from.as_bytes() {
            return Err(DeskError::NotForUs);
        }
        if !row.destroyed {
            row.destroyed = true;
            let destroyed = heatmark_vault::Destroyed::Holding(&row);
            self.parts.vault.destroy_escrow(&self.actor, &destroyed)?;
            self.forget_ciphertext(&row)?;
            tracing::info!("shares are destroyed, as their owner asked");
        }
        let file = Destroyed {
            from: self.parts.member.to_vec(),
            to: from.to_vec(),
            manifest: ask.manifest.clone(),
            at_ms: self.now().0,
            ..Destroyed::default()
        };
        let content = file.signed(&self.parts.intake.network(), &self.parts.signing);
        Ok(vec![Outgoing { to: from, name: names::DESTROYED, content }])
    }

    /// An agent signs that it did.
    pub(super) fn agent_destroyed(
        &self,
        from: MemberId,
        content: &[u8],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let file: Destroyed = self.file_from(from, content)?;
        self.for_us(&file.to)?;
        let _alone = self.alone();
        let row = self.parts.vault.deposit_of(&file.manifest)?;
        let mut row = row.ok_or(DealError::UnknownDeposit)?;
        let agent = row.agents.iter_mut().find(|agent| agent.member == from.as_bytes());
        agent.ok_or(DeskError::NotForUs)?.destroyed = content.to_vec();
        self.parts.vault.put_deposit(&self.actor, &row, None)?;
        Ok(Vec::new())
    }
}

fn lost() -> DrillPiece {
    DrillPiece { piece: vec![0; 64], path: Vec::new() }
}

/// A new sharing of the same secret.
fn deal_again(
    section: &mut SectionEntry,
    kept: &SectionSecrets,
    (threshold, agents): (u32, usize),
) -> Result<SectionSecrets, DeskError> {
    let bytes: &[u8; 32] = kept.secret.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
    let secret = SectionSecret::from_bytes(bytes).map_err(|_| VaultError::Damaged)?;
    let threshold = u8::try_from(threshold).map_err(|_| DealError::Sharing)?;
    let agents = u8::try_from(agents).map_err(|_| DealError::Sharing)?;
    let dealt = split(&secret, threshold, agents, &mut rand::rng());
    let (commitments, shares) = dealt.map_err(|_| DealError::Sharing)?;
    section.commitments = commitments.encode();
    Ok(SectionSecrets {
        secret: kept.secret.clone(),
        shares: shares.iter().map(|share| share.encode().to_vec()).collect(),
    })
}

/// Pieces that nobody can foresee, ascending and different.
fn places_of(manifest: &Manifest) -> Vec<DrillPlace> {
    let mut places = Vec::new();
    for (section, entry) in (1_u32..).zip(&manifest.sections) {
        for _ in 0..DRILLED.min(entry.pieces) {
            let piece = rand::random_range(1..=entry.pieces);
            places.push(DrillPlace { section, piece });
        }
    }
    places.sort_unstable();
    places.dedup();
    places.truncate(heatmark_escrow::files::MAX_DRILL_PIECES);
    places
}

/// What is wrong with an answer.
fn fault_in(
    answer: &DrillAnswer,
    asked: &DrillAsk,
    (manifest, secrets, agent): (&Manifest, &DepositSecrets, usize),
) -> Option<&'static str> {
    if answer.pieces.len() != asked.places.len() {
        return Some("did not show all pieces asked for");
    }
    for (place, shown) in asked.places.iter().zip(&answer.pieces) {
        let at = usize::try_from(place.section).ok().and_then(|at| at.checked_sub(1));
        let content = at.and_then(|at| manifest.sections.get(at)).and_then(SectionEntry::content);
        let Some((content, number)) = content.zip(place.piece.checked_sub(1)) else {
            return Some("did not show all pieces asked for");
        };
        let path = shown.path.as_chunks::<32>().0.iter().map(|hash| Hash(*hash)).collect();
        if (PieceProof { number, path }).verify(&content, &shown.piece).is_err() {
            return Some("has lost ciphertext");
        }
    }
    let digest = manifest.digest();
    for (at, (entry, section)) in manifest.sections.iter().zip(&secrets.sections).enumerate() {
        let share = section.shares.get(agent)?;
        let known = drill_digest(&answer.nonce, &digest, &entry.name, share);
        if answer.shares.get(at).is_none_or(|shown| *shown != known.0) {
            return Some("has lost its shares");
        }
    }
    None
}
