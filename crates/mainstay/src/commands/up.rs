//! `mainstay up`: the model as a running backend, in one process.

mod callers;
mod config;
#[cfg(unix)]
mod control;
mod descriptors;
mod events;
mod live;
#[cfg(unix)]
mod moving;
pub(in crate::commands) mod stores;
mod suggest;
mod waiting;
mod watch;

use crate::arguments::up::Up;
use crate::environment::{self, Missing};
use crate::failure::{Failure, Outcome};
use crate::pipeline::{self, Designed};
use crate::seed::{self, Caller, Loaded};
use crate::site::Site;
use callers::Callers;
use descriptors::Shares;
use events::{Event, Events};
use ir::domain::Domain;
pub(crate) use live::Swapped;
use runtime::adapters::postgres::Replica;
use runtime::adapters::sqlite::DataDirectory;
use runtime::consume::{Consumption, Lease};
use runtime::http::health::{Check, Health};
use runtime::http::server::announce;
use runtime::http::{Bound, NotServed, Server, Service, Surroundings, serve};
use runtime::identity::development::{DevelopmentKey, Wanted};
use runtime::ingress::broker::Answers;
use runtime::ingress::rest::{self, Backend, Rest, Serving};
use runtime::plan::Plan;
use runtime::ports::clock::{Randomness, SystemClock, SystemRandomness};
use runtime::ports::keys::KeyStore;
use runtime::telemetry::logs::Log;
use runtime::telemetry::metrics::Metrics;
use std::sync::Arc;
use std::time::Duration;
use stores::{Home, Stores};
use watch::Watch;

/// Between two looks at nothing, where the files of the model are not watched.
const IDLE: Duration = Duration::from_secs(3_600);

/// Seed of plausible rows and examples.
const SEED: u64 = 7;

/// How long the end waits for a log that is slow to take the last lines.
const LOG_PATIENCE: Duration = Duration::from_secs(1);

/// What `up` tells while it runs.
#[derive(Debug)]
pub(crate) enum News {
    /// Something that production would refuse.
    Warning(String),
    /// What the model has that does not run yet, a line a kind.
    Waiting(Vec<String>),
    /// The tables of a database will follow the model, once the calls that run have ended.
    Foreseen(super::migrate::Report),
    /// The tables of a database followed the model.
    Migrated(super::migrate::Report),
    /// First rows were made; the seed of plausible ones.
    Seeded(Loaded, Option<u64>),
    /// There were rows already, so none were made.
    NotSeeded,
    /// It serves.
    Listening(String),
    /// What to try, each a shell line or several.
    Try(Vec<String>),
    /// Another model is served from now on.
    Swapped(Swapped),
    /// The files changed, and the model did not; its hash.
    Unchanged(String),
    /// The files hold a model that can't be served; the one that still is, by its hash.
    Kept {
        /// What is wrong.
        failure: Failure,
        /// What is served.
        model: String,
    },
    /// The data is served from elsewhere.
    Moved(super::moving::Moved),
    /// The data stays where it was.
    NotMoved(Failure),
    /// It has ended; connections that were cut.
    Ended(usize),
}

/// Reads, checks, designs, opens the data and serves until it is told to end.
pub(crate) fn up(arguments: &Up, tell: &mut dyn FnMut(News)) -> Outcome<()> {
    let model = &arguments.model;
    let production = arguments.production || model.env.as_deref() == Some("production");
    // What changes from here on is noticed.
    let watch = Watch::new(&model.path, model.env.as_deref());
    let designed = pipeline::design_to_run(&model.path, model.env.as_deref())?;
    let missing = environment::missing(&designed.architecture.model, &designed.home);
    check_environment(arguments, production, &missing, tell)?;
    let waiting = waiting::waiting(&designed.architecture.model);
    if !waiting.is_empty() {
        tell(News::Waiting(waiting));
    }
    let format = config::log_format(arguments.logs.log_format);
    let log = Log::install(format, &arguments.logs.log).map_err(start_failure)?;
    let data = arguments.data.of(&designed.home);
    super::home::check(&data, &designed.architecture.domain.system)?;
    let limits = &arguments.limits;
    let mut shares = descriptors::share(&designed.architecture, limits.threads);
    shares.database_connections = limits.database_connections;
    // Nothing is made where nothing could serve it.
    let config = config::server(arguments, &designed.architecture.settings, production, shares);
    let bound = runtime::http::bind(config).map_err(not_served)?;
    let running = Running::open(arguments, designed, production, shares, tell)?;
    let seeded = running.seed(arguments, tell)?;
    running.serve(Serve { bound, log, watch }, seeded, tell)
}

fn not_served(why: NotServed) -> Failure {
    let failure = start_failure(why.to_string());
    match why {
        NotServed::Cors(_) => failure.hint("`--cors-origin` takes origins, several with commas"),
        NotServed::Tls(_) => {
            failure.hint("name readable PEM files with `--tls-cert` and `--tls-key`")
        }
        NotServed::Address(_) => {
            failure.hint("give another address with `--listen`, or port 0 for a free one")
        }
        NotServed::Limits(_) => failure.hint("`mainstay up --help` lists the limits"),
        NotServed::Thread(_) => failure,
    }
}

fn start_failure(cause: String) -> Failure {
    Failure::new("can't start").caused_by(cause)
}

/// What is missing is a warning in development and a refusal in production.
fn check_environment(
    arguments: &Up,
    production: bool,
    missing: &[Missing],
    tell: &mut dyn FnMut(News),
) -> Outcome<()> {
    let line = |missing: &Missing| {
        format!("{} for `{}`: {}", missing.variable, missing.used_by, missing.because)
    };
    if production {
        if arguments.seed {
            return Err(Failure::new("production is not seeded")
                .hint("leave `--seed` out, or run without `--production`"));
        }
        if !missing.is_empty() {
            let refused = Failure::new("production lacks what the model needs");
            let refused = missing.iter().fold(refused, |refused, one| refused.caused_by(line(one)));
            return Err(refused.hint("set the variables; `mainstay check --env NAME` lists them"));
        }
        return Ok(());
    }
    for one in missing {
        tell(News::Warning(line(one)));
    }
    Ok(())
}

/// What serving begins with.
struct Serve {
    bound: Bound,
    log: Log,
    watch: Watch,
}

/// Everything that serves.
struct Running<'a> {
    arguments: &'a Up,
    production: bool,
    shares: Shares,
    home: Home,
    replicas: Vec<Replica>,
    /// None in production.
    key: Option<Arc<DevelopmentKey>>,
    keys: Arc<dyn KeyStore>,
    backend: Arc<Backend>,
    site: Arc<Site>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    /// What is served now, and may be swapped.
    designed: Designed,
    plan: Arc<Plan>,
    callers: Arc<Callers>,
    stores: Stores,
    /// The directory that the data was in until it was moved; it stays locked.
    left: Option<Arc<DataDirectory>>,
}

impl<'a> Running<'a> {
    fn open(
        arguments: &'a Up,
        designed: Designed,
        production: bool,
        shares: Shares,
        tell: &mut dyn FnMut(News),
    ) -> Outcome<Self> {
        let broker = config::broker(arguments)?;
        let architecture = &designed.architecture;
        let data = arguments.data.of(&designed.home);
        let home = Home::of(&arguments.database, &data)?;
        for report in super::migrate::before_up(architecture, &home, production)? {
            tell(News::Migrated(report));
        }
        let metrics = Arc::new(Metrics::default());
        let replicas = stores::replicas(&home, &arguments.replicas, &metrics)?;
        let stores = Stores::open(architecture, &home, shares, &replicas)?;
        let key = match production {
            true => None,
            false => Some(Arc::new(DevelopmentKey::open(&data).map_err(start_failure)?)),
        };
        let domain = Arc::new(architecture.domain.clone());
        let keys = super::key::store(&data, &arguments.database)?;
        super::home::claim(&data, &domain.system)?;
        let callers =
            Callers::new(arguments, domain, key.clone(), Arc::clone(&keys)).map_err(|cause| {
                start_failure(cause).hint("`mainstay up --help` lists what tells callers apart")
            })?;
        let callers = Arc::new(callers);
        let around = rest::Surroundings {
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
            cursor_key: stores.cursor_key(&home)?,
            metrics: Arc::clone(&metrics),
            webhooks: config::webhooks(arguments, production),
            broker,
        };
        let plan = Arc::new(runtime::plan::plan(architecture));
        stores.register(&plan)?;
        let (ports, identify) = (stores.ports(), Arc::clone(&callers) as _);
        let (credentials, _) = environment::credentials(&architecture.model, &designed.home);
        let serving = Serving { plan: Arc::clone(&plan), stores: ports, identify, credentials };
        let backend = Arc::new(Backend::new(serving, around));
        let api: Arc<dyn Service> = Arc::new(Rest::new(Arc::clone(&backend)));
        let site = Arc::new(Site::new(architecture, plan.fingerprint(), api));
        let health = Arc::new(Health::new(vec![check(&backend), writes_check(&backend)]));
        let running = Self {
            arguments,
            production,
            shares,
            home,
            replicas,
            key,
            keys,
            backend,
            site,
            metrics,
            health,
            designed,
            plan,
            callers,
            stores,
            left: None,
        };
        running.show_model();
        running.show_store();
        Ok(running)
    }

    /// Operators see which model is served.
    fn show_model(&self) {
        self.health.serves(self.plan.fingerprint());
        self.metrics.serves(self.plan.fingerprint());
    }

    /// Operators see where the data is.
    fn show_store(&self) {
        let help = "What keeps the data that is served: 1 for that, 0 for what kept it before.";
        for store in ["sqlite", "postgresql"] {
            let labels = format!("store=\"{store}\"");
            let gauge = self.metrics.gauge("mainstay_store_info", help, &labels);
            gauge.set(i64::from(store == self.home.store()));
        }
    }

    fn domain(&self) -> &Domain {
        &self.designed.architecture.domain
    }

    /// The name that it claims work by, and for how long. Files are locked by one process: what the
    /// one before it had claimed is its own at once. On a server no other process has the name.
    fn owner(&self) -> (String, Lease) {
        match &self.home {
            Home::Directory(_) => ("files".to_owned(), Lease::ALONE),
            Home::Server(_) => (process_name(), Lease::SHARED),
        }
    }

    /// Begins to answer requests by the broker, where that was asked for.
    fn answers(&self, server: &Server) -> Outcome<Option<Answers>> {
        let broker = self.backend.broker().filter(|_| self.arguments.broker_requests);
        let Some(broker) = broker else { return Ok(None) };
        let (system, clock) = (&self.domain().system, Arc::new(SystemClock));
        let started = Answers::start(server.door(), broker, (system, &process_name()), clock);
        let failure = |cause| start_failure(format!("no thread for requests: {cause}"));
        Ok(Some(started.map_err(failure)?))
    }

    /// A token of the development key for a caller.
    fn token(&self, caller: &Caller, tenant: Option<&str>) -> Result<String, String> {
        let key = self.key.as_ref().ok_or("there is no development key in production")?;
        let Caller::Token { actor, role, subject } = caller else {
            return Err("who needs no token gets none".to_owned());
        };
        let wanted = Wanted {
            actor,
            roles: role.as_slice(),
            tenant,
            subject: Some(subject),
            ttl_s: self.designed.architecture.settings.token_seconds as i64,
        };
        key.issue(self.domain(), &wanted, super::now() / 1_000_000)
    }

    /// Makes first rows where that was asked for and there are none; the tenants that have some.
    fn seed(&self, arguments: &Up, tell: &mut dyn FnMut(News)) -> Outcome<Vec<String>> {
        if !arguments.seed {
            return Ok(Vec::new());
        }
        if !self.stores.is_empty()? {
            tell(News::NotSeeded);
            return Ok(Vec::new());
        }
        let mut rows = seed::file::read(self.domain(), &self.designed.home)?;
        let drawn = rows.is_empty().then_some(SEED);
        if let Some(seed) = drawn {
            rows = seed::plausible(self.domain(), seed);
        }
        let token = |caller: &Caller, tenant: Option<&str>| self.token(caller, tenant);
        let loading = seed::load(&self.designed.architecture, &*self.site, &token, &rows);
        let loaded = super::wait(loading)?.map_err(|why| {
            let data = arguments.data.of(&self.designed.home);
            Failure::new("the model's own rules refuse a seed row")
                .caused_by(why)
                .hint(format!("mend the row, delete `{}` and start again", data.display()))
        })?;
        let tenants = loaded.tenants.clone();
        tell(News::Seeded(loaded, drawn));
        Ok(tenants)
    }

    fn serve(
        mut self,
        serving: Serve,
        seeded: Vec<String>,
        tell: &mut dyn FnMut(News),
    ) -> Outcome<()> {
        let Serve { bound, log, watch } = serving;
        self.health.started();
        let around = Surroundings {
            metrics: Arc::clone(&self.metrics),
            health: Arc::clone(&self.health),
            log: Some(log.clone()),
            jwks: self.callers.authenticator.jwks().map(Into::into),
        };
        let site: Arc<dyn Service> = Arc::clone(&self.site) as _;
        let server = serve(bound, site, around).map_err(not_served)?;
        callers::warm(&self.callers);
        let (owner, lease) = self.owner();
        let mut consumption = Consumption::start(&self.backend, &owner, lease)
            .map_err(|cause| start_failure(format!("no thread for events: {cause}")))?;
        let answers = self.answers(&server)?;
        let (url, address) = (server.url(), server.address());
        // Whoever is told that it serves may send signals and ask for a move at once.
        let events = Events::of(server)?;
        #[cfg(unix)]
        let _control = match &self.home {
            Home::Directory(data) => control::Control::listen(data.path(), events.wishes()),
            Home::Server(_) => None,
        };
        if let Some(fd) = self.arguments.ready_fd {
            announce(fd, &url).map_err(|cause| {
                Failure::new(format!("can't write to file descriptor {fd}")).caused_by(cause)
            })?;
        }
        tracing::info!(model = self.plan.fingerprint(), "serving");
        tell(News::Listening(url.clone()));
        if !self.production {
            let any = self.domain().tenancy.as_ref().map(|_| "acme".to_owned());
            let tenant = seeded.into_iter().next().or(any);
            tell(News::Try(suggest::lines(&suggest::Setting {
                architecture: &self.designed.architecture,
                address,
                url: &url,
                tenant: tenant.as_deref(),
                seed: SEED,
                token: &|caller, tenant| self.token(caller, tenant),
            })));
        }
        let cut = self.follow_until_the_end(&events, watch, tell);
        answers.into_iter().for_each(Answers::wait);
        consumption.stop();
        self.stores.close();
        log.flush(LOG_PATIENCE);
        tell(News::Ended(cut));
        Ok(())
    }

    /// Serves what the files of the model say, until the server ends; connections that were cut.
    fn follow_until_the_end(
        &mut self,
        events: &Events,
        mut watch: Watch,
        tell: &mut dyn FnMut(News),
    ) -> usize {
        let watches = !self.arguments.no_watch && (self.arguments.watch || !self.production);
        loop {
            match events.next(if watches { watch.every() } else { IDLE }) {
                Event::Ended(cut) => return cut,
                Event::Wanted => {
                    watch.reads();
                    self.follow(tell);
                }
                #[cfg(unix)]
                Event::Move(wish) => self.elsewhere(*wish, events, tell),
                Event::Nothing if watches && watch.changed() => self.follow(tell),
                Event::Nothing => {}
            }
        }
    }
}

/// A name that no other process has.
fn process_name() -> String {
    let mut random = [0; 8];
    SystemRandomness.fill(&mut random);
    format!("{}-{:016x}", std::process::id(), u64::from_be_bytes(random))
}

/// Readiness needs every store.
fn check(backend: &Arc<Backend>) -> Check {
    let backend = Arc::clone(backend);
    let look = move || {
        let backend = Arc::clone(&backend);
        let ready = async move { backend.ready().await.map_err(|why| format!("{why:?}")) };
        futures::FutureExt::boxed(ready)
    };
    Check { name: "store", required: true, look: Box::new(look) }
}

/// A store that only reads still serves; operators see that it does not write.
fn writes_check(backend: &Arc<Backend>) -> Check {
    let backend = Arc::clone(backend);
    let look = move || {
        let writes = backend.writes().map_err(|why| format!("{why:?}"));
        futures::FutureExt::boxed(std::future::ready(writes))
    };
    Check { name: "writes", required: false, look: Box::new(look) }
}
