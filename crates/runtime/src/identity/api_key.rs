//! API keys: `ms_<id>_<secret>_<checksum>`. The secret has 256 bits, so its hash needs no salt;
//! the fixed prefix and the checksum let secret scanners find a leaked key without asking us.

use crate::ports::keys::StoredKey;
use flate2::Crc;
use ir::domain::Domain;
use ir::model::Proof;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

/// What every key begins with.
pub const PREFIX: &str = "ms_";
const ID_CHARS: usize = 8;
/// 62^43 > 2^256.
const SECRET_CHARS: usize = 43;
const CHECK_CHARS: usize = 6;
/// Characters of a key.
pub const KEY_CHARS: usize = PREFIX.len() + ID_CHARS + 1 + SECRET_CHARS + 1 + CHECK_CHARS;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const MICROSECONDS: i64 = 1_000_000;

/// What a new key is to be.
#[derive(Debug, Clone, Default)]
pub struct NewKey<'a> {
    /// Actor of the model that proves itself by key.
    pub actor: &'a str,
    /// Roles of that actor.
    pub roles: &'a [String],
    /// Tenant that it is bound to; needed where there is tenancy, unless the actor may act in
    /// every tenant.
    pub tenant: Option<&'a str>,
    /// What it is for.
    pub label: &'a str,
    /// Seconds until it expires; never without.
    pub ttl_s: Option<i64>,
}

/// Makes a key: its text, which is shown once and kept nowhere, and what is stored. `now` is in
/// microseconds since 1970.
///
/// # Errors
/// A sentence for people: the model has no such actor or role, or the tenant is missing or none.
pub fn make(domain: &Domain, new: &NewKey<'_>, now: i64) -> Result<(String, StoredKey), String> {
    let actor = domain.actors.iter().find(|actor| actor.name == new.actor);
    let actor = actor.ok_or_else(|| format!("unknown actor `{}`", new.actor))?;
    if actor.proof != Proof::ApiKey {
        return Err(format!(
            "actor `{}` proves itself by a token of its provider; declare it `api_key` to give \
             it keys",
            new.actor
        ));
    }
    if let Some(role) = new.roles.iter().find(|role| !actor.roles.contains(role)) {
        return Err(format!("actor `{}` has no role `{role}`", new.actor));
    }
    match (new.tenant, &domain.tenancy) {
        (Some(tenant), Some(_)) => super::tenant::check_name(tenant)?,
        (Some(_), None) => return Err("the model has no tenancy: leave out the tenant".into()),
        (None, Some(_)) if !actor.across_tenants => {
            return Err(format!("a key of `{}` is bound to a tenant: name it", new.actor));
        }
        (None, Some(_) | None) => {}
    }
    let id = format!("{PREFIX}{}", random(ID_CHARS)?);
    let open = format!("{id}_{}_", random(SECRET_CHARS)?);
    let text = format!("{open}{}", checksum(&open));
    let stored = StoredKey {
        prefix: id.clone(),
        hash: hash(&text),
        actor: new.actor.to_owned(),
        roles: new.roles.to_vec(),
        tenant: new.tenant.map(str::to_owned),
        subject: id,
        label: new.label.to_owned(),
        created: now,
        expires: new.ttl_s.map(|ttl| now.saturating_add(ttl.saturating_mul(MICROSECONDS))),
        revoked: None,
        used: None,
    };
    Ok((text, stored))
}

/// The public part of a text that has the form of a key, checksum included.
pub fn prefix(text: &str) -> Option<&str> {
    let plain = text.len() == KEY_CHARS
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !plain || !text.starts_with(PREFIX) {
        return None;
    }
    let id = PREFIX.len() + ID_CHARS;
    let separated = text.as_bytes()[id] == b'_' && text.as_bytes()[id + 1 + SECRET_CHARS] == b'_';
    let (open, check) = text.split_at(KEY_CHARS - CHECK_CHARS);
    (separated && checksum(open) == check).then(|| &text[..id])
}

/// The hash that is stored.
pub fn hash(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    bytes
}

fn checksum(text: &str) -> String {
    let mut crc = Crc::new();
    crc.update(text.as_bytes());
    let mut rest = crc.sum();
    let mut out = vec![b'0'; CHECK_CHARS];
    for place in out.iter_mut().rev() {
        *place = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    String::from_utf8(out).expect("the alphabet is ASCII")
}

/// Letters and digits, each as likely as any other.
fn random(count: usize) -> Result<String, String> {
    let source = SystemRandom::new();
    let mut out = String::with_capacity(count);
    let mut bytes = [0; 64];
    while out.len() < count {
        source.fill(&mut bytes).map_err(|_| "the system gives no random bytes")?;
        // 248 is the greatest multiple of 62 in a byte: what is above would favour some letters.
        let even = bytes.iter().filter(|byte| **byte < 248);
        out.extend(
            even.take(count - out.len()).map(|byte| ALPHABET[usize::from(byte % 62)] as char),
        );
    }
    Ok(out)
}
