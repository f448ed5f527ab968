//! `GET` of one row, and public paths.

use super::query::{self, decode_segment, elements, invalid, parameters, unknown};
use super::{Asked, etag};
use crate::engine::access::concerns;
use crate::engine::audit::Look;
use crate::engine::represent::{Children, View};
use crate::engine::rows::Rows;
use crate::engine::tag::Tag;
use crate::engine::unit::Unit;
use crate::engine::{Failure, not_found};
use crate::http::Response;
use crate::json::read::shorten;
use crate::plan::list::Expand;
use crate::plan::resource::{Member, Part};
use crate::ports::store::{Write, WriteSet};
use crate::record::Record;
use http::{StatusCode, header};
use ir::domain::{FieldId, Grant, ResourceId};
use ir::value::Value;
use std::borrow::Cow;

/// What of a representation is asked for.
#[derive(Debug, Default)]
pub(super) struct Wish<'a> {
    /// `fields=`
    pub(super) fields: Option<Vec<String>>,
    /// `expand=`
    pub(super) expands: Vec<&'a Expand>,
}

impl<'a> Asked<'a> {
    /// Takes a parameter that shapes representations; false where it is another.
    pub(super) fn shape(
        &self,
        wish: &mut Wish<'a>,
        name: &str,
        value: &str,
    ) -> Result<bool, Failure> {
        match name {
            "fields" => {
                let resource = self.resource()?;
                let members = &self.live.engine.plan.resource(resource).members;
                let named = elements(name, value)?;
                for field in &named {
                    let known = members.iter().find(|member| *member.name == **field);
                    if known.is_none_or(|member| !self.may_show(resource, member)) {
                        let detail = format!("`{}` is no member of the row", shorten(field));
                        return Err(invalid(name, detail));
                    }
                }
                wish.fields = Some(named.into_iter().map(str::to_owned).collect());
            }
            "expand" if !self.operation.expands.is_empty() => {
                for relation in elements(name, value)? {
                    let expands = self.operation.expands.iter();
                    let found = expands.into_iter().find(|expand| expand.name == relation);
                    let detail = || format!("`{}` cannot be expanded here", shorten(relation));
                    wish.expands.push(found.ok_or_else(|| invalid(name, detail()))?);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// False for a member that no rule ever shows the caller: it is as if it were not there.
    fn may_show(&self, resource: ResourceId, member: &Member) -> bool {
        let (Part::Field(field) | Part::Children(field, _)) = member.part else { return true };
        let grants = &self.live.engine.plan.domain.resource(resource).field(field).read;
        let concerned = |grants: &Vec<Grant>| concerns(self.call, grants);
        self.call.is_system() || grants.as_ref().is_none_or(concerned)
    }

    /// The resource of the operation.
    pub(super) fn resource(&self) -> Result<ResourceId, Failure> {
        self.operation.resource.ok_or_else(not_found)
    }

    /// `GET /v1/orders/{id}`
    pub(super) async fn get(&self) -> Result<Response, Failure> {
        let (resource, id) = (self.resource()?, self.id()?);
        let mut wish = Wish::default();
        for parameter in parameters(self.request)? {
            if !self.shape(&mut wish, &parameter.name, &parameter.value)? {
                return Err(unknown(&parameter.name, "is no parameter of this operation"));
            }
        }
        let mut unit = Unit::new(&self.live.engine, self.call);
        let record = unit.get(resource, id, &self.shown_children(resource, &wish)).await?;
        self.show(&mut unit, resource, record, &wish).await
    }

    /// Children that a representation, or a rule of it, needs.
    fn shown_children(&self, resource: ResourceId, wish: &Wish<'_>) -> Cow<'a, [FieldId]> {
        let plan = self.live.engine.plan.resource(resource);
        let ruled = plan.rules.read.whole || plan.rules.shown.whole;
        let Some(fields) = wish.fields.as_deref().filter(|_| !ruled) else {
            return Cow::Borrowed(&plan.child_fields);
        };
        let expanded = wish.expands.iter().filter_map(|expand| expand.children);
        let mut children: Vec<FieldId> = expanded.map(|(field, _)| field).collect();
        for member in &plan.members {
            if let Part::Children(field, _) = member.part
                && fields.iter().any(|name| **name == *member.name)
                && !children.contains(&field)
            {
                children.push(field);
            }
        }
        Cow::Owned(children)
    }

    /// A look into another's tenant is written down before it is answered.
    pub(super) async fn looked(
        &self,
        resource: ResourceId,
        rows: &[Record],
        wish: &Wish<'_>,
    ) -> Result<(), Failure> {
        let engine = &self.live.engine;
        if engine.plan.audit.is_none() {
            return Ok(());
        }
        let rows: Vec<u128> = rows.iter().map(|row| row.id).collect();
        let expanded: Vec<&str> = wish.expands.iter().map(|one| one.name.as_str()).collect();
        let operation = &self.operation.id;
        let resource = Some(resource);
        let look = Look { operation, resource, rows: &rows, expanded: &expanded };
        engine.looked(self.call, &look).await
    }

    /// The answer that shows one row.
    async fn show(
        &self,
        unit: &mut Unit<'_>,
        resource: ResourceId,
        record: Record,
        wish: &Wish<'_>,
    ) -> Result<Response, Failure> {
        let record = [record];
        self.looked(resource, &record, wish).await?;
        let expanded = if wish.expands.is_empty() {
            Rows::default()
        } else {
            unit.expand(&record, &wish.expands).await?
        };
        let view = View {
            plan: &self.live.engine.plan,
            call: Some(self.call),
            rows: &unit.rows,
            fields: wish.fields.as_deref(),
            children: Children::All,
            expands: &wish.expands,
            expanded: &expanded,
        };
        let [record] = &record;
        let mut body = Vec::with_capacity(512);
        view.write(&mut body, resource, record);
        let tag = Tag::of(record.version, &body);
        etag::still(self.request, tag)?;
        let tag = etag::value(tag);
        let mut response = if !self.whole && etag::unchanged(self.request, &tag)? {
            Response::new(StatusCode::NOT_MODIFIED)
        } else {
            Response::json(StatusCode::OK, body)
        };
        response.headers.insert(header::ETAG, tag);
        Ok(response)
    }

    /// A path of `routes`: the row is found by a unique field, shown or redirected to, counted.
    pub(super) async fn route(&self, route: usize) -> Result<Response, Failure> {
        let resource = self.resource()?;
        let engine = &self.live.engine;
        let of = &engine.plan.domain.resource(resource).routes[route];
        // Whoever passes an address on puts parameters behind it, to see who follows it.
        if of.redirect.is_none() {
            query::none(self.request)?;
        }
        let shape = &engine.plan.resource(resource).field(of.by).shape;
        let segment = self.segment.and_then(decode_segment).ok_or_else(not_found)?;
        let value = shape.parse(&segment).filter(|value| shape.check(value).is_ok());
        let mut unit = Unit::new(engine, self.call);
        let record = unit.find(resource, route, value.ok_or_else(not_found)?).await?;
        let response = match of.redirect {
            None => {
                let id = record.id;
                let shown = self.show(&mut unit, resource, record, &Wish::default()).await?;
                (id, shown)
            }
            Some(field) => {
                let Value::Text(target) = record.value(field) else { return Err(not_found()) };
                let found = Response::new(StatusCode::FOUND).header(header::LOCATION, target);
                (record.id, found.header(header::CACHE_CONTROL, "no-store"))
            }
        };
        let (id, response) = response;
        if let Some(field) = of.count.filter(|_| self.request.method == http::Method::GET) {
            let set = WriteSet {
                tenant: self.call.tenant.clone(),
                writes: vec![Write::Count { resource, id, field, by: 1 }],
                ..WriteSet::default()
            };
            // A count that is lost is worth less than an answer.
            if let Err(why) = engine.store(resource).commit(set, &self.call.bindings).await {
                tracing::warn!(?why, "a hit was not counted");
            }
        }
        Ok(response)
    }
}
