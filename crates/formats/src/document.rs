//! `ARCHITECTURE.md`: the architecture for people, folded from its decisions, domain, contract and
//! schema. Nothing is said here that would read the same for another system.

mod access;
mod api;
mod assessment;
mod closing;
mod communication;
mod components;
mod data;
pub(crate) mod decision;
mod gathered;
mod operation;
pub(crate) mod page;
mod services;

#[cfg(test)]
mod tests;

use ir::architecture::Architecture;
use page::Page;

/// The document.
pub fn write(architecture: &Architecture) -> String {
    let mut page = Page::default();
    page.heading(1, &architecture.domain.title);
    page.text(&architecture.domain.summary);
    assessment::write(&mut page, architecture);
    gathered::write(&mut page, architecture);
    services::write(&mut page, architecture);
    api::write(&mut page, architecture);
    components::write(&mut page, architecture);
    data::write(&mut page, architecture);
    data::caching(&mut page, architecture);
    communication::write(&mut page, architecture);
    access::write(&mut page, architecture);
    operation::performance(&mut page, architecture);
    operation::resilience(&mut page, architecture);
    operation::errors(&mut page, architecture);
    operation::observability(&mut page, architecture);
    closing::technology(&mut page, architecture);
    closing::bottlenecks(&mut page, architecture);
    closing::scaling(&mut page, architecture);
    closing::security(&mut page, architecture);
    closing::cost(&mut page, architecture);
    closing::roadmap(&mut page, architecture);
    closing::consultations(&mut page, architecture);
    closing::records(&mut page, architecture);
    page.finish()
}
