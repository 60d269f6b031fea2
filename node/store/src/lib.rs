//! heatmark-store
