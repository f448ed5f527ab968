//! `mainstay token`: a token of the development key.

use crate::arguments::Token as Arguments;
use crate::failure::{Failure, Outcome};
use crate::pipeline;
use runtime::identity::development::{DevelopmentKey, Wanted};

/// A token and what was asked for.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Token {
    /// The token itself.
    pub(crate) token: String,
    /// Seconds since 1970 after which it is refused.
    pub(crate) expires: i64,
}

/// Signs a token for a caller of the model with the key of its data directory, made there where
/// there is none.
pub(crate) fn token(arguments: &Arguments) -> Outcome<Token> {
    let model = &arguments.model;
    let designed = pipeline::design(&model.path, model.env.as_deref())?;
    let data = arguments.data.of(&designed.home);
    let failed = |cause: String| Failure::new("can't make a token").caused_by(cause);
    let key = DevelopmentKey::open(&data).map_err(failed)?;
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
    let token = key.issue(&designed.architecture.domain, &wanted, now).map_err(failed)?;
    Ok(Token { token, expires: now + lifetime })
}
