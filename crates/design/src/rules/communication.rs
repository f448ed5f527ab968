//! How the parts talk.

mod broker;
mod consistency;
mod events;
mod relations;
mod sagas;
mod schedules;
mod told;
mod webhooks;

pub(super) use sagas::duration;

rules!["communication": relations, consistency, events, broker, sagas, webhooks, schedules];
