//! An event whose version is another than the published one.

use super::{Compared, Form, LOWERED, OLDER, form, may_be_null, nullable};
use ir::domain::{Event, EventMember, Field, Kind, OlderVersion, Source};
use ir::expr::ExprKind;
use ir::model::FieldType;

impl Compared<'_> {
    /// The version was lowered.
    pub(super) fn lowered(&mut self, was: &Event, now: &Event) {
        let reason = format!("was {} and is {}", was.version, now.version);
        self.tell(LOWERED, reason, String::new());
    }

    /// The version was raised: what the model says of the one that was published reads what was
    /// told as that.
    pub(super) fn upcast(&mut self, was: &Event, now: &Event) {
        let version = was.version;
        let Some((_, older)) = now.older().find(|(number, _)| *number == version) else { return };
        for field in &older.data {
            let at = format!("{OLDER}{version}.{}", field.name);
            match was.data.iter().find(|member| member.name == field.name) {
                Some(member) => self.declared(&at, field, was, member),
                None if field.optional || matches!(field.source, Source::Default(_)) => {}
                None => self.tell(&at, "was never told", String::new()),
            }
        }
        for member in &was.data {
            if older.data.iter().all(|field| field.name != member.name) {
                let at = format!("{OLDER}{version}.{}", member.name);
                self.tell(&at, "was told, and is not among its data", String::new());
            }
        }
        self.rows_carried(was, now, older);
    }

    /// A member as it is declared, and as it was published.
    fn declared(&mut self, at: &str, declared: &Field, was: &Event, member: &EventMember) {
        let old = self.old;
        if nullable(old, was, member) && !declared.optional {
            self.tell(at, "may be null", String::new());
        }
        for emitter in &was.emitters {
            match (old.resource(*emitter).field_named(&member.name), member.name.as_str()) {
                // Who may read it, and what goes with a person, is not of its type.
                (Some((_, before)), _) => {
                    let plain = |field: &Field| Field {
                        read: None,
                        personal: false,
                        secret: false,
                        ..field.clone()
                    };
                    self.field(at, &plain(declared), &plain(before));
                }
                (None, "id") if matches!(form(declared), Form::Id) => {}
                (None, "created_at" | "updated_at")
                    if declared.declared == FieldType::Timestamp => {}
                (None, _) => self.tell(at, "is of another type", String::new()),
            }
        }
    }

    /// Rows of owned children go from version to version as they are: they must be readable as what
    /// they are now.
    fn rows_carried(&mut self, was: &Event, now: &Event, older: &OlderVersion) {
        let (old, new) = (self.old, self.new);
        let is_last = was.version + 1 == now.version;
        let (Some(before), Some(after)) = (was.emitters.first(), now.emitters.first()) else {
            return;
        };
        for (member, made) in now.data.iter().zip(&older.next).filter(|_| is_last) {
            let ExprKind::Input(at) = made.kind else { continue };
            let before = older.data.get(at).and_then(|field| {
                let (_, field) = old.resource(*before).field_named(&field.name)?;
                Some(field)
            });
            let after = new.resource(*after).field_named(&member.name);
            if let (Some(before), Some((_, after))) = (before, after)
                && let (Kind::Children { target: rows, .. }, Kind::Children { target, .. }) =
                    (&before.kind, &after.kind)
            {
                let fields = old.resource(*rows).fields().filter(|(_, field)| !field.secret);
                let kept = fields.filter_map(|(_, field)| {
                    Some((field, new.resource(*target).field_named(&field.name)?.1))
                });
                for (before, after) in kept.collect::<Vec<_>>() {
                    self.row_member(was.version, &member.name, before, after);
                }
                self.rows_lacking(was.version, &member.name, *rows, *target);
            }
        }
    }

    /// A member of rows: what they had must be one of the values that there are now.
    fn row_member(&mut self, version: u32, rows: &str, before: &Field, after: &Field) {
        let at = format!("{OLDER}{version}.{rows}.{}", before.name);
        if may_be_null(before) && !may_be_null(after) {
            self.tell(&at, "may be null, and rows are carried as they are", String::new());
        }
        let (before, after) = (form(before), form(after));
        let same = match (&before, &after) {
            (Form::Names(before), Form::Names(after)) => {
                before.iter().all(|name| after.contains(name))
            }
            (Form::Scalar(before), Form::Scalar(after)) => super::narrows(after, before),
            (Form::Id, Form::Id) | (Form::Rows(_), Form::Rows(_)) => true,
            _ => false,
        };
        if !same {
            let reason = "is of another type, and rows are carried as they are";
            self.tell(&at, reason, String::new());
        }
    }

    /// Members that rows have now and did not have.
    fn rows_lacking(
        &mut self,
        version: u32,
        rows: &str,
        before: ir::domain::ResourceId,
        after: ir::domain::ResourceId,
    ) {
        let (old, new) = (self.old, self.new);
        for (_, field) in new.resource(after).fields().filter(|(_, field)| !field.secret) {
            if !may_be_null(field) && old.resource(before).field_named(&field.name).is_none() {
                let at = format!("{OLDER}{version}.{rows}.{}", field.name);
                self.tell(&at, "was never told, and rows are carried as they are", String::new());
            }
        }
    }
}
