//! heatmark-client
