//! What a model takes from outside: environment variables and secret files.

use ir::model::{Model, Text, Variable};
use ir::{Name, Span};
use runtime::engine::backend::Credentials;
use runtime::integrations::Remotes;
use runtime::webhooks::inbound::Secrets;
use std::path::Path;

/// Bytes of a secret file.
const SECRET_BYTES_MAX: u64 = 65_536;

/// A variable or secret file that a model uses and that is not there.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Missing {
    /// `${NAME}` or `${file:path}`.
    pub(crate) variable: String,
    /// Model path of the value that uses it.
    pub(crate) used_by: String,
    /// Why it is missing: not set, not readable.
    pub(crate) because: String,
}

/// The value of a variable: from the environment, or the text of a file (relative to the model)
/// without its last line break. `Err` says why there is none, never what there is.
pub(crate) fn value(variable: &Variable, home: &Path) -> Result<String, String> {
    let name = variable.name.as_str();
    if !variable.file {
        return match std::env::var(name) {
            Ok(value) if !value.is_empty() => Ok(value),
            Ok(_) => Err("it is empty".to_owned()),
            Err(std::env::VarError::NotPresent) => Err("it is not set".to_owned()),
            Err(std::env::VarError::NotUnicode(_)) => Err("it is not UTF-8".to_owned()),
        };
    }
    let path = home.join(name);
    let metadata = std::fs::metadata(&path).map_err(|cause| cause.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a file".to_owned());
    }
    if metadata.len() > SECRET_BYTES_MAX {
        return Err(format!("it is larger than {SECRET_BYTES_MAX} bytes"));
    }
    let text = std::fs::read_to_string(&path).map_err(|cause| cause.to_string())?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    match text.strip_suffix('\r').unwrap_or(text) {
        "" => Err("it is empty".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// Everything the model uses and the environment lacks, in the order of the model.
pub(crate) fn missing(model: &Model, home: &Path) -> Vec<Missing> {
    let mut missing = Vec::new();
    for variable in &model.variables {
        if let Err(because) = value(variable, home) {
            let name = variable.name.as_str();
            let shown = if variable.file { format!("file:{name}") } else { name.to_owned() };
            missing.push(Missing {
                variable: format!("${{{shown}}}"),
                used_by: variable.used_by.clone(),
                because,
            });
        }
    }
    missing.extend(credentials(model, home).1);
    missing
}

/// What the environment says of systems outside; and what of it can't be used, named by its place
/// in the model.
pub(crate) fn credentials(model: &Model, home: &Path) -> (Credentials, Vec<Missing>) {
    let (secrets, mut wrong) = senders(model, home);
    let mut remotes = Remotes::default();
    for integration in &model.integrations {
        let name = integration.name.as_str();
        let texts = filled(&integration.http.value, home).and_then(|url| {
            let auth = integration.auth.as_ref();
            Ok((url, auth.map(|auth| filled(&auth.value, home)).transpose()?))
        });
        match texts {
            // A variable that is not there is told with all others.
            Err(because) => remotes.lacks(name, &because),
            Ok((url, auth)) => {
                if let Err(because) = remotes.add(name, &url, auth.as_deref()) {
                    wrong.push(Missing {
                        variable: integration.http.value.clone(),
                        used_by: format!("integrations.{name}"),
                        because,
                    });
                }
            }
        }
    }
    (Credentials { secrets, remotes }, wrong)
}

/// A text with what its variables stand for.
///
/// # Errors
/// The first variable that is not there, by its name, and why.
fn filled(text: &str, home: &Path) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once("${") {
        let Some((body, after)) = behind.split_once('}') else { break };
        out.push_str(before);
        let variable = variable(body, Span::default());
        let value = value(&variable, home);
        out.push_str(&value.map_err(|because| format!("`${{{body}}}`: {because}"))?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// What senders of webhooks prove themselves by, where the environment has it; and what of it can't
/// be used, named by its place in the model.
fn senders(model: &Model, home: &Path) -> (Secrets, Vec<Missing>) {
    let (mut secrets, mut wrong) = (Secrets::default(), Vec::new());
    for integration in &model.integrations {
        let Some(webhooks) = &integration.webhooks else { continue };
        let mut found = Vec::new();
        for secret in &webhooks.secrets {
            let value = variable_of(secret).map(|variable| value(&variable, home));
            let Some(Ok(text)) = value else { continue };
            let name = integration.name.as_str();
            // Each by itself: what one of them lacks does not close the door to the others.
            match Secrets::default().add(name, webhooks.verify.value, std::slice::from_ref(&text)) {
                Ok(()) => found.push(text),
                Err(because) => wrong.push(Missing {
                    variable: secret.value.clone(),
                    used_by: format!("integrations.{name}.webhooks.secret"),
                    because,
                }),
            }
        }
        // Each was looked at above.
        let _ = secrets.add(integration.name.as_str(), webhooks.verify.value, &found);
    }
    (secrets, wrong)
}

/// The variable that a secret is: the model takes nothing else for one.
fn variable_of(secret: &Text) -> Option<Variable> {
    let body = secret.value.strip_prefix("${")?.strip_suffix('}')?;
    Some(variable(body, secret.span))
}

/// The variable of what stands between `${` and `}`.
fn variable(body: &str, span: Span) -> Variable {
    let (file, name) = match body.strip_prefix("file:") {
        Some(path) => (true, path.trim()),
        None => (false, body),
    };
    Variable { name: Name::new(name.to_owned(), span), file, used_by: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::{Span, Spanned};

    fn variable(name: &str, file: bool) -> Variable {
        let name = Spanned::new(name.to_owned(), Span::default());
        Variable { name, file, used_by: "integrations.payments.auth".to_owned() }
    }

    #[test]
    fn a_secret_file_is_read_without_its_last_line_break() {
        let home = std::env::temp_dir();
        let name = format!("secret-{}", std::process::id());
        std::fs::write(home.join(&name), "s3cret\r\n").expect("writable");
        assert_eq!(value(&variable(&name, true), &home), Ok("s3cret".to_owned()));
        std::fs::write(home.join(&name), "\n").expect("writable");
        assert_eq!(value(&variable(&name, true), &home), Err("it is empty".to_owned()));
        std::fs::remove_file(home.join(&name)).expect("removable");
    }

    #[test]
    fn what_is_missing_is_named_with_its_user() {
        let variables = vec![variable("PATH", false), variable("NO_SUCH_VARIABLE", false)];
        let model = Model { variables, ..Model::default() };
        let missing = missing(&model, Path::new("."));
        assert_eq!(missing.len(), 1);
        assert_eq!(missing[0].variable, "${NO_SUCH_VARIABLE}");
        assert_eq!(missing[0].because, "it is not set");
    }

    #[test]
    fn a_directory_is_no_secret() {
        let fault = value(&variable(".", true), &std::env::temp_dir());
        assert_eq!(fault, Err("it is not a file".to_owned()));
    }
}
