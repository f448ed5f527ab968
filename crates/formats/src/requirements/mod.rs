//! The requirements file.
