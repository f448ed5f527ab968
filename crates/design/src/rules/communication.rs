//! How the parts talk.

mod broker;
mod consistency;
mod events;
mod relations;
mod sagas;
mod schedules;
mod webhooks;

rules!["communication": relations, consistency, events, broker, sagas, webhooks, schedules];
