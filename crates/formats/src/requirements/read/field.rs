//! Fields of resources, inputs of commands, members of bodies.

use super::access;
use super::types::{self, Declared};
use crate::requirements::construct::{FIELD, NameKind};
use crate::requirements::faults::{bad_quantity, reserved_name};
use crate::requirements::form::{Form, Reader, Value};
use crate::requirements::leaf;
use crate::requirements::names;
use ir::model::{At, Bound, Field, FieldType, OnDelete};
use ir::{Name, Spanned};

/// Children that a row may own where the model does not say it.
pub(super) const CHILDREN_MAX_DEFAULT: u32 = 100;

/// The fields below a key.
pub(super) fn fields<'n>(
    reader: &mut Reader<'n>,
    form: &Form<'n>,
    key: &'static str,
    kind: NameKind,
) -> Vec<Field> {
    let named = reader.named(form, key);
    reader.within(key, |reader| {
        let read = named.into_iter().filter_map(|(key, value)| {
            reader.within(&key.value, |reader| {
                let name = reader.key_name(kind, key);
                let reserved = match kind {
                    NameKind::Field => reserved_name::field,
                    _ => reserved_name::word,
                };
                if !matches!(kind, NameKind::Snake("a member")) {
                    names::refuse_reserved(&name, reserved, &mut reader.faults);
                }
                field(reader, name, value)
            })
        });
        read.collect()
    })
}

fn field<'n>(reader: &mut Reader<'n>, name: Name, value: Value<'n>) -> Option<Field> {
    let form = reader.open(&FIELD, value);
    let (mut min, mut max) = (reader.bound(&form, "min"), reader.bound(&form, "max"));
    let declared = reader.scalar(&form, "type");
    let ty = declared.and_then(|slice| {
        let ty = types::read(slice, &mut reader.faults)?;
        let ty = match ty {
            Declared::Type(ty) => ty,
            Declared::Many(resource) => {
                let bounds = [(min.take(), 0), (max.take(), CHILDREN_MAX_DEFAULT)];
                let [min, max] = bounds.map(|(bound, default)| count(reader, bound, default));
                if min > max {
                    let text = format!("{min}..{max}");
                    reader.fault(bad_quantity::at(form.span, &text, "a range", "1..50"));
                }
                FieldType::Many { resource, min, max }
            }
        };
        Some(slice.at(ty))
    });
    let field = Field {
        name,
        about: reader.text(&form, "about"),
        min,
        max,
        pattern: pattern(reader, &form),
        unique: reader.flag(&form, "unique"),
        search: reader.flag(&form, "search"),
        optional: reader.flag(&form, "optional"),
        personal: reader.flag(&form, "personal"),
        secret: reader.flag(&form, "secret"),
        expression: reader.expression(&form, "value"),
        at: reader.choice(&form, "at").map(|at| {
            at.map(|word| match word {
                "read" => At::Read,
                "kept" => At::Kept,
                _ => At::Write,
            })
        }),
        on_delete: reader.choice(&form, "on_delete").map(|choice| {
            choice.map(|word| match word {
                "clear" => OnDelete::Clear,
                "cascade" => OnDelete::Cascade,
                _ => OnDelete::Restrict,
            })
        }),
        allow: access::allow(reader, &form, "allow"),
        column: reader.name(&form, "column"),
        was: reader.name(&form, "was"),
        ty: Spanned::new(FieldType::String, form.span),
    };
    ty.map(|ty| Field { ty, ..field })
}

fn count(reader: &mut Reader<'_>, bound: Option<Bound>, default: u32) -> u32 {
    let Some(bound) = bound else { return default };
    leaf::whole(&bound.text).unwrap_or_else(|| {
        let what = "a number of children";
        reader.fault(bad_quantity::at(bound.span, &bound.text, what, "1..50"));
        default
    })
}

/// The pattern; in the short form it may stand in quotes of its own.
fn pattern<'n>(reader: &mut Reader<'n>, form: &Form<'n>) -> Option<ir::model::Text> {
    let slice = reader.scalar(form, "pattern")?;
    let text = slice.text;
    let quoted = text.len() >= 2
        && ['"', '\''].iter().any(|quote| text.starts_with(*quote) && text.ends_with(*quote));
    Some(if quoted { slice.part(1, text.len() - 1).name() } else { slice.name() })
}
