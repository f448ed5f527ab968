//! The index at `/`: what the system is and where to go on, for people and for programs.

use ir::architecture::Architecture;
use ir::contract::OperationKind;
use serde_json::json;
use std::fmt::Write as _;

/// Title, summary and the way to each list, as HTML.
pub(super) fn html(architecture: &Architecture, model: &str) -> String {
    let domain = &architecture.domain;
    let title = escape(&domain.title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    if !domain.summary.is_empty() {
        let _ = writeln!(page, "<p>{}</p>", escape(&domain.summary));
    }
    page.push_str(
        "<p><a href=\"/docs\">API explorer</a> · <a href=\"/openapi.json\">openapi.json</a> · \
         <a href=\"/openapi.yaml\">openapi.yaml</a> · <a href=\"/metrics\">metrics</a></p>\n\
         <table>\n<tr><th>Resource</th><th>Path</th><th>What it is about</th></tr>\n",
    );
    for (name, path, about) in lists(architecture) {
        let (name, path, about) = (escape(&name), escape(&path), escape(&about));
        let _ =
            writeln!(page, "<tr><td>{name}</td><td><code>{path}</code></td><td>{about}</td></tr>");
    }
    let _ = writeln!(page, "</table>\n<p>model <code>{model}</code></p>\n</body>\n</html>");
    page
}

/// The same as JSON.
pub(super) fn json(architecture: &Architecture, model: &str) -> String {
    let resources: serde_json::Map<String, serde_json::Value> =
        lists(architecture).into_iter().map(|(name, path, _)| (name, json!(path))).collect();
    let index = json!({
        "system": architecture.domain.system,
        "title": architecture.domain.title,
        "model": model,
        "docs": "/docs",
        "openapi": "/openapi.json",
        "resources": resources,
    });
    format!("{index:#}\n")
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:3rem auto;\
    padding:0 1rem}table{border-collapse:collapse}td,th{text-align:left;\
    padding:.2rem 1rem .2rem 0}";

/// Resource, path of its list and what it is about.
fn lists(architecture: &Architecture) -> Vec<(String, String, String)> {
    let domain = &architecture.domain;
    let lists = architecture
        .contract
        .operations
        .iter()
        .filter(|operation| operation.kind == OperationKind::List && !operation.internal);
    lists
        .filter_map(|operation| {
            let resource = domain.resource(operation.resource?);
            let context = &domain.contexts[resource.context.index()];
            let about = if resource.about.is_empty() { &context.about } else { &resource.about };
            Some((resource.name.clone(), operation.path.clone(), about.clone()))
        })
        .collect()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_of_a_model_never_becomes_markup() {
        assert_eq!(super::escape("<b a='\"'>&"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;");
    }
}
