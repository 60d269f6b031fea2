//! The registry of members as TLS asks it: over the newest state, so that a vote or a rotation
//! counts from its block on.

use heatmark_client::tls::{Registry, admitted_member};
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::state::StateError;
use heatmark_store::Store;

/// The registry in a node's store.
#[derive(Debug, Clone)]
pub struct StoreRegistry {
    store: Store,
}

impl StoreRegistry {
    /// A registry over the newest state of `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

impl Registry for StoreRegistry {
    fn member_of(&self, key: &PublicKey) -> Result<Option<MemberId>, StateError> {
        // A key that is valid in the next block is valid now: at genesis there is no other.
        admitted_member(&self.store, key, self.store.tip().height.next())
    }
}
