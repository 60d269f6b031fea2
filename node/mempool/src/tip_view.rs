//! The state as one submission sees it: every entry is read from the store once, and those that
//! every submission needs once a height, so that a dry run costs no further reads.

use heatmark_ledger::ids::{Height, TransactionId};
use heatmark_ledger::state::{self, StateError, StateView};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A view that many threads read.
pub(crate) type SharedView = Arc<dyn StateView + Send + Sync>;

type Values = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Entries that every submission needs, as of one height.
#[derive(Debug, Default)]
pub(crate) struct HeightCache {
    values: Mutex<Option<(Height, Arc<Values>)>>,
}

impl HeightCache {
    fn values(&self, view: &SharedView, next: Height) -> Result<Arc<Values>, StateError> {
        let mut cached = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        match &*cached {
            Some((height, values)) if *height == next => Ok(Arc::clone(values)),
            _ => {
                let mut values = Values::new();
                for key in [state::parameters_key(), state::versions_key(), state::pending_key()] {
                    let value = view.value(&key)?;
                    values.insert(key, value);
                }
                let values = Arc::new(values);
                *cached = Some((next, Arc::clone(&values)));
                Ok(values)
            }
        }
    }
}

/// The view of one submission.
pub(crate) struct TipView<'v> {
    view: &'v SharedView,
    of_height: Arc<Values>,
    read: RefCell<Values>,
    logged: RefCell<BTreeMap<TransactionId, bool>>,
}

impl<'v> TipView<'v> {
    pub(crate) fn new(
        view: &'v SharedView,
        cache: &HeightCache,
        next: Height,
    ) -> Result<Self, StateError> {
        let of_height = cache.values(view, next)?;
        Ok(Self { view, of_height, read: RefCell::default(), logged: RefCell::default() })
    }
}

impl StateView for TipView<'_> {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        if let Some(value) = self.of_height.get(key) {
            return Ok(value.clone());
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
