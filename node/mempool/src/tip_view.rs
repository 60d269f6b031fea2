//! The state as one submission sees it: every entry is read from the store once, and those that
//! many submissions need once a height, so that a dry run costs no further reads.

use heatmark_ledger::ids::{Height, TransactionId};
use heatmark_ledger::state::{self, StateError, StateView};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A view that many threads read.
pub(crate) type SharedView = Arc<dyn StateView + Send + Sync>;

type Values = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Most entries of members and keys that are kept of a height: those of 4,096 signers.
const MAX_REGISTRY_ENTRIES: usize = 8_192;

/// Entries that many submissions need, as of one height.
#[derive(Debug, Default)]
pub(crate) struct HeightCache {
    values: Mutex<Option<(Height, Arc<OfHeight>)>>,
}

#[derive(Debug)]
struct OfHeight {
    /// What every submission needs.
    shared: Values,
    /// Members and keys, as submissions named them.
    registry: Mutex<Values>,
}

impl OfHeight {
    /// A member's or a key's entry. One that is not there is not kept: names of nothing are free.
    fn registry(&self, view: &SharedView, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        if let Some(value) = self.entries().get(key) {
            return Ok(value.clone());
        }
        let value = view.value(key)?;
        let mut entries = self.entries();
        if value.is_some() && entries.len() < MAX_REGISTRY_ENTRIES {
            entries.insert(key.to_vec(), value.clone());
        }
        Ok(value)
    }

    fn entries(&self) -> MutexGuard<'_, Values> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeightCache {
    fn of(&self, view: &SharedView, next: Height) -> Result<Arc<OfHeight>, StateError> {
        let mut cached = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        match &*cached {
            Some((height, values)) if *height == next => Ok(Arc::clone(values)),
            _ => {
                let mut shared = Values::new();
                for key in [state::parameters_key(), state::versions_key(), state::pending_key()] {
                    let value = view.value(&key)?;
                    shared.insert(key, value);
                }
                let values = Arc::new(OfHeight { shared, registry: Mutex::default() });
                *cached = Some((next, Arc::clone(&values)));
                Ok(values)
            }
        }
    }
}

/// The view of one submission.
pub(crate) struct TipView<'v> {
    view: &'v SharedView,
    of_height: Arc<OfHeight>,
    read: RefCell<Values>,
    logged: RefCell<BTreeMap<TransactionId, bool>>,
}

impl<'v> TipView<'v> {
    pub(crate) fn new(
        view: &'v SharedView,
        cache: &HeightCache,
        next: Height,
    ) -> Result<Self, StateError> {
        let of_height = cache.of(view, next)?;
        Ok(Self { view, of_height, read: RefCell::default(), logged: RefCell::default() })
    }
}

impl StateView for TipView<'_> {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        if let Some(value) = self.of_height.shared.get(key) {
            return Ok(value.clone());
        }
        if state::is_registry_key(key) {
            return self.of_height.registry(self.view, key);
        }
        if let Some(value) = self.read.borrow().get(key) {
            return Ok(value.clone());
        }
        let value = self.view.value(key)?;
        self.read.borrow_mut().insert(key.to_vec(), value.clone());
        Ok(value)
    }

    fn contains_transaction(&self, id: &TransactionId) -> Result<bool, StateError> {
        if let Some(logged) = self.logged.borrow().get(id) {
            return Ok(*logged);
        }
        let logged = self.view.contains_transaction(id)?;
        self.logged.borrow_mut().insert(*id, logged);
        Ok(logged)
    }
}
