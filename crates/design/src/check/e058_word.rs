//! # E058 word that does not go with the type
//! A field has a word that means nothing for its type: `search` on a number, `min` on a bool,
//! `unique` on json, a pattern on a date, `optional` on a state.
//!
//! **Why**: it would have to be ignored, and the model would promise what does not happen.
//!
//! Wrong:
//! ```yaml
//! stock: int search
//! ```
//! Right:
//! ```yaml
//! name: string max 200 search
//! ```

use super::e053_pattern;
use super::place::Place;
use super::resolve::{Resolved, bounded};
use ir::domain::{Field, Kind};
use ir::model::{self, At, FieldType, OnDelete};
use ir::source::Span;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E058");

/// Looks at the words of every field and input.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    for (entry, resource) in resolved.world.resources.iter().zip(&resolved.domain.resources) {
        for (asked, field) in entry.model.fields.iter().zip(&resource.fields) {
            let place = Place::new(entry.name(), asked.name.as_str());
            Words { asked, field, place, found }.of_field();
        }
        for (asked, command) in entry.model.commands.iter().zip(&resource.commands) {
            let name = format!("{}.{}", entry.name(), command.name);
            for (asked, field) in asked.input.iter().zip(&command.input) {
                let place = Place::new(&name, asked.name.as_str());
                Words { asked, field, place, found }.of_input();
            }
        }
    }
}

struct Words<'a> {
    asked: &'a model::Field,
    field: &'a Field,
    place: Place<'a>,
    found: &'a mut Vec<Diagnostic>,
}

impl Words<'_> {
    fn fault(&mut self, span: Span, word: &str, why: &str, help: &str) {
        let message = format!("`{word}` does not go with {}", self.place);
        self.found.push(Diagnostic::error(CODE, span, message).why(why).help(help));
    }

    fn of_field(&mut self) {
        self.of_both();
        let asked = self.asked;
        let ty = &asked.ty.value;
        if let Some(span) = asked.search {
            let help = "search a `string`, `text`, `email` or `url`; filter the others";
            if !is_text(ty) {
                self.fault(span, "search", "only words are searched for", help);
            } else if asked.secret.is_some() {
                let why = "a search would tell what is in it, word by word";
                self.fault(span, "search", why, "leave one of `search` and `secret` out");
            }
        }
        if let Some(span) = asked.unique
            && !keyable(ty)
        {
            let why = "an index needs a value that can be compared";
            self.fault(span, "unique", why, "make a field of one value unique");
        }
        let asked_of_owner = asked.at.as_ref().is_some_and(|at| at.value == At::Read);
        for (word, span) in [("unique", asked.unique), ("search", asked.search)] {
            if let (true, Some(span)) = (asked_of_owner, span) {
                let why = "what is asked of its owner at each read is in no table here";
                self.fault(span, word, why, "keep a copy: `at write` or `at kept`");
            }
        }
        if let Some(span) = asked.optional {
            if self.field.state {
                let why = "a state has a value from the first moment: the first of its enum";
                self.fault(span, "optional", why, "leave `optional` out");
            } else if *ty == FieldType::Counter {
                self.fault(span, "optional", "a counter begins at 0", "leave `optional` out");
            } else if let FieldType::Many { resource, max, .. } = ty {
                let help = format!("write `many {resource} 0..{max}`");
                self.fault(span, "optional", "a list of none is an empty list", &help);
            }
        }
        if let Some(span) = asked.secret
            && matches!(ty, FieldType::Many { .. })
        {
            let help = "put `secret` on the fields of the child";
            self.fault(span, "secret", "children have fields of their own", help);
        }
        self.on_delete();
        if let Some(expression) = &asked.expression {
            let why = match ty {
                FieldType::Many { .. } => "children are written with their row",
                FieldType::Counter => "a counter begins at 0 and is raised by its route",
                _ if self.field.state => "a state begins at the first value of its enum",
                _ => return,
            };
            let help = "leave the expression out";
            let word = format!("= {}", expression.text);
            self.fault(expression.span, &word, why, help);
        }
    }

    fn on_delete(&mut self) {
        let Some(on_delete) = &self.asked.on_delete else { return };
        let span = on_delete.span;
        match &self.field.kind {
            Kind::Reference { crosses: true, .. } => {
                let why = "another context deletes without asking; the id stays";
                self.fault(span, "on delete", why, "react to its event: `emit: [deleted]`");
            }
            Kind::Reference { .. } => {
                let clears = on_delete.value == OnDelete::Clear;
                if clears && self.asked.optional.is_none() {
                    let why = "a cleared reference is null, and this field must have a value";
                    self.fault(span, "on delete clear", why, "add `optional`");
                }
            }
            Kind::Scalar | Kind::Enum(_) | Kind::Actor(_) | Kind::Children { .. } => {
                let why = "only a reference has a target that is deleted";
                self.fault(span, "on delete", why, "leave it out");
            }
        }
    }

    fn of_input(&mut self) {
        self.of_both();
        let asked = self.asked;
        let words = [
            ("unique", asked.unique),
            ("search", asked.search),
            ("at", asked.at.as_ref().map(|at| at.span)),
            ("on delete", asked.on_delete.as_ref().map(|on| on.span)),
            ("allow", asked.allow.as_ref().map(|allow| allow.span)),
        ];
        for (word, span) in words {
            if let Some(span) = span {
                let why = "an input is given once and not stored";
                self.fault(span, word, why, "put the word on the field that keeps the value");
            }
        }
        if matches!(asked.ty.value, FieldType::Many { .. } | FieldType::Counter) {
            let why = "an input is one value, or a list of scalars";
            self.fault(asked.ty.span, "the type", why, "write children in a PATCH of the row");
        }
    }

    fn of_both(&mut self) {
        let asked = self.asked;
        let ty = &asked.ty.value;
        for (word, bound) in [("min", &asked.min), ("max", &asked.max)] {
            if let Some(bound) = bound
                && !bounded(ty)
            {
                let why = "its values have neither order nor length";
                self.fault(bound.span, word, why, "leave the bound out");
            }
        }
        if let Some(pattern) = &asked.pattern {
            if !is_text(ty) {
                self.fault(pattern.span, "pattern", "only text is matched", "leave it out");
            } else if let Err(why) = e053_pattern::read(&pattern.value) {
                let fault = e053_pattern::fault(&pattern.value, why, pattern.span, self.place);
                self.found.push(fault);
            }
        }
    }
}

fn is_text(ty: &FieldType) -> bool {
    matches!(ty, FieldType::String | FieldType::Text | FieldType::Url | FieldType::Email)
}

/// May it be a key of an index?
pub(crate) fn keyable(ty: &FieldType) -> bool {
    match ty {
        FieldType::Json
        | FieldType::List(_)
        | FieldType::Many { .. }
        | FieldType::Counter
        | FieldType::Timespan => false,
        FieldType::String
        | FieldType::Text
        | FieldType::Int
        | FieldType::Decimal { .. }
        | FieldType::Bool
        | FieldType::Money { .. }
        | FieldType::Date
        | FieldType::Time
        | FieldType::Timestamp
        | FieldType::Duration
        | FieldType::Uuid
        | FieldType::Url
        | FieldType::Email
        | FieldType::Enum(_)
        | FieldType::Reference { .. }
        | FieldType::Actor(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn words_that_their_types_do_not_take() {
        let resource = "
            Part:
              fields:
                stock: int search
                open: bool min 1
                data: json unique
                day: { type: date, pattern: \"[0-9]+\" }
                status: { type: draft | sold, optional: true }
                pin: string max 9 secret search
                next: { type: Part, on_delete: clear }
              commands:
                sell: { input: { note: string max 9 unique }, status: draft -> sold, by: staff }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
            error[E058]: `search` does not go with `stock` of `Part`
             --> mainstay.yaml:8:22
              |
            8 |           stock: int search
              |                      ^^^^^^
              = why: only words are searched for
              = help: search a `string`, `text`, `email` or `url`; filter the others

            error[E058]: `min` does not go with `open` of `Part`
             --> mainstay.yaml:9:26
              |
            9 |           open: bool min 1
              |                          ^
              = why: its values have neither order nor length
              = help: leave the bound out

            error[E058]: `unique` does not go with `data` of `Part`
              --> mainstay.yaml:10:22
               |
            10 |           data: json unique
               |                      ^^^^^^
               = why: an index needs a value that can be compared
               = help: make a field of one value unique

            error[E058]: `pattern` does not go with `day` of `Part`
              --> mainstay.yaml:11:40
               |
            11 |           day: { type: date, pattern: "[0-9]+" }
               |                                        ^^^^^^
               = why: only text is matched
               = help: leave it out

            error[E058]: `optional` does not go with `status` of `Part`
              --> mainstay.yaml:12:51
               |
            12 |           status: { type: draft | sold, optional: true }
               |                                                   ^^^^
               = why: a state has a value from the first moment: the first of its enum
               = help: leave `optional` out

            error[E058]: `search` does not go with `pin` of `Part`
              --> mainstay.yaml:13:36
               |
            13 |           pin: string max 9 secret search
               |                                    ^^^^^^
               = why: a search would tell what is in it, word by word
               = help: leave one of `search` and `secret` out

            error[E058]: `on delete clear` does not go with `next` of `Part`
              --> mainstay.yaml:14:42
               |
            14 |           next: { type: Part, on_delete: clear }
               |                                          ^^^^^
               = why: a cleared reference is null, and this field must have a value
               = help: add `optional`

            warning[E099]: the input `note` of `Part.sell` is not used
              --> mainstay.yaml:16:28
               |
            16 |           sell: { input: { note: string max 9 unique }, status: draft -> sold, by: staff }
               |                            ^^^^
               = help: use it, as in `set: { … : note }`

            error[E058]: `unique` does not go with `note` of `Part.sell`
              --> mainstay.yaml:16:47
               |
            16 |           sell: { input: { note: string max 9 unique }, status: draft -> sold, by: staff }
               |                                               ^^^^^^
               = why: an input is given once and not stored
               = help: put the word on the field that keeps the value
        "#]],
        );
    }
}
