//! Votes, proposals and certificates.

use arc_malachitebft_app_channel::app::consensus::LivenessMsg;
use arc_malachitebft_app_channel::app::types::SignedConsensusMsg;
use arc_malachitebft_app_channel::app::types::codec::Codec;
use arc_malachitebft_app_channel::app::types::core::{
    NilOrVal, PolkaCertificate, PolkaSignature, Round, RoundCertificate, RoundCertificateType,
    RoundSignature, SignedMessage, SignedProposal, SignedVote, ValidatorProof, VoteType,
};
use bytes::Bytes;
use heatmark_ledger::validators::MAX_VALIDATORS;
use heatmark_ledger::wire::shape::{Shape, part};

use super::{
    CERTIFICATE, CodecError, LedgerCodec, MAX_CERTIFICATE_BYTES, MAX_SMALL_BYTES, address,
    block_id, decode, decode_shaped, encode, optional_round_in, optional_round_out, round_out,
    signature,
};
use crate::context::{BlockId, Heatmark, Height, Proposal, Vote};
use crate::wire;

const LIVENESS: Shape = &[part(2, 0, CERTIFICATE), part(3, 0, CERTIFICATE)];

fn kind_out(kind: VoteType) -> u32 {
    match kind {
        VoteType::Prevote => 1,
        VoteType::Precommit => 2,
    }
}

fn kind_in(kind: u32) -> Result<VoteType, CodecError> {
    match kind {
        1 => Ok(VoteType::Prevote),
        2 => Ok(VoteType::Precommit),
        _ => Err(CodecError::Range),
    }
}

fn value_out(value: &NilOrVal<BlockId>) -> Vec<u8> {
    match value {
        NilOrVal::Nil => Vec::new(),
        NilOrVal::Val(id) => id.0.to_vec(),
    }
}

fn value_in(bytes: &[u8]) -> Result<NilOrVal<BlockId>, CodecError> {
    if bytes.is_empty() { Ok(NilOrVal::Nil) } else { block_id(bytes).map(NilOrVal::Val) }
}

fn vote_out(vote: &SignedVote<Heatmark>) -> Result<wire::Vote, CodecError> {
    Ok(wire::Vote {
        kind: kind_out(vote.message.kind),
        height: vote.message.height.0,
        round: round_out(vote.message.round)?,
        value: value_out(&vote.message.value),
        validator: vote.message.address.0.to_vec(),
        signature: vote.signature.0.to_vec(),
    })
}

fn vote_in(vote: &wire::Vote) -> Result<SignedVote<Heatmark>, CodecError> {
    let message = Vote {
        kind: kind_in(vote.kind)?,
        height: Height(vote.height),
        round: Round::new(vote.round),
        value: value_in(&vote.value)?,
        address: address(&vote.validator)?,
    };
    Ok(SignedMessage::new(message, signature(&vote.signature)?))
}

fn proposal_out(proposal: &SignedProposal<Heatmark>) -> Result<wire::Proposal, CodecError> {
    Ok(wire::Proposal {
        height: proposal.message.height.0,
        round: round_out(proposal.message.round)?,
        lock: optional_round_out(proposal.message.pol_round),
        value: proposal.message.value.0.to_vec(),
        validator: proposal.message.address.0.to_vec(),
        signature: proposal.signature.0.to_vec(),
    })
}

fn proposal_in(proposal: &wire::Proposal) -> Result<SignedProposal<Heatmark>, CodecError> {
    let message = Proposal {
        height: Height(proposal.height),
        round: Round::new(proposal.round),
        value: block_id(&proposal.value)?,
        pol_round: optional_round_in(proposal.lock),
        address: address(&proposal.validator)?,
    };
    Ok(SignedMessage::new(message, signature(&proposal.signature)?))
}

fn polka_out(polka: &PolkaCertificate<Heatmark>) -> Result<wire::Certificate, CodecError> {
    let signatures = polka
        .polka_signatures
        .iter()
        .map(|s| wire::Signature {
            validator: s.address.0.to_vec(),
            signature: s.signature.0.to_vec(),
        })
        .collect();
    Ok(wire::Certificate {
        height: polka.height.0,
        round: round_out(polka.round)?,
        value: polka.value_id.0.to_vec(),
        signatures,
    })
}

fn polka_in(polka: &wire::Certificate) -> Result<PolkaCertificate<Heatmark>, CodecError> {
    if polka.signatures.len() > MAX_VALIDATORS {
        return Err(CodecError::Range);
    }
    let polka_signatures = polka
        .signatures
        .iter()
        .map(|s| Ok(PolkaSignature::new(address(&s.validator)?, signature(&s.signature)?)))
        .collect::<Result<_, CodecError>>()?;
    Ok(PolkaCertificate {
        height: Height(polka.height),
        round: Round::new(polka.round),
        value_id: block_id(&polka.value)?,
        polka_signatures,
    })
}

fn round_certificate_out(
    certificate: &RoundCertificate<Heatmark>,
) -> Result<wire::RoundCertificate, CodecError> {
    let votes = certificate
        .round_signatures
        .iter()
        .map(|s| wire::RoundVote {
            kind: kind_out(s.vote_type),
            value: value_out(&s.value_id),
            validator: s.address.0.to_vec(),
            signature: s.signature.0.to_vec(),
        })
        .collect();
    Ok(wire::RoundCertificate {
        height: certificate.height.0,
        round: round_out(certificate.round)?,
        kind: match certificate.cert_type {
            RoundCertificateType::Skip => 1,
            RoundCertificateType::Precommit => 2,
        },
        votes,
    })
}

fn round_certificate_in(
    certificate: &wire::RoundCertificate,
) -> Result<RoundCertificate<Heatmark>, CodecError> {
    // A validator may stand in it with both of its votes.
    if certificate.votes.len() > MAX_VALIDATORS.saturating_mul(2) {
        return Err(CodecError::Range);
    }
    let round_signatures = certificate
        .votes
        .iter()
        .map(|vote| {
            Ok(RoundSignature::new(
                kind_in(vote.kind)?,
                value_in(&vote.value)?,
                address(&vote.validator)?,
                signature(&vote.signature)?,
            ))
        })
        .collect::<Result<_, CodecError>>()?;
    let cert_type = match certificate.kind {
        1 => RoundCertificateType::Skip,
        2 => RoundCertificateType::Precommit,
        _ => return Err(CodecError::Range),
    };
    Ok(RoundCertificate {
        height: Height(certificate.height),
        round: Round::new(certificate.round),
        cert_type,
        round_signatures,
    })
}

impl Codec<SignedConsensusMsg<Heatmark>> for LedgerCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<SignedConsensusMsg<Heatmark>, CodecError> {
        let message: wire::ConsensusMessage = decode(&bytes, MAX_SMALL_BYTES)?;
        match message.message.ok_or(CodecError::Empty)? {
            wire::Consensus::Vote(vote) => vote_in(&vote).map(SignedConsensusMsg::Vote),
            wire::Consensus::Proposal(proposal) => {
                proposal_in(&proposal).map(SignedConsensusMsg::Proposal)
            }
        }
    }

    fn encode(&self, message: &SignedConsensusMsg<Heatmark>) -> Result<Bytes, CodecError> {
        let message = match message {
            SignedConsensusMsg::Vote(vote) => wire::Consensus::Vote(vote_out(vote)?),
            SignedConsensusMsg::Proposal(proposal) => {
                wire::Consensus::Proposal(proposal_out(proposal)?)
            }
        };
        Ok(encode(&wire::ConsensusMessage { message: Some(message) }))
    }
}

impl Codec<LivenessMsg<Heatmark>> for LedgerCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<LivenessMsg<Heatmark>, CodecError> {
        let limit = MAX_CERTIFICATE_BYTES.saturating_mul(2);
        let message: wire::LivenessMessage = decode_shaped(&bytes, limit, LIVENESS)?;
        match message.message.ok_or(CodecError::Empty)? {
            wire::Liveness::Vote(vote) => vote_in(&vote).map(LivenessMsg::Vote),
            wire::Liveness::Polka(polka) => polka_in(&polka).map(LivenessMsg::PolkaCertificate),
            wire::Liveness::Round(round) => {
                round_certificate_in(&round).map(LivenessMsg::SkipRoundCertificate)
            }
        }
    }

    fn encode(&self, message: &LivenessMsg<Heatmark>) -> Result<Bytes, CodecError> {
        let message = match message {
            LivenessMsg::Vote(vote) => wire::Liveness::Vote(vote_out(vote)?),
            LivenessMsg::PolkaCertificate(polka) => wire::Liveness::Polka(polka_out(polka)?),
            LivenessMsg::SkipRoundCertificate(round) => {
                wire::Liveness::Round(round_certificate_out(round)?)
            }
        };
        Ok(encode(&wire::LivenessMessage { message: Some(message) }))
    }
}

impl Codec<PolkaCertificate<Heatmark>> for LedgerCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<PolkaCertificate<Heatmark>, CodecError> {
        polka_in(&decode_shaped(&bytes, MAX_CERTIFICATE_BYTES, CERTIFICATE)?)
    }

    fn encode(&self, polka: &PolkaCertificate<Heatmark>) -> Result<Bytes, CodecError> {
        Ok(encode(&polka_out(polka)?))
    }
}

impl Codec<ValidatorProof<Heatmark>> for LedgerCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<ValidatorProof<Heatmark>, CodecError> {
        let proof: wire::ValidatorProof = decode(&bytes, MAX_SMALL_BYTES)?;
        let signature = signature(&proof.signature)?;
        Ok(ValidatorProof::new(proof.public_key, proof.peer, signature))
    }

    fn encode(&self, proof: &ValidatorProof<Heatmark>) -> Result<Bytes, CodecError> {
        Ok(encode(&wire::ValidatorProof {
            public_key: proof.public_key.clone(),
            peer: proof.peer_id.clone(),
            signature: proof.signature.0.to_vec(),
        }))
    }
}
