//! What tests need beside Rust: packages of Debian, npm, PyPI, Go and Maven. Installs what is
//! missing when it may, and otherwise says what to type.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::process::{self, heading};
use crate::workspace::{root, target_dir, which};

/// A program that tests run, the package that has it, and what is not tested without it.
struct Need {
    program: &'static str,
    package: &'static str,
    without: &'static str,
}

const NEEDS: &[Need] = &[
    Need { program: "chromium", package: "chromium", without: "the page" },
    Need { program: "sshd", package: "openssh-server", without: "the attack on a real sshd" },
    Need { program: "ssh", package: "openssh-client", without: "the attack on a real sshd" },
    Need { program: "hydra", package: "hydra", without: "the attack on a real sshd" },
    Need { program: "sshpass", package: "sshpass", without: "the attack on a real sshd" },
    Need { program: "rsyslogd", package: "rsyslog", without: "the attack on a real sshd" },
    Need {
        program: "/usr/lib/x86_64-linux-gnu/rsyslog/omelasticsearch.so",
        package: "rsyslog-elasticsearch",
        without: "rsyslog as a sender",
    },
    Need {
        program: "/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_gtls.so",
        package: "rsyslog-gnutls",
        without: "rsyslog as a sender",
    },
    Need {
        program: "/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_ossl.so",
        package: "rsyslog-openssl",
        without: "rsyslog as a sender",
    },
    Need { program: "python3", package: "python3-venv", without: "public clients of shippers" },
    Need {
        program: "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
        package: "libfaketime",
        without: "a clock that jumps",
    },
    Need { program: "logger", package: "bsdutils", without: "syslog from a real client" },
    Need { program: "nft", package: "nftables", without: "bans with a real firewall" },
    Need { program: "ipset", package: "ipset", without: "bans by ipset" },
    Need { program: "iptables", package: "iptables", without: "bans by ipset" },
    Need { program: "firewalld", package: "firewalld", without: "bans by firewalld" },
    Need { program: "go", package: "golang-go", without: "Pub/Sub and buckets" },
    Need { program: "java", package: "default-jre-headless", without: "a real Apache Kafka" },
    Need { program: "mvn", package: "maven", without: "a real Apache Kafka" },
    Need { program: "ip", package: "iproute2", without: "bans with a real firewall" },
    Need { program: "sudo", package: "sudo", without: "the attack on a real sshd" },
    Need { program: "useradd", package: "passwd", without: "the attack on a real sshd" },
    Need { program: "nginx", package: "nginx-light", without: "logs of a real nginx" },
    Need { program: "curl", package: "curl", without: "answers to a real client" },
];

/// Public clients that speak what shippers speak, a mail server and a TAXII server, from PyPI.
const CLIENTS: &[&str] = &[
    "aiosmtpd==1.4.6",
    "duckdb==2.0.0",
    "elasticsearch==9.5.1",
    "fluent-logger==0.11.1",
    "graypy==2.1.0",
    "kafka-python==3.0.12",
    "medallion==3.0.0",
    "opentelemetry-exporter-otlp-proto-grpc==1.45.2",
    "opentelemetry-exporter-otlp-proto-http==1.45.2",
    "opentelemetry-sdk==1.45.2",
    "pygelf==0.4.3",
    "pylogbeat==2.1.0",
    "slack_sdk==3.43.0",
];

/// Programs of the comparison in `cargo xtask bench`.
const BENCH_NEEDS: &[Need] = &[
    Need { program: "fail2ban-regex", package: "fail2ban", without: "comparison with fail2ban" },
    Need { program: "sec", package: "sec", without: "comparison with sec" },
];

/// Installs what tests run and lack.
///
/// # Errors
/// When a package manager cannot even be started.
pub fn for_tests() -> Result<()> {
    install(NEEDS)?;
    clients()?;
    counterparts()?;
    kafka()?;
    cards()
}

/// Something that tests need beside programs of this system, had once for each version of it.
struct Thing<'a> {
    /// What fetches it.
    program: &'a str,
    /// What is told meanwhile.
    heading: &'a str,
    /// Where its version is noted when it is there.
    mark: PathBuf,
    /// The version that is wanted, in whatever form.
    wanted: String,
    /// What is lost without it.
    without: &'a str,
}

impl Thing<'_> {
    /// Has it fetched, unless it is there or there is nothing to fetch it with.
    fn fetch(&self, fetch: impl FnOnce() -> Result<bool>) -> Result<()> {
        let Self { program, heading: told, mark, wanted, without } = self;
        let is_there = std::fs::read_to_string(mark).is_ok_and(|have| have == *wanted);
        if is_there || which(program).is_none() {
            return Ok(());
        }
        heading(&format!("{told} ({program})"));
        if let Some(home) = mark.parent() {
            std::fs::create_dir_all(home)?;
        }
        if fetch()? {
            std::fs::write(mark, wanted)?;
        } else {
            eprintln!("xtask: {program} failed (its messages are above); without it, {without}");
        }
        Ok(())
    }
}

/// Fetches the jars of Apache Kafka.
fn kafka() -> Result<()> {
    let source = root().join(NOTIFY_COUNTERPARTS).join("kafka/pom.xml");
    let home = target_dir().join("counterparts/kafka");
    let thing = Thing {
        program: "mvn",
        heading: "fetching Apache Kafka",
        mark: home.join("fetched"),
        wanted: std::fs::read_to_string(&source)?,
        without: "Kafka is not tested",
    };
    thing.fetch(|| {
        // Jars of two versions must not stand beside each other.
        std::fs::remove_dir_all(&home)?;
        std::fs::create_dir_all(&home)?;
        let mut command = Command::new("mvn");
        command.args(["-q", "-B", "-f"]).arg(&source).arg("dependency:copy-dependencies");
        command.arg(format!("-DoutputDirectory={}", home.display())).stdin(Stdio::null());
        process::passes(&mut command)
    })
}

/// Microsoft's library of the cards that Teams is sent.
const CARDS: &str = "adaptivecards@3.0.6";

/// Installs it.
fn cards() -> Result<()> {
    let home = target_dir().join("counterparts/cards");
    let thing = Thing {
        program: "npm",
        heading: "installing a library of Adaptive Cards",
        mark: home.join("installed"),
        wanted: CARDS.to_owned(),
        without: "Teams' cards are not judged",
    };
    thing.fetch(|| {
        let mut command = Command::new("npm");
        command.args(["install", "--silent", "--no-fund", "--no-audit", "--prefix"]).arg(&home);
        process::passes(command.arg(CARDS))
    })
}

/// Where programs are that stand for services that are told of alerts.
const NOTIFY_COUNTERPARTS: &str = "crates/notify/tests/counterparts";

/// A program in Go that stands for a service of others: the module that names its version, its
/// package and name, and what is lost without it.
struct Counterpart {
    module: &'static str,
    package: &'static str,
    name: &'static str,
    without: &'static str,
}

const COUNTERPARTS: &[Counterpart] = &[
    Counterpart {
        module: NOTIFY_COUNTERPARTS,
        package: "./pubsub",
        name: "pubsub",
        without: "Pub/Sub is not tested",
    },
    Counterpart {
        module: "crates/cli/tests/counterparts",
        package: "github.com/versity/versitygw/cmd/versitygw",
        name: "versitygw",
        without: "the archive in a bucket is not tested",
    },
];

/// Builds them.
fn counterparts() -> Result<()> {
    let home = target_dir().join("counterparts");
    for one in COUNTERPARTS {
        let (source, program) = (root().join(one.module), home.join(one.name));
        let thing = Thing {
            program: "go",
            heading: &format!("building {}", one.name),
            mark: home.join(format!("{}.built", one.name)),
            wanted: std::fs::read_to_string(source.join("go.sum"))?,
            without: one.without,
        };
        if !program.is_file() && thing.mark.exists() {
            std::fs::remove_file(&thing.mark)?;
        }
        thing.fetch(|| {
            let mut command = Command::new("go");
            command.args(["build", "-o"]).arg(&program).arg(one.package).current_dir(&source);
            process::passes(&mut command)
        })?;
    }
    Ok(())
}

/// Installs the public clients into an environment of their own.
fn clients() -> Result<()> {
    let home = target_dir().join("clients");
    let thing = Thing {
        program: "python3",
        heading: "installing public clients of shippers",
        mark: home.join("installed"),
        wanted: CLIENTS.join(" "),
        without: "shippers are not tested",
    };
    thing.fetch(|| {
        let venv = process::passes(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
        let pip = home.join("bin/pip");
        let options = ["install", "--quiet", "--disable-pip-version-check", "--no-input"];
        Ok(venv && process::passes(Command::new(pip).args(options).args(CLIENTS))?)
    })
}

/// Installs what the bench compares with and lacks.
///
/// # Errors
/// When a package manager cannot even be started.
pub fn for_bench() -> Result<()> {
    install(BENCH_NEEDS)
}

fn install(needs: &[Need]) -> Result<()> {
    let missing = missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    if which("apt-get").is_none() {
        explain(&missing, "this system has no apt-get; install the programs with its own tools");
        return Ok(());
    }
    if !is_root() {
        let command =
            format!("sudo apt-get install -y --no-install-recommends {}", packages.join(" "));
        explain(&missing, &format!("only root may install them; type: {command}"));
        return Ok(());
    }
    heading(&format!("installing {}", packages.join(" ")));
    if !apt(&[&["install", "-y", "--no-install-recommends"], packages.as_slice()].concat())? {
        // Lists may be absent or old.
        apt(&["update"])?;
        apt(&[&["install", "-y", "--no-install-recommends"], packages.as_slice()].concat())?;
    }
    let still = self::missing(needs);
    if !still.is_empty() {
        explain(&still, "apt-get could not install them (its messages are above)");
    }
    Ok(())
}

fn missing(needs: &[Need]) -> Vec<&Need> {
    needs.iter().filter(|need| which(need.program).is_none()).collect()
}

fn explain(missing: &[&Need], why: &str) {
    eprintln!("xtask: programs are missing, and {why}");
    for need in missing {
        let Need { program, package, without } = need;
        eprintln!("  {program} (package {package}): without it, not tested: {without}");
    }
}

fn apt(args: &[&str]) -> Result<bool> {
    process::passes(
        Command::new("apt-get")
            .args(["-q", "-o", "Dpkg::Use-Pty=0"])
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .stdout(Stdio::null()),
    )
}

fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}
