//! Numbers that carry their unit, their formula and where their inputs came from.

use serde::Serialize;

/// What a number counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A bare number or a factor.
    One,
    /// A share of 1; printed in per cent.
    Share,
    /// Requests a second.
    PerSecond,
    /// Seconds; printed in the unit that reads best.
    Seconds,
    /// Bytes; printed in kB, MB, GB (powers of 1000).
    Bytes,
    /// Bytes a second.
    BytesPerSecond,
    /// Money a month in the currency named.
    PerMonth(String),
    /// A count of the thing named, in the plural (`replicas`, `rows`, `connections`).
    Count(String),
}

/// Where an input came from; the worst of a decision's inputs is the grade of the decision.
/// Ordered from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// Seen on the running system.
    Measured,
    /// Written in the model.
    Given,
    /// Follows from what is written.
    Derived,
    /// From the catalogue of technologies, with its source.
    Catalogue,
    /// A default, because the model says nothing.
    Assumed,
}

/// One input of a computed number.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Input {
    /// Short name as it stands in the formula.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
    /// Where it came from.
    pub grade: Grade,
    /// The model path (`goals.peak`), catalogue entry or sentence behind it.
    pub source: String,
}

/// A number with its unit, formula and inputs: `3 = ceil(1200 rps / 450 rps)`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Computed {
    /// What it is, short (`replicas`).
    pub name: String,
    /// The value.
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
    /// The formula in the names of the inputs (`ceil(peak / capacity)`).
    pub formula: String,
    /// What went in.
    pub inputs: Vec<Input>,
}

impl Computed {
    /// The worst grade among its inputs; derived where there are none.
    pub fn grade(&self) -> Grade {
        self.inputs.iter().map(|input| input.grade).max().unwrap_or(Grade::Derived)
    }
}

/// A measure as the model gives it: one value or a range of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Measure {
    /// The value, or the lower end.
    pub low: f64,
    /// The upper end, where a range was given.
    pub high: Option<f64>,
}

impl Measure {
    /// A single value.
    pub fn exact(value: f64) -> Self {
        Self { low: value, high: None }
    }

    /// The value to plan with: the upper end of a range.
    pub fn worst(self) -> f64 {
        self.high.unwrap_or(self.low)
    }
}

/// Prints a value in its unit the way a reader expects it: `1,200 rps`, `99.95 %`, `1.5 GB`.
pub fn print(value: f64, unit: &Unit) -> String {
    match unit {
        Unit::One => number(value),
        Unit::Share => format!("{} %", per_cent(value * 100.0)),
        Unit::PerSecond => format!("{} rps", number(value)),
        Unit::Seconds => seconds(value),
        Unit::Bytes => bytes(value),
        Unit::BytesPerSecond => format!("{}/s", bytes(value)),
        Unit::PerMonth(currency) => format!("{} {currency}/month", number(value)),
        Unit::Count(things) if value == 1.0 => format!("1 {}", one_of(things)),
        Unit::Count(things) => format!("{} {things}", number(value)),
    }
}

impl std::fmt::Display for Computed {
    /// `3 replicas = ceil(peak / capacity) = ceil(1,200 rps / 450 rps)`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} = {}", print(self.value, &self.unit), self.formula)?;
        let mut filled = String::new();
        for word in split_names(&self.formula) {
            match self.inputs.iter().find(|input| input.name == word) {
                Some(input) => filled.push_str(&print(input.value, &input.unit)),
                None => filled.push_str(word),
            }
        }
        if filled == self.formula { Ok(()) } else { write!(f, " = {filled}") }
    }
}

/// Cuts a formula into names and what stands between them.
fn split_names(formula: &str) -> Vec<&str> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let mut words = Vec::new();
    let mut start = 0;
    let mut inside = None;
    for (at, c) in formula.char_indices() {
        if inside.is_some_and(|inside| inside != is_name(c)) {
            words.push(&formula[start..at]);
            start = at;
        }
        inside = Some(is_name(c));
    }
    words.push(&formula[start..]);
    words
}

/// Three significant digits of a number below 1, as decimals.
fn decimals(size: f64) -> usize {
    if size < 1e-12 { 0 } else { (2.0 - size.log10().floor()).clamp(3.0, 14.0) as usize }
}

/// Per cent: near 100 so many decimals that what is missing shows two digits.
fn per_cent(value: f64) -> String {
    let missing = 100.0 - value;
    if (90.0..100.0).contains(&value) && missing > 1e-10 {
        let digits = (1.0 - missing.log10().floor()).clamp(1.0, 11.0) as usize;
        return trim(format!("{value:.digits$}"));
    }
    number(value)
}

/// The singular of a regular plural: `replicas`, `indexes`; other words stay.
fn one_of(things: &str) -> &str {
    if !things.chars().all(|c| c.is_ascii_lowercase() || c == ' ') {
        return things;
    }
    match things.strip_suffix("xes").or_else(|| things.strip_suffix("uses")) {
        Some(_) => &things[..things.len() - 2],
        None => things.strip_suffix('s').unwrap_or(things),
    }
}

/// A bare number: thousands parted by commas, three significant digits below 100.
pub fn number(value: f64) -> String {
    // A sum over nothing is minus zero.
    let value = value + 0.0;
    if !value.is_finite() {
        return if value > 0.0 { "unbounded".to_owned() } else { "undefined".to_owned() };
    }
    let size = value.abs();
    let text = if size >= 100.0 || size == size.trunc() {
        format!("{value:.0}")
    } else if size >= 10.0 {
        trim(format!("{value:.1}"))
    } else if size >= 1.0 {
        trim(format!("{value:.2}"))
    } else {
        trim(format!("{value:.*}", decimals(size)))
    };
    thousands(&text)
}

fn thousands(text: &str) -> String {
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(w, f)| (w, Some(f)));
    let mut grouped = String::with_capacity(text.len() + text.len() / 3);
    grouped.push_str(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if let Some(fraction) = fraction {
        grouped.push('.');
        grouped.push_str(fraction);
    }
    grouped
}

fn trim(text: String) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

fn seconds(value: f64) -> String {
    let scaled = |by: f64, unit: &str| format!("{} {unit}", number(value / by));
    match value.abs() {
        0.0 => "0 s".to_owned(),
        size if size < 1e-3 => scaled(1e-6, "µs"),
        size if size < 1.0 => scaled(1e-3, "ms"),
        size if size < 120.0 => scaled(1.0, "s"),
        size if size < 7_200.0 => scaled(60.0, "min"),
        size if size < 172_800.0 => scaled(3_600.0, "h"),
        size if size < 5_184_000.0 => scaled(86_400.0, "days"),
        size if size < 63_072_000.0 => scaled(2_629_800.0, "months"),
        _ => scaled(31_557_600.0, "years"),
    }
}

fn bytes(value: f64) -> String {
    let scaled = |by: f64, unit: &str| format!("{} {unit}", number(value / by));
    match value.abs() {
        size if size < 1e3 => scaled(1.0, "B"),
        size if size < 1e6 => scaled(1e3, "kB"),
        size if size < 1e9 => scaled(1e6, "MB"),
        size if size < 1e12 => scaled(1e9, "GB"),
        _ => scaled(1e12, "TB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_a_person_would_write_them() {
        let printed = [
            print(1200.0, &Unit::PerSecond),
            print(0.9995, &Unit::Share),
            print(0.2, &Unit::Seconds),
            print(1.5e9, &Unit::Bytes),
            print(3.0, &Unit::Count("replicas".to_owned())),
            print(1_234_567.0, &Unit::One),
            print(0.000_000_625, &Unit::One),
            print(0.819_876, &Unit::Share),
            print(0.999_999_994_2, &Unit::Share),
            print(1.0, &Unit::Count("indexes".to_owned())),
        ];
        assert_eq!(
            printed,
            [
                "1,200 rps",
                "99.95 %",
                "200 ms",
                "1.5 GB",
                "3 replicas",
                "1,234,567",
                "0.000000625",
                "82 %",
                "99.99999942 %",
                "1 index"
            ]
        );
    }

    #[test]
    fn a_computed_number_prints_its_formula_twice_once_in_names_once_in_values() {
        let input = |name: &str, value| Input {
            name: name.to_owned(),
            value,
            unit: Unit::PerSecond,
            grade: Grade::Given,
            source: String::new(),
        };
        let computed = Computed {
            name: "replicas".to_owned(),
            value: 3.0,
            unit: Unit::Count("replicas".to_owned()),
            formula: "ceil(peak / capacity)".to_owned(),
            inputs: vec![input("peak", 1200.0), input("capacity", 450.0)],
        };
        assert_eq!(
            computed.to_string(),
            "3 replicas = ceil(peak / capacity) = ceil(1,200 rps / 450 rps)"
        );
    }
}
