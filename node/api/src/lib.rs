//! heatmark-api
