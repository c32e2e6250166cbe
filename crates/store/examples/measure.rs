//! Measures the embedded store over mixed events: indexing speed, bytes on disk, queries.
//!
//! `cargo run --release -p tocsin-store --example measure -- [EVENTS] [DIR]`
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "an example stops where it is wrong")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use tocsin_model::{Event, EventId, FieldId, Timestamp, Value, field};
use tocsin_store::{Agg, Embedded, EventStore, Filter, Options, SearchRequest, WordsMode};

const START: i64 = 1_795_219_200_000_000_000;
const BATCH: usize = 1000;

/// A small generator of numbers, so that every run sees the same events.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    /// Small numbers are likelier than great ones.
    fn skewed(&mut self, sides: u64) -> u64 {
        let high = 1 + self.roll(sides);
        self.roll(high)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.skewed(from.len() as u64) as usize]
    }

    fn address(&mut self) -> String {
        let n = self.skewed(60_000);
        format!("{}.{}.{}.{}", 11 + n % 180, (n * 7) % 256, (n / 180) % 256, (n * 13) % 254 + 1)
    }

    fn inner(&mut self) -> String {
        let n = self.skewed(800);
        format!("10.{}.{}.{}", n % 4, n / 4 % 16, n % 250 + 1)
    }
}

const USERS: &[&str] =
    &["root", "admin", "ubuntu", "alice", "bob", "deploy", "git", "oracle", "test", "postgres"];
const HOSTS: &[&str] = &["web-01", "web-02", "db-01", "bastion", "app-01", "app-02", "mail"];
const AGENTS: &[&str] = &[
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
    "curl/8.9.1",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
];

fn syslog_time(seconds: i64) -> String {
    let day = seconds % 86_400;
    format!("Nov 21 {:02}:{:02}:{:02}", day / 3600, day / 60 % 60, day % 60)
}

fn part(event: &mut Event, line: &str, id: FieldId, text: &str) {
    match line.find(text) {
        Some(at) => event.push_part(id, at..at + text.len()),
        None => event.push_str(id, text),
    }
}

fn common(event: &mut Event, dataset: &str, category: &str, kinds: &[&str], outcome: &str) {
    event.push_str(field::EVENT_DATASET, dataset);
    event.push_str(field::EVENT_MODULE, dataset.split('.').next().unwrap());
    event.push_list(field::EVENT_CATEGORY, [Value::Str(category)]);
    event.push_list(field::EVENT_TYPE, kinds.iter().map(|kind| Value::Str(kind)));
    event.push_str(field::EVENT_OUTCOME, outcome);
    event.push_str(field::TOCSIN_INPUT, "file:/var/log/mixed.log");
}

fn web(event: &mut Event, dice: &mut Dice, seconds: i64) {
    let address = dice.address();
    let (agent, status) =
        (dice.pick(AGENTS), [200, 200, 200, 304, 404, 401, 500][dice.skewed(7) as usize]);
    let path = match dice.roll(10) {
        0..7 => format!("/assets/{}/{}.js", dice.pick(&["app", "lib", "img"]), dice.skewed(900)),
        7 => "/login".to_owned(),
        _ => format!(
            "/api/v1/items/{}?page={}&session={:016x}",
            dice.skewed(50_000),
            dice.skewed(50),
            dice.roll(u64::MAX)
        ),
    };
    let bytes = dice.roll(90_000);
    let day = seconds % 86_400;
    let line = format!(
        "{address} - - [21/Nov/2026:{:02}:{:02}:{:02} +0000] \"GET {path} HTTP/1.1\" {status} {bytes} \"https://shop.example.com/start/{}\" \"{agent}\"",
        day / 3600,
        day / 60 % 60,
        day % 60,
        dice.skewed(300)
    );
    event.set_original(&line);
    common(
        event,
        "nginx.access",
        "web",
        &["access"],
        if status >= 400 { "failure" } else { "success" },
    );
    part(event, &line, field::SOURCE_IP, &address);
    part(event, &line, field::SOURCE_ADDRESS, &address);
    event.push_str(field::HTTP_REQUEST_METHOD, "GET");
    part(event, &line, field::URL_ORIGINAL, &path);
    let (only, query) = path.split_once('?').unwrap_or((&path, ""));
    part(event, &line, field::URL_PATH, only);
    if !query.is_empty() {
        part(event, &line, field::URL_QUERY, query);
    }
    event.push_int(field::HTTP_RESPONSE_STATUS_CODE, status);
    event.push_int(field::HTTP_RESPONSE_BODY_BYTES, bytes as i64);
    event.push_str(field::HTTP_VERSION, "1.1");
    part(event, &line, field::USER_AGENT_ORIGINAL, agent);
}

fn login(event: &mut Event, dice: &mut Dice, seconds: i64) {
    let (user, address, host) = (dice.pick(USERS), dice.address(), dice.pick(HOSTS));
    let (pid, port) = (1000 + dice.roll(60_000), 1024 + dice.roll(60_000));
    let failed = dice.roll(10) < 8;
    let word = if failed { "Failed" } else { "Accepted" };
    let message = format!("{word} password for {user} from {address} port {port} ssh2");
    let line = format!("{} {host} sshd[{pid}]: {message}", syslog_time(seconds));
    event.set_original(&line);
    common(
        event,
        "openssh.sshd",
        "authentication",
        &["start"],
        if failed { "failure" } else { "success" },
    );
    part(event, &line, field::MESSAGE, &message);
    event.push_str(field::EVENT_ACTION, "ssh_login");
    part(event, &line, field::USER_NAME, user);
    part(event, &line, field::SOURCE_IP, &address);
    part(event, &line, field::SOURCE_ADDRESS, &address);
    event.push_int(field::SOURCE_PORT, port as i64);
    part(event, &line, field::HOST_NAME, host);
    part(event, &line, field::HOST_HOSTNAME, host);
    part(event, &line, field::PROCESS_NAME, "sshd");
    event.push_int(field::PROCESS_PID, pid as i64);
    event.push_int(field::TOCSIN_ATTEMPTS, 1);
}

fn firewall(event: &mut Event, dice: &mut Dice, seconds: i64) {
    let (source, target, host) = (dice.address(), dice.inner(), dice.pick(HOSTS));
    let (from, to) =
        (1024 + dice.roll(60_000), [22, 80, 443, 3389, 23, 445, 8080][dice.skewed(7) as usize]);
    let (id, window) = (dice.roll(65_536), dice.roll(65_536));
    let message = format!(
        "[UFW BLOCK] IN=eth0 OUT= MAC=52:54:00:12:34:56:52:54:00:65:43:21:08:00 SRC={source} DST={target} LEN=60 TOS=0x00 PREC=0x00 TTL={} ID={id} DF PROTO=TCP SPT={from} DPT={to} WINDOW={window} RES=0x00 SYN URGP=0",
        40 + dice.roll(24)
    );
    let line = format!(
        "{} {host} kernel: [{}.{:06}] {message}",
        syslog_time(seconds),
        seconds % 90_000,
        dice.roll(1_000_000)
    );
    event.set_original(&line);
    common(event, "linux.firewall", "network", &["denied", "connection"], "failure");
    part(event, &line, field::MESSAGE, &message);
    part(event, &line, field::SOURCE_IP, &source);
    part(event, &line, field::DESTINATION_IP, &target);
    event.push_int(field::SOURCE_PORT, from as i64);
    event.push_int(field::DESTINATION_PORT, to);
    event.push_str(field::NETWORK_TRANSPORT, "tcp");
    part(event, &line, field::OBSERVER_INGRESS_INTERFACE_NAME, "eth0");
    part(event, &line, field::HOST_NAME, host);
    part(event, &line, field::HOST_HOSTNAME, host);
    event.push_str(field::PROCESS_NAME, "kernel");
}

fn process(event: &mut Event, dice: &mut Dice, seconds: i64) {
    let tool = dice.pick(&[
        "powershell.exe",
        "cmd.exe",
        "svchost.exe",
        "rundll32.exe",
        "net.exe",
        "whoami.exe",
    ]);
    let user = dice.pick(USERS);
    let arguments = match dice.roll(3) {
        0 => format!(
            "-NoProfile -ExecutionPolicy Bypass -File C:\\\\ops\\\\job-{}.ps1",
            dice.skewed(5000)
        ),
        1 => format!(
            "/c dir C:\\\\Users\\\\{user}\\\\Documents\\\\report-{:x}.docx",
            dice.roll(1 << 30)
        ),
        _ => format!("-k netsvcs -p -s Schedule{}", dice.skewed(40)),
    };
    let guid = format!(
        "{:08x}-{:04x}-{:012x}",
        dice.roll(1 << 32),
        dice.roll(1 << 16),
        dice.roll(1 << 48)
    );
    let (pid, parent) = (dice.roll(30_000), dice.roll(30_000));
    let host = format!("WS-{:03}.corp.example.com", dice.skewed(300));
    let hash = format!(
        "{:032x}",
        u128::from(dice.skewed(400)).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
    );
    let line = format!(
        "{{\"EventID\":1,\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"Computer\":\"{host}\",\"UtcTime\":\"2026-11-21 {:02}:{:02}:{:02}.{:03}\",\"ProcessGuid\":\"{{{guid}}}\",\"ProcessId\":{pid},\"Image\":\"C:\\\\Windows\\\\System32\\\\{tool}\",\"CommandLine\":\"{tool} {arguments}\",\"User\":\"CORP\\\\{user}\",\"IntegrityLevel\":\"Medium\",\"Hashes\":\"MD5={hash}\",\"ParentProcessId\":{parent},\"ParentImage\":\"C:\\\\Windows\\\\explorer.exe\"}}",
        seconds % 86_400 / 3600,
        seconds / 60 % 60,
        seconds % 60,
        dice.roll(1000)
    );
    event.set_original(&line);
    common(event, "windows.sysmon", "process", &["start"], "unknown");
    event.push_str(field::WINLOG_EVENT_ID, "1");
    part(event, &line, field::WINLOG_CHANNEL, "Microsoft-Windows-Sysmon/Operational");
    part(event, &line, field::HOST_NAME, &host);
    event.push_str(field::PROCESS_EXECUTABLE, &format!("C:\\Windows\\System32\\{tool}"));
    part(event, &line, field::PROCESS_NAME, tool);
    event.push_str(
        field::PROCESS_COMMAND_LINE,
        &format!("{tool} {}", arguments.replace("\\\\", "\\")),
    );
    event.push_int(field::PROCESS_PID, pid as i64);
    part(event, &line, field::PROCESS_ENTITY_ID, &guid);
    event.push_int(field::PROCESS_PARENT_PID, parent as i64);
    event.push_str(field::PROCESS_PARENT_EXECUTABLE, "C:\\Windows\\explorer.exe");
    part(event, &line, field::USER_NAME, user);
    part(event, &line, field::PROCESS_HASH_MD5, &hash);
    event.push_str(FieldId::intern("winlog.event_data.IntegrityLevel").unwrap(), "Medium");
}

fn ids(event: &mut Event, dice: &mut Dice, seconds: i64) {
    let (source, target) = (dice.address(), dice.inner());
    let (from, to) = (1024 + dice.roll(60_000), [80, 443, 53, 22][dice.skewed(4) as usize]);
    let flow = dice.roll(1 << 50);
    let signature = dice.pick(&[
        "ET SCAN Suspicious inbound",
        "ET POLICY curl User-Agent",
        "ET WEB_SERVER SQL Injection Attempt",
        "SURICATA STREAM reassembly",
    ]);
    let line = format!(
        "{{\"timestamp\":\"2026-11-21T{:02}:{:02}:{:02}.{:06}+0000\",\"flow_id\":{flow},\"in_iface\":\"eth0\",\"event_type\":\"alert\",\"src_ip\":\"{source}\",\"src_port\":{from},\"dest_ip\":\"{target}\",\"dest_port\":{to},\"proto\":\"TCP\",\"alert\":{{\"action\":\"allowed\",\"gid\":1,\"signature_id\":{},\"rev\":3,\"signature\":\"{signature}\",\"category\":\"Attempted Information Leak\",\"severity\":2}}}}",
        seconds % 86_400 / 3600,
        seconds / 60 % 60,
        seconds % 60,
        dice.roll(1_000_000),
        2_000_000 + dice.skewed(200)
    );
    event.set_original(&line);
    common(event, "suricata.eve", "network", &["info"], "unknown");
    event.push_str(field::EVENT_ACTION, "alert");
    part(event, &line, field::SOURCE_IP, &source);
    event.push_int(field::SOURCE_PORT, from as i64);
    part(event, &line, field::DESTINATION_IP, &target);
    event.push_int(field::DESTINATION_PORT, to);
    event.push_str(field::NETWORK_TRANSPORT, "tcp");
    part(event, &line, field::RULE_NAME, signature);
    event.push_int(FieldId::intern("suricata.flow_id").unwrap(), flow as i64);
    event.push_int(FieldId::intern("suricata.alert.severity").unwrap(), 2);
}

fn event(number: u64, dice: &mut Dice) -> Event {
    let mut event = Event::default();
    let nanos = number as i64 * 43_200_000 + dice.roll(1000) as i64 * 1000;
    let seconds = nanos / 1_000_000_000;
    match dice.roll(100) {
        0..35 => web(&mut event, dice, seconds),
        35..60 => login(&mut event, dice, seconds),
        60..75 => firewall(&mut event, dice, seconds),
        75..90 => process(&mut event, dice, seconds),
        _ => ids(&mut event, dice, seconds),
    }
    event.id = EventId { stream: 0xfeed_face_cafe_beef, offset: number * 312 };
    // Most logs have whole seconds, some more.
    event.time = Timestamp(START + if dice.roll(2) == 0 { seconds * 1_000_000_000 } else { nanos });
    event.received = Timestamp(START + 5_000_000_000 + number as i64 * 25_000);
    event
}

/// CPU seconds of this process.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn memory(word: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(word)).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn ingest(store: &Embedded, events: u64) -> u64 {
    let mut dice = Dice(42);
    let (mut raw, mut made, mut spent) = (0, 0.0, Instant::now());
    let (started, cpu_before) = (Instant::now(), cpu());
    let mut commits: Vec<Duration> = Vec::new();
    let mut batch = Vec::with_capacity(BATCH);
    for number in 0..events {
        let now = Instant::now();
        let event = event(number, &mut dice);
        raw += event.original().len() as u64 + 1;
        batch.push(event);
        made += now.elapsed().as_secs_f64();
        if batch.len() == BATCH || number + 1 == events {
            store.append(&batch).unwrap();
            batch.clear();
        }
        if spent.elapsed() > Duration::from_secs(1) || number + 1 == events {
            let now = Instant::now();
            store.commit(&format!("{number}")).unwrap();
            commits.push(now.elapsed());
            spent = Instant::now();
        }
    }
    let (wall, cpu) = (started.elapsed().as_secs_f64(), cpu() - cpu_before);
    commits.sort();
    println!(
        "{events} events, {} raw bytes each: {wall:.1} s wall without {made:.1} s to make them, {:.0} events/s; \
         {:.1} CPU s, {:.0} events per CPU second; commit p50 {:?} max {:?}; memory {} MB of which {} MB its own, peak {} MB",
        raw / events,
        events as f64 / (wall - made),
        cpu - made,
        events as f64 / (cpu - made),
        commits[commits.len() / 2],
        commits[commits.len() - 1],
        memory("VmRSS"),
        memory("RssAnon"),
        memory("VmHWM"),
    );
    raw
}

/// How long events take to be found, so many at a time; the raw bytes they had.
fn latency(store: &Embedded, from: u64, at_once: u64) -> u64 {
    let mut dice = Dice(7);
    let mut commits = Vec::new();
    let before = cpu();
    let mut raw = 0;
    for round in 0..100 {
        let first = from + round * at_once;
        let batch: Vec<Event> = (first..first + at_once).map(|n| event(n, &mut dice)).collect();
        raw += batch.iter().map(|event| event.original().len() as u64 + 1).sum::<u64>();
        let now = Instant::now();
        store.append(&batch).unwrap();
        store.commit(&format!("{first} of {at_once}")).unwrap();
        commits.push(now.elapsed());
    }
    commits.sort();
    println!(
        "{at_once} events searchable after p50 {:?} p99 {:?}; {:.1} CPU ms each time",
        commits[50],
        commits[98],
        (cpu() - before) * 10.0
    );
    raw
}

fn disk(dir: &Path, raw: u64) {
    let mut by_kind: BTreeMap<String, u64> = BTreeMap::new();
    let mut total = 0;
    for partition in std::fs::read_dir(dir).unwrap().flatten().filter(|e| e.path().is_dir()) {
        for file in std::fs::read_dir(partition.path()).unwrap().flatten() {
            let len = file.metadata().unwrap().len();
            let kind =
                file.path().extension().map_or(String::new(), |e| e.to_string_lossy().into_owned());
            *by_kind.entry(kind).or_default() += len;
            total += len;
        }
    }
    println!("disk {} MB = {:.2} x raw", total / 1_000_000, total as f64 / raw as f64);
    for (kind, bytes) in by_kind {
        println!("  {kind:8} {:6} MB", bytes / 1_000_000);
    }
}

fn ask(store: &Embedded, name: &str, request: SearchRequest) {
    let mut best = Duration::MAX;
    let mut total = 0;
    for _ in 0..5 {
        let response = store.search(&request).unwrap();
        best = best.min(response.took);
        total = response.total;
    }
    println!("{name:40} {total:9} {best:9.1?}");
}

fn queries(store: &Embedded) {
    let filtered = |filter| SearchRequest { filter, limit: 100, ..SearchRequest::default() };
    let words =
        |text: &str| Filter::Words { field: None, text: text.to_owned(), mode: WordsMode::Phrase };
    let like = |field: &str, pattern: &str| Filter::Wildcard {
        field: field.into(),
        pattern: pattern.into(),
    };
    let aggregated = |agg: Agg, filter| SearchRequest {
        filter,
        limit: 0,
        aggs: [("x".to_owned(), agg)].into(),
        ..SearchRequest::default()
    };
    ask(store, "newest 100", filtered(Filter::All));
    ask(store, "rare address", filtered(Filter::term("source.ip", "131.99.170.104")));
    ask(store, "status 401 (column)", filtered(Filter::term("http.response.status_code", "401")));
    ask(store, "common word", filtered(words("password")));
    ask(store, "phrase across header", filtered(words("sshd 1234 failed password")));
    ask(store, "phrase", filtered(words("failed password for root")));
    ask(store, "wildcard in command lines", filtered(like("process.command_line", "*job-77.ps1*")));
    ask(store, "wildcard in urls", filtered(like("url.original", "*/items/777*session=*")));
    ask(
        store,
        "regex in urls",
        filtered(Filter::Regex {
            field: "url.original".into(),
            pattern: ".*items/7{3,5}.page=1.*".into(),
        }),
    );
    ask(
        store,
        "network",
        filtered(Filter::Cidr { field: "source.ip".into(), network: "11.0.0.0/12".into() }),
    );
    let histogram = Agg::date_histogram("@timestamp", Duration::from_secs(60))
        .with("category", Agg::terms("event.category", 10));
    ask(store, "minute histogram by category", aggregated(histogram, Filter::All));
    let failed = Filter::term("event.outcome", "failure");
    ask(store, "top 10 addresses of failures", aggregated(Agg::terms("source.ip", 10), failed));
    ask(store, "distinct users", aggregated(Agg::cardinality("user.name"), Filter::All));
    ask(store, "top 10 urls", aggregated(Agg::terms("url.path", 10), Filter::All));
    let now = Instant::now();
    let id = EventId { stream: 0xfeed_face_cafe_beef, offset: 312 * 77 };
    assert!(store.get(id).unwrap().is_some());
    println!("get {:?}", now.elapsed());
    let now = Instant::now();
    println!("{} fields in {:?}", store.fields().unwrap().len(), now.elapsed());
    println!("{:?}", store.stats().unwrap());
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let events = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(300_000);
    let kept = arguments.next();
    let temporary = tempfile::tempdir().unwrap();
    let dir = kept.as_ref().map_or(temporary.path(), Path::new);
    let store = Embedded::open(dir, Options::default()).unwrap();
    if events > 0 {
        let mut raw = ingest(&store, events);
        for at_once in [10, 1000] {
            raw += latency(&store, events, at_once);
        }
        store.settle().unwrap();
        disk(dir, raw);
    }
    queries(&store);
    drop(store);
    let now = Instant::now();
    let store = Embedded::open(dir, Options::default()).unwrap();
    println!("reopened in {:?}, memory {} MB of its own", now.elapsed(), memory("RssAnon"));
    drop(store);
}
