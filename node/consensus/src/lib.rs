//! heatmark-consensus
