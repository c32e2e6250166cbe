//! Kafka at an Apache Kafka of its own (KRaft, one node), read by a client that is not ours: what
//! arrives, what happens when the broker is away, who may come in.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tocsin_model::Severity;
use tocsin_notify::{NotifyConfig, faults, try_out};

use crate::support::{PATIENCE, Running, alert, one_channel};

const PASSWORD: &str = "a-password-of-tests";
const ASK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/counterparts/kafka/ask.py");

/// A broker that can be killed and started again over the same data.
struct Broker {
    dir: TempDir,
    jars: String,
    python: PathBuf,
    /// For everybody, for users over TLS, for the broker itself, for those with a certificate.
    ports: [u16; 4],
    child: Option<Child>,
}

impl Broker {
    /// `None`, with a notice, where a part of it is not installed.
    fn new() -> Option<Self> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let home = target.with_file_name("counterparts/kafka");
        let python = target.with_file_name("clients/bin/python3");
        let runs = |command: &mut Command| {
            let command = command.stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        let there = home.join("fetched").exists()
            && runs(Command::new("java").arg("-version"))
            && runs(Command::new(&python).args(["-c", "import kafka"]));
        if !there {
            // Past the harness, which keeps what a passing test prints to itself.
            let why = "skipped: no Apache Kafka (cargo xtask test fetches it with Maven)";
            let _ = writeln!(std::io::stdout(), "{why}");
            return None;
        }
        let free: Vec<_> = (0..4).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports = std::array::from_fn(|at| free[at].local_addr().unwrap().port());
        let jars = format!("{}/*", home.display());
        let dir = tempfile::tempdir().unwrap();
        let broker = Self { dir, jars, python, ports, child: None };
        broker.configure();
        let user = |mechanism| format!("{mechanism}=[name=tocsin,password={PASSWORD}]");
        let mut format = broker.java("kafka.tools.StorageTool");
        format.args(["format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c"]).arg(broker.path("broker"));
        format.args(["--add-scram", &user("SCRAM-SHA-512")]);
        format.args(["--add-scram", &user("SCRAM-SHA-256")]);
        let out = format.output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        Some(broker)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Its certificate says `localhost` and nothing else.
    fn configure(&self) {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = certificate.self_signed(&key).unwrap().pem();
        std::fs::write(self.path("ca.pem"), &certificate).unwrap();
        let store = self.path("store.pem");
        std::fs::write(&store, format!("{}{certificate}", key.serialize_pem())).unwrap();
        self.certificate("known");
        self.certificate("unknown");
        let [open, secure, own, mutual] = self.ports;
        let module = "org.apache.kafka.common.security";
        let scram = format!("{module}.scram.ScramLoginModule required;");
        let text = format!(
            "process.roles=broker,controller\nnode.id=1\n\
             controller.quorum.voters=1@127.0.0.1:{own}\ncontroller.listener.names=OWN\n\
             listeners=OPEN://127.0.0.1:{open},SECURE://127.0.0.1:{secure},OWN://127.0.0.1:{own},\
             MUTUAL://127.0.0.1:{mutual}\n\
             advertised.listeners=OPEN://127.0.0.1:{open},SECURE://localhost:{secure},\
             MUTUAL://localhost:{mutual}\n\
             listener.security.protocol.map=OPEN:PLAINTEXT,OWN:PLAINTEXT,SECURE:SASL_SSL,MUTUAL:SSL\n\
             listener.name.mutual.ssl.client.auth=required\n\
             listener.name.mutual.ssl.truststore.type=PEM\n\
             listener.name.mutual.ssl.truststore.location={}\n\
             inter.broker.listener.name=OPEN\nlog.dirs={}\n\
             offsets.topic.replication.factor=1\nauto.create.topics.enable=false\n\
             ssl.keystore.type=PEM\nssl.keystore.location={}\n\
             sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n\
             listener.name.secure.scram-sha-256.sasl.jaas.config={scram}\n\
             listener.name.secure.scram-sha-512.sasl.jaas.config={scram}\n\
             listener.name.secure.plain.sasl.jaas.config={module}.plain.PlainLoginModule required \
             user_tocsin=\"{PASSWORD}\";\n",
            self.path("known.pem").display(),
            self.path("data").display(),
            store.display(),
        );
        std::fs::write(self.path("broker"), text).unwrap();
    }

    /// One to come in with, and its key: `NAME.pem`, `NAME.key`.
    fn certificate(&self, name: &str) {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec![format!("{name}.example")]).unwrap();
        let certificate = certificate.self_signed(&key).unwrap().pem();
        std::fs::write(self.path(&format!("{name}.pem")), certificate).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    /// By the listener for those with a certificate.
    fn mutual(&self, name: &str) -> NotifyConfig {
        let mutual = format!("localhost:{}", self.ports[3]);
        let keys = json!({"brokers": [mutual], "ca_file": self.path("ca.pem"), "tls": "tls"});
        let (certificate, key) =
            (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        let rest = match name {
            "" => json!({}),
            _ => json!({"certificate_file": certificate, "key_file": key}),
        };
        channel(&keys, &rest)
    }

    fn java(&self, class: &str) -> Command {
        let mut command = Command::new("java");
        command.args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]);
        command.args([&self.jars, class]).current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    async fn start(&mut self) {
        let log = std::fs::File::create(self.path("log")).unwrap();
        let mut command = self.java("kafka.Kafka");
        command.arg(self.path("broker")).stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        let started = Instant::now();
        for port in &self.ports[..2] {
            while tokio::net::TcpStream::connect(("127.0.0.1", *port)).await.is_err() {
                let ended = self.child.as_mut().unwrap().try_wait().unwrap();
                let log = || std::fs::read_to_string(self.path("log")).unwrap();
                assert!(ended.is_none() && started.elapsed() < PATIENCE * 3, "{}", log());
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }

    fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// What the other client answers.
    fn ask(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new(&self.python);
        command.args([ASK, &format!("127.0.0.1:{}", self.ports[0])]).args(arguments);
        let out = command.output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        out.stdout
    }

    fn records(&self) -> Vec<Json> {
        serde_json::from_slice(&self.ask(&["read", "alerts"])).unwrap()
    }

    fn channel(&self, rest: &Json) -> NotifyConfig {
        let open = format!("127.0.0.1:{}", self.ports[0]);
        channel(&json!({"brokers": [open]}), rest)
    }

    /// By the listener for users.
    fn secure(&self, rest: &Json) -> NotifyConfig {
        let secure = format!("localhost:{}", self.ports[1]);
        let keys = json!({
            "brokers": [secure], "user": "tocsin", "password": PASSWORD,
            "ca_file": self.path("ca.pem"),
        });
        channel(&keys, rest)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

fn channel(keys: &Json, rest: &Json) -> NotifyConfig {
    let mut channel = json!({"type": "kafka", "topic": "alerts"});
    for more in [keys, rest] {
        channel.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    }
    one_channel(channel)
}

#[tokio::test]
async fn alerts_are_records_of_the_topic_also_of_the_time_the_broker_was_away() {
    let Some(mut broker) = Broker::new() else { return };
    broker.start().await;
    let dir = tempfile::tempdir().unwrap();
    let refused = try_out(&broker.channel(&json!({})), "ops", dir.path()).await.unwrap_err();
    assert!(refused.to_string().contains("there is no topic alerts"), "{refused}");
    broker.ask(&["create", "alerts", "3"]);

    let running = Running::start(&broker.channel(&json!({})));
    let told = running.notifier.test("ops").await.unwrap();
    assert!(told.starts_with("taken by alerts, partition "), "{told}");
    let mut big = alert(1, Severity::High);
    big.reason = "x".repeat(300_000);
    running.submit(&[big.clone(), alert(2, Severity::Low), alert(3, Severity::Medium)]);
    running.until_delivered(3).await;
    broker.kill();
    running.submit(&(4..8).map(|number| alert(number, Severity::High)).collect::<Vec<_>>());
    let failed = || running.outbox.items("ops").iter().any(|item| item.attempts > 0);
    running.outbox.until("a failed try", failed).await;
    broker.start().await;
    running.until_delivered(7).await;
    running.stop().await;

    let records = broker.records();
    let of_big = records.iter().find(|record| record["value"]["alert"]["event"]["id"] == big.id.0);
    let of_big = of_big.unwrap_or_else(|| panic!("{} records", records.len()));
    assert_eq!(of_big["value"]["alert"]["message"].as_str().unwrap().len(), 300_000);
    assert_eq!(of_big["key"], format!("source.ip={}", big.group[0].1));
    let headers = &of_big["headers"];
    assert_eq!((&headers["kind"], &headers["severity"]), (&json!("raised"), &json!("high")));
    assert_eq!(
        (&headers["rule"], &headers["source"]),
        (&json!("ssh_brute_force"), &json!("tocsin"))
    );
    let keys: std::collections::BTreeSet<&str> =
        records.iter().map(|record| record["headers"]["key"].as_str().unwrap()).collect();
    assert_eq!(keys.len(), 8, "every notice and the test, each by its key");
    for record in &records {
        assert_eq!(record["partition"], record["usual_partition"], "{}", record["key"]);
    }
    who_may_come_in(&broker).await;
}

async fn who_may_come_in(broker: &Broker) {
    let dir = tempfile::tempdir().unwrap();
    for mechanism in ["scram-sha-512", "scram-sha-256", "plain"] {
        let config = broker.secure(&json!({"mechanism": mechanism}));
        let told = try_out(&config, "ops", dir.path()).await;
        assert!(told.as_ref().is_ok_and(|told| told.contains("taken by")), "{mechanism}: {told:?}");
    }
    let told = try_out(&broker.mutual("known"), "ops", dir.path()).await;
    assert!(told.as_ref().is_ok_and(|told| told.contains("taken by")), "{told:?}");
    for stranger in ["unknown", ""] {
        let told = try_out(&broker.mutual(stranger), "ops", dir.path()).await.unwrap_err();
        let told = told.to_string().to_lowercase();
        assert!(told.contains("certificate"), "{stranger:?}: {told}");
    }
    let address = format!("127.0.0.1:{}", broker.ports[1]);
    for (rest, expected) in [
        (json!({"password": "wrong-password"}), "refuses this user or password"),
        (json!({"password": "wrong-password", "mechanism": "plain"}), "refuses this user"),
        (json!({"ca_file": null}), "UnknownIssuer"),
        (json!({"brokers": [address]}), "certificate not valid for name"),
        (json!({"brokers": ["127.0.0.1:1"]}), "refused"),
    ] {
        let told = try_out(&broker.secure(&rest), "ops", dir.path()).await.unwrap_err().to_string();
        assert!(told.contains(expected), "{rest}: {told}");
        assert!(!told.contains("wrong-password") && !told.contains(PASSWORD), "{told}");
    }
}

#[test]
fn what_is_wrong_is_told_by_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let base = json!({"brokers": ["localhost"]});
    assert!(faults(&channel(&base, &json!({})), dir.path()).is_empty());
    for (rest, expected) in [
        (json!({"brokers": []}), "brokers: give at least one"),
        (json!({"brokers": ["http://kafka:9092"]}), "brokers: \"http://kafka:9092\""),
        (json!({"brokers": ["kafka:x"]}), "\"x\" is no port"),
        (json!({"topic": ""}), "topic: give the name"),
        (json!({"topic": "a b"}), "topic: give the name"),
        (json!({"user": "u"}), "no password"),
        (json!({"password": "secret123"}), "no user"),
        (json!({"tls": "starttls"}), "tls: Kafka knows no starttls"),
        (
            json!({"user": "u", "password": "secret123", "tls": "none", "mechanism": "plain"}),
            "set tls: tls",
        ),
        (json!({"ca_file": "/no/such", "tls": "tls"}), "ca_file /no/such"),
        (json!({"certificate_file": "/no/such"}), "key_file is missing"),
        (json!({"key_file": "/no/such"}), "certificate_file is missing"),
        (
            json!({"certificate_file": "/no/such", "key_file": "/no/such"}),
            "certificate_file /no/such",
        ),
        (
            json!({"certificate_file": "/no/such", "key_file": "/no/such", "tls": "none"}),
            "over TLS only",
        ),
    ] {
        let found = faults(&channel(&base, &rest), dir.path());
        let [(_, fault)] = &found[..] else { panic!("{rest}: {found:?}") };
        assert!(fault.contains(expected) && !fault.contains("secret123"), "{rest}: {fault}");
    }
}
