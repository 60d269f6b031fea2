//! heatmark-devnet
