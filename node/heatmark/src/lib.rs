//! heatmark
