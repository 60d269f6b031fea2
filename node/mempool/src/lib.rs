//! heatmark-mempool
