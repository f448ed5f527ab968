//! The document of small architectures.
