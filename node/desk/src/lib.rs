//! heatmark-desk
