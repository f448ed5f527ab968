//! `mainstay token`: a token of the development key.

use crate::arguments::Token as Arguments;
use crate::failure::{Failure, Outcome};
use crate::pipeline;
use runtime::identity::development::{DevelopmentKey, Wanted};
use std::path::Path;

/// A token and what was asked for.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Token {
    /// The token itself.
    pub(crate) token: String,
    /// Seconds since 1970 after which it is refused.
    pub(crate) expires: i64,
    /// What one should know of it.
    #[serde(skip)]
    pub(crate) notes: Vec<String>,
}

/// Signs a token for a caller of the model with the key of its data directory, made there where
/// there is none.
pub(crate) fn token(arguments: &Arguments) -> Outcome<Token> {
    let model = &arguments.model;
    let designed = pipeline::design_to_run(&model.path, model.env.as_deref())?;
    let data = arguments.data.of(&designed.home);
    let failed = |cause: String| Failure::new("can't make a token").caused_by(cause);
    let domain = &designed.architecture.domain;
    super::home::check(&data, &domain.system)?;
    let mut notes = Vec::new();
    if !DevelopmentKey::is_in(&data) {
        notes.push(new_key(&data)?);
    }
    let key = DevelopmentKey::open(&data).map_err(failed)?;
    super::home::claim(&data, &domain.system)?;
    let lifetime = arguments
        .lifetime
        .map_or_else(|| designed.architecture.settings.token_seconds as i64, i64::from);
    let now = super::now() / 1_000_000;
    let wanted = Wanted {
        actor: &arguments.actor,
        roles: &arguments.roles,
        tenant: arguments.tenant.as_deref(),
        subject: arguments.subject.as_deref(),
        ttl_s: lifetime,
    };
    let token = key.issue(domain, &wanted, now).map_err(failed)?;
    let mut actors = domain.actors.iter().filter(|actor| actor.name == arguments.actor);
    let everywhere = actors.any(|actor| actor.across_tenants);
    if domain.tenancy.is_some() && wanted.tenant.is_none() && !everywhere {
        notes.push(
            "the token names no tenant, and is refused (401) where rows belong to one: give one \
             with `--tenant`"
                .to_owned(),
        );
    }
    Ok(Token { token, expires: now + lifetime, notes })
}

/// What a key that is about to be made is good for; an error where it would be out of the way.
fn new_key(data: &Path) -> Outcome<String> {
    let above = data.parent().filter(|above| !above.as_os_str().is_empty());
    if let Some(above) = above.filter(|above| !above.is_dir()) {
        return Err(Failure::new("can't make a token")
            .caused_by(format!("there is no directory `{}`", above.display()))
            .hint("give the data directory of the backend with `--data`"));
    }
    Ok(format!(
        "made a new development key in `{}`: a backend accepts the token when it runs with that \
         data directory",
        data.display()
    ))
}
