//! heatmark-merkle
