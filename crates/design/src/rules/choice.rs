//! Builds a decision while it is thought through, and lets the model's pins overrule it.

use crate::draft::Draft;
use crate::stages::Rule;
use ir::decision::{Alternative, Authority, Decision, Effect, Pinned, Setting};
use ir::model::Pin;
use ir::quantity::{Computed, Grade, print};

/// Settings of one option: what software reads of it.
pub type Settings = Vec<(&'static str, Setting)>;

/// A decision in the making.
#[derive(Debug, Clone)]
pub struct Choice {
    decision: Decision,
    /// Settings that an alternative would bring, beside it.
    others: Vec<Settings>,
    grades: Vec<Grade>,
}

impl Rule {
    /// Begins a decision on a subject.
    pub fn on(&self, subject: &str, question: impl Into<String>) -> Choice {
        Choice {
            decision: Decision {
                rule: self.id,
                name: self.name,
                stage: self.stage,
                subject: subject.to_owned(),
                question: question.into(),
                choice: String::new(),
                because: Vec::new(),
                alternatives: Vec::new(),
                numbers: Vec::new(),
                drivers: Vec::new(),
                consequences: Vec::new(),
                authority: Authority::Owns,
                consult: None,
                flips_at: Vec::new(),
                grade: Grade::Derived,
                effect: Effect::AdviceOnly,
                pinned: None,
                settings: Vec::new(),
            },
            others: Vec::new(),
            grades: Vec::new(),
        }
    }
}

impl Choice {
    /// The answer in a few words.
    pub fn choose(mut self, choice: impl Into<String>) -> Self {
        self.decision.choice = choice.into();
        self
    }

    /// A reason that holds for this system alone.
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.decision.because.push(reason.into());
        self
    }

    /// A reason where there is one.
    pub fn because_if(self, holds: bool, reason: impl FnOnce() -> String) -> Self {
        if holds { self.because(reason()) } else { self }
    }

    /// An alternative and why it lost.
    pub fn alternative(
        self,
        name: impl Into<String>,
        lost: impl Into<String>,
        numbers: Vec<Computed>,
    ) -> Self {
        self.option(name, lost, numbers, Vec::new())
    }

    /// An alternative with the settings it would bring if the model pinned it.
    pub fn option(
        mut self,
        name: impl Into<String>,
        lost: impl Into<String>,
        numbers: Vec<Computed>,
        settings: Settings,
    ) -> Self {
        let (name, lost) = (name.into(), lost.into());
        self.decision.alternatives.push(Alternative { name, lost, numbers });
        self.others.push(settings);
        self
    }

    /// A number of the choice.
    pub fn number(mut self, number: Computed) -> Self {
        self.decision.numbers.push(number);
        self
    }

    /// Several numbers of the choice.
    pub fn numbers(mut self, numbers: impl IntoIterator<Item = Computed>) -> Self {
        self.decision.numbers.extend(numbers);
        self
    }

    /// The requirement that drove it, as a model path.
    pub fn driver(mut self, path: impl Into<String>) -> Self {
        let path = path.into();
        if !self.decision.drivers.contains(&path) {
            self.decision.drivers.push(path);
        }
        self
    }

    /// What follows from it.
    pub fn consequence(mut self, text: impl Into<String>) -> Self {
        self.decision.consequences.push(text.into());
        self
    }

    /// How far the architect's word goes, if not `owns`.
    pub fn authority(mut self, authority: Authority) -> Self {
        self.decision.authority = authority;
        self
    }

    /// Whom to ask, and what.
    pub fn consult(mut self, whom: impl Into<String>) -> Self {
        self.decision.consult = Some(whom.into());
        self
    }

    /// At which input the answer changes.
    pub fn flips(mut self, at: impl Into<String>) -> Self {
        self.decision.flips_at.push(at.into());
        self
    }

    /// Where it takes effect, if not in the document alone.
    pub fn effect(mut self, effect: Effect) -> Self {
        self.decision.effect = effect;
        self
    }

    /// A machine-readable outcome.
    pub fn set(mut self, key: &'static str, value: impl IntoSetting) -> Self {
        self.decision.settings.push((key, value.into_setting()));
        self
    }

    /// The grade of an input that no number shows.
    pub fn grade(mut self, grade: Grade) -> Self {
        self.grades.push(grade);
        self
    }

    /// The finished decision: graded, and overruled where the model pins it.
    pub fn done(mut self, draft: &Draft<'_>) -> Decision {
        let numbers = self.decision.numbers.iter().map(Computed::grade);
        let worst = numbers.chain(self.grades.iter().copied()).max();
        self.decision.grade = worst.unwrap_or(Grade::Derived);
        if let Some(pin) = draft.pin(self.decision.name, &self.decision.subject) {
            self.overrule(pin);
        }
        self.decision
    }

    fn overrule(&mut self, pin: &Pin) {
        let wished = pin.choose.value.trim().to_owned();
        let because = pin.because.as_ref().map(|text| text.value.clone()).unwrap_or_default();
        let path = format!("decisions.{}", pin.decision);
        self.decision.drivers.insert(0, path);
        self.decision.grade = self.decision.grade.min(Grade::Given).max(self.decision.grade);
        if same(&self.decision.choice, &wished) {
            let cost = "nothing: the architect chooses the same".to_owned();
            let instead_of = self.decision.choice.clone();
            self.decision.pinned = Some(Pinned { because, instead_of, cost });
            return;
        }
        let names = &self.decision.alternatives;
        let Some(at) = names.iter().position(|other| same(&other.name, &wished)) else {
            let former = std::mem::replace(&mut self.decision.choice, wished.clone());
            self.settle_unknown(&wished);
            let cost = format!(
                "unknown: the architect has no numbers for `{wished}`, and would choose {former}"
            );
            let lost = self.overruled();
            let numbers = std::mem::take(&mut self.decision.numbers);
            self.decision.pinned = Some(Pinned { because, instead_of: former.clone(), cost });
            self.decision.alternatives.insert(0, Alternative { name: former, lost, numbers });
            return;
        };
        let taken = self.decision.alternatives.remove(at);
        let settings = self.others.remove(at);
        let mut cost = differences(&self.decision.numbers, &taken.numbers);
        if cost.is_empty() {
            cost.clone_from(&taken.lost);
        }
        let former = std::mem::replace(&mut self.decision.choice, taken.name);
        let numbers = std::mem::replace(&mut self.decision.numbers, taken.numbers);
        let lost = self.overruled();
        let instead_of = former.clone();
        self.decision.alternatives.insert(0, Alternative { name: former, lost, numbers });
        self.decision.settings.retain(|(key, _)| !settings.iter().any(|(new, _)| new == key));
        self.decision.settings.extend(settings);
        self.decision.pinned = Some(Pinned { because, instead_of, cost });
    }

    /// Why the architect's own choice is now an alternative; what followed from it does no longer.
    fn overruled(&mut self) -> String {
        self.decision.consequences.clear();
        let because = std::mem::take(&mut self.decision.because).join("; ");
        let lost = "the architect's choice, overruled by the model";
        if because.is_empty() { lost.to_owned() } else { format!("{lost} (for it: {because})") }
    }

    /// A pin that names none of the options may still be a number: `replicas: 5`.
    fn settle_unknown(&mut self, wished: &str) {
        let digits = wished.split_whitespace().next().unwrap_or_default().replace('_', "");
        let Ok(number) = digits.parse::<f64>() else { return };
        let numeric = |setting: &Setting| matches!(setting, Setting::Number(_));
        let first = self.decision.settings.iter_mut().find(|(_, setting)| numeric(setting));
        if let Some((_, setting)) = first {
            *setting = Setting::Number(number);
        }
    }
}

/// Whether an option's name is what a pin means: the same, or beginning with it.
fn same(option: &str, wished: &str) -> bool {
    let (option, wished) = (plain(option), plain(wished));
    option == wished
        || option.strip_prefix(&wished).is_some_and(|rest| rest.starts_with([' ', ',']))
        || option.replace(' ', "") == wished.replace(' ', "")
}

/// A choice in small letters, without punctuation and the article before it.
pub(super) fn plain(text: &str) -> String {
    let kept = text.chars().filter(|c| c.is_alphanumeric() || *c == ' ');
    let text = kept.collect::<String>().trim().to_lowercase();
    text.strip_prefix("a ").map(str::to_owned).unwrap_or(text)
}

/// What a pinned option's numbers differ in from the architect's.
fn differences(chosen: &[Computed], pinned: &[Computed]) -> String {
    let mut parts = Vec::new();
    for number in pinned {
        let same = chosen.iter().find(|own| own.name == number.name && own.unit == number.unit);
        if let Some(own) = same
            && (own.value - number.value).abs() > 1e-9
        {
            let (from, to) = (print(own.value, &own.unit), print(number.value, &number.unit));
            parts.push(format!("{}: {to} instead of {from}", number.name));
        }
    }
    parts.join("; ")
}

/// What can be a setting.
pub trait IntoSetting {
    /// The setting.
    fn into_setting(self) -> Setting;
}

impl IntoSetting for bool {
    fn into_setting(self) -> Setting {
        Setting::Flag(self)
    }
}
impl IntoSetting for f64 {
    fn into_setting(self) -> Setting {
        Setting::Number(self)
    }
}
impl IntoSetting for u32 {
    fn into_setting(self) -> Setting {
        Setting::Number(f64::from(self))
    }
}
impl IntoSetting for &str {
    fn into_setting(self) -> Setting {
        Setting::Word(self.to_owned())
    }
}
impl IntoSetting for String {
    fn into_setting(self) -> Setting {
        Setting::Word(self)
    }
}

/// A short list for a sentence: `a, b and c`, or `a, b, c and 7 more`.
pub(super) fn listed<S: AsRef<str>>(names: &[S]) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let more = names.len().saturating_sub(SHOWN);
    match (shown.split_last(), more) {
        (None, _) => String::new(),
        (Some(_), more) if more > 0 => format!("{} and {more} more", shown.join(", ")),
        (Some((last, [])), _) => (*last).to_owned(),
        (Some((last, rest)), _) => format!("{} and {last}", rest.join(", ")),
    }
}

/// `1 replica`, `3 replicas`
pub(super) fn counted(count: f64, one: &str, many: &str) -> String {
    let noun = if (count - 1.0).abs() < 1e-9 { one } else { many };
    format!("{} {noun}", ir::quantity::number(count))
}
