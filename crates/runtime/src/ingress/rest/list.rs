//! `GET` of a collection: filters, order, pages.

use super::cursor::Binding;
use super::query::{elements, invalid, parameters, unknown};
use super::read::Wish;
use super::{Asked, caller_name, etag};
use crate::engine::access::{always, concerns};
use crate::engine::read::{Asked as Query, Page};
use crate::engine::represent::{Children, View};
use crate::engine::rows::Rows;
use crate::engine::tag;
use crate::engine::unit::Unit;
use crate::engine::{Failure, problem};
use crate::http::Response;
use crate::plan::list::{FilterPlan, Refused};
use crate::problem::{Problem, kinds};
use crate::search::{WORDS_MAX, words};
use futures::FutureExt;
use http::{StatusCode, header};
use ir::domain::{Field, FieldId, Grant, ResourceId};
use ir::expr::{Expr, ExprKind, FieldRef, Implicit, Type};
use ir::value::Value;
use std::fmt::Write;

/// Keys of `sort` at most.
const SORT_KEYS_MAX: usize = 4;

/// The parameters of a list.
pub(super) struct Parameters<'a> {
    wish: Wish<'a>,
    limit: u32,
    cursor: Option<String>,
    sort: Vec<(FieldRef, bool)>,
    filters: Vec<Expr>,
    search: Vec<String>,
    binding: Binding<'a>,
    /// The query without cursor, as it came.
    raw: String,
}

/// A page with all that it takes to show it.
pub(super) struct Listed<'a> {
    unit: Unit<'a>,
    /// The rows.
    pub(super) page: Page,
    wish: Wish<'a>,
    children: Vec<FieldId>,
    expanded: Rows,
    /// The cursor behind them, where there are more.
    pub(super) next: Option<String>,
    /// The query without cursor, as it came.
    raw: String,
}

impl Listed<'_> {
    /// What is shown of its rows, to who asked.
    pub(super) fn view<'v>(&'v self, asked: &'v Asked<'_>) -> View<'v> {
        View {
            plan: &asked.live.engine.plan,
            call: Some(asked.call),
            rows: &self.unit.rows,
            fields: self.wish.fields.as_deref(),
            children: Children::Expanded(&self.children),
            expands: &self.wish.expands,
            expanded: &self.expanded,
        }
    }
}

impl<'a> Asked<'a> {
    /// `GET /v1/orders`
    pub(super) async fn list(&self) -> Result<Response, Failure> {
        let resource = self.resource()?;
        let view = self.live.engine.plan.view_index(resource);
        let waited = match view {
            Some(view) => self.caught_up(view).boxed().await?,
            None => None,
        };
        let listed = self.listed(resource, None).await?;
        let (view, next, raw) = (listed.view(self), listed.next.as_deref(), &listed.raw);
        let body = page_body(&view, resource, &listed.page, next);
        let tag = http::HeaderValue::from_str(&format!("\"{:016x}\"", tag::hash(&body)));
        let tag = tag.unwrap_or_else(|_| http::HeaderValue::from_static("\"\""));
        let mut response = if !self.whole && etag::unchanged(self.request, &tag)? {
            Response::new(StatusCode::NOT_MODIFIED)
        } else {
            Response::json(StatusCode::OK, body)
        };
        response.headers.insert(header::ETAG, tag);
        if let Some(next) = next {
            let path = self.request.path();
            let between = if raw.is_empty() { "" } else { "&" };
            let link = format!("<{path}?{raw}{between}cursor={next}>; rel=\"next\"");
            response = response.header(header::LINK, &link);
        }
        if let Some(waited) = waited {
            let applied = header::HeaderName::from_static("preference-applied");
            response = response.header(applied, &waited);
        }
        Ok(response)
    }

    /// A page with all that it takes to show it; of so many rows where somebody else than the
    /// client says how many.
    pub(super) async fn listed(
        &self,
        resource: ResourceId,
        rows_max: Option<u32>,
    ) -> Result<Listed<'a>, Failure> {
        let Parameters { wish, limit, cursor, sort, filters, search, binding, raw } =
            self.list_parameters(resource)?;
        let limit = rows_max.unwrap_or(limit);
        let after = match cursor {
            None => None,
            Some(cursor) => {
                let place = binding.place(&cursor, sort.len());
                Some(place.ok_or_else(|| {
                    let problem = Problem::new(kinds::INVALID_CURSOR);
                    Box::new(problem.parameter("cursor", "was not made for this list"))
                })?)
            }
        };
        let children: Vec<FieldId> = self.children(&wish);
        let mut unit = Unit::new(&self.live.engine, self.call);
        let keys: Vec<FieldRef> = sort.iter().map(|(field, _)| *field).collect();
        let query = Query { resource, filters, search, sort, after, limit, children: &children };
        let page = unit.list(query).await?;
        self.looked(resource, &page.rows, &wish).await?;
        let next = match page.rows.last().filter(|_| page.more) {
            None => None,
            Some(last) => {
                let place: Vec<Value> = keys.iter().map(|key| last.read(*key)).collect();
                // Without it the list would seem to end here.
                Some(binding.cursor(&place).ok_or_else(|| problem(kinds::INTERNAL))?)
            }
        };
        let expanded = if wish.expands.iter().any(|expand| expand.reference.is_some()) {
            unit.expand(&page.rows, &wish.expands).await?
        } else {
            Rows::default()
        };
        Ok(Listed { unit, page, wish, children, expanded, next, raw })
    }

    /// Children that the answer shows.
    fn children(&self, wish: &Wish<'_>) -> Vec<FieldId> {
        let mut children: Vec<FieldId> = wish
            .expands
            .iter()
            .filter_map(|expand| expand.children.map(|(field, _)| field))
            .collect();
        children.sort_unstable();
        children.dedup();
        children
    }

    /// Whose cursors a list takes. Where every caller gets the same pages, one takes another's.
    fn list_reader(&self) -> &str {
        match &self.operation.caching {
            Some(caching) if caching.everyone => "",
            Some(_) | None => caller_name(self.call),
        }
    }

    pub(super) fn list_parameters(&self, resource: ResourceId) -> Result<Parameters<'a>, Failure> {
        let settings = &self.live.engine.plan.settings;
        let mut binding = Binding::new(&self.backend.cursor_key);
        binding.add(self.operation.id.as_bytes());
        binding.add(self.list_reader().as_bytes());
        binding.add(self.call.tenant.as_deref().unwrap_or_default().as_bytes());
        let mut all = Parameters {
            wish: Wish::default(),
            limit: settings.page_items_default,
            cursor: None,
            sort: Vec::new(),
            filters: Vec::new(),
            search: Vec::new(),
            binding,
            raw: String::new(),
        };
        let mut terms: Vec<(&str, &str)> = Vec::new();
        let parameters = parameters(self.request)?;
        for parameter in &parameters {
            let (name, value) = (&*parameter.name, &*parameter.value);
            if name != "cursor" {
                let between = if all.raw.is_empty() { "" } else { "&" };
                let _ = write!(all.raw, "{between}{}", parameter.raw);
            }
            match name {
                "limit" => all.limit = limit(value, settings.page_items_max)?,
                "cursor" => all.cursor = Some(value.to_owned()),
                "sort" => all.sort = self.sort(resource, value)?,
                "q" if self.operation.searchable => all.search = self.search(resource, value)?,
                name if self.shape(&mut all.wish, name, value)? => continue,
                name => all.filters.extend(self.filter(resource, name, value)?),
            }
            if !matches!(name, "limit" | "cursor") {
                terms.push((name, value));
            }
        }
        let filters = terms.iter().filter(|(name, _)| !matches!(*name, "sort" | "q")).count();
        if filters > usize::try_from(settings.filter_terms_max).unwrap_or(usize::MAX) {
            let name = terms.last().map(|(name, _)| *name).unwrap_or_default();
            let detail = format!("is one of more than {} terms", settings.filter_terms_max);
            return Err(invalid(name, detail));
        }
        terms.sort_unstable();
        for (name, value) in terms {
            all.binding.add(name.as_bytes());
            all.binding.add(value.as_bytes());
        }
        let id = FieldRef::Implicit(Implicit::Id);
        if all.sort.iter().all(|(field, _)| *field != id) {
            // Newest first where nothing else is said; the id makes the order total.
            let descending = all.sort.last().is_none_or(|(_, descending)| *descending);
            all.sort.push((id, descending));
        }
        Ok(all)
    }

    fn sort(&self, resource: ResourceId, value: &str) -> Result<Vec<(FieldRef, bool)>, Failure> {
        let mut sort: Vec<(FieldRef, bool)> = Vec::new();
        for key in elements("sort", value)? {
            let (name, descending) = match key.strip_prefix('-') {
                Some(name) => (name, true),
                None => (key, false),
            };
            let known = self.operation.filters.sort(name);
            let known = known.filter(|key| self.readable(resource, key) == Readable::Always);
            let Some(key) = known else {
                return Err(invalid("sort", format!("`{name}` is no sort key of this list")));
            };
            if sort.iter().any(|(field, _)| *field == key.field) {
                return Err(invalid("sort", format!("names `{name}` twice")));
            }
            // What follows the id cannot change the order.
            if sort.iter().any(|(field, _)| *field == FieldRef::Implicit(Implicit::Id)) {
                continue;
            }
            if sort.len() == SORT_KEYS_MAX {
                return Err(invalid("sort", format!("takes at most {SORT_KEYS_MAX} keys")));
            }
            sort.push((key.field, descending));
        }
        Ok(sort)
    }

    fn search(&self, resource: ResourceId, value: &str) -> Result<Vec<String>, Failure> {
        let fields = &self.live.engine.plan.domain.resource(resource).fields;
        let hidden = |field: &&Field| {
            field.search
                && field
                    .read
                    .as_ref()
                    .is_some_and(|grants| !self.call.is_system() && !always(self.call, grants))
        };
        if fields.iter().any(|field| hidden(&field)) {
            return Err(unknown("q", "looks in a field that you may not read"));
        }
        if value.contains('\0') {
            return Err(invalid("q", "may not hold the character NUL"));
        }
        let words = words(value);
        if words.is_empty() {
            // What narrows nothing would return every row.
            return Err(invalid("q", "must hold a word, of letters or digits"));
        }
        if words.len() > WORDS_MAX {
            return Err(invalid("q", format!("takes at most {WORDS_MAX} words")));
        }
        Ok(words)
    }

    fn filter(&self, resource: ResourceId, name: &str, value: &str) -> Result<Vec<Expr>, Failure> {
        let refused = |refused| match refused {
            Refused::Unknown(detail) => unknown(name, detail),
            Refused::Invalid(detail) => invalid(name, detail),
        };
        let (filter, operator) = self.operation.filters.parameter(name).map_err(refused)?;
        let mut conditions = Vec::with_capacity(1);
        match self.readable(resource, filter) {
            Readable::Always => {}
            Readable::When(condition) => conditions.push(condition),
            // As if there were no such field: whether it matches would tell its value.
            Readable::Never => return Err(unknown(name, "is no parameter of this list")),
        }
        conditions.push(filter.condition(operator, value).map_err(refused)?);
        Ok(conditions)
    }

    /// Whether the caller may read the field that a filter looks at.
    fn readable(&self, resource: ResourceId, filter: &FilterPlan) -> Readable {
        let FieldRef::Field(id) = filter.field else { return Readable::Always };
        let field = self.live.engine.plan.domain.resource(resource).field(id);
        let Some(grants) = &field.read else { return Readable::Always };
        if self.call.is_system() || always(self.call, grants) {
            return Readable::Always;
        }
        if !concerns(self.call, grants) {
            return Readable::Never;
        }
        let mine = |grant: &&Grant| self.call.is(&grant.caller);
        let conditions = grants.iter().filter(mine).filter_map(|grant| grant.when.clone());
        Readable::When(Expr { kind: ExprKind::Or(conditions.collect()), ty: Type::Bool })
    }
}

/// Whether a field may be read.
#[derive(Debug, PartialEq)]
enum Readable {
    Always,
    When(Expr),
    Never,
}

pub(super) fn limit(value: &str, most: u32) -> Result<u32, Failure> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return Err(invalid("limit", "must be a whole number"));
    }
    match value.parse::<u64>() {
        Ok(0) => Err(invalid("limit", "must be at least 1")),
        Ok(limit) => Ok(u32::try_from(limit).map_or(most, |limit| limit.min(most))),
        // More digits than fit.
        Err(_) => Ok(most),
    }
}

fn page_body(view: &View<'_>, resource: ResourceId, page: &Page, next: Option<&str>) -> Vec<u8> {
    let mut body = Vec::with_capacity(64 + page.rows.len() * 256);
    body.extend_from_slice(b"{\"items\":[");
    for (at, row) in page.rows.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        view.write(&mut body, resource, row);
    }
    body.push(b']');
    if let Some(next) = next {
        body.extend_from_slice(b",\"next_cursor\":\"");
        body.extend_from_slice(next.as_bytes());
        body.push(b'"');
    }
    body.push(b'}');
    body
}
