//! A real attacker on a real sshd is shut out by a real nftables, in network namespaces of their
//! own; an innocent is not, and the ban ends on time although Tocsin was killed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use support::{Setup, output, skipped, tocsin, wait_for};

const NEEDED: &[&str] = &[
    "/usr/sbin/ip",
    "/usr/sbin/nft",
    "/usr/sbin/sshd",
    "/usr/bin/ssh",
    "/usr/bin/ssh-keygen",
    "/usr/bin/sshpass",
    "/usr/bin/curl",
];
const SERVER: &str = "203.0.113.1";
const ATTACKER: &str = "203.0.113.66";
const INNOCENT: &str = "203.0.113.7";
/// How long a rule's ban lasts in this test, seconds.
const BAN_SECONDS: u64 = 20;

/// Three machines on one wire: the server, an attacker, somebody else.
struct Wire {
    names: [String; 3],
}

fn run(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

impl Wire {
    fn new() -> Option<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("tocsin-{}-{number}", std::process::id());
        let wire = Self { names: ["s", "a", "i"].map(|name| format!("{prefix}-{name}")) };
        let ip = |line: String| run(Command::new("ip").args(line.split(' ')));
        let [server, attacker, innocent] = &wire.names;
        let mut good = wire.names.iter().all(|name| ip(format!("netns add {name}")));
        good &= ip(format!("-n {server} link add br0 type bridge"));
        good &= ip(format!("-n {server} addr add {SERVER}/24 dev br0"));
        for device in ["br0", "lo"] {
            good &= ip(format!("-n {server} link set {device} up"));
        }
        for (name, address) in [(attacker, ATTACKER), (innocent, INNOCENT)] {
            let end = &name[name.len() - 1..];
            good &= ip(format!("-n {name} link add e0 type veth peer name v{end} netns {server}"));
            good &= ip(format!("-n {server} link set v{end} master br0 up"));
            good &= ip(format!("-n {name} addr add {address}/24 dev e0"));
            good &= ip(format!("-n {name} link set e0 up"));
        }
        good.then_some(wire)
    }

    fn on(&self, place: usize, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names[place]]).arg(program);
        command
    }

    /// Whether somebody reaches the server's sshd.
    fn reaches(&self, place: usize) -> bool {
        let mut command = self.on(place, "timeout");
        run(command.args(["1", "bash", "-c", &format!("exec 3<>/dev/tcp/{SERVER}/22")]))
    }

    /// Waits until somebody reaches it.
    fn opens(&self, place: usize) {
        wait_for("a connection", || self.reaches(place).then_some(()));
    }

    /// Addresses in the firewall.
    fn blocked(&self) -> String {
        let mut command = self.on(0, "nft");
        let out = command.args(["list", "set", "inet", "tocsin", "blocked4"]).output().unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        for name in &self.names {
            run(Command::new("ip").args(["netns", "del", name]));
        }
    }
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn sshd(wire: &Wire, dir: &Path) -> Running {
    let key = |name: &str| {
        let path = dir.join(name);
        let mut command = Command::new("ssh-keygen");
        assert!(run(command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path)));
        path
    };
    let (host, user) = (key("host_key"), key("user_key"));
    let user = format!("{}.pub", user.display());
    let config = format!(
        "Port 22\nListenAddress {SERVER}\nHostKey {}\nPidFile none\nUsePAM no\nStrictModes no\n\
         PermitRootLogin yes\nPasswordAuthentication yes\nAuthorizedKeysFile {user}\nUseDNS no\n\
         Subsystem sftp internal-sftp\n",
        host.display()
    );
    fs::write(dir.join("sshd_config"), config).unwrap();
    fs::create_dir_all("/run/sshd").unwrap();
    let log = fs::File::create(dir.join("sshd.log")).unwrap();
    let mut command = wire.on(0, "/usr/sbin/sshd");
    command.args(["-D", "-e", "-f"]).arg(dir.join("sshd_config"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let running = Running(command.spawn().unwrap());
    wait_for("sshd", || wire.reaches(2).then_some(()));
    running
}

fn ssh(wire: &Wire, place: usize, dir: &Path, wrong: bool) -> bool {
    // A connection that is cut off in the middle would wait for long.
    let mut command = wire.on(place, "timeout");
    if wrong {
        let program = ["2", "sshpass", "-p", "wrong", "ssh"];
        command.args(program).args(["-o", "PreferredAuthentications=password"]);
    } else {
        command.args(["30", "ssh", "-i"]).arg(dir.join("user_key")).args(["-o", "BatchMode=yes"]);
    }
    command.args([
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "NumberOfPasswordPrompts=1",
        "-o",
        "ConnectTimeout=2",
        "-F",
        "none",
        &format!("root@{SERVER}"),
        "true",
    ]);
    run(&mut command)
}

/// `tocsin run` on the server.
struct Tocsin<'w> {
    wire: &'w Wire,
    child: Running,
    url: String,
}

impl<'w> Tocsin<'w> {
    fn start(wire: &'w Wire, setup: &Setup) -> Self {
        Self::start_with(wire, setup, &[])
    }

    fn start_with(wire: &'w Wire, setup: &Setup, variables: &[(&str, String)]) -> Self {
        let said = setup.path("said");
        let mut command = wire.on(0, env!("CARGO_BIN_EXE_tocsin"));
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        command.args(["run", "--config"]).arg(&setup.config);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(fs::File::create(&said).unwrap());
        let child = Running(command.spawn().unwrap());
        let url = wait_for("the server's address", || {
            let said = fs::read_to_string(&said).ok()?;
            let (_, rest) = said.split_once("http://")?;
            let (address, _) = rest.split_once('/')?;
            Some(format!("http://{address}/api/v1"))
        });
        Self { wire, child, url }
    }

    /// Status and JSON.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Json) {
        let mut command = self.wire.on(0, "curl");
        command.args(["-s", "-X", method, "-w", "\n%{http_code}"]);
        if !body.is_empty() {
            command.args(["-H", "content-type: application/json", "-d", body]);
        }
        let out = command.arg(format!("{}{path}", self.url)).output().unwrap();
        let out = String::from_utf8(out.stdout).unwrap();
        let (body, status) = out.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
    }

    /// State and note of the newest ban of an address.
    fn ban(&self, address: &str) -> Option<Json> {
        let (_, list) = self.ask("GET", "/bans?state=all", "");
        list["bans"].as_array()?.iter().find(|ban| ban["address"] == address).cloned()
    }

    fn kill(mut self) {
        self.child.0.kill().unwrap();
        self.child.0.wait().unwrap();
    }
}

fn can() -> bool {
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let missing: Vec<&&str> = NEEDED.iter().filter(|path| !Path::new(path).exists()).collect();
    if !root || !missing.is_empty() {
        skipped(&format!("bans with a real firewall need root (is: {root}) and {missing:?}"));
        return false;
    }
    true
}

#[test]
fn an_attacker_is_shut_out_and_let_in_again() {
    if !can() {
        return;
    }
    let Some(wire) = Wire::new() else {
        return skipped("this machine lets nobody make network namespaces");
    };
    let setup = Setup::new(&format!(
        "collect:\n  discover: false\n  syslog: {{ udp: null, tcp: null }}\n  files:\n    \
         - paths: [DIR/sshd.log]\nrespond:\n  mode: enforce\n  for_seconds: {BAN_SECONDS}\n"
    ));
    let dir = setup.dir.path();
    let _sshd = sshd(&wire, dir);
    let server = Tocsin::start(&wire, &setup);

    // Somebody who mistypes once and gets in.
    ssh(&wire, 2, dir, true);
    assert!(ssh(&wire, 2, dir, false), "{}", fs::read_to_string(dir.join("sshd.log")).unwrap());
    let failures = || {
        let log = fs::read_to_string(dir.join("sshd.log")).unwrap();
        log.lines()
            .filter(|line| line.contains("Failed password") && line.contains(ATTACKER))
            .count()
    };
    let (mut fifth, mut out) = (None, None);
    std::thread::scope(|scope| {
        let attack = scope.spawn(|| {
            for _ in 0..40 {
                ssh(&wire, 1, dir, true);
                if wire.blocked().contains(ATTACKER) {
                    break;
                }
            }
        });
        while out.is_none() && !attack.is_finished() {
            if fifth.is_none() && failures() >= 5 {
                fifth = Some(Instant::now());
            }
            if wire.blocked().contains(ATTACKER) {
                out = Some(Instant::now());
            }
        }
    });
    let out = out.or_else(|| wire.blocked().contains(ATTACKER).then(Instant::now)).expect("a ban");
    let after = fifth.map_or(Duration::ZERO, |fifth| out.saturating_duration_since(fifth));
    println!("blocked {} ms after the fifth failure, of {}", after.as_millis(), failures());
    let said = || fs::read_to_string(setup.path("said")).unwrap();
    assert!(!wire.reaches(1), "the attacker is still let in: {} {}", wire.blocked(), said());
    wire.opens(2);
    let ban = wait_for("the ban in the API", || server.ban(ATTACKER));
    assert_eq!((&ban["state"], &ban["by"]), (&"active".into(), &"detection".into()), "{ban}");
    assert!(server.ban(INNOCENT).is_none());

    server.kill();
    assert!(!wire.reaches(1), "the ban does not outlive the process");
    wait_for("the end of the ban without Tocsin", || wire.reaches(1).then_some(()));
    let made = Instant::now().duration_since(out);
    assert!(made >= Duration::from_secs(BAN_SECONDS - 2), "over after {made:?}");

    let server = Tocsin::start(&wire, &setup);
    let expired = || server.ban(ATTACKER).filter(|ban| ban["state"] == "expired");
    wait_for("the ban to be over", expired);
    by_hand(&wire, &setup, server);
}

fn by_hand(wire: &Wire, setup: &Setup, server: Tocsin<'_>) {
    let wish = |address: &str| {
        format!(
            "{{\"address\":\"{address}\",\"lasts\":\"1h\",\"reason\":\"a test\",\"by\":\"anna\"}}"
        )
    };
    // Guard rails: its own address, loopback, somebody who logged in well (an hour ago or more
    // counts, so this one is told by the log's past), and nonsense.
    for (address, status, why) in [
        (SERVER, 409, "an address of this machine"),
        ("127.0.0.1", 409, "never blocked"),
        ("10.0.0.1", 409, "private network"),
        ("everybody", 400, "is none, like 192.0.2.1"),
    ] {
        let (code, answer) = server.ask("POST", "/bans", &wish(address));
        assert_eq!(code, status, "{address}: {answer}");
        assert!(answer.to_string().contains(why), "{address}: {answer}");
    }
    let (code, ban) = server.ask("POST", "/bans", &wish(ATTACKER));
    assert_eq!((code, &ban["state"]), (201, &"active".into()), "{ban}");
    assert!(!wire.reaches(1));
    let (code, again) = server.ask("POST", "/bans", &wish(ATTACKER));
    assert!(code == 400 && again.to_string().contains("banned already"), "{again}");

    // Somebody flushes the firewall while Tocsin is down.
    server.kill();
    assert!(run(wire.on(0, "nft").args(["flush", "ruleset"])));
    wire.opens(1);
    let server = Tocsin::start(wire, setup);
    wait_for("the ban to be made again", || (!wire.reaches(1)).then_some(()));

    // Undone with one request, and by the command line.
    let path = format!("/bans/{}?by=anna&reason=a+colleague", ban["id"]);
    let (code, lifted) = server.ask("DELETE", &path, "");
    assert_eq!((code, &lifted["state"]), (200, &"lifted".into()), "{lifted}");
    wire.opens(1);
    let (_, steps) = server.ask("GET", &format!("/bans/{}/activity", ban["id"]), "");
    let states: Vec<&str> =
        steps.as_array().unwrap().iter().map(|step| step["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["wanted", "active", "unwanted", "lifted"], "{steps}");

    let ban = |args: &[&str], input: &str| {
        let mut command = tocsin();
        command.arg("ban").args(args).arg("--config").arg(&setup.config);
        output(&mut command, input.as_bytes())
    };
    let (code, _, said) =
        ban(&["import", "-"], &format!("[{{'sshd': ['{ATTACKER}', '10.9.9.9']}}]"));
    assert!(code == 0 && said.contains("private network"), "{said}");
    wait_for("the ban taken over", || (!wire.reaches(1)).then_some(()));
    let (_, listed, _) = ban(&["list", "--json"], "");
    let number = support::json_lines(&listed)[0]["id"].to_string();
    let (code, out, said) = ban(&["lift", &number], "");
    assert!(code == 0 && out.contains("let in again"), "{said}");
    wait_for("the ban lifted by the command line", || wire.reaches(1).then_some(()));
}

/// Something on the server's port 22 that is there whatever becomes of Tocsin.
fn listener(wire: &Wire) -> Running {
    let mut command = wire.on(0, "perl");
    let script = format!(
        "use IO::Socket::INET; my $s = IO::Socket::INET->new(Listen => 9, ReuseAddr => 1, \
         LocalAddr => '{SERVER}', LocalPort => 22) or die; while (my $c = $s->accept) {{ close $c }}"
    );
    command.args(["-e", &script]).stdin(Stdio::null());
    let running = Running(command.spawn().unwrap());
    wait_for("the listener", || wire.reaches(1).then_some(()));
    running
}

/// A ban for some seconds keeps the attacker out, is lifted, and ends by itself though Tocsin was
/// killed; what somebody flushed is blocked again.
fn bans(with: &str, needed: &[&str], flush: &[&str], prepare: impl FnOnce(&Wire, &Path) -> Ready) {
    let missing: Vec<&&str> = needed.iter().filter(|path| !Path::new(path).exists()).collect();
    if !can() || !missing.is_empty() {
        return skipped(&format!("bans by {with} need {missing:?}"));
    }
    let Some(wire) = Wire::new() else {
        return skipped("this machine lets nobody make network namespaces");
    };
    let setup = Setup::new(&format!(
        "collect:\n  discover: false\n  syslog: {{ udp: null, tcp: null }}\nrespond:\n  \
         mode: enforce\n  with: {with}\n"
    ));
    let Some((_programs, variables)) = prepare(&wire, setup.dir.path()) else {
        return skipped(&format!("{with} does not work in a network namespace here"));
    };
    let _listener = listener(&wire);
    let server = Tocsin::start_with(&wire, &setup, &variables);
    let wish = |lasts: &str| {
        serde_json::json!({"address": ATTACKER, "lasts": lasts, "reason": "a test"}).to_string()
    };
    let (code, ban) = server.ask("POST", "/bans", &wish("1h"));
    assert_eq!((code, &ban["state"]), (201, &"active".into()), "{with}: {ban}");
    assert!(!wire.reaches(1), "{with}: the attacker is let in");
    assert!(wire.reaches(2), "{with}: the innocent is not");
    server.kill();
    let mut command = wire.on(0, flush[0]);
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    assert!(run(command.args(&flush[1..])), "{with}: {flush:?}");
    wait_for("the attacker to get in", || wire.reaches(1).then_some(()));
    let server = Tocsin::start_with(&wire, &setup, &variables);
    wait_for("the ban to be made again", || (!wire.reaches(1)).then_some(()));
    let (code, lifted) = server.ask("DELETE", &format!("/bans/{}", ban["id"]), "");
    assert_eq!((code, &lifted["state"]), (200, &"lifted".into()), "{with}: {lifted}");
    assert!(wire.reaches(1), "{with}: lifted, and yet out");
    let (code, ban) = server.ask("POST", "/bans", &wish("8s"));
    assert_eq!(code, 201, "{with}: {ban}");
    assert!(!wire.reaches(1));
    server.kill();
    wait_for("the end of the ban without Tocsin", || wire.reaches(1).then_some(()));
    assert!(wire.reaches(2));
}

/// Programs that run beside Tocsin, and variables that it needs to find them.
type Ready = Option<(Vec<Running>, Vec<(&'static str, String)>)>;

#[test]
fn ipset_blocks_too() {
    let needed = ["/usr/sbin/ipset", "/usr/sbin/iptables", "/usr/sbin/ip6tables"];
    bans("ipset", &needed, &["ipset", "flush", "tocsin4"], |wire, _| {
        run(wire.on(0, "ipset").args(["list", "-name"])).then(|| (Vec::new(), Vec::new()))
    });
}

#[test]
fn firewalld_blocks_too() {
    let needed = ["/usr/sbin/firewalld", "/usr/bin/firewall-cmd", "/usr/bin/dbus-daemon"];
    let flush = ["firewall-cmd", "--reload"];
    bans("firewalld", &needed, &flush, |wire, dir| {
        // A bus of its own: nothing of this machine's firewall is touched.
        let bus = format!("unix:path={}/bus", dir.display());
        let mut command = Command::new("dbus-daemon");
        command.args(["--system", "--nofork", "--nopidfile", "--address", &bus]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let daemon = Running(command.spawn().ok()?);
        wait_for("the bus", || dir.join("bus").exists().then_some(()));
        let mut command = wire.on(0, "firewalld");
        command.args(["--nofork", "--nopid"]).env("DBUS_SYSTEM_BUS_ADDRESS", &bus);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut firewall = Running(command.spawn().ok()?);
        let cmd = |args: &[&str]| {
            let mut command = wire.on(0, "firewall-cmd");
            run(command.args(args).env("DBUS_SYSTEM_BUS_ADDRESS", &bus))
        };
        let up = wait_for("firewalld", || {
            let ended = firewall.0.try_wait().unwrap().is_some();
            if ended { Some(false) } else { cmd(&["--state"]).then_some(true) }
        });
        // Its default zone lets ssh in.
        up.then(|| (vec![firewall, daemon], vec![("DBUS_SYSTEM_BUS_ADDRESS", bus)]))
    });
}

#[test]
fn a_dry_run_says_what_it_would_do() {
    let setup = Setup::new(
        "collect:\n  discover: false\n  syslog: { udp: null, tcp: null }\n  files:\n    \
         - { paths: [DIR/auth.log], start: beginning }\n",
    );
    let log: PathBuf = setup.path("auth.log");
    let mut file = fs::File::create(&log).unwrap();
    let server = support::Server::start(&setup.config);
    let bans = || server.get("/api/v1/bans?state=all").unwrap_or_default();
    let stamp = || {
        let out = Command::new("date").args(["-u", "+%FT%TZ"]).output().unwrap();
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    // One whom a rule may ban and one of a private network.
    for address in ["198.51.100.9", "192.168.7.7"] {
        for port in 1..8 {
            let line = format!("Failed password for root from {address} port {port} ssh2");
            writeln!(file, "{} vm sshd[5]: {line}", stamp()).unwrap();
        }
    }
    let both = wait_for("both to be considered", || {
        let list = bans();
        (list["bans"].as_array()?.len() >= 2).then_some(list)
    });
    assert_eq!(both["mode"], "dry_run");
    for ban in both["bans"].as_array().unwrap() {
        let (state, note) = match ban["address"].as_str().unwrap() {
            "198.51.100.9" => ("planned", ""),
            _ => ("refused", "private network"),
        };
        assert_eq!(ban["state"], state, "{ban}");
        assert!(ban["note"].as_str().unwrap_or("").contains(note), "{ban}");
    }
}
