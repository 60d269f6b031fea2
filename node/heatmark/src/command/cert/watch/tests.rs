//! The watch's directories.
