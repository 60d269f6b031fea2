//! Seals offered to those who are to send lots, and seals that others offer. A seal is on disk before its offer leaves, and an
//! offer is believed only from the member that it names. What a sender's node asks for is answered unasked, within a bound.

use crate::keys::LOT_SEALS;
use crate::{Desk, DeskError, blocking};
use heatmark_evidence::transfer::{SealOffer, SealRequest, SignedFile, TransferError, Unproved};
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::keys::RegisteredKey;
use heatmark_ledger::{messages as pb, state};

/// Names under which the files of a transfer go as letters.
pub(crate) const REQUEST_NAME: &str = "seals.heatmark-request";
pub(crate) const OFFER_NAME: &str = "seals.heatmark-offer";
pub(crate) const PARCEL_NAME: &str = "lots.heatmark-parcel";
pub(crate) const ANSWER_NAME: &str = "lots.heatmark-answer";

/// Most seals of one offer: as many as a transfer has lots.
pub(super) const MOST_SEALS: u32 = 64;
/// Most unused seals that one member's node gets by asking. More are offered by hand.
const MOST_OPEN_SEALS: usize = 512;

impl Desk {
    /// Offers fresh seals to a member, as a file and, if so wished, as a letter.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn offer_seals(
        &self,
        to: MemberId,
        seals: u32,
        reference: String,
        letter: bool,
    ) -> Result<Vec<u8>, DeskError> {
        let desk = self.clone();
        let offer = blocking(move || desk.make_offer(to, seals, &reference)).await?;
        if letter {
            self.send_letter(to, OFFER_NAME.to_owned(), offer.clone()).await?;
        }
        Ok(offer)
    }

    fn make_offer(&self, to: MemberId, count: u32, reference: &str) -> Result<Vec<u8>, DeskError> {
        if to == self.parts.member || state::member(&self.parts.store, &to)?.is_none() {
            return Err(DeskError::UnknownMember(to));
        }
        if !(1..=MOST_SEALS).contains(&count) {
            return Err(DeskError::SealCount);
        }
        let first = self.parts.vault.take_seal_indices(count.into())?;
        let seeds = self.parts.seed.seals(LOT_SEALS);
        let indices = (first..).take(usize::try_from(count).unwrap_or_default());
        let seals: Vec<([u8; 32], u64)> =
            indices.map(|index| (seeds.seal(index).0, index)).collect();
        self.parts.vault.put_offer(&self.actor, to.as_bytes(), &seals)?;
        let offer = SealOffer {
            receiver: self.parts.member.to_vec(),
            sender: to.to_vec(),
            seals: seals.iter().map(|(seal, _)| seal.to_vec()).collect(),
            reference: reference.to_owned(),
            ..SealOffer::default()
        };
        let offer = offer.signed(&self.parts.intake.network(), &self.parts.signing);
        // What it refuses when it comes back, it must not hand out.
        SealOffer::read(&offer, &self.parts.intake.network()).map_err(DeskError::Transfer)?;
        Ok(offer)
    }

    /// Takes in an offer; gives who offers and how many seals.
    ///
    /// # Errors
    /// [`DeskError::Transfer`] for one that is not for this member or not by the one it names, [`DeskError::Vault`].
    pub async fn take_offer(&self, offer: Vec<u8>) -> Result<(MemberId, usize), DeskError> {
        let desk = self.clone();
        let taken = blocking(move || desk.keep_offer(&offer, None)).await?;
        self.shared.parcels.notify_one();
        Ok(taken)
    }

    pub(super) fn keep_offer(
        &self,
        offer: &[u8],
        from: Option<MemberId>,
    ) -> Result<(MemberId, usize), DeskError> {
        let network = self.parts.intake.network();
        let offer = self.proved(SealOffer::read(offer, &network)?)?;
        let receiver = member_in(&offer.receiver)?;
        if offer.sender != self.parts.member.as_bytes() || from.is_some_and(|from| from != receiver)
        {
            return Err(DeskError::NotForUs);
        }
        let seals: Result<Vec<[u8; 32]>, _> =
            offer.seals.iter().map(|seal| seal.as_slice().try_into()).collect();
        let seals = seals.map_err(|_| TransferError::NotCanonical)?;
        self.parts.vault.offer_arrived(receiver.as_bytes(), &seals)?;
        Ok((receiver, seals.len()))
    }

    /// What answers a request for seals; nothing for whoever has enough that it does not use.
    pub(super) fn answer_request(
        &self,
        request: &[u8],
        from: MemberId,
    ) -> Result<Option<Vec<u8>>, DeskError> {
        let network = self.parts.intake.network();
        let request = self.proved(SealRequest::read(request, &network)?)?;
        if request.receiver != self.parts.member.as_bytes() || request.sender != from.as_bytes() {
            return Err(DeskError::NotForUs);
        }
        let count = usize::try_from(request.seals).unwrap_or(usize::MAX);
        let open = self.parts.vault.open_offers(from.as_bytes())?;
        if open.saturating_add(count) > MOST_OPEN_SEALS {
            tracing::warn!("a member asks for more seals than it uses");
            return Ok(None);
        }
        self.make_offer(from, request.seals, "").map(Some)
    }

    /// A file, once the registry says that its signer's key is one of the member that it names. A key that was replaced since
    /// will do: what it signed may be on its way for weeks.
    pub(crate) fn proved<F: SignedFile>(&self, file: Unproved<F>) -> Result<F, DeskError> {
        let key = state::key_state(&self.parts.store, file.signer())?;
        let sound = key.filter(|key| key.compromised_since_height == 0);
        let role = |key: &pb::PublicKey| {
            key.role() == pb::KeyRole::Signing && key.algorithm() == pb::KeyAlgorithm::Ed25519
        };
        let (member, key) = sound
            .and_then(|state| Some((state.member, state.key.filter(role)?.key)))
            .ok_or(TransferError::Signature)?;
        let key = RegisteredKey::from_state(&key).ok_or(TransferError::Signature)?;
        Ok(file.prove(&key, &member_in(&member)?)?)
    }
}

pub(super) fn member_in(bytes: &[u8]) -> Result<MemberId, DeskError> {
    MemberId::try_from(bytes).map_err(|_| DeskError::Transfer(TransferError::NotCanonical))
}
