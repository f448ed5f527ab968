//! A small algebra over numbers that records the formula while it computes.
//!
//! `(peak * demand / target).ceil().named("replicas", …)` gives a [`Computed`] that prints
//! `3 replicas = ceil(peak × demand / target) = ceil(1,200 rps × 2 ms / 60 %)`.

use ir::quantity::{Computed, Grade, Input, Unit};
use std::ops::{Add, Div, Mul, Sub};

/// How tightly the outermost operator of a formula binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Sum,
    Product,
    Atom,
}

/// A value, its formula and the inputs that went in.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    value: f64,
    unit: Unit,
    formula: String,
    binding: Binding,
    inputs: Vec<Input>,
}

impl Term {
    /// An input under a one-word name.
    pub fn input(name: &str, value: f64, unit: Unit, grade: Grade, source: &str) -> Self {
        let name = name.replace([' ', '-'], "_");
        let input = Input {
            name: name.clone(),
            value,
            unit: unit.clone(),
            grade,
            source: source.to_owned(),
        };
        Self { value, unit, formula: name, binding: Binding::Atom, inputs: vec![input] }
    }

    /// A constant of the formula itself, printed as it is.
    pub fn number(value: f64) -> Self {
        Self {
            value,
            unit: Unit::One,
            formula: ir::quantity::number(value),
            binding: Binding::Atom,
            inputs: Vec::new(),
        }
    }

    /// A number whose formula is told in words; `inputs` are what it was computed from.
    pub fn told(value: f64, formula: &str, inputs: Vec<Self>) -> Self {
        let inputs =
            inputs.into_iter().fold(Vec::new(), |inputs, term| merged(inputs, term.inputs));
        Self { value, unit: Unit::One, formula: formula.to_owned(), binding: Binding::Atom, inputs }
    }

    /// The value.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// Its unit; a formula has none until it is named.
    pub fn unit(&self) -> &Unit {
        &self.unit
    }

    /// The worst grade of what went in.
    pub fn grade(&self) -> Grade {
        self.inputs.iter().map(|input| input.grade).max().unwrap_or(Grade::Derived)
    }

    /// Where a single input came from; empty for a formula.
    pub fn source(&self) -> &str {
        match self.inputs.as_slice() {
            [input] => &input.source,
            _ => "",
        }
    }

    /// The value in its unit, as a reader expects it. A formula prints a bare number.
    pub fn print(&self) -> String {
        ir::quantity::print(self.value, &self.unit)
    }

    /// The same input with another value, as `grade`.
    pub fn with_value(&self, value: f64, grade: Grade) -> Self {
        let mut changed = self.clone();
        changed.value = value;
        for input in &mut changed.inputs {
            input.value = value;
            input.grade = grade;
        }
        changed
    }

    /// Rounded up.
    pub fn ceil(self) -> Self {
        let value = (self.value - 1e-9).ceil();
        self.wrapped("ceil", value)
    }

    /// A function of one argument whose value is known.
    pub fn wrapped(self, function: &str, value: f64) -> Self {
        let formula = format!("{function}({})", self.formula);
        Self { value, formula, binding: Binding::Atom, unit: Unit::One, inputs: self.inputs }
    }

    /// The greater of two.
    pub fn max(self, other: impl Into<Self>) -> Self {
        let other = other.into();
        let value = self.value.max(other.value);
        Self::function("max", vec![self, other], value)
    }

    /// The lesser of two.
    pub fn min(self, other: impl Into<Self>) -> Self {
        let other = other.into();
        let value = self.value.min(other.value);
        Self::function("min", vec![self, other], value)
    }

    /// To a power.
    pub fn power(self, exponent: impl Into<Self>) -> Self {
        let exponent = exponent.into();
        let value = self.value.powf(exponent.value);
        let formula = format!("{}^{}", self.inside(Binding::Atom), exponent.inside(Binding::Atom));
        let inputs = merged(self.inputs, exponent.inputs);
        Self { value, unit: Unit::One, formula, binding: Binding::Product, inputs }
    }

    /// A named function (`erlang_c`) of several arguments whose value is known.
    pub fn function(name: &str, arguments: Vec<Self>, value: f64) -> Self {
        let formulas: Vec<_> = arguments.iter().map(|term| term.formula.as_str()).collect();
        let formula = format!("{name}({})", formulas.join(", "));
        let inputs =
            arguments.into_iter().fold(Vec::new(), |inputs, term| merged(inputs, term.inputs));
        Self { value, unit: Unit::One, formula, binding: Binding::Atom, inputs }
    }

    /// The sum of several; zero of none.
    pub fn sum(terms: impl IntoIterator<Item = Self>) -> Self {
        terms.into_iter().reduce(|left, right| left + right).unwrap_or_else(|| Self::number(0.0))
    }

    /// The finished number under a name, in a unit.
    pub fn named(self, name: &str, unit: Unit) -> Computed {
        Computed {
            name: name.to_owned(),
            value: self.value,
            unit,
            formula: self.formula,
            inputs: self.inputs,
        }
    }

    fn inside(&self, outer: Binding) -> String {
        if self.binding < outer { format!("({})", self.formula) } else { self.formula.clone() }
    }

    fn joined(self, sign: &str, right: Self, value: f64, own: Binding, strict: bool) -> Self {
        let right_binding = match (own, strict) {
            (Binding::Sum, true) => Binding::Product,
            (Binding::Product, true) => Binding::Atom,
            (own, _) => own,
        };
        let formula = format!("{} {sign} {}", self.inside(own), right.inside(right_binding));
        let inputs = merged(self.inputs, right.inputs);
        Self { value, unit: Unit::One, formula, binding: own, inputs }
    }
}

fn merged(mut left: Vec<Input>, right: Vec<Input>) -> Vec<Input> {
    for input in right {
        if !left.iter().any(|known| known.name == input.name) {
            left.push(input);
        }
    }
    left
}

impl From<f64> for Term {
    fn from(value: f64) -> Self {
        Self::number(value)
    }
}

impl From<&Term> for Term {
    fn from(term: &Term) -> Self {
        term.clone()
    }
}

impl From<&Computed> for Term {
    /// A finished number becomes an input of the next; its source is its own formula.
    fn from(computed: &Computed) -> Self {
        let unit = computed.unit.clone();
        Self::input(&computed.name, computed.value, unit, computed.grade(), &computed.formula)
    }
}

impl From<Computed> for Term {
    fn from(computed: Computed) -> Self {
        Self::from(&computed)
    }
}

impl<T: Into<Term>> Add<T> for Term {
    type Output = Self;
    fn add(self, right: T) -> Self {
        let right = right.into();
        let value = self.value + right.value;
        self.joined("+", right, value, Binding::Sum, false)
    }
}

impl<T: Into<Term>> Sub<T> for Term {
    type Output = Self;
    fn sub(self, right: T) -> Self {
        let right = right.into();
        let value = self.value - right.value;
        self.joined("-", right, value, Binding::Sum, true)
    }
}

impl<T: Into<Term>> Mul<T> for Term {
    type Output = Self;
    fn mul(self, right: T) -> Self {
        let right = right.into();
        let value = self.value * right.value;
        self.joined("×", right, value, Binding::Product, false)
    }
}

impl<T: Into<Term>> Div<T> for Term {
    type Output = Self;
    fn div(self, right: T) -> Self {
        let right = right.into();
        let value = self.value / right.value;
        self.joined("/", right, value, Binding::Product, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn input(name: &str, value: f64, unit: Unit, grade: Grade) -> Term {
        Term::input(name, value, unit, grade, "")
    }

    #[test]
    fn a_number_prints_its_formula_in_names_and_in_values() {
        let peak = input("peak", 1200.0, Unit::PerSecond, Grade::Given);
        let demand = input("cpu per request", 0.002, Unit::Seconds, Grade::Catalogue);
        let target = input("target", 0.6, Unit::Share, Grade::Catalogue);
        let computed = ((peak * demand / target).ceil() + 1.0)
            .named("replicas", Unit::Count("replicas".into()));
        expect!["5 replicas = ceil(peak × cpu_per_request / target) + 1 = ceil(1,200 rps × 2 ms / 60 %) + 1"]
            .assert_eq(&computed.to_string());
        assert_eq!(computed.grade(), Grade::Catalogue);
    }

    #[test]
    fn brackets_stand_where_they_are_needed_and_nowhere_else() {
        let [a, b, c] = ["a", "b", "c"].map(|name| input(name, 2.0, Unit::One, Grade::Given));
        let formula = |term: Term| term.named("n", Unit::One).formula;
        let printed = [
            formula((a.clone() + &b) * &c),
            formula(a.clone() + b.clone() * &c),
            formula(a.clone() - (b.clone() - &c)),
            formula(a.clone() / (b.clone() * &c)),
            formula((a.clone() + &b).power(c.clone())),
            formula((a * &b).max(c)),
        ];
        expect!["(a + b) × c; a + b × c; a - (b - c); a / (b × c); (a + b)^c; max(a × b, c)"]
            .assert_eq(&printed.join("; "));
    }

    #[test]
    fn a_finished_number_is_an_input_of_the_next_with_its_worst_grade() {
        let rate = input("peak", 100.0, Unit::PerSecond, Grade::Assumed) * 0.5;
        let rate = rate.named("write rate", Unit::PerSecond);
        let next = (Term::from(&rate) * 60.0).named("writes", Unit::One);
        assert_eq!(next.to_string(), "3,000 = write_rate × 60 = 50 rps × 60");
        assert_eq!(next.grade(), Grade::Assumed);
    }
}
