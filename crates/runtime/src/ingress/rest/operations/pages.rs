//! A page of an export: what the list gives, as lines.

use crate::engine::backend::{Backend, Live};
use crate::engine::{Failure, not_found, problem};
use crate::http::Request;
use crate::ingress::rest::Asked;
use crate::ingress::rest::query::{invalid, parameters, unknown};
use crate::operate::{EXPORT_PAGE_ROWS_MAX, ExportInput, sheet};
use crate::problem::kinds;
use crate::request::Call;
use http::{Method, Uri};
use ir::contract::OperationKind;
use ir::domain::ResourceId;

/// A page of rows.
pub(crate) struct Page {
    /// A line each; before the first the header, where they have one.
    pub(crate) text: String,
    /// How many.
    pub(crate) rows: i64,
    /// The cursor behind them, where there are more.
    pub(crate) next: Option<String>,
}

/// The page behind a cursor.
pub(crate) async fn page(
    backend: &Backend,
    live: &Live,
    call: &Call,
    resource: ResourceId,
    (input, cursor): (&ExportInput, Option<&str>),
) -> Result<Page, Failure> {
    let plan = &live.engine.plan;
    let lists = |one: &crate::plan::OperationPlan| {
        one.resource == Some(resource) && one.kind == OperationKind::List
    };
    let index = plan.operations.iter().position(lists).ok_or_else(not_found)?;
    let between = if input.query.is_empty() { "" } else { "&" };
    let behind = cursor.map(|cursor| format!("{between}cursor={cursor}")).unwrap_or_default();
    let base = &plan.resource(resource).base;
    let uri: Result<Uri, _> = format!("{base}?{}{behind}", input.query).parse();
    let mut request = Request::new(Method::GET, uri.map_err(|_| problem(kinds::INTERNAL))?);
    if let Some(trace) = &call.trace {
        request.trace = trace.clone();
    }
    let (operation, counted) = (&plan.operations[index], live.operations[index]);
    let asked = Asked {
        backend,
        live,
        request: &request,
        call,
        operation,
        index: 0,
        whole: false,
        counted,
        segment: None,
    };
    asked.export_page(resource, (input.csv, cursor.is_none())).await
}

impl Asked<'_> {
    /// Whatever the list would refuse is refused at once.
    pub(super) fn export_parameters(&self, resource: ResourceId, csv: bool) -> Result<(), Failure> {
        for parameter in parameters(self.request)? {
            match &*parameter.name {
                name @ ("cursor" | "limit") => {
                    return Err(unknown(name, "is not of an export, which holds every row"));
                }
                "expand" if csv => return Err(invalid("expand", "is only shown in JSON")),
                _ => {}
            }
        }
        self.list_parameters(resource).map(|_| ())
    }

    async fn export_page(
        &self,
        resource: ResourceId,
        (csv, first): (bool, bool),
    ) -> Result<Page, Failure> {
        let listed = self.listed(resource, Some(EXPORT_PAGE_ROWS_MAX)).await?;
        let view = listed.view(self);
        let columns = csv.then(|| sheet::columns(&self.live.engine.plan, resource, view.fields));
        let mut out = Vec::new();
        if let Some(columns) = columns.as_ref().filter(|_| first) {
            out.extend_from_slice(sheet::head(columns).as_bytes());
        }
        for row in &listed.page.rows {
            let mut json = Vec::with_capacity(256);
            view.write(&mut json, resource, row);
            match &columns {
                None => {
                    out.append(&mut json);
                    out.push(b'\n');
                }
                Some(columns) => out.extend_from_slice(sheet::row(columns, &json).as_bytes()),
            }
        }
        let rows = listed.page.rows.len() as i64;
        let text = String::from_utf8(out).unwrap_or_default();
        Ok(Page { text, rows, next: listed.next })
    }
}
