//! The bytes of the write-ahead log and of sealed values. A record is its payload's length, the
//! payload's checksum, and the payload.

use super::{Lie, Medium, RECORD_HEAD, Recent};
use heatmark_store::{Batch, DiskError, Family};

pub(super) fn checksum(parts: &[&[u8]]) -> u64 {
    // FNV-1a: every step is a bijection, so one changed byte always changes the sum.
    let mut sum: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in parts.iter().flat_map(|part| part.iter()) {
        sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    sum
}

pub(super) fn seal(family: Family, key: &[u8], value: &[u8]) -> Vec<u8> {
    let sum = checksum(&[family.name().as_bytes(), key, value]);
    let mut sealed = value.to_vec();
    sealed.extend_from_slice(&sum.to_le_bytes());
    sealed
}

pub(super) fn encode(batch: &Batch) -> Vec<u8> {
    let mut payload = Vec::new();
    let chunk = |payload: &mut Vec<u8>, bytes: &[u8]| {
        payload.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        payload.extend_from_slice(bytes);
    };
    for (family, key, value) in batch.operations() {
        payload.push(u8::from(value.is_some()));
        chunk(&mut payload, family.name().as_bytes());
        chunk(&mut payload, key);
        chunk(&mut payload, value.unwrap_or_default());
    }
    let mut record = (payload.len() as u32).to_le_bytes().to_vec();
    record.extend_from_slice(&checksum(&[&payload]).to_le_bytes());
    record.extend_from_slice(&payload);
    record
}

/// Applies a record's operations, as far as its bytes go.
pub(super) fn apply(recent: &mut Recent, mut payload: &[u8]) {
    fn chunk<'a>(payload: &mut &'a [u8]) -> Option<&'a [u8]> {
        let (length, rest) = payload.split_first_chunk::<4>()?;
        let (taken, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        *payload = rest;
        Some(taken)
    }
    while let Some((kind, rest)) = payload.split_first() {
        payload = rest;
        let Some(name) = chunk(&mut payload) else { return };
        let (Some(key), Some(value)) = (chunk(&mut payload), chunk(&mut payload)) else { return };
        let family = Family::all().find(|family| family.name().as_bytes() == name).unwrap();
        let value = (*kind == 1).then(|| value.to_vec());
        recent.entry(family).or_default().insert(key.to_vec(), value);
    }
}

/// Reads the log from its beginning; drops an incomplete record at its end.
pub(super) fn recover(medium: &mut Medium, lie: Option<Lie>) -> Result<Recent, DiskError> {
    let mut recent = Recent::new();
    let mut at = 0;
    while at < medium.log.len() {
        let rest = &medium.log[at..];
        let length = rest.get(..4).map(|l| u32::from_le_bytes(l.try_into().unwrap()) as usize);
        let end = length.map(|length| RECORD_HEAD + length);
        let Some(payload) = end.and_then(|end| rest.get(RECORD_HEAD..end)) else {
            if lie == Some(Lie::TornRecordsApply) {
                apply(&mut recent, rest.get(RECORD_HEAD..).unwrap_or_default());
            }
            break;
        };
        let sum = u64::from_le_bytes(rest[4..RECORD_HEAD].try_into().unwrap());
        if sum != checksum(&[payload]) && lie != Some(Lie::DamageIsServed) {
            return Err(DiskError::new("the write-ahead log is damaged"));
        }
        apply(&mut recent, payload);
        at += RECORD_HEAD + payload.len();
    }
    medium.log.truncate(at);
    medium.synced = at;
    Ok(recent)
}
