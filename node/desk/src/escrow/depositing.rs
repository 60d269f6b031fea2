//! Deposits of own records: sections encrypted under secrets of their own, these shared among agents, the manifest anchored,
//! and then shared out. Everything is on disk before it leaves, and goes on after a restart where it was.

use super::DealError;
use super::proof::ALONE;
use super::running::Waiter;
use crate::submission::Signed;
use crate::{Desk, DeskError, blocking};
use heatmark_envelopes::{Commitments, ContentId, Encryptor, SectionSecret, split};
use heatmark_escrow::files::DepositEvidence;
use heatmark_escrow::purpose::content_context;
use heatmark_escrow::{
    AgentEntry, Clause, DocumentEntry, Manifest, Policy, RegulatorEntry, SectionDocument,
    SectionEntry, SectionHead, document_digest,
};
use heatmark_evidence::Selection;
use heatmark_ledger::ids::{KeyId, MemberId, TransactionId, UnixMillis};
use heatmark_ledger::messages as pb;
use heatmark_ledger::{Hash, keys, state, wire};
use heatmark_merkle::batch::BatchTree;
use heatmark_records::{Path, RecordId, RecordTree, Value};
use heatmark_vault::{DepositAgent, DepositRow, VaultError};
use prost::Message;
use prost::bytes::Bytes;
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, Zeroizing};

/// Most bytes of one deposit's documents.
pub const MAX_DEPOSIT_BYTES: usize = 256 << 20;
/// Pieces that one write holds.
const PIECES_AT_ONCE: usize = 64;

/// A section to be deposited.
#[derive(Debug, Clone)]
pub struct SectionPlan {
    /// Its name.
    pub name: String,
    /// The fields in it.
    pub fields: Selection,
    /// Documents that fields of it name, with a name for people.
    pub documents: Vec<(String, Vec<u8>)>,
}

/// What is to be deposited, with whom.
#[derive(Debug, Clone)]
pub struct DepositPlan {
    /// An own record that stands on the log.
    pub record: RecordId,
    /// Its sections.
    pub sections: Vec<SectionPlan>,
    /// The agents, in the order of their shares.
    pub agents: Vec<MemberId>,
    /// How many of them it takes.
    pub threshold: u32,
    /// Under which conditions they open.
    pub policy: Policy,
}

/// What only the owner knows of a deposit.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct DepositSecrets {
    #[prost(message, repeated, tag = "1")]
    pub(crate) sections: Vec<SectionSecrets>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SectionSecrets {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) secret: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub(crate) shares: Vec<Vec<u8>>,
}

impl Drop for SectionSecrets {
    fn drop(&mut self) {
        self.secret.zeroize();
        self.shares.zeroize();
    }
}

impl Desk {
    /// Deposits sections of an own record; gives the deposit's id once everything is on disk. The agents are asked from then on.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn deposit(&self, plan: DepositPlan) -> Result<[u8; 32], DeskError> {
        let desk = self.clone();
        let id = blocking(move || desk.make_deposit(rand::random(), &plan)).await?;
        self.shared.deals.notify_one();
        Ok(id)
    }

    pub(super) fn make_deposit(
        &self,
        id: [u8; 32],
        plan: &DepositPlan,
    ) -> Result<[u8; 32], DeskError> {
        let stored = self.parts.vault.record(&plan.record)?;
        let stored = stored.ok_or(DeskError::UnknownRecord(plan.record))?;
        if stored.row.placement.is_none() {
            return Err(DeskError::NotAnchored(plan.record));
        }
        let documents = plan.sections.iter().flat_map(|section| &section.documents);
        if documents.map(|(_, bytes)| bytes.len()).fold(0, usize::saturating_add)
            > MAX_DEPOSIT_BYTES
        {
            return Err(DealError::DepositTooLong.into());
        }
        let tree = stored.tree()?;
        let mut rng = rand::rng();
        let clauses = ordered(plan.policy.salted(&mut rng));
        let mut manifest = self.frame_of(plan, &clauses)?;
        let mut secrets = DepositSecrets::default();
        let mut sections: Vec<&SectionPlan> = plan.sections.iter().collect();
        sections.sort_by(|left, right| left.name.cmp(&right.name));
        for section in sections {
            let paths = section.fields.of(stored.opening.fields())?;
            let (head, listed) = head_of((&tree, stored.opening.head().encode()), &paths, section)?;
            let secret = SectionSecret::generate(&mut rng);
            let context = content_context(&manifest, &section.name);
            let content = self.encrypt(&secret, &context, &head, section)?;
            let (threshold, agents) = (short(plan.threshold)?, short(plan.agents.len())?);
            let (commitments, shares) =
                split(&secret, threshold, agents, &mut rng).map_err(|_| DealError::Sharing)?;
            manifest.sections.push(entry_of(section, &content, &commitments, (&paths, listed)));
            secrets.sections.push(SectionSecrets {
                secret: secret.to_bytes().to_vec(),
                shares: shares.iter().map(|share| share.encode().to_vec()).collect(),
            });
        }
        manifest.check()?;
        let agent =
            |member: &MemberId| DepositAgent { member: member.to_vec(), ..DepositAgent::default() };
        let row = DepositRow {
            id: id.to_vec(),
            record: plan.record.0.to_vec(),
            at_ms: manifest.deposited_ms,
            manifest: manifest.to_bytes(),
            clauses: clauses.iter().map(Clause::to_bytes).collect(),
            agents: plan.agents.iter().map(agent).collect(),
            nonce: rand::random::<[u8; 16]>().to_vec(),
            digest: manifest.digest().0.to_vec(),
            roots: roots_of(&manifest),
            ..DepositRow::default()
        };
        let secrets = Zeroizing::new(secrets.encode_to_vec());
        self.parts.vault.put_deposit(&self.actor, &row, Some(&secrets))?;
        self.unfinished(id, true);
        Ok(id)
    }

    /// The manifest without its sections.
    pub(crate) fn frame_of(
        &self,
        plan: &DepositPlan,
        clauses: &[Clause],
    ) -> Result<Manifest, DeskError> {
        let mut agents = Vec::with_capacity(plan.agents.len());
        for member in &plan.agents {
            let country = self.country_of(member)?;
            let allowed = &plan.policy.agent_countries;
            if !allowed.is_empty() && !allowed.contains(&country) {
                return Err(DealError::AgentCountry(*member, country).into());
            }
            agents.push(AgentEntry { member: member.to_vec(), country });
        }
        let mut regulators = Vec::with_capacity(plan.policy.regulators.len());
        for member in &plan.policy.regulators {
            let root_key = self.root_key_of(member)?.to_vec();
            regulators.push(RegulatorEntry { member: member.to_vec(), root_key });
        }
        Ok(Manifest {
            version: heatmark_escrow::MANIFEST_VERSION,
            network: self.parts.intake.network().to_vec(),
            owner: self.parts.member.to_vec(),
            record: plan.record.0.to_vec(),
            salt: rand::random::<[u8; 32]>().to_vec(),
            epoch: 1,
            previous: Vec::new(),
            threshold: plan.threshold,
            agents,
            sections: Vec::new(),
            clauses: clauses.iter().map(|clause| clause.digest().0.to_vec()).collect(),
            regulators,
            quorum: plan.policy.quorum,
            deposited_ms: self.now().0,
        })
    }

    pub(super) fn country_of(&self, member: &MemberId) -> Result<String, DeskError> {
        let state = state::member(&self.parts.store, member)?;
        let state = state.ok_or(DeskError::UnknownMember(*member))?;
        Ok(state.entry.map(|entry| entry.country).unwrap_or_default())
    }

    fn root_key_of(&self, member: &MemberId) -> Result<KeyId, DeskError> {
        let state = state::member(&self.parts.store, member)?;
        let entry = state.and_then(|state| state.entry);
        let entry = entry.ok_or(DeskError::UnknownMember(*member))?;
        let root = entry.keys.iter().find(|key| key.role() == pb::KeyRole::Root);
        let root = root.ok_or(DeskError::UnknownMember(*member))?;
        Ok(keys::key_id(root.algorithm(), &root.key))
    }

    /// Encrypts a section's content and keeps the ciphertext.
    fn encrypt(
        &self,
        secret: &SectionSecret,
        context: &[u8],
        head: &SectionHead,
        section: &SectionPlan,
    ) -> Result<ContentId, DeskError> {
        let mut encryptor = Encryptor::new(secret, context);
        let mut pieces = encryptor.push(&head.to_bytes()).map_err(|_| DealError::DepositTooLong)?;
        for (_, document) in &section.documents {
            let more = encryptor.push(document).map_err(|_| DealError::DepositTooLong)?;
            pieces.extend(more);
        }
        let (last, content) = encryptor.finish().map_err(|_| DealError::DepositTooLong)?;
        pieces.push(last);
        let root = content.root().0;
        for (at, some) in pieces.chunks(PIECES_AT_ONCE).enumerate() {
            let first = at.saturating_mul(PIECES_AT_ONCE);
            let first = u32::try_from(first).map_err(|_| DealError::DepositTooLong)?;
            self.parts.vault.put_pieces(&root, first, some)?;
        }
        Ok(content)
    }

    /// Finds what is unfinished, as after a start.
    pub(super) fn find_unfinished(&self) -> Result<(), DeskError> {
        for row in self.parts.vault.deposits()? {
            let id = row.id.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
            self.unfinished(id, !is_finished(&row));
        }
        for row in self.parts.vault.holdings()? {
            let digest = row.digest.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
            let missing = !row.signed && !row.destroyed && !row.manifest.is_empty();
            self.fetching(Waiter::Holding(digest), missing);
        }
        Ok(())
    }

    /// Takes every deposit that is not finished as far as it goes now.
    pub(super) async fn advance_deposits(&self) -> Result<(), DeskError> {
        let (unfinished, fetching) = self.to_be_done();
        for id in unfinished {
            let vault = std::sync::Arc::clone(&self.parts.vault);
            match blocking(move || Ok(vault.deposit(&id)?)).await? {
                Some(row) if !is_finished(&row) => self.advance_deposit(row).await?,
                known => {
                    self.unfinished(id, false);
                    self.asks_no_more(&id);
                    self.asks_no_more(&known.map(|row| row.nonce).unwrap_or_default());
                }
            }
        }
        for waiter in fetching {
            let desk = self.clone();
            let letters = blocking(move || {
                let _alone = desk.alone();
                desk.go_on_fetching(&waiter)
            });
            self.send_out(letters.await?).await?;
        }
        Ok(())
    }

    async fn advance_deposit(&self, row: DepositRow) -> Result<(), DeskError> {
        let anchored = !row.evidence.is_empty() || self.anchor_manifest(row.clone()).await?;
        let desk = self.clone();
        let letters = blocking(move || {
            let mut letters = desk.ask_agents(&row)?;
            if anchored {
                letters.extend(desk.parcels_of(&row.id)?);
            }
            Ok(letters)
        });
        self.send_out(letters.await?).await
    }

    /// Anchors the manifest, and says whether it stands.
    async fn anchor_manifest(&self, mut row: DepositRow) -> Result<bool, DeskError> {
        let manifest = self.manifest_of(&row.manifest)?;
        if row.anchor.is_empty() {
            let root = BatchTree::new(&[manifest.digest()])?.root();
            let anchor = pb::Anchor { root: root.0.to_vec(), records: 1 };
            let body = self.body(pb::body::Payload::Anchor(anchor))?;
            row.anchor = self.sign(&body, Vec::new()).envelope.to_vec();
            self.keep_deposit(row.clone()).await?;
        }
        let signed = self.signed_again(&row.anchor)?;
        let Some(committed) = self.committed(signed.id).await? else {
            if self.parts.store.tip().time >= signed.not_after {
                row.anchor = Vec::new();
                self.keep_deposit(row).await?;
            } else {
                self.submit_again(&signed).await?;
            }
            return Ok(false);
        };
        let key = state::key_key(&keys::PublicKey::of(&self.parts.signing).id());
        let issuer_key =
            self.parts.store.state_proof(&key, None, heatmark_ledger::ids::Height(0))?;
        let evidence = DepositEvidence {
            receipt: committed.receipt.encode_to_vec(),
            batch: ALONE.to_vec(),
            issuer_key: issuer_key.encode_to_vec(),
        };
        row.evidence = evidence.encode_to_vec();
        self.keep_deposit(row).await?;
        Ok(true)
    }

    async fn keep_deposit(&self, row: DepositRow) -> Result<(), DeskError> {
        let desk = self.clone();
        blocking(move || {
            let _alone = desk.alone();
            // What agents said meanwhile stays.
            let mut known = desk.deposit_row(&row.id)?;
            (known.anchor, known.evidence) = (row.anchor, row.evidence);
            Ok(desk.parts.vault.put_deposit(&desk.actor, &known, None)?)
        })
        .await
    }

    pub(super) fn deposit_row(&self, id: &[u8]) -> Result<DepositRow, DeskError> {
        let id: &[u8; 32] = id.try_into().map_err(|_| DealError::UnknownDeposit)?;
        Ok(self.parts.vault.deposit(id)?.ok_or(DealError::UnknownDeposit)?)
    }

    /// A transaction as it left before.
    pub(super) fn signed_again(&self, envelope: &[u8]) -> Result<Signed, DeskError> {
        let read = wire::decode_envelope(envelope).map_err(|_| VaultError::Damaged)?;
        let body = wire::decode_body(&read.body).map_err(|_| VaultError::Damaged)?;
        let signer = KeyId::try_from(read.signer.as_slice()).map_err(|_| VaultError::Damaged)?;
        let network = self.parts.intake.network();
        let id: TransactionId =
            heatmark_ledger::transaction::transaction_id(&network, &signer, &read.body);
        let envelope = Bytes::copy_from_slice(envelope);
        Ok(Signed { id, envelope, not_after: UnixMillis(body.not_after_ms) })
    }

    pub(super) fn manifest_of(&self, bytes: &[u8]) -> Result<Manifest, DeskError> {
        Ok(Manifest::read(bytes, &self.parts.intake.network())?)
    }
}

/// Whether all agents have signed for what they are to have.
fn is_finished(row: &DepositRow) -> bool {
    row.destroyed
        || (!row.evidence.is_empty() && row.agents.iter().all(|agent| !agent.receipt.is_empty()))
}

fn ordered(mut clauses: Vec<Clause>) -> Vec<Clause> {
    clauses.sort_by_key(Clause::digest);
    clauses
}

pub(super) fn member(bytes: &[u8]) -> Result<MemberId, DeskError> {
    Ok(MemberId::try_from(bytes).map_err(|_| VaultError::Damaged)?)
}

/// Roots of a manifest's sections.
pub(super) fn roots_of(manifest: &Manifest) -> Vec<Vec<u8>> {
    manifest.sections.iter().map(|section| section.root.clone()).collect()
}

fn short(count: impl TryInto<u8>) -> Result<u8, DeskError> {
    Ok(count.try_into().map_err(|_| DealError::Sharing)?)
}

/// The head of a section's content, and what the manifest lists of its documents.
fn head_of(
    (tree, head): (&RecordTree<'_>, Vec<u8>),
    paths: &std::collections::BTreeSet<Path>,
    section: &SectionPlan,
) -> Result<(SectionHead, Vec<DocumentEntry>), DeskError> {
    let (mut fields, mut named) = (Vec::with_capacity(paths.len()), Vec::new());
    for path in paths {
        let proof = tree.show(path)?;
        if let Some(Value::Document(document)) = proof.value() {
            named.push(document.sha256);
        }
        fields.push(proof.encode());
    }
    let (mut documents, mut listed) = (Vec::new(), Vec::new());
    for (name, content) in &section.documents {
        let digest: [u8; 32] = Sha256::digest(content).into();
        if !named.contains(&digest) {
            return Err(DealError::NotInSection(name.clone()).into());
        }
        let salt: [u8; 32] = rand::random();
        listed.push(DocumentEntry {
            name: name.clone(),
            bytes: u64::try_from(content.len()).unwrap_or(u64::MAX),
            digest: document_digest(&salt, &digest).0.to_vec(),
        });
        documents.push(SectionDocument { salt: salt.to_vec(), digest: digest.to_vec() });
    }
    let version = heatmark_escrow::SECTION_VERSION;
    Ok((SectionHead { version, head, fields, documents }, listed))
}

fn entry_of(
    section: &SectionPlan,
    content: &ContentId,
    commitments: &Commitments,
    (paths, documents): (&std::collections::BTreeSet<Path>, Vec<DocumentEntry>),
) -> SectionEntry {
    let root: Hash = content.root();
    SectionEntry {
        name: section.name.clone(),
        root: root.0.to_vec(),
        bytes: content.bytes(),
        pieces: content.pieces(),
        commitments: commitments.encode(),
        fields: paths.iter().map(ToString::to_string).collect(),
        documents,
    }
}
