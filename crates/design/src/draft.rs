//! What rules see: the model, what follows from it, and the decisions of earlier stages.

pub mod bill;
pub mod dependability;
pub mod inputs;
pub mod load;
pub mod outside;
pub mod sizing;
pub mod volume;

#[cfg(test)]
mod tests;

use crate::capacity::Term;
use crate::catalog::Catalog;
use crate::draft::inputs::{Inputs, Knob};
use crate::draft::load::Load;
use crate::draft::volume::Volume;
use ir::contract::Contract;
use ir::decision::{Decision, Setting};
use ir::domain::{Domain, ResourceId};
use ir::model::{Integration, Model, Pin, Workflow};
use ir::schema::Schema;
use std::collections::BTreeMap;

/// Seconds of a mean month.
pub const MONTH_SECONDS: f64 = 2_629_800.0;
/// Seconds of a mean year.
pub const YEAR_SECONDS: f64 = 31_557_600.0;
/// Hours that a month is billed for.
pub const MONTH_HOURS: f64 = 730.0;

/// What does not change while the design runs again with other inputs.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// What was asked.
    pub model: &'a Model,
    /// The same resolved.
    pub domain: &'a Domain,
    /// The operations.
    pub contract: &'a Contract,
    /// The tables.
    pub schema: &'a Schema,
    /// Prices and limits.
    pub catalog: &'a Catalog,
}

/// The snapshot that the rules of a stage see.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// What was asked.
    pub model: &'a Model,
    /// The same resolved.
    pub domain: &'a Domain,
    /// The operations.
    pub contract: &'a Contract,
    /// The tables.
    pub schema: &'a Schema,
    /// Prices and limits.
    pub catalog: &'a Catalog,
    /// The goals, completed.
    pub inputs: Inputs,
    /// Traffic.
    pub load: Load,
    /// Rows and bytes, by resource.
    pub volumes: Vec<Volume>,
    /// Run again for comparison: thresholds that cost time are left out.
    pub quick: bool,
    /// Decisions of earlier stages.
    pub decisions: Vec<Decision>,
    settings: BTreeMap<&'static str, BTreeMap<String, Setting>>,
}

impl<'a> Draft<'a> {
    /// A draft without decisions.
    pub fn new(ground: Ground<'a>, inputs: Inputs) -> Self {
        let Ground { model, domain, contract, schema, catalog } = ground;
        let load = Load::read(model, domain, contract, &inputs);
        let indexes = schema.tables.iter().map(|table| (table.resource, table.indexes.len()));
        let indexes: BTreeMap<ResourceId, usize> = indexes.collect();
        let volumes = volume::read(model, domain, &indexes, &inputs, &load);
        Self {
            model,
            domain,
            contract,
            schema,
            catalog,
            inputs,
            load,
            volumes,
            quick: false,
            decisions: Vec::new(),
            settings: BTreeMap::new(),
        }
    }

    /// Takes over the decisions of a stage that is done.
    pub fn accept(&mut self, decisions: Vec<Decision>) {
        for decision in &decisions {
            for (key, setting) in &decision.settings {
                let subjects = self.settings.entry(*key).or_default();
                subjects.insert(decision.subject.clone(), setting.clone());
            }
        }
        self.decisions.extend(decisions);
    }

    /// The setting that an earlier stage decided on a subject.
    pub fn setting(&self, key: &str, subject: &str) -> Option<&Setting> {
        self.settings.get(key)?.get(subject)
    }

    /// The word that an earlier stage decided for the system; empty where none did.
    pub fn word(&self, key: &str) -> &str {
        match self.setting(key, SYSTEM) {
            Some(Setting::Word(word)) => word,
            Some(Setting::Flag(_) | Setting::Number(_)) | None => "",
        }
    }

    /// The number that an earlier stage decided on a subject.
    pub fn number(&self, key: &str, subject: &str) -> Option<f64> {
        match self.setting(key, subject) {
            Some(Setting::Number(number)) => Some(*number),
            Some(Setting::Flag(_) | Setting::Word(_)) | None => None,
        }
    }

    /// Whether an earlier stage switched it on for the system.
    pub fn flag(&self, key: &str) -> bool {
        matches!(self.setting(key, SYSTEM), Some(Setting::Flag(true)))
    }

    /// Whether an earlier stage decided that setting on any subject.
    pub fn has(&self, key: &str) -> bool {
        self.settings.contains_key(key)
    }

    /// All subjects with that setting and its number.
    pub fn numbers(&self, key: &str) -> impl Iterator<Item = (&str, f64)> {
        let subjects = self.settings.get(key).into_iter().flatten();
        subjects.filter_map(|(subject, setting)| match setting {
            Setting::Number(number) => Some((subject.as_str(), *number)),
            Setting::Flag(_) | Setting::Word(_) => None,
        })
    }

    /// The decision that an earlier stage made.
    pub fn decided(&self, name: &str, subject: &str) -> Option<&Decision> {
        self.decisions.iter().find(|one| one.name == name && one.subject == subject)
    }

    /// The input of a knob.
    pub fn input(&self, knob: Knob) -> Term {
        self.inputs.get(knob).clone()
    }

    /// The value of a knob.
    pub fn value(&self, knob: Knob) -> f64 {
        self.inputs.value(knob)
    }

    /// A fact of the catalogue.
    pub fn fact(&self, name: &str) -> Term {
        self.catalog.term(name)
    }

    /// Clients' requests a second at the peak.
    pub fn peak(&self) -> Term {
        self.input(Knob::Peak)
    }

    /// `catalog.Product`
    pub fn name(&self, resource: ResourceId) -> String {
        self.domain.full_name(resource)
    }

    /// The volume of a resource.
    pub fn volume(&self, resource: ResourceId) -> &Volume {
        &self.volumes[resource.index()]
    }

    /// Bytes of all resources at the end of the horizon.
    pub fn bytes(&self) -> f64 {
        self.volumes.iter().map(|volume| volume.bytes.value).sum()
    }

    /// Whether the system has tenants.
    pub fn tenants(&self) -> bool {
        self.domain.tenancy.is_some()
    }

    /// What the model pins on a decision, for all subjects or this one.
    pub fn pin(&self, name: &str, subject: &str) -> Option<&'a Pin> {
        pin(self.model, name, subject)
    }

    /// The technology that the constraints prefer for a subject.
    pub fn preferred(&self, subject: &str) -> Option<&'a str> {
        let wishes = &self.model.constraints.prefer;
        wishes.iter().find(|(known, _)| known == subject).map(|(_, wish)| wish.as_str())
    }

    /// Whether the constraints rule a technology out.
    pub fn forbidden(&self, subject: &str, technology: &str) -> bool {
        let bans = &self.model.constraints.forbid;
        bans.iter().any(|(known, banned)| known == subject && banned == technology)
    }

    /// Whether a regime of compliance is asked for.
    pub fn complies(&self, regime: &str) -> bool {
        self.model.constraints.compliance.iter().any(|known| known == regime)
    }

    /// The workflow of a name.
    pub fn workflow(&self, name: &str) -> Option<&'a Workflow> {
        self.model.workflows.iter().find(|workflow| workflow.name == name)
    }

    /// The integration of a name.
    pub fn integration(&self, name: &str) -> Option<&'a Integration> {
        self.model.integrations.iter().find(|integration| integration.name == name)
    }
}

/// The subject of decisions on the whole.
pub const SYSTEM: &str = "system";

/// The model's word on a decision: on this subject, else on all.
pub fn pin<'a>(model: &'a Model, name: &str, subject: &str) -> Option<&'a Pin> {
    let pins = &model.decisions;
    let full = |pin: &&Pin| {
        let written = pin.decision.as_str();
        written.strip_prefix(name).is_some_and(|rest| rest.trim() == subject && !rest.is_empty())
    };
    pins.iter().find(full).or_else(|| pins.iter().find(|pin| pin.decision == name))
}
