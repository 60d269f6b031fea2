//! heatmark-ledger
