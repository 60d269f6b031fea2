//! What a customer's node says that is left of recalled material.

use ed25519_dalek::SigningKey;
use heatmark_evidence::transfer::{HolderTotals, SignedFile};
use heatmark_fuzz::Target;
use heatmark_ledger::ids::NetworkId;

#[test]
fn holder_totals() {
    let network = NetworkId::from([7; 32]);
    let totals = HolderTotals {
        holder: vec![1; 32],
        supplier: vec![2; 32],
        subject: vec![3; 32],
        sequence: 1,
        mass_mg: u64::MAX,
        pieces: 40,
        holders: 2,
        awaited: 1,
        at_ms: 5,
        ..HolderTotals::default()
    };
    let seed = totals.signed(&network, &SigningKey::from_bytes(&[9; 32]));
    let run = move |input: &[u8]| match HolderTotals::read(input, &network) {
        Ok(_) => true,
        Err(error) => {
            assert!(!error.code().is_empty());
            false
        }
    };
    Target::new("holder-totals", vec![seed], run).fuzz();
}
