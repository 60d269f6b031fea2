//! heatmark-records
