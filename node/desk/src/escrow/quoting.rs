//! Keys of one deal: each party gives the buyer one for the log and one to seal terms to, and signs that they are its own.
//! Refuses to be what it is not: an agent of what it does not hold, an owner of what it did not deposit.

use super::{DealError, Outgoing, names};
use crate::{Desk, DeskError};
use ed25519_dalek::SigningKey;
use heatmark_envelopes::{OpeningKey, SealingKey};
use heatmark_escrow::files::{PartyRole, Quote, QuoteAsk};
use heatmark_evidence::transfer::SignedFile as _;
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::keys;
use heatmark_vault::{DealRole, DealRow, SecretsOf, VaultError};
use prost::Message;
use zeroize::{Zeroize, Zeroizing};

/// Deals of one buyer in which this organisation gave a key and no terms have come.
const MOST_QUOTED: usize = 1_024;

/// The keys of one party of one deal.
#[derive(Clone, PartialEq, Message)]
pub(super) struct DealSecrets {
    /// Seed of the key on the log.
    #[prost(bytes = "vec", tag = "1")]
    pub(super) key: Vec<u8>,
    /// Seed of the key that terms and claims are sealed to; of a buyer, of the keys that releases are sealed to.
    #[prost(bytes = "vec", tag = "2")]
    pub(super) seal: Vec<u8>,
    /// Secrets of sections that were opened, in the order of the terms' sections.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub(super) opened: Vec<Vec<u8>>,
}

impl Drop for DealSecrets {
    fn drop(&mut self) {
        self.key.zeroize();
        self.seal.zeroize();
        self.opened.zeroize();
    }
}

impl DealSecrets {
    pub(super) fn fresh() -> Self {
        let key: Zeroizing<[u8; 32]> = Zeroizing::new(rand::random());
        let seal: Zeroizing<[u8; 32]> = Zeroizing::new(rand::random());
        Self { key: key.to_vec(), seal: seal.to_vec(), opened: Vec::new() }
    }

    /// The key on the log.
    pub(super) fn signing(&self) -> Result<SigningKey, DeskError> {
        let seed: &[u8; 32] = self.key.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
        Ok(SigningKey::from_bytes(seed))
    }

    fn seed(&self) -> Result<&[u8; 32], DeskError> {
        Ok(self.seal.as_slice().try_into().map_err(|_| VaultError::Damaged)?)
    }

    /// The key that terms and claims are sealed to.
    pub(super) fn opening(&self) -> Result<OpeningKey, DeskError> {
        Ok(OpeningKey::from_seed(self.seed()?))
    }

    /// A buyer's key for what one agent releases: it can be shown without showing another.
    pub(super) fn reply(&self, index: u8) -> Result<OpeningKey, DeskError> {
        Ok(OpeningKey::derive(self.seed()?, "deal-reply", index.into()))
    }
}

impl Desk {
    /// A buyer asks this organisation for its keys in a deal.
    pub(super) fn asked_for_quote(
        &self,
        from: MemberId,
        content: &[u8],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let ask: QuoteAsk = self.file_from(from, content)?;
        self.for_us(&ask.to)?;
        let role = match ask.role() {
            PartyRole::Agent => DealRole::Agent,
            PartyRole::Arbiter => DealRole::Arbiter,
            PartyRole::Owner => DealRole::Owner,
            PartyRole::Unspecified => return Err(DeskError::NotForUs),
        };
        let digest: [u8; 32] =
            ask.manifest.as_slice().try_into().map_err(|_| DeskError::NotForUs)?;
        let deal: [u8; 32] = ask.deal.as_slice().try_into().map_err(|_| DeskError::NotForUs)?;
        let _alone = self.alone();
        self.check_role(role, &digest)?;
        let known = self.parts.vault.deal(&deal, role)?;
        if known.as_ref().is_some_and(|row| row.buyer != from.as_bytes()) {
            return Err(DeskError::NotForUs);
        }
        let secrets = match known {
            Some(_) => self.deal_secrets(&deal, role)?,
            None => {
                if self.parts.vault.deals_without_terms(from.as_bytes())? >= MOST_QUOTED {
                    return Err(DealError::TooManyBegun.into());
                }
                let secrets = DealSecrets::fresh();
                let row = DealRow {
                    deal: deal.to_vec(),
                    role: role.into(),
                    buyer: from.to_vec(),
                    manifest: digest.to_vec(),
                    at_ms: self.now().0,
                    ..DealRow::default()
                };
                let sealed = Zeroizing::new(secrets.encode_to_vec());
                self.parts.vault.put_deal(&self.actor, (&row, true), Some(&sealed), None)?;
                secrets
            }
        };
        let quote = Quote {
            from: self.parts.member.to_vec(),
            to: from.to_vec(),
            deal: ask.deal.clone(),
            manifest: ask.manifest.clone(),
            role: ask.role,
            key: keys::PublicKey::of(&secrets.signing()?).to_bytes().to_vec(),
            sealing: secrets.opening()?.sealing_key().as_bytes().to_vec(),
            ..Quote::default()
        };
        let content = quote.signed(&self.parts.intake.network(), &self.parts.signing);
        Ok(vec![Outgoing { to: from, name: names::QUOTE, content }])
    }

    fn check_role(&self, role: DealRole, digest: &[u8; 32]) -> Result<(), DeskError> {
        let may = match role {
            DealRole::Agent => {
                let holding = self.parts.vault.holding(digest)?;
                holding.is_some_and(|row| row.signed && !row.destroyed)
            }
            DealRole::Owner => {
                let row = self.parts.vault.deposit_of(digest)?;
                row.is_some_and(|row| !row.destroyed)
            }
            // Who is asked to hold money says yes or no once it sees the terms.
            DealRole::Arbiter => true,
            DealRole::Buyer => false,
        };
        if may { Ok(()) } else { Err(DealError::UnknownDeposit.into()) }
    }

    pub(super) fn deal_secrets(
        &self,
        deal: &[u8; 32],
        role: DealRole,
    ) -> Result<DealSecrets, DeskError> {
        let role = u8::try_from(i32::from(role)).map_err(|_| VaultError::Damaged)?;
        let secrets = self.parts.vault.escrow_secrets(SecretsOf::Deal(role), deal)?;
        let secrets = secrets.ok_or(DealError::SectionsDestroyed)?;
        Ok(DealSecrets::decode(secrets.as_slice()).map_err(|_| VaultError::Damaged)?)
    }

    /// A party gives its keys.
    pub(super) fn quote_arrived(
        &self,
        from: MemberId,
        content: &[u8],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let quote: Quote = self.file_from(from, content)?;
        self.for_us(&quote.to)?;
        SealingKey::decode(&quote.sealing).map_err(|_| DeskError::NotForUs)?;
        let deal: [u8; 32] = quote.deal.as_slice().try_into().map_err(|_| DeskError::NotForUs)?;
        let _alone = self.alone();
        let row = self.parts.vault.deal(&deal, DealRole::Buyer)?;
        let mut row = row.ok_or(DealError::UnknownDeal)?;
        if !row.terms.is_empty() || quote.manifest != row.manifest {
            // Too late, or not what was asked for.
            return Ok(Vec::new());
        }
        let same = |known: &Vec<u8>| {
            Quote::decode(known.as_slice())
                .is_ok_and(|known| known.from == quote.from && known.role == quote.role)
        };
        if !row.quotes.iter().any(same) {
            row.quotes.push(content.to_vec());
            self.parts.vault.put_deal(&self.actor, (&row, true), None, None)?;
        }
        self.look_at(&row);
        Ok(Vec::new())
    }
}
