//! File descriptors: as many as the system gives, shared between connections and files.

use ir::architecture::Architecture;
use runtime::adapters::sqlite::SqliteLimits;
use runtime::http::config::Limits;

/// Standard streams, logs, lock, keys being fetched, what libraries open.
const OWN: usize = 64;
/// Of a thread that serves: its poll, its listener, and connections that are told that it is full.
const THREAD: usize = 8 + 64;
/// A connection to a file of SQLite: the file and its log. The index of the log is the file's.
const LINK: usize = 2;
/// However few there are, so many connections are tried.
const CONNECTIONS_MIN: usize = 16;

/// Who gets how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shares {
    /// Open connections of clients.
    pub(super) connections_max: usize,
    /// Open files of tenants, a service.
    pub(super) tenant_files_max: usize,
    /// Connections to PostgreSQL of this process, where that was said.
    pub(super) database_connections: Option<u16>,
}

/// What needs descriptors.
#[derive(Debug, Clone, Copy)]
struct Needs {
    /// Threads that serve.
    threads: usize,
    /// Services.
    services: usize,
    /// Each tenant has a file.
    tenant_files: bool,
}

/// Raises the limit as far as it goes and shares it out; says where less fits than is wanted.
pub(super) fn share(architecture: &Architecture, threads: Option<u16>) -> Shares {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let needs = Needs {
        threads: threads.map_or_else(cores, usize::from),
        services: architecture.services.len().max(1),
        tenant_files: architecture.settings.tenant_files,
    };
    let wanted = wanted();
    let Some(limit) = raised() else { return wanted };
    let shares = shares(limit, needs);
    if shares != wanted {
        let Shares { connections_max, tenant_files_max, .. } = shares;
        tracing::warn!(
            "the system gives {limit} file descriptors: there is room for {connections_max} \
             connections (not {}) and {tenant_files_max} open files of tenants (not {}); raise \
             the hard limit, as `ulimit -Hn` shows it",
            wanted.connections_max,
            wanted.tenant_files_max
        );
    }
    shares
}

fn wanted() -> Shares {
    Shares {
        connections_max: Limits::default().connections_max,
        tenant_files_max: SqliteLimits::default().tenant_files_max,
        database_connections: None,
    }
}

/// Files of tenants get at most half of what is left when it is short, connections the rest.
fn shares(limit: usize, needs: Needs) -> Shares {
    let (files, wanted) = (SqliteLimits::default(), wanted());
    // A thread opens its connection to a file when it first reads there.
    let readers = files.readers_max.min(needs.threads + files.slow_readers);
    let service = (readers + 2) * LINK + 1;
    let fixed = OWN + needs.threads * THREAD + needs.services * service;
    let left = limit.saturating_sub(fixed);
    // Each thread that writes keeps as many files as the readers do.
    let tenant = (readers * LINK + 1 + files.tenant_writers * (LINK + 1)) * needs.services;
    let all_tenants = if needs.tenant_files { wanted.tenant_files_max * tenant } else { 0 };
    let tenant_files_max = match all_tenants + wanted.connections_max <= left {
        true => wanted.tenant_files_max,
        false if needs.tenant_files => (left / 2 / tenant).clamp(1, wanted.tenant_files_max),
        false => wanted.tenant_files_max,
    };
    let taken = if needs.tenant_files { tenant_files_max * tenant } else { 0 };
    let connections_max = left.saturating_sub(taken).clamp(CONNECTIONS_MIN, wanted.connections_max);
    Shares { connections_max, tenant_files_max, ..wanted }
}

/// The limit of this process after it was raised as far as it goes; none where there is none.
#[cfg(unix)]
fn raised() -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where that is refused, what there is has to do.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let current = getrlimit(Resource::Nofile).current?;
    Some(usize::try_from(current).unwrap_or(usize::MAX))
}

/// Elsewhere there is no such limit.
#[cfg(not(unix))]
fn raised() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE_FILE: Needs = Needs { threads: 2, services: 1, tenant_files: false };

    #[test]
    fn many_descriptors_change_nothing() {
        for tenant_files in [false, true] {
            assert_eq!(shares(1 << 20, Needs { tenant_files, ..ONE_FILE }), wanted());
        }
    }

    #[test]
    fn few_descriptors_are_kept_to() {
        for limit in [512, 1024, 4096, 16_384] {
            let got = shares(limit, ONE_FILE).connections_max;
            assert!((limit / 4..limit - 200).contains(&got), "{got} of {limit}");
        }
        let tenants = shares(4096, Needs { services: 3, tenant_files: true, ..ONE_FILE });
        assert!((20..64).contains(&tenants.tenant_files_max), "{tenants:?}");
        assert!((1500..2500).contains(&tenants.connections_max), "{tenants:?}");
    }

    #[test]
    fn hardly_any_descriptors_still_serve() {
        let least = shares(10, Needs { tenant_files: true, ..ONE_FILE });
        let (connections_max, tenant_files_max) = (CONNECTIONS_MIN, 1);
        assert_eq!(least, Shares { connections_max, tenant_files_max, ..wanted() });
    }
}
