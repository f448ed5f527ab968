//! From what was asked to what is decided: [`check`] tells every fault of meaning and is the only
//! maker of a valid model, [`lower`] resolves it.

pub mod check;
pub mod lower;
pub mod naming;
