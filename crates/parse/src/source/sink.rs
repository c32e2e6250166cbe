//! Writing captured text into an event: conversions by what the target is, addresses that are
//! never wrong, and parts of the raw line without copying.

use std::net::IpAddr;

use jiff::tz::TimeZone;
use tocsin_model::field::{self, FieldKind};
use tocsin_model::{Event, FieldId, Value};

use crate::text::offset_in;
use crate::time::{self, Clock, ZoneMemory};

/// Longest host name, in bytes.
const HOST_BYTES_MAX: usize = 255;

/// The fields of one end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Side {
    pub address: FieldId,
    pub ip: FieldId,
    pub domain: FieldId,
    pub port: FieldId,
}

/// Where it came from.
pub(crate) const SOURCE: Side = Side {
    address: field::SOURCE_ADDRESS,
    ip: field::SOURCE_IP,
    domain: field::SOURCE_DOMAIN,
    port: field::SOURCE_PORT,
};

/// Where it went to.
pub(crate) const DESTINATION: Side = Side {
    address: field::DESTINATION_ADDRESS,
    ip: field::DESTINATION_IP,
    domain: field::DESTINATION_DOMAIN,
    port: field::DESTINATION_PORT,
};

/// Where a captured text goes and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// A variable of the definition (`_name`).
    Temp(usize),
    /// An address or name, alone or with a port, at one end.
    Address(Side),
    /// An address that always has a port behind it, after IPv6 without brackets too.
    AddressPort(Side),
    /// The event's time.
    Time,
    /// The event's time, UTC when it names no zone.
    TimeUtc,
    /// A URL or path, which is taken apart.
    Url,
    /// A field.
    Field(FieldId, Kind),
}

/// Conversions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As it stands.
    Text,
    /// Lower case.
    Lower,
    /// Upper case.
    Upper,
    /// A whole number; also hexadecimal `0x…`.
    Long,
    /// A number.
    Float,
    /// An address, else nothing.
    Ip,
    /// Seconds → nanoseconds.
    Seconds,
    /// Milliseconds → nanoseconds.
    Millis,
    /// Microseconds → nanoseconds.
    Micros,
    /// A list parted by commas.
    List,
    /// A list of addresses parted by commas; what is no address is left out.
    Ips,
    /// Plus signs stand for blanks.
    Plus,
    /// Backslashes before quotes and backslashes removed.
    Unescape,
    /// What stands after the last slash or backslash.
    Base,
}

impl Kind {
    /// By the word in `%{NAME:field:kind}` or `field:kind`.
    pub(crate) fn named(word: &str) -> Option<Self> {
        Some(match word {
            "text" => Self::Text,
            "lower" => Self::Lower,
            "upper" => Self::Upper,
            "int" => Self::Long,
            "float" => Self::Float,
            "ip" => Self::Ip,
            "seconds" => Self::Seconds,
            "millis" => Self::Millis,
            "micros" => Self::Micros,
            "list" => Self::List,
            "ips" => Self::Ips,
            "plus" => Self::Plus,
            "unescape" => Self::Unescape,
            "base" => Self::Base,
            _ => return None,
        })
    }

    /// What a field of the dictionary holds.
    pub(crate) fn of(id: FieldId) -> Self {
        match id.spec().map(|spec| spec.kind) {
            Some(FieldKind::Long) => Self::Long,
            Some(FieldKind::Ip) => Self::Ip,
            _ => Self::Text,
        }
    }
}

/// Where fields are written to.
pub(crate) struct Sink<'a> {
    pub event: &'a mut Event,
    /// The text of `event.original`, which parts may be cut from.
    pub origin: &'a str,
    pub zone: &'a TimeZone,
    pub zone_memory: &'a mut ZoneMemory,
    pub temps: &'a mut [String],
    /// Whether the event's own time is known.
    pub timed: bool,
}

impl Sink<'_> {
    /// The clock for times without year or zone.
    pub(crate) fn clock(&mut self) -> Clock<'_> {
        Clock { received: self.event.received, zone: self.zone, last: self.zone_memory }
    }

    /// Writes a text as it stands.
    pub(crate) fn text(&mut self, id: FieldId, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.event.has(id) {
            self.event.set_str(id, text);
        } else {
            self.new_text(id, text);
        }
    }

    /// Writes a text into a field that is known to be new.
    pub(crate) fn new_text(&mut self, id: FieldId, text: &str) {
        match offset_in(text, self.origin) {
            Some(start) => self.event.push_part(id, start..start + text.len()),
            None => self.event.push_str(id, text),
        }
    }

    /// Writes a text to where it belongs. Nothing, `-` and the like write nothing.
    pub(crate) fn write(&mut self, target: Target, text: &str) {
        match target {
            Target::Temp(at) => {
                if let Some(temp) = self.temps.get_mut(at) {
                    temp.clear();
                    temp.push_str(text);
                }
            }
            _ if is_nothing(text) => {}
            Target::Address(side) => self.address(side, text),
            Target::AddressPort(side) => self.address_port(side, text),
            Target::Time => {
                self.time(text, false);
            }
            Target::TimeUtc => {
                self.time(text, true);
            }
            Target::Url => self.url(text),
            Target::Field(id, kind) => self.convert(id, kind, text),
        }
    }

    fn convert(&mut self, id: FieldId, kind: Kind, text: &str) {
        match kind {
            Kind::Text => self.text(id, text),
            Kind::Lower if text.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                self.text(id, &text.to_ascii_lowercase());
            }
            Kind::Upper if text.bytes().any(|byte| byte.is_ascii_lowercase()) => {
                self.text(id, &text.to_ascii_uppercase());
            }
            Kind::Lower | Kind::Upper => self.text(id, text),
            Kind::Long => {
                if let Some(number) = long(text) {
                    self.event.set(id, Value::Int(number));
                }
            }
            Kind::Float => {
                if let Ok(number) = text.parse::<f64>()
                    && number.is_finite()
                {
                    self.event.set(id, Value::Float(number));
                }
            }
            Kind::Ip => {
                if let Some(ip) = ip_of(text) {
                    self.ip(id, ip, text);
                }
            }
            Kind::Seconds => self.nanos(id, text, 1e9),
            Kind::Millis => self.nanos(id, text, 1e6),
            Kind::Micros => self.nanos(id, text, 1e3),
            Kind::List => self.list(id, text),
            Kind::Ips => {
                let ips: Vec<String> =
                    text.split(',').filter_map(ip_of).map(|ip| ip.to_string()).collect();
                if !ips.is_empty() {
                    self.event.remove(id);
                    self.event.push_list(id, ips.iter().map(|ip| Value::Str(ip)));
                }
            }
            Kind::Plus if text.contains('+') => self.text(id, &text.replace('+', " ")),
            Kind::Plus => self.text(id, text),
            Kind::Unescape if text.contains('\\') => {
                let plain = text.replace("\\\"", "\"").replace("\\\\", "\\");
                self.text(id, &plain);
            }
            Kind::Unescape => self.text(id, text),
            Kind::Base => {
                let base = text.rsplit(['/', '\\']).next().unwrap_or(text);
                self.text(id, base);
            }
        }
    }

    fn nanos(&mut self, id: FieldId, text: &str, unit: f64) {
        if let Ok(number) = text.parse::<f64>()
            && number.is_finite()
            && number >= 0.0
        {
            self.event.set(id, Value::Int((number * unit) as i64));
        }
    }

    fn list(&mut self, id: FieldId, text: &str) {
        self.event.remove(id);
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        self.event.push_list(id, items.map(Value::Str));
    }

    /// Reads the event's time from a text; whether it could. `utc` says that a time without a
    /// zone is UTC.
    pub(crate) fn time(&mut self, text: &str, utc: bool) -> bool {
        let text = text.trim_start_matches(['*', '.', ' ', '[']).as_bytes();
        let (utc_zone, mut memory) = (TimeZone::UTC, ZoneMemory::default());
        let mut clock = self.clock();
        if utc {
            clock = Clock { zone: &utc_zone, last: &mut memory, ..clock };
        }
        let Some(read) = time::any(text, &mut clock) else { return false };
        self.event.time = read.time;
        self.timed = true;
        true
    }

    /// Writes an address or a name of one end: `192.0.2.1`, `::ffff:192.0.2.1`, `[2001:db8::1]`,
    /// `192.0.2.1:22`, `[2001:db8::1]:22`, `[AF_INET]192.0.2.1:22`, `host.example`.
    pub(crate) fn address(&mut self, side: Side, text: &str) {
        let text = text.trim().trim_matches('"').trim_end_matches(['.', ',', ';']);
        let text = match text.strip_suffix(':') {
            Some(plain) if !plain.ends_with(':') => plain,
            _ => text,
        };
        let text =
            text.strip_prefix("[AF_INET]").or(text.strip_prefix("[AF_INET6]")).unwrap_or(text);
        let (host, port) = split_port(text);
        if is_nothing(host) || host.eq_ignore_ascii_case("unknown") {
            return;
        }
        if let Some(port) = port {
            self.event.set(side.port, Value::Int(i64::from(port)));
        }
        match ip_of(host) {
            Some(ip) => {
                self.ip(side.ip, ip, host);
                self.ip(side.address, ip, host);
            }
            None if is_host(host) => {
                self.text(side.address, host);
                self.text(side.domain, host);
            }
            None => {}
        }
    }

    fn address_port(&mut self, side: Side, text: &str) {
        let bare_v6 =
            text.bytes().filter(|byte| *byte == b':').count() > 1 && !text.starts_with('[');
        match text.rsplit_once(':') {
            // `2001:db8::22` is an address without a port: without its end it is none.
            Some((host, port))
                if bare_v6 && port.parse::<u16>().is_ok() && ip_of(host).is_some() =>
            {
                self.address(side, host);
                self.write(Target::Field(side.port, Kind::Long), port);
            }
            _ => self.address(side, text),
        }
    }

    /// Writes an address; `text` is how it is written.
    fn ip(&mut self, id: FieldId, ip: IpAddr, text: &str) {
        match ip {
            // The only way to write a valid IPv4 address is the canonical one.
            IpAddr::V4(_) if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => {
                self.text(id, text);
            }
            _ => {
                let canonical = ip.to_string();
                let text = if canonical == text { text } else { &canonical };
                self.text(id, text);
            }
        }
    }

    /// Writes a URL or path as it stands, and its parts.
    pub(crate) fn url(&mut self, text: &str) {
        self.text(field::URL_ORIGINAL, text);
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.len() <= 10 && is_word(scheme) => {
                self.text(field::URL_SCHEME, scheme);
                let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                let (authority, path) = rest.split_at(end);
                let (_, host_port) = authority.rsplit_once('@').unwrap_or(("", authority));
                let (host, port) = split_port(host_port);
                self.text(field::URL_DOMAIN, host);
                if let Some(port) = port {
                    self.event.set(field::URL_PORT, Value::Int(i64::from(port)));
                }
                path
            }
            _ => text,
        };
        let rest = rest.split('#').next().unwrap_or(rest);
        match rest.split_once('?') {
            Some((path, query)) => {
                self.text(field::URL_PATH, path);
                self.text(field::URL_QUERY, query);
            }
            None => self.text(field::URL_PATH, rest),
        }
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+')
}

/// Texts that mean that there is nothing.
pub(crate) fn is_nothing(text: &str) -> bool {
    matches!(text, "" | "-" | "?" | "(null)" | "N/A" | "<nil>")
}

/// A whole number, decimal (a fraction of zeros is cut) or `0x…`.
fn long(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(hex) = text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        return i64::from_str_radix(hex, 16).ok();
    }
    text.parse().ok()
}

/// The address a text is: brackets and a zone (`%eth0`) are left out, mapped IPv4 is IPv4.
pub(crate) fn ip_of(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let text = match text.split_once('%') {
        Some((address, _)) if address.contains(':') => address,
        _ => text,
    };
    Some(text.parse::<IpAddr>().ok()?.to_canonical())
}

/// Takes a port off: `a:1`, `[a]:1`, `a#1`. A bare IPv6 address has none.
fn split_port(text: &str) -> (&str, Option<u16>) {
    if let Some(inside) = text.strip_prefix('[') {
        let Some((host, rest)) = inside.split_once(']') else { return (text, None) };
        return (host, rest.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    if let Some((host, port)) = text.rsplit_once('#')
        && let Ok(port) = port.parse()
    {
        return (host, Some(port));
    }
    match text.rsplit_once(':') {
        Some((host, port))
            if !host.contains(':') || (host.contains('.') && ip_of(text).is_none()) =>
        {
            match port.parse() {
                Ok(port) => (host, Some(port)),
                Err(_) => (text, None),
            }
        }
        _ => (text, None),
    }
}

/// Whether a text could be a host's name.
fn is_host(text: &str) -> bool {
    text.len() <= HOST_BYTES_MAX
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        && !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_right_or_absent() {
        type Row = (&'static str, Option<&'static str>, Option<&'static str>, Option<i64>);
        let table: &[Row] = &[
            ("192.0.2.1", Some("192.0.2.1"), None, None),
            ("::ffff:192.0.2.1", Some("192.0.2.1"), None, None),
            ("[::ffff:192.0.2.1]:22", Some("192.0.2.1"), None, Some(22)),
            ("2001:0db8:0000:0000:0000:0000:0000:0001", Some("2001:db8::1"), None, None),
            ("2001:db8::1", Some("2001:db8::1"), None, None),
            ("[2001:db8::1]:443", Some("2001:db8::1"), None, Some(443)),
            ("192.0.2.1:8080", Some("192.0.2.1"), None, Some(8080)),
            ("192.0.2.1#53", Some("192.0.2.1"), None, Some(53)),
            ("[AF_INET]192.0.2.1:1194", Some("192.0.2.1"), None, Some(1194)),
            ("fe80::1%eth0", Some("fe80::1"), None, None),
            ("host.example", None, Some("host.example"), None),
            ("host.example:22", None, Some("host.example"), Some(22)),
            ("300.1.1.1", None, None, None),
            ("192.0.2", None, None, None),
            ("UNKNOWN", None, None, None),
            ("-", None, None, None),
            ("", None, None, None),
            ("a b", None, None, None),
        ];
        for (text, ip, domain, port) in table {
            let mut event = Event::default();
            let mut memory = ZoneMemory::default();
            let mut sink = Sink {
                event: &mut event,
                origin: "",
                zone: &TimeZone::UTC,
                zone_memory: &mut memory,
                temps: &mut [],
                timed: false,
            };
            sink.write(Target::Address(SOURCE), text);
            assert_eq!(event.get_str(field::SOURCE_IP), *ip, "{text}");
            assert_eq!(event.get_str(field::SOURCE_DOMAIN), *domain, "{text}");
            let got = event.get(field::SOURCE_PORT).map(|port| port.to_json());
            assert_eq!(got, port.map(serde_json::Value::from), "{text}");
        }
    }
}
