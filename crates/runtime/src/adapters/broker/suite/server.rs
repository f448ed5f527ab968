//! Servers of brokers for tests, each a process with a directory of its own; of Kafka a broker in
//! this process, that speaks its protocol and keeps its logs in memory, and of Amazon's services
//! an emulator, behind a wire that can be cut.

#[cfg(feature = "kafka")]
mod fake;
#[cfg(feature = "sqs")]
mod wire;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A server takes so long to come up at most.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// A server of a test takes messages of so many bytes, where it can be told.
pub(super) const MESSAGE_BYTES_MAX: usize = 4_000_000;
/// Where an emulator of Amazon's services keeps large data.
const BUCKET: &str = "events";

/// A server; one of the test's own ends when it is dropped.
pub(super) struct Server {
    kind: String,
    host: String,
    own: Option<Own>,
    #[cfg(feature = "kafka")]
    fake: Option<fake::Fake>,
    #[cfg(feature = "sqs")]
    wire: Option<wire::Wire>,
}

struct Own {
    port: u16,
    directory: PathBuf,
    process: Child,
}

impl Server {
    /// One for a test; none where its program is not there, which is told (and a failure with
    /// `CI`). It is the test's own and empty where the test wants it `alone`, and where none is
    /// there to be shared.
    pub(super) fn start(kind: &str, alone: bool) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let at = |host, own| Self {
            kind: kind.to_owned(),
            host,
            own,
            #[cfg(feature = "kafka")]
            fake: None,
            #[cfg(feature = "sqs")]
            wire: None,
        };
        #[cfg(feature = "kafka")]
        if kind == "kafka" {
            let fake = fake::Fake::start(alone);
            return Some(Self { fake: Some(fake.clone()), ..at(fake.host(), None) });
        }
        // One that nobody can kill is everybody's.
        if let Some(host) = shared(kind).filter(|_| !alone || kind == "sqs") {
            return Some(at(host, None).wired());
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mainstay-{kind}-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).expect("a directory");
        let port = free_port();
        match run(kind, port, &directory) {
            Ok(process) => {
                let own = Own { port, directory, process };
                let server = at(format!("127.0.0.1:{port}"), Some(own));
                server.wait();
                Some(server.wired())
            }
            Err(why) => {
                let told = format!("no {kind} for the tests: {why}");
                assert!(std::env::var_os("CI").is_none(), "{told}");
                let text = format!("\n**** SKIPPED: {told} ****\n");
                std::io::stderr().write_all(text.as_bytes()).expect("stderr takes it");
                let _gone = std::fs::remove_dir_all(&directory);
                None
            }
        }
    }

    pub(super) fn host(&self) -> String {
        self.host.clone()
    }

    /// Behind a wire, where the kind is one whose servers keep nothing when they are killed.
    #[cfg(feature = "sqs")]
    fn wired(mut self) -> Self {
        if self.kind == "sqs" {
            wire::make_bucket(&self.host, BUCKET);
            let wire = wire::Wire::to(&self.host);
            self.host = wire.host();
            self.wire = Some(wire);
        }
        self
    }

    #[cfg(not(feature = "sqs"))]
    fn wired(self) -> Self {
        self
    }

    /// More messages than fit where a reader keeps them.
    pub(super) fn many(&self) -> usize {
        match self.kind.as_str() {
            // The emulator looks at all of a queue for each.
            "sqs" => 300,
            _ => 3_000,
        }
    }

    /// Messages of a key that are given out at most before those before them are settled.
    pub(super) fn unsettled_max(&self) -> usize {
        match self.kind.as_str() {
            // A batch, of one at least.
            "sqs" => 1,
            _ => 1_000,
        }
    }

    /// That which speaks Kafka's protocol.
    #[cfg(feature = "kafka")]
    pub(super) fn fake(&self) -> &krafka::testing::FakeBroker {
        self.fake.as_ref().expect("it is Kafka").broker()
    }

    pub(super) fn url(&self) -> String {
        let scheme = match self.kind.as_str() {
            "rabbitmq" => "amqp",
            "sqs" => {
                let host = &self.host;
                return format!("sqs://id:key@us-east-1?endpoint=http://{host}&bucket={BUCKET}");
            }
            kind => kind,
        };
        format!("{scheme}://{}", self.host)
    }

    /// Kills it, and starts another on what it left.
    pub(super) fn restart(&mut self) {
        #[cfg(feature = "kafka")]
        if let Some(fake) = &self.fake {
            return fake.restart();
        }
        #[cfg(feature = "sqs")]
        if let Some(wire) = &self.wire {
            return wire.cut();
        }
        let own = self.own.as_mut().expect("a shared server is nobody's to kill");
        own.end();
        own.process = run(&self.kind, own.port, &own.directory).expect("it starts again");
        self.wait();
    }

    fn wait(&self) {
        let deadline = Instant::now() + START_PATIENCE;
        while TcpStream::connect(&self.host).is_err() {
            assert!(Instant::now() < deadline, "{} does not come up", self.kind);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Own {
    fn end(&mut self) {
        // It is the first of a group of its own, with those that it started.
        let group = format!("-{}", self.process.id());
        let _killed = Command::new("kill").args(["-9", "--", &group]).status();
        let _reaped = self.process.wait();
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.end();
        let _gone = std::fs::remove_dir_all(&self.directory);
    }
}

/// Where a server runs that tests share, of the kinds that take long to start: each test has a
/// topic of its own.
fn shared(kind: &str) -> Option<String> {
    let (named, usual) = match kind {
        "rabbitmq" => ("MAINSTAY_TEST_RABBITMQ", "127.0.0.1:5672"),
        "sqs" => ("MAINSTAY_TEST_SQS", "127.0.0.1:5000"),
        _ => return None,
    };
    match std::env::var(named) {
        Ok(host) => Some(host),
        Err(_) => TcpStream::connect(usual).is_ok().then(|| usual.to_owned()),
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Starts a server, as the first of a group of processes.
fn run(kind: &str, port: u16, directory: &Path) -> std::io::Result<Child> {
    let mut command = match kind {
        "nats" => {
            let mut command = Command::new("nats-server");
            command.args(["-a", "127.0.0.1", "-js", "-p", &port.to_string(), "-sd"]);
            command.arg(directory);
            command
        }
        "rabbitmq" => rabbitmq(port, directory)?,
        "redis" => {
            let mut command = Command::new("redis-server");
            command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]);
            command.args(["--appendonly", "yes", "--appendfsync", "always", "--dir"]);
            command.arg(directory);
            command
        }
        // Amazon's services in memory: the Python package `moto[server]`.
        "sqs" => {
            let mut command = Command::new("moto_server");
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            command
        }
        other => panic!("no program is known for `{other}`"),
    };
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.process_group(0).spawn()
}

/// A node with a name, ports and files of its own.
fn rabbitmq(port: u16, directory: &Path) -> std::io::Result<Command> {
    /// Where Debian has it; the one on the PATH insists on a user of its own.
    const DEBIAN: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
    let conf = directory.join("rabbitmq.conf");
    std::fs::write(&conf, format!("max_message_size = {MESSAGE_BYTES_MAX}\n"))?;
    let program = if Path::new(DEBIAN).exists() { DEBIAN } else { "rabbitmq-server" };
    let mut command = Command::new(program);
    command
        .env("HOME", directory)
        .env("RABBITMQ_NODENAME", format!("mainstay{port}@localhost"))
        .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODE_PORT", port.to_string())
        .env("RABBITMQ_DIST_PORT", free_port().to_string())
        .env("RABBITMQ_MNESIA_BASE", directory.join("data"))
        .env("RABBITMQ_LOG_BASE", directory.join("log"))
        .env("RABBITMQ_PID_FILE", directory.join("pid"))
        .env("RABBITMQ_CONFIG_FILE", conf)
        .env("RABBITMQ_CONF_ENV_FILE", directory.join("none"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", directory.join("plugins"));
    Ok(command)
}
