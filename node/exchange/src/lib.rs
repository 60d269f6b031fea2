//! heatmark-exchange
