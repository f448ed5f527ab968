//! A saga as a sequence: what happens when all goes well, then every way it can fail, with the
//! undo of what was done before.

use super::message;
use ir::architecture::Architecture;
use ir::domain::{Domain, Kind, Resource};
use ir::model::{IntegrationOperation, Model, Step, Workflow};
use ir::quantity::{Unit, print};
use std::fmt::Write as _;

/// The diagram of a workflow.
pub fn sequence(architecture: &Architecture, workflow: &Workflow) -> String {
    let (domain, model) = (&architecture.domain, &*architecture.model);
    let mut drawing = Drawing::new(domain, model, workflow);
    drawing.begin();
    for step in &workflow.steps {
        drawing.step(step, 1);
    }
    drawing.endings();
    drawing.finish()
}

struct Drawing<'a> {
    domain: &'a Domain,
    model: &'a Model,
    workflow: &'a Workflow,
    /// The resource that it runs on.
    resource: Option<&'a Resource>,
    participants: Vec<String>,
    body: String,
}

/// What a step calls.
struct Target<'a> {
    participant: String,
    text: String,
    operation: Option<&'a IntegrationOperation>,
}

impl<'a> Drawing<'a> {
    fn new(domain: &'a Domain, model: &'a Model, workflow: &'a Workflow) -> Self {
        let name = workflow.after.as_str().rsplit('.').nth(1).unwrap_or_default();
        let resource = domain.resources.iter().find(|resource| resource.name == name);
        let participants = Vec::new();
        Self { domain, model, workflow, resource, participants, body: String::new() }
    }

    /// The alias of a participant; it stands in the order of its first use.
    fn alias(&mut self, name: &str) -> String {
        let at = self.participants.iter().position(|other| other == name).unwrap_or_else(|| {
            self.participants.push(name.to_owned());
            self.participants.len() - 1
        });
        format!("p{at}")
    }

    fn context_of(&self, resource: &Resource) -> String {
        self.domain.contexts[resource.context.index()].name.clone()
    }

    fn home(&self) -> String {
        self.resource.map_or_else(|| self.model.system.value.clone(), |one| self.context_of(one))
    }

    fn line(&mut self, depth: usize, text: &str) {
        let _ = writeln!(self.body, "{}{text}", "  ".repeat(depth));
    }

    fn call(&mut self, depth: usize, target: &Target<'_>) {
        let home = self.home();
        let (from, to) = (self.alias(&home), self.alias(&target.participant));
        self.line(depth, &format!("{from}->>{to}: {}", message(&target.text)));
    }

    fn begin(&mut self) {
        let command = self.workflow.after.as_str();
        let (name, resource) = (command.rsplit('.').next().unwrap_or(command), self.resource);
        let callers: Vec<&str> = resource
            .and_then(|resource| resource.commands.iter().find(|one| one.name == name))
            .map(|command| {
                let texts = command.by.iter().filter_map(|one| one.text.split_whitespace().next());
                texts.collect()
            })
            .unwrap_or_default();
        let caller = self.alias(&callers.join(" or "));
        let home = self.home();
        let home = self.alias(&home);
        let path = resource.map_or_else(String::new, |resource| {
            format!("POST /v1/{}/{{id}}/{}", resource.path, name.replace('_', "-"))
        });
        self.line(1, &format!("{caller}->>{home}: {}", message(&path)));
        self.line(1, &format!("{home}-->>{caller}: 200, the row as it is now"));
        let note = format!("{} begins with the commit of {command}", self.workflow.name);
        self.line(1, &format!("Note over {home}: {}", message(&note)));
    }

    fn target(&self, name: &str) -> Target<'a> {
        let words: Vec<&str> = name.split('.').collect();
        let (first, last) = (words[0], words[words.len() - 1]);
        let integration = self.model.integrations.iter().find(|one| one.name == first);
        if let Some(integration) = integration {
            let operation = integration.operations.iter().find(|one| one.name == last);
            let text = operation.map_or_else(
                || name.to_owned(),
                |one| format!("{} {}", one.method.value.to_uppercase(), one.path),
            );
            return Target { participant: integration.name.value.clone(), text, operation };
        }
        let resource = self.reached(&words[..words.len() - 1]);
        let text = resource.map_or_else(|| name.to_owned(), |r| format!("{}.{last}", r.name));
        let participant = resource.map_or_else(|| self.home(), |r| self.context_of(r));
        Target { participant, text, operation: None }
    }

    /// The resource at the end of `Order`, `ordering.Order`, `doctor` or `item.product`.
    fn reached(&self, path: &[&str]) -> Option<&'a Resource> {
        let named = |name: &str| self.domain.resources.iter().find(|one| one.name == name);
        let mut at: Option<&Resource> = None;
        for word in path {
            at = match (at, *word) {
                (None, "item") => self.resource.and_then(|resource| {
                    let (_, child) = resource.children().next()?;
                    Some(self.domain.resource(child))
                }),
                (None, word) => named(word).or_else(|| self.follow(self.resource?, word)),
                (Some(resource), word) => self.follow(resource, word),
            };
        }
        at
    }

    fn follow(&self, resource: &Resource, field: &str) -> Option<&'a Resource> {
        let children = resource.children().map(|(_, child)| self.domain.resource(child));
        let of = |resource: &Resource| match resource.field_named(field)?.1.kind {
            Kind::Reference { target, .. } => Some(target),
            Kind::Scalar | Kind::Enum(_) | Kind::Actor(_) | Kind::Children { .. } => None,
        };
        let own = of(resource).map(|target| self.domain.resource(target));
        own.or_else(|| children.into_iter().find_map(of).map(|id| self.domain.resource(id)))
    }

    fn step(&mut self, step: &Step, depth: usize) {
        let condition = step.when.as_ref().map(|when| format!("when {}", when.text));
        if let Some(condition) = &condition {
            self.line(depth, &format!("opt {}", message(condition)));
        }
        let inner = depth + usize::from(condition.is_some());
        if let Some(each) = &step.each {
            self.line(inner, &format!("loop {}", message(&format!("each of {each}"))));
            self.action(step, inner + 1);
            self.line(inner, "end");
        } else {
            self.action(step, inner);
        }
        if condition.is_some() {
            self.line(depth, "end");
        }
    }

    fn action(&mut self, step: &Step, depth: usize) {
        let home = self.home();
        let home = self.alias(&home);
        if let Some(run) = &step.run {
            let mut target = self.target(run.as_str());
            let bounds = bounds(step);
            target.text = format!("{}: {}{bounds}", step.name, target.text);
            self.call(depth, &target);
            let name = target.participant.clone();
            if name != self.home() {
                let from = self.alias(&name);
                self.line(depth, &format!("{from}-->>{home}: done"));
            }
        }
        let mut note = |text: String| {
            let text = message(&text);
            self.line(depth, &format!("Note over {home}: {text}"));
        };
        if let Some(wait) = &step.wait {
            note(format!("{}: waits for {}", step.name, wait.value));
        }
        if let Some(approve) = &step.approve {
            note(format!("{}: waits until {} approves", step.name, approve.text));
        }
        if let Some(workflow) = &step.workflow {
            note(format!("{}: runs {workflow}", step.name));
        }
        if !step.parallel.is_empty() {
            for (at, branch) in step.parallel.iter().enumerate() {
                let word = if at == 0 { "par" } else { "and" };
                self.line(depth, &format!("{word} {}", message(branch.name.as_str())));
                self.step(branch, depth + 1);
            }
            self.line(depth, "end");
        }
    }

    /// One branch for the good end and one for each way to fail.
    fn endings(&mut self) {
        let home = self.home();
        let home = self.alias(&home);
        self.line(1, "alt every step is done");
        let done = format!("{} has completed", self.workflow.name);
        self.line(2, &format!("Note over {home}: {}", message(&done)));
        let steps = &self.workflow.steps;
        for (at, step) in steps.iter().enumerate() {
            for (why, refusal, unknown) in self.failures(step) {
                self.line(1, &format!("else {}", message(&why)));
                if unknown {
                    self.settle(step);
                }
                if step.each.is_some() && step.undo.is_some() && !unknown {
                    self.take_back(step, ", for those that were done");
                }
                self.undo(&steps[..at]);
                self.otherwise(refusal.as_deref());
            }
        }
        self.line(1, "end");
    }

    /// Why a step can fail: in words, the refusal's name, and whether it may have happened.
    fn failures(&self, step: &Step) -> Vec<(String, Option<String>, bool)> {
        let Some(run) = &step.run else { return Vec::new() };
        let Some(operation) = self.target(run.as_str()).operation else {
            return vec![(format!("{} is refused", step.name), None, false)];
        };
        let mut failures: Vec<(String, Option<String>, bool)> = operation
            .refuses
            .iter()
            .map(|(status, name)| {
                let why = format!("{} is refused: {name} ({})", step.name, status.value);
                (why, Some(name.value.clone()), false)
            })
            .collect();
        let tries = 1 + step.retry.as_ref().map_or(0, |retry| retry.value);
        let calls = if tries == 1 { "1 call".to_owned() } else { format!("{tries} calls") };
        failures.push((format!("{} has no answer after {calls}", step.name), None, true));
        failures
    }

    /// A call whose answer was lost: did it happen?
    fn settle(&mut self, step: &Step) {
        let Some(run) = &step.run else { return };
        let target = self.target(run.as_str());
        let lookup = target.operation.and_then(|operation| operation.lookup.as_ref());
        let Some((method, path)) = lookup else {
            if step.undo.is_some() {
                self.undo(std::slice::from_ref(step));
            }
            return;
        };
        let text = format!("did it happen? {} {}", method.value.to_uppercase(), path.value);
        self.call(2, &Target { text, ..target });
        if step.undo.is_some() {
            self.line(2, "opt it did");
            self.undo(std::slice::from_ref(step));
            self.line(2, "end");
        }
    }

    /// What was done is taken back, the last first.
    fn undo(&mut self, steps: &[Step]) {
        for step in steps.iter().rev() {
            let each = step.each.as_ref().map(|each| format!(", for each of {each}"));
            self.take_back(step, &each.unwrap_or_default());
        }
    }

    fn take_back(&mut self, step: &Step, which: &str) {
        let Some(undo) = &step.undo else { return };
        let mut target = self.target(undo.as_str());
        target.text = format!("undo {}: {}{which}", step.name, target.text);
        self.call(2, &target);
    }

    fn otherwise(&mut self, refusal: Option<&str>) {
        let named = self
            .workflow
            .otherwise
            .iter()
            .find(|(name, _)| name.as_ref().is_some_and(|name| Some(name.as_str()) == refusal));
        let any = || self.workflow.otherwise.iter().find(|(name, _)| name.is_none());
        match named.or_else(any) {
            Some((_, command)) => {
                let target = self.target(command.as_str());
                self.call(2, &target);
            }
            None => {
                let home = self.home();
                let home = self.alias(&home);
                let text = format!("{} has ended, undone", self.workflow.name);
                self.line(2, &format!("Note over {home}: {}", message(&text)));
            }
        }
    }

    fn finish(self) -> String {
        let mut out = String::from("sequenceDiagram\n");
        for (at, name) in self.participants.iter().enumerate() {
            let kind = if at == 0 { "actor" } else { "participant" };
            let _ = writeln!(out, "  {kind} p{at} as {}", message(name));
        }
        out + &self.body
    }
}

/// ` (timeout 2 s, 3 retries)`
fn bounds(step: &Step) -> String {
    let timeout = step
        .timeout
        .as_ref()
        .map(|timeout| format!("timeout {}", print(timeout.value, &Unit::Seconds)));
    let retry = step.retry.as_ref().map(|retry| match retry.value {
        1 => "1 retry".to_owned(),
        more => format!("{more} retries"),
    });
    let both: Vec<String> = timeout.into_iter().chain(retry).collect();
    if both.is_empty() { String::new() } else { format!(" ({})", both.join(", ")) }
}
