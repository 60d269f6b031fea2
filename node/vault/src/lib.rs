//! heatmark-vault
