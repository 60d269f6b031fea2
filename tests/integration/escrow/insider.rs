//! What somebody can do who runs a party's node: stop it, read and change its vault with its own keys, and start it again.

use crate::town::Town;
use ed25519_dalek::SigningKey;
use heatmark::Home;
use heatmark::keys::{self, KeyKind, PassphraseSource, VaultKeySource};
use heatmark_client::ClientError;
use heatmark_envelopes::Share;
use heatmark_escrow::Terms;
use heatmark_escrow::files::TermsContent;
use heatmark_ledger::messages::{self as pb, body::Payload, deal::Step};
use heatmark_ledger::transaction;
use heatmark_vault::{DealRole, DealRow, SecretsOf, Vault};
use prost::Message;
use std::time::{SystemTime, UNIX_EPOCH};

/// A party's keys of one deal, as its vault holds them.
#[derive(Clone, PartialEq, Message)]
pub(super) struct DealKeys {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) seal: Vec<u8>,
}

/// What an agent's vault holds of a deposit.
#[derive(Clone, PartialEq, Message)]
struct Held {
    #[prost(bytes = "vec", tag = "1")]
    seed: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    shares: Vec<Vec<u8>>,
}

/// The vault of a node that does not run.
pub(super) fn vault(town: &Town, name: &str) -> Vault {
    let home = Home::new(&town.devnet.node(name).unwrap().home);
    let key = keys::vault_key(&home, VaultKeySource::Seed, &mut PassphraseSource::none()).unwrap();
    Vault::open(&town.path(name).join("data/vault"), &key).unwrap()
}

pub(super) fn id(deal: &str) -> [u8; 32] {
    hex::decode(deal).unwrap().try_into().unwrap()
}

/// A party's row and keys of a deal.
pub(super) fn part(vault: &Vault, deal: &str, role: DealRole) -> (DealRow, DealKeys) {
    let row = vault.deal(&id(deal), role).unwrap().unwrap();
    let place = SecretsOf::Deal(u8::try_from(i32::from(role)).unwrap());
    let keys = vault.escrow_secrets(place, &id(deal)).unwrap().unwrap();
    (row, DealKeys::decode(keys.as_slice()).unwrap())
}

/// Puts shares of another dealing in the place of those that a stopped agent holds.
pub(super) fn spoil_shares(town: &Town, agent: &str) {
    let vault = vault(town, agent);
    let row = vault.holdings().unwrap().remove(0);
    let digest: [u8; 32] = row.digest.as_slice().try_into().unwrap();
    let held = vault.escrow_secrets(SecretsOf::Holding, &digest).unwrap().unwrap();
    let mut held = Held::decode(held.as_slice()).unwrap();
    for share in &mut held.shares {
        // A bit low in the share's value: it is a share still, and not this one.
        share[5] ^= 1;
    }
    vault.put_holding(&row, Some(&held.encode_to_vec()), None).unwrap();
}

/// An agent of a deal whose program does as its owner likes: it has the node's keys and the true share.
pub(super) struct RogueAgent {
    deal: Vec<u8>,
    key: SigningKey,
    /// Its place among the deal's agents.
    place: u32,
    envelopes: Vec<Vec<u8>>,
}

impl RogueAgent {
    /// Takes over from a node that was stopped.
    pub(super) fn of(town: &Town, agent: &str, deal: &str) -> Self {
        let vault = vault(town, agent);
        let (row, keys) = part(&vault, deal, DealRole::Agent);
        let content = TermsContent::read(&row.terms).unwrap();
        let terms = Terms::decode(content.terms.as_slice()).unwrap();
        let member = town.devnet.member(agent).unwrap();
        let place = terms.agents.iter().position(|one| one.member == member.as_bytes()).unwrap();
        let manifest: [u8; 32] = row.manifest.as_slice().try_into().unwrap();
        let held = vault.escrow_secrets(SecretsOf::Holding, &manifest).unwrap().unwrap();
        let held = Held::decode(held.as_slice()).unwrap();
        let shares = held.shares.iter().map(|share| Share::decode(share).unwrap());
        let sealed = terms.sections.iter().zip(shares).map(|(section, share)| {
            heatmark_escrow::release(&share, &terms, section, &mut rand::rng()).unwrap()
        });
        Self {
            deal: row.deal.clone(),
            key: SigningKey::from_bytes(keys.key.as_slice().try_into().unwrap()),
            place: u32::try_from(place).unwrap(),
            envelopes: sealed.collect(),
        }
    }

    /// Says that it is ready, whatever the deal's phase; the refusal's name, where there is one.
    pub(super) async fn ready(&self, town: &Town) -> Option<String> {
        self.submit(town, Step::Ready(pb::DealReady { agent: self.place })).await
    }

    /// Releases its share, whatever the deal's phase; the refusal's name, where there is one.
    pub(super) async fn release(&self, town: &Town) -> Option<String> {
        let (agent, envelopes) = (self.place, self.envelopes.clone());
        self.submit(town, Step::Release(pb::DealRelease { agent, envelopes })).await
    }

    /// In an envelope of somebody's who has no part in the deal.
    async fn submit(&self, town: &Town, step: Step) -> Option<String> {
        let network = town.devnet.genesis().unwrap().network();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let now = u64::try_from(now).unwrap();
        let body = pb::Body {
            not_before_ms: now - 4_000,
            not_after_ms: now + 300_000,
            nonce: rand::random::<[u8; 16]>().to_vec(),
            payload: Some(Payload::Deal(pb::Deal { deal: self.deal.clone(), step: Some(step) })),
        };
        let bytes = body.encode_to_vec();
        let signed = transaction::cosign(&network, pb::CoSigner::Deal, &self.key, &bytes).unwrap();
        let carrier = town.devnet.key("forge", KeyKind::Signing).unwrap();
        let envelope = transaction::sign(&network, &carrier, &body, vec![signed]);
        let client = town.devnet.client("forge").await.unwrap();
        match client.submit_and_wait(envelope, crate::town::LONG).await {
            Ok(_) => None,
            Err(error @ ClientError::Refused { .. }) => {
                Some(error.refusal_code().unwrap_or_default().to_owned())
            }
            Err(error) => panic!("nothing can be said: {error}"),
        }
    }
}
