//! The field dictionary: the ECS 9 subset that Tocsin knows by name, in one table, and
//! [`FieldId`], a number for each field name so that hot paths never compare names.
//!
//! Names outside the table get a number when first seen, up to [`FIELD_NAMES_MAX`]; past that
//! [`FieldId::intern`] says no and the caller counts the field as dropped (its text is still in
//! the raw line). Numbers are valid within one process only: nothing stored ever holds one.

use std::collections::HashMap;
use std::fmt;
use std::sync::{LazyLock, OnceLock, RwLock};

/// The most field names a process will number, the dictionary's included.
pub const FIELD_NAMES_MAX: usize = CHUNKS * CHUNK;
const CHUNK: usize = 1024;
const CHUNKS: usize = 64;

/// What kind of value a field of the dictionary holds (ECS type).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Exact text.
    Keyword,
    /// Exact text in which people search for parts (paths, command lines, URLs).
    Wildcard,
    /// Prose, searched by word.
    Text,
    /// Whole number.
    Long,
    /// IPv4 or IPv6 address.
    Ip,
    /// Point in time, RFC 3339.
    Date,
    /// Parent of free-form members.
    Object,
    /// Text of a structure that is searched as one.
    Flattened,
}

/// A row of the dictionary.
#[derive(Debug, Clone, Copy)]
pub struct FieldSpec {
    /// Dotted ECS name.
    pub name: &'static str,
    /// Kind of value.
    pub kind: FieldKind,
    /// One line for people.
    pub about: &'static str,
}

/// A field name's number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldId(u32);

macro_rules! dictionary {
    ($($constant:ident, $name:literal, $kind:ident, $about:literal;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Row { $($constant),* }
        $(#[doc = $about] pub const $constant: FieldId = FieldId(Row::$constant as u32);)*
        /// Every field known by name; a field's number is its place here.
        pub const DICTIONARY: &[FieldSpec] =
            &[$(FieldSpec { name: $name, kind: FieldKind::$kind, about: $about }),*];
    };
}

dictionary! {
    TIMESTAMP, "@timestamp", Date, "When the event happened";
    MESSAGE, "message", Text, "What the log says, without the header";
    TAGS, "tags", Keyword, "Words attached by hand or by a source";
    LABELS, "labels", Object, "Key and value pairs attached by hand";
    EVENT_ACTION, "event.action", Keyword, "What was done, as the source calls it";
    EVENT_CATEGORY, "event.category", Keyword, "ECS category: authentication, web, network, process, iam, file, malware, …";
    EVENT_CODE, "event.code", Keyword, "The source's own code for this kind of event";
    EVENT_DATASET, "event.dataset", Keyword, "Which source definition read it, pack.source";
    EVENT_DURATION, "event.duration", Long, "How long it took, nanoseconds";
    EVENT_END, "event.end", Date, "When it ended";
    EVENT_KIND, "event.kind", Keyword, "event, alert, metric, state";
    EVENT_MODULE, "event.module", Keyword, "Which pack read it";
    EVENT_OUTCOME, "event.outcome", Keyword, "success, failure or unknown";
    EVENT_PROVIDER, "event.provider", Keyword, "The program that wrote it";
    EVENT_REASON, "event.reason", Keyword, "Why it happened, as the source says";
    EVENT_SEVERITY, "event.severity", Long, "Severity as a number";
    EVENT_START, "event.start", Date, "When it started";
    EVENT_TYPE, "event.type", Keyword, "ECS type: start, end, denied, allowed, creation, change, …";
    EVENT_TIMEZONE, "event.timezone", Keyword, "Zone the time was written in";
    EVENT_SEQUENCE, "event.sequence", Long, "Number the source gave it";
    EVENT_URL, "event.url", Keyword, "Link to more about it";
    SOURCE_IP, "source.ip", Ip, "Address it came from";
    SOURCE_ADDRESS, "source.address", Keyword, "Address or name it came from, as written";
    SOURCE_PORT, "source.port", Long, "Port it came from";
    SOURCE_DOMAIN, "source.domain", Keyword, "Name it came from";
    SOURCE_MAC, "source.mac", Keyword, "MAC address it came from";
    SOURCE_BYTES, "source.bytes", Long, "Bytes sent by the source";
    SOURCE_PACKETS, "source.packets", Long, "Packets sent by the source";
    SOURCE_USER_NAME, "source.user.name", Keyword, "User at the source";
    SOURCE_NAT_IP, "source.nat.ip", Ip, "Translated source address";
    SOURCE_NAT_PORT, "source.nat.port", Long, "Translated source port";
    SOURCE_GEO_COUNTRY_ISO_CODE, "source.geo.country_iso_code", Keyword, "Country it came from";
    SOURCE_GEO_COUNTRY_NAME, "source.geo.country_name", Keyword, "Name of the country it came from";
    SOURCE_GEO_REGION_NAME, "source.geo.region_name", Keyword, "Region it came from";
    SOURCE_GEO_CITY_NAME, "source.geo.city_name", Keyword, "City it came from";
    SOURCE_AS_NUMBER, "source.as.number", Long, "Autonomous system it came from";
    SOURCE_AS_ORGANIZATION_NAME, "source.as.organization.name", Keyword, "Owner of that autonomous system";
    SOURCE_ASSET_NAME, "source.asset.name", Keyword, "What the source is called in the inventory";
    SOURCE_ASSET_OWNER, "source.asset.owner", Keyword, "Who answers for the source";
    SOURCE_ASSET_CRITICALITY, "source.asset.criticality", Keyword, "low, medium, high, critical";
    DESTINATION_IP, "destination.ip", Ip, "Address it went to";
    DESTINATION_ADDRESS, "destination.address", Keyword, "Address or name it went to, as written";
    DESTINATION_PORT, "destination.port", Long, "Port it went to";
    DESTINATION_DOMAIN, "destination.domain", Keyword, "Name it went to";
    DESTINATION_MAC, "destination.mac", Keyword, "MAC address it went to";
    DESTINATION_BYTES, "destination.bytes", Long, "Bytes sent by the destination";
    DESTINATION_PACKETS, "destination.packets", Long, "Packets sent by the destination";
    DESTINATION_USER_NAME, "destination.user.name", Keyword, "User at the destination";
    DESTINATION_NAT_IP, "destination.nat.ip", Ip, "Translated destination address";
    DESTINATION_NAT_PORT, "destination.nat.port", Long, "Translated destination port";
    DESTINATION_GEO_COUNTRY_ISO_CODE, "destination.geo.country_iso_code", Keyword, "Country it went to";
    DESTINATION_GEO_COUNTRY_NAME, "destination.geo.country_name", Keyword, "Name of the country it went to";
    DESTINATION_GEO_REGION_NAME, "destination.geo.region_name", Keyword, "Region it went to";
    DESTINATION_GEO_CITY_NAME, "destination.geo.city_name", Keyword, "City it went to";
    DESTINATION_AS_NUMBER, "destination.as.number", Long, "Autonomous system it went to";
    DESTINATION_AS_ORGANIZATION_NAME, "destination.as.organization.name", Keyword, "Owner of that autonomous system";
    DESTINATION_ASSET_NAME, "destination.asset.name", Keyword, "What the destination is called in the inventory";
    DESTINATION_ASSET_OWNER, "destination.asset.owner", Keyword, "Who answers for the destination";
    DESTINATION_ASSET_CRITICALITY, "destination.asset.criticality", Keyword, "low, medium, high, critical";
    CLIENT_IP, "client.ip", Ip, "Address of the client";
    SERVER_IP, "server.ip", Ip, "Address of the server";
    USER_NAME, "user.name", Keyword, "Who did it, or tried";
    USER_ID, "user.id", Keyword, "Number of who did it";
    USER_DOMAIN, "user.domain", Keyword, "Domain of who did it";
    USER_EMAIL, "user.email", Keyword, "Mail address of who did it";
    USER_FULL_NAME, "user.full_name", Keyword, "Full name of who did it";
    USER_EFFECTIVE_NAME, "user.effective.name", Keyword, "Who they acted as";
    USER_EFFECTIVE_ID, "user.effective.id", Keyword, "Number of who they acted as";
    USER_TARGET_NAME, "user.target.name", Keyword, "Account it was done to";
    USER_TARGET_ID, "user.target.id", Keyword, "Number of the account it was done to";
    USER_TARGET_GROUP_NAME, "user.target.group.name", Keyword, "Group of the account it was done to";
    USER_ROLES, "user.roles", Keyword, "Roles of who did it";
    USER_GROUP_NAME, "user.group.name", Keyword, "Group of who did it";
    USER_ASSET_NAME, "user.asset.name", Keyword, "What the user is called in the inventory";
    USER_ASSET_OWNER, "user.asset.owner", Keyword, "Who answers for the user";
    USER_ASSET_CRITICALITY, "user.asset.criticality", Keyword, "low, medium, high, critical";
    GROUP_NAME, "group.name", Keyword, "Group it is about";
    GROUP_ID, "group.id", Keyword, "Number of the group it is about";
    HOST_NAME, "host.name", Keyword, "Host it happened on";
    HOST_HOSTNAME, "host.hostname", Keyword, "Host name as the log writes it";
    HOST_IP, "host.ip", Ip, "Addresses of the host";
    HOST_ID, "host.id", Keyword, "Identity of the host";
    HOST_OS_TYPE, "host.os.type", Keyword, "linux, windows, macos";
    HOST_ASSET_NAME, "host.asset.name", Keyword, "What the host is called in the inventory";
    HOST_ASSET_OWNER, "host.asset.owner", Keyword, "Who answers for the host";
    HOST_ASSET_CRITICALITY, "host.asset.criticality", Keyword, "low, medium, high, critical";
    PROCESS_NAME, "process.name", Keyword, "Name of the program";
    PROCESS_PID, "process.pid", Long, "Process id";
    PROCESS_EXECUTABLE, "process.executable", Wildcard, "Path of the program";
    PROCESS_COMMAND_LINE, "process.command_line", Wildcard, "Whole command line";
    PROCESS_ARGS, "process.args", Keyword, "Arguments";
    PROCESS_TITLE, "process.title", Keyword, "Process title";
    PROCESS_WORKING_DIRECTORY, "process.working_directory", Wildcard, "Directory it ran in";
    PROCESS_ENTITY_ID, "process.entity_id", Keyword, "Identity of the process";
    PROCESS_EXIT_CODE, "process.exit_code", Long, "Exit code";
    PROCESS_TTY_NAME, "process.tty.name", Keyword, "Terminal";
    PROCESS_HASH_MD5, "process.hash.md5", Keyword, "MD5 of the program";
    PROCESS_HASH_SHA1, "process.hash.sha1", Keyword, "SHA-1 of the program";
    PROCESS_HASH_SHA256, "process.hash.sha256", Keyword, "SHA-256 of the program";
    PROCESS_PARENT_NAME, "process.parent.name", Keyword, "Name of the parent program";
    PROCESS_PARENT_PID, "process.parent.pid", Long, "Parent's process id";
    PROCESS_PARENT_EXECUTABLE, "process.parent.executable", Wildcard, "Path of the parent program";
    PROCESS_PARENT_COMMAND_LINE, "process.parent.command_line", Wildcard, "Whole command line of the parent";
    PROCESS_PARENT_USER_NAME, "process.parent.user.name", Keyword, "User of the parent";
    PROCESS_PE_ORIGINAL_FILE_NAME, "process.pe.original_file_name", Keyword, "Name in the program's version resource";
    PROCESS_PE_PRODUCT, "process.pe.product", Keyword, "Product in the version resource";
    PROCESS_PE_COMPANY, "process.pe.company", Keyword, "Company in the version resource";
    PROCESS_PE_DESCRIPTION, "process.pe.description", Keyword, "Description in the version resource";
    PROCESS_PE_IMPHASH, "process.pe.imphash", Keyword, "Import hash";
    HTTP_REQUEST_METHOD, "http.request.method", Keyword, "HTTP method";
    HTTP_REQUEST_BODY_BYTES, "http.request.body.bytes", Long, "Size of the request body";
    HTTP_REQUEST_BYTES, "http.request.bytes", Long, "Size of the whole request";
    HTTP_REQUEST_REFERRER, "http.request.referrer", Wildcard, "Referer header";
    HTTP_REQUEST_ID, "http.request.id", Keyword, "Request id";
    HTTP_RESPONSE_STATUS_CODE, "http.response.status_code", Long, "HTTP status";
    HTTP_RESPONSE_BODY_BYTES, "http.response.body.bytes", Long, "Size of the response body";
    HTTP_RESPONSE_BYTES, "http.response.bytes", Long, "Size of the whole response";
    HTTP_RESPONSE_MIME_TYPE, "http.response.mime_type", Keyword, "Content type of the response";
    HTTP_VERSION, "http.version", Keyword, "HTTP version";
    URL_ORIGINAL, "url.original", Wildcard, "URL or path with query, as written";
    URL_FULL, "url.full", Wildcard, "Whole URL";
    URL_PATH, "url.path", Wildcard, "Path";
    URL_QUERY, "url.query", Wildcard, "Query, without the question mark";
    URL_DOMAIN, "url.domain", Keyword, "Host of the URL";
    URL_SCHEME, "url.scheme", Keyword, "http, https, …";
    URL_PORT, "url.port", Long, "Port of the URL";
    URL_EXTENSION, "url.extension", Keyword, "File name extension of the path";
    USER_AGENT_ORIGINAL, "user_agent.original", Wildcard, "User-Agent header";
    USER_AGENT_NAME, "user_agent.name", Keyword, "Name of the browser or tool";
    NETWORK_TRANSPORT, "network.transport", Keyword, "tcp, udp, icmp, …";
    NETWORK_PROTOCOL, "network.protocol", Keyword, "Application protocol: ssh, http, dns, …";
    NETWORK_DIRECTION, "network.direction", Keyword, "inbound, outbound, …";
    NETWORK_BYTES, "network.bytes", Long, "Bytes both ways";
    NETWORK_PACKETS, "network.packets", Long, "Packets both ways";
    NETWORK_TYPE, "network.type", Keyword, "ipv4, ipv6";
    NETWORK_IANA_NUMBER, "network.iana_number", Keyword, "Protocol number";
    NETWORK_COMMUNITY_ID, "network.community_id", Keyword, "Community id of the flow";
    NETWORK_VLAN_ID, "network.vlan.id", Keyword, "VLAN";
    NETWORK_FORWARDED_IP, "network.forwarded_ip", Ip, "Address in X-Forwarded-For";
    OBSERVER_INGRESS_INTERFACE_NAME, "observer.ingress.interface.name", Keyword, "Interface it came in by";
    OBSERVER_EGRESS_INTERFACE_NAME, "observer.egress.interface.name", Keyword, "Interface it went out by";
    OBSERVER_VENDOR, "observer.vendor", Keyword, "Maker of the device";
    OBSERVER_PRODUCT, "observer.product", Keyword, "Product of the device";
    OBSERVER_NAME, "observer.name", Keyword, "Name of the device";
    OBSERVER_TYPE, "observer.type", Keyword, "firewall, ids, …";
    DNS_QUESTION_NAME, "dns.question.name", Keyword, "Name asked for";
    DNS_QUESTION_TYPE, "dns.question.type", Keyword, "Record type asked for";
    DNS_RESPONSE_CODE, "dns.response_code", Keyword, "DNS response code";
    DNS_ANSWERS_DATA, "dns.answers.data", Keyword, "Answers";
    DNS_RESOLVED_IP, "dns.resolved_ip", Ip, "Addresses in the answers";
    DNS_TYPE, "dns.type", Keyword, "query or answer";
    FILE_PATH, "file.path", Wildcard, "Path of the file";
    FILE_NAME, "file.name", Keyword, "Name of the file";
    FILE_EXTENSION, "file.extension", Keyword, "Extension of the file";
    FILE_DIRECTORY, "file.directory", Wildcard, "Directory of the file";
    FILE_SIZE, "file.size", Long, "Size, bytes";
    FILE_MODE, "file.mode", Keyword, "Mode";
    FILE_OWNER, "file.owner", Keyword, "Owner";
    FILE_HASH_MD5, "file.hash.md5", Keyword, "MD5 of the file";
    FILE_HASH_SHA1, "file.hash.sha1", Keyword, "SHA-1 of the file";
    FILE_HASH_SHA256, "file.hash.sha256", Keyword, "SHA-256 of the file";
    REGISTRY_PATH, "registry.path", Wildcard, "Registry path";
    REGISTRY_KEY, "registry.key", Wildcard, "Registry key";
    REGISTRY_VALUE, "registry.value", Keyword, "Registry value name";
    REGISTRY_DATA_STRINGS, "registry.data.strings", Wildcard, "Registry data";
    DLL_PATH, "dll.path", Wildcard, "Path of the library";
    DLL_NAME, "dll.name", Keyword, "Name of the library";
    SERVICE_NAME, "service.name", Keyword, "Service it is about";
    SERVICE_TYPE, "service.type", Keyword, "Kind of service";
    SESSION_ID, "session.id", Keyword, "Session";
    LOG_LEVEL, "log.level", Keyword, "Level as the log writes it";
    LOG_LOGGER, "log.logger", Keyword, "Logger";
    LOG_FILE_PATH, "log.file.path", Keyword, "File it was read from";
    LOG_SYSLOG_PRIORITY, "log.syslog.priority", Long, "Syslog PRI";
    LOG_SYSLOG_FACILITY_CODE, "log.syslog.facility.code", Long, "Syslog facility";
    LOG_SYSLOG_FACILITY_NAME, "log.syslog.facility.name", Keyword, "Syslog facility's name";
    LOG_SYSLOG_SEVERITY_CODE, "log.syslog.severity.code", Long, "Syslog severity";
    LOG_SYSLOG_SEVERITY_NAME, "log.syslog.severity.name", Keyword, "Syslog severity's name";
    LOG_SYSLOG_APPNAME, "log.syslog.appname", Keyword, "Syslog APP-NAME or tag";
    LOG_SYSLOG_HOSTNAME, "log.syslog.hostname", Keyword, "Syslog HOSTNAME";
    LOG_SYSLOG_PROCID, "log.syslog.procid", Keyword, "Syslog PROCID";
    LOG_SYSLOG_MSGID, "log.syslog.msgid", Keyword, "Syslog MSGID";
    LOG_SYSLOG_STRUCTURED_DATA, "log.syslog.structured_data", Flattened, "Syslog structured data";
    LOG_SYSLOG_VERSION, "log.syslog.version", Keyword, "Syslog version";
    LOG_SOURCE_ADDRESS, "log.source.address", Keyword, "Address of the sender";
    RULE_NAME, "rule.name", Keyword, "Name of a rule at the source";
    RULE_ID, "rule.id", Keyword, "Id of a rule at the source";
    RULE_CATEGORY, "rule.category", Keyword, "Category of a rule at the source";
    RULE_RULESET, "rule.ruleset", Keyword, "Ruleset at the source";
    THREAT_TECHNIQUE_ID, "threat.technique.id", Keyword, "ATT&CK technique";
    THREAT_TACTIC_NAME, "threat.tactic.name", Keyword, "ATT&CK tactic";
    THREAT_INDICATOR_IP, "threat.indicator.ip", Ip, "Indicator: address";
    THREAT_INDICATOR_TYPE, "threat.indicator.type", Keyword, "Indicator: kind";
    THREAT_INDICATOR_NAME, "threat.indicator.name", Keyword, "Indicator: what it says";
    THREAT_INDICATOR_DESCRIPTION, "threat.indicator.description", Keyword, "Indicator: what it is about";
    THREAT_INDICATOR_CONFIDENCE, "threat.indicator.confidence", Keyword, "Indicator: None, Low, Medium, High";
    THREAT_INDICATOR_PROVIDER, "threat.indicator.provider", Keyword, "Indicator: the feed it is of";
    THREAT_MATCHED_ATOMIC, "threat.enrichments.matched.atomic", Keyword, "Values that an indicator warns of";
    THREAT_MATCHED_FIELD, "threat.enrichments.matched.field", Keyword, "Fields that held them";
    TLS_VERSION, "tls.version", Keyword, "TLS version";
    TLS_CIPHER, "tls.cipher", Keyword, "TLS cipher";
    TLS_CLIENT_JA3, "tls.client.ja3", Keyword, "JA3 of the client";
    TLS_SERVER_JA3S, "tls.server.ja3s", Keyword, "JA3S of the server";
    CLOUD_PROVIDER, "cloud.provider", Keyword, "Cloud provider";
    CLOUD_ACCOUNT_ID, "cloud.account.id", Keyword, "Cloud account";
    CLOUD_REGION, "cloud.region", Keyword, "Cloud region";
    CONTAINER_ID, "container.id", Keyword, "Container";
    CONTAINER_NAME, "container.name", Keyword, "Name of the container";
    CONTAINER_IMAGE_NAME, "container.image.name", Keyword, "Image of the container";
    ORCHESTRATOR_NAMESPACE, "orchestrator.namespace", Keyword, "Kubernetes namespace";
    ORCHESTRATOR_RESOURCE_NAME, "orchestrator.resource.name", Keyword, "Kubernetes object";
    ORCHESTRATOR_RESOURCE_TYPE, "orchestrator.resource.type", Keyword, "Kubernetes kind";
    EMAIL_FROM_ADDRESS, "email.from.address", Keyword, "Sender";
    EMAIL_TO_ADDRESS, "email.to.address", Keyword, "Recipients";
    EMAIL_SUBJECT, "email.subject", Keyword, "Subject";
    EMAIL_MESSAGE_ID, "email.message_id", Keyword, "Message-ID";
    ERROR_MESSAGE, "error.message", Text, "Error text";
    ERROR_CODE, "error.code", Keyword, "Error code";
    ORGANIZATION_ID, "organization.id", Keyword, "Organisation";
    RELATED_IP, "related.ip", Ip, "All addresses of the event";
    RELATED_USER, "related.user", Keyword, "All users of the event";
    RELATED_HOSTS, "related.hosts", Keyword, "All hosts of the event";
    RELATED_HASH, "related.hash", Keyword, "All hashes of the event";
    WINLOG_CHANNEL, "winlog.channel", Keyword, "Windows event channel";
    WINLOG_EVENT_ID, "winlog.event_id", Keyword, "Windows event id";
    WINLOG_PROVIDER_NAME, "winlog.provider_name", Keyword, "Windows event provider";
    WINLOG_COMPUTER_NAME, "winlog.computer_name", Keyword, "Windows computer name";
    WINLOG_RECORD_ID, "winlog.record_id", Keyword, "Windows record id";
    TOCSIN_ATTEMPTS, "tocsin.attempts", Long, "How many attempts the event stands for (0: told again by another line)";
    TOCSIN_INPUT, "tocsin.input", Keyword, "Name of the input it came by";
    TOCSIN_PARSE_ERROR, "tocsin.parse.error", Keyword, "Why no parser understood the record";
    TOCSIN_SEVERITY_CHANGE, "tocsin.severity.change", Long, "By how much an alert of it weighs more or less";
    TOCSIN_INDICATOR_CONFIDENCE, "tocsin.indicator.confidence", Long, "Indicator: how sure its source is, 0 to 100";
    TOCSIN_FIRST_SEEN, "tocsin.first_seen", Keyword, "Facts that were never seen before";
    TOCSIN_BASELINE_NAME, "tocsin.baseline.name", Keyword, "Rate that is unusual";
    TOCSIN_BASELINE_ENTITY, "tocsin.baseline.entity", Keyword, "Whose rate it is";
    TOCSIN_BASELINE_COUNT, "tocsin.baseline.count", Long, "How many in this hour so far";
    TOCSIN_BASELINE_HIGH, "tocsin.baseline.high", Long, "How many are usual at most";
    TOCSIN_BASELINE_TEXT, "tocsin.baseline.text", Keyword, "The rate beside the usual one, for people";
    ECS_VERSION, "ecs.version", Keyword, "ECS version of the fields";
}

struct Names {
    by_name: RwLock<HashMap<&'static str, u32>>,
    chunks: [OnceLock<Box<[OnceLock<&'static str>]>>; CHUNKS],
}

static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let names = Names {
        by_name: RwLock::new(HashMap::with_capacity(DICTIONARY.len() * 2)),
        chunks: [const { OnceLock::new() }; CHUNKS],
    };
    for spec in DICTIONARY {
        names.add(spec.name);
    }
    names
});

impl Names {
    fn add(&self, name: &str) -> Option<u32> {
        let mut by_name = self.by_name.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(number) = by_name.get(name) {
            return Some(*number);
        }
        let number = by_name.len();
        if number >= FIELD_NAMES_MAX {
            return None;
        }
        let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
        let chunk = self.chunks[number / CHUNK]
            .get_or_init(|| (0..CHUNK).map(|_| OnceLock::new()).collect());
        // The write lock makes this the only writer of this place.
        let _ = chunk[number % CHUNK].set(name);
        by_name.insert(name, number as u32);
        Some(number as u32)
    }
}

impl FieldId {
    /// The number of `name`, given now if it is new. `None` when [`FIELD_NAMES_MAX`] names have
    /// been given; the caller counts the field as dropped.
    pub fn intern(name: &str) -> Option<Self> {
        Self::lookup(name).or_else(|| NAMES.add(name).map(Self))
    }

    /// Whether no further name gets a number.
    pub fn is_full() -> bool {
        let by_name = NAMES.by_name.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        by_name.len() >= FIELD_NAMES_MAX
    }

    /// The number of `name` if it has one.
    pub fn lookup(name: &str) -> Option<Self> {
        let by_name = NAMES.by_name.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        by_name.get(name).copied().map(Self)
    }

    /// The dotted name.
    pub fn name(self) -> &'static str {
        if let Some(spec) = DICTIONARY.get(self.0 as usize) {
            return spec.name;
        }
        NAMES.chunks[self.0 as usize / CHUNK]
            .get()
            .and_then(|chunk| chunk[self.0 as usize % CHUNK].get())
            .copied()
            .unwrap_or("")
    }

    /// The dictionary's row, for fields of the dictionary.
    pub fn spec(self) -> Option<&'static FieldSpec> {
        DICTIONARY.get(self.0 as usize)
    }

    /// A dense index, for tables by field.
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// How many names have been numbered so far; every [`FieldId::index`] is below it.
    pub fn count() -> usize {
        NAMES.by_name.read().unwrap_or_else(std::sync::PoisonError::into_inner).len()
    }
}

impl fmt::Debug for FieldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionary_rows_are_unique_and_numbered_by_place() {
        for (place, spec) in DICTIONARY.iter().enumerate() {
            assert_eq!(
                FieldId::lookup(spec.name).map(FieldId::index),
                Some(place),
                "{}",
                spec.name
            );
        }
        assert_eq!(SOURCE_IP.name(), "source.ip");
    }

    #[test]
    fn new_names_get_numbers_that_stay() {
        let id = FieldId::intern("acme.widget").unwrap();
        assert_eq!(FieldId::intern("acme.widget"), Some(id));
        assert_eq!(id.name(), "acme.widget");
        assert!(id.spec().is_none());
    }
}
