//! Actors, and who may do what.

use crate::requirements::construct::{ACTOR, GRANT, NameKind};
use crate::requirements::faults::{bad_grant, reserved_name};
use crate::requirements::form::{Form, Reader, Value, ValueKind};
use crate::requirements::names;
use ir::model::{Actor, Allow, Grant, Proof};
use ir::{Name, Spanned};

/// All actors.
pub(super) fn actors<'n>(reader: &mut Reader<'n>, root: &Form<'n>) -> Vec<Actor> {
    reader.within("actors", |reader| {
        let named = reader.named(root, "actors");
        let read = named.into_iter().map(|(key, value)| {
            reader.within(&key.value, |reader| {
                let name = reader.key_name(NameKind::Snake("an actor"), key);
                names::refuse_reserved(&name, reserved_name::word, &mut reader.faults);
                actor(reader, name, value)
            })
        });
        read.collect()
    })
}

fn actor<'n>(reader: &mut Reader<'n>, name: Name, value: Value<'n>) -> Actor {
    let form = reader.open(&ACTOR, value);
    let proof = reader
        .choice(&form, "proof")
        .map(|proof| proof.map(|word| if word == "api_key" { Proof::ApiKey } else { Proof::Oidc }));
    let mut claims = Vec::new();
    for (claim, value) in reader.named(&form, "claims") {
        let theirs = reader.within(&claim.value, |reader| reader.slice(value));
        let ours = reader.key_name(NameKind::Word, claim);
        claims.extend(theirs.map(|theirs| (ours, theirs.name())));
    }
    Actor {
        name,
        proof: proof.unwrap_or_else(|| Spanned::new(Proof::Oidc, form.span)),
        roles: reader.names(&form, "roles"),
        limit: reader.rate(&form, "limit"),
        across_tenants: reader.flag(&form, "across_tenants"),
        claims,
        issuer: reader.url(&form, "issuer"),
        was: reader.name(&form, "was"),
    }
}

/// The rules below a key (`allow`); every part of it is read that its construct has.
pub(super) fn allow<'n>(
    reader: &mut Reader<'n>,
    form: &Form<'n>,
    key: &'static str,
) -> Option<Allow> {
    let inner = reader.one(form, key)?;
    reader.within(key, |reader| {
        let mut part = |name: &'static str| match inner.construct.key(name) {
            Some(_) => grants(reader, &inner, name),
            None => Vec::new(),
        };
        Some(Allow {
            span: inner.span,
            read: part("read"),
            write: part("write"),
            create: part("create"),
            update: part("update"),
            delete: part("delete"),
        })
    })
}

/// One rule or a list of them.
pub(super) fn grants<'n>(
    reader: &mut Reader<'n>,
    form: &Form<'n>,
    key: &'static str,
) -> Vec<Grant> {
    let values = reader.items(form, key, true);
    reader
        .within(key, |reader| values.into_iter().filter_map(|value| grant(reader, value)).collect())
}

/// `staff.picker when own`
pub(super) fn grant<'n>(reader: &mut Reader<'n>, value: Value<'n>) -> Option<Grant> {
    if let ValueKind::Text { slice, .. } = value.kind {
        let text = slice.trim();
        let mut words = text.text.split_whitespace().skip(1);
        let message = match words.next() {
            _ if text.text.contains('|') && !text.text.contains("when") => {
                Some("several rules are a list: `[shopper, staff]`")
            }
            Some("when") => words.next().is_none().then_some("a condition follows `when`"),
            Some(_) => Some("only `when` may follow the actor"),
            None => None,
        };
        if let Some(message) = message {
            reader.fault(bad_grant::at(text.span(), text.text, message));
            return None;
        }
    }
    let form = reader.open(&GRANT, value);
    let when = reader.expression(&form, "when");
    let failed = form.value("when").is_some() && when.is_none();
    let actor = reader.scalar(&form, "actor")?;
    let (name, role) = match actor.split_once(".") {
        Some((name, role)) => (name, Some(role)),
        None => (actor, None),
    };
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    if !is_name(name.text) || role.is_some_and(|role| !is_name(role.text)) {
        let message = "an actor is `lower_snake_case`, perhaps with a role after a point";
        reader.fault(bad_grant::at(actor.span(), actor.text, message));
        return None;
    }
    let text = match (&when, value.kind) {
        (_, ValueKind::Text { slice, .. }) => slice.trim().text.to_owned(),
        (Some(when), _) => format!("{} when {}", actor.text, when.text),
        (None, _) => actor.text.to_owned(),
    };
    let role = role.map(|role| role.name());
    // A rule whose condition can't be read would let everybody in.
    (!failed).then(|| Grant { text, span: form.span, actor: name.name(), role, when })
}
