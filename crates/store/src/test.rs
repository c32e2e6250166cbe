//! Comparing: what a field holds against what a filter wants, by the field's kind.
//!
//! Both the index and [`Matcher`](crate::Matcher) bring a value into the same [`Canon`] form and
//! ask the same [`Test`], so that they cannot disagree.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;
use std::ops::Bound as StdBound;

use tocsin_model::field::{DICTIONARY, FieldKind};
use tocsin_model::{FieldId, Timestamp, Value};

use crate::error::{Result, StoreError};
use crate::filter::{ANY_TEXT, Bound};
use crate::pattern::Pattern;
use crate::words::cut;

/// Keyword values are compared and indexed by their first bytes, this many.
pub(crate) const KEYWORD_BYTES_MAX: usize = 8191;

/// How the values of a field compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Keyword,
    Long,
    Ip,
    /// `@timestamp` is [`Class::Time`].
    Date,
    /// Words of this field.
    Text,
    /// Words of message and raw line.
    AnyText,
    /// Not in the dictionary.
    Dynamic,
    /// `@timestamp`.
    Time,
    /// `event.ingested`.
    Ingested,
    /// `event.id`.
    Id,
}

/// How a field compares, by the dictionary.
pub(crate) fn class_of(name: &str) -> Class {
    match name {
        "@timestamp" => return Class::Time,
        "event.ingested" => return Class::Ingested,
        "event.id" => return Class::Id,
        "event.original" | ANY_TEXT => return Class::AnyText,
        _ => {}
    }
    let spec = FieldId::lookup(name).and_then(|id| DICTIONARY.get(id.index()));
    spec.map_or(Class::Dynamic, |spec| class_of_kind(spec.kind))
}

/// How a field of the dictionary compares.
pub(crate) fn class_of_kind(kind: FieldKind) -> Class {
    match kind {
        FieldKind::Keyword | FieldKind::Wildcard | FieldKind::Flattened | FieldKind::Object => {
            Class::Keyword
        }
        FieldKind::Text => Class::Text,
        FieldKind::Long => Class::Long,
        FieldKind::Ip => Class::Ip,
        FieldKind::Date => Class::Date,
    }
}

/// A scalar in the form that is compared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Canon<'a> {
    Text(Cow<'a, str>),
    Int(i128),
    Float(f64),
    Bool(bool),
    Ip(u128),
    Time(i64),
}

/// Brings a scalar of an event into the form that is compared; `None` for null, objects and
/// numbers that are none. A value that does not fit its field's kind keeps its own form.
pub(crate) fn canon(class: Class, value: Value<'_>) -> Option<Canon<'_>> {
    let fitting = match (class, value) {
        (Class::Keyword, Value::Float(number)) if !number.is_finite() => return None,
        (Class::Keyword, value) => return value.to_text().map(|t| Canon::Text(cut_cow(t))),
        (Class::Long, Value::Int(number)) => Some(Canon::Int(number.into())),
        (Class::Long, Value::Float(number)) => match whole(number) {
            Some(whole) if i64::try_from(whole).is_ok() => Some(Canon::Int(whole)),
            _ => None,
        },
        (Class::Long, Value::Str(text)) => text.parse::<i64>().ok().map(|n| Canon::Int(n.into())),
        (Class::Ip, Value::Str(text)) => parse_ip(text).map(Canon::Ip),
        (Class::Date | Class::Time | Class::Ingested, Value::Str(text)) => {
            Timestamp::parse_rfc3339(text).map(|time| Canon::Time(time.0))
        }
        _ => None,
    };
    fitting.or_else(|| loose(value))
}

/// The form of a value whose field has no kind, or that does not fit it.
fn loose(value: Value<'_>) -> Option<Canon<'_>> {
    Some(match value {
        Value::Null | Value::Object | Value::List(_) => return None,
        Value::Bool(flag) => Canon::Bool(flag),
        Value::Int(number) => Canon::Int(number.into()),
        Value::UInt(number) => Canon::Int(number.into()),
        Value::Float(number) if !number.is_finite() => return None,
        Value::Float(number) => whole(number).map_or(Canon::Float(number), Canon::Int),
        Value::Str(text) => Canon::Text(Cow::Borrowed(cut(text, KEYWORD_BYTES_MAX))),
    })
}

fn cut_cow(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(cut(text, KEYWORD_BYTES_MAX)),
        owned => owned,
    }
}

/// The whole number that a float is, within 64 bits. The one float that is just beyond counts as
/// the greatest whole number: the index takes it for that.
pub(crate) fn whole(number: f64) -> Option<i128> {
    const LOW: f64 = i64::MIN as f64;
    const HIGH: f64 = u64::MAX as f64;
    if number.fract() != 0.0 || !(LOW..=HIGH).contains(&number) {
        return None;
    }
    // Every float in this range that has no fraction is exact as i128.
    Some((number as i128).min(u64::MAX.into()))
}

impl Canon<'_> {
    /// As text, for prefixes and patterns.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Int(number) => Cow::Owned(number.to_string()),
            Self::Float(number) => Cow::Owned(number.to_string()),
            Self::Bool(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
            Self::Ip(address) => Cow::Owned(ip_text(*address)),
            Self::Time(time) => Cow::Owned(Timestamp(*time).to_string()),
        }
    }
}

/// An address as 128 bits, IPv4 mapped into IPv6.
pub(crate) fn parse_ip(text: &str) -> Option<u128> {
    let address = match text.parse::<IpAddr>().ok()? {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    Some(u128::from(address))
}

/// An address as text, mapped IPv4 as IPv4.
pub(crate) fn ip_text(address: u128) -> String {
    std::net::Ipv6Addr::from(address).to_canonical().to_string()
}

/// First and last address of a network, or of a single address.
pub(crate) fn parse_network(text: &str) -> Option<(u128, u128)> {
    let Some((address, len)) = text.split_once('/') else {
        return parse_ip(text).map(|address| (address, address));
    };
    let parsed: IpAddr = address.parse().ok()?;
    let len: u32 = len.parse().ok()?;
    let (bits, base) = match parsed {
        IpAddr::V4(address) => (32, u128::from(address.to_ipv6_mapped())),
        IpAddr::V6(address) => (128, u128::from(address)),
    };
    let host = bits_host(bits, len)?;
    Some((base & !host, base | host))
}

fn bits_host(bits: u32, len: u32) -> Option<u128> {
    let host = bits.checked_sub(len)?;
    Some(if host == 128 { u128::MAX } else { (1u128 << host) - 1 })
}

/// A number: whole if it can be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    /// Reads a decimal number.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse::<i128>() {
            return Some(Self::Int(number));
        }
        let number: f64 = text.parse().ok()?;
        if !number.is_finite() {
            return None;
        }
        Some(whole(number).map_or(Self::Float(number), Self::Int))
    }

    fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(&b),
            (Self::Float(a), Self::Float(b)) => a.total_cmp(&b),
            // A float here has a fraction or is beyond 64 bits: comparing with its floor is exact.
            (Self::Int(a), Self::Float(b)) if a <= b.floor() as i128 => Ordering::Less,
            (Self::Int(_), Self::Float(_)) => Ordering::Greater,
            (Self::Float(_), Self::Int(_)) => other.compare(self).reverse(),
        }
    }
}

/// What one value must be, each way that it can be compared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wanted {
    pub text: String,
    pub number: Option<Number>,
    pub network: Option<(u128, u128)>,
    pub time: Option<i64>,
}

impl Wanted {
    pub(crate) fn parse(text: &str) -> Self {
        Self {
            text: cut(text, KEYWORD_BYTES_MAX).to_owned(),
            number: Number::parse(text),
            network: parse_network(text),
            time: Timestamp::parse_rfc3339(text).map(|time| time.0),
        }
    }

    fn accepts(&self, canon: &Canon<'_>) -> bool {
        match canon {
            Canon::Text(text) => *text == self.text,
            Canon::Int(number) => self.number == Some(Number::Int(*number)),
            Canon::Float(number) => self.number == Some(Number::Float(*number)),
            Canon::Bool(flag) => self.text == if *flag { "true" } else { "false" },
            Canon::Ip(address) => {
                self.network.is_some_and(|(low, high)| (low..=high).contains(address))
            }
            Canon::Time(time) => self.time == Some(*time),
        }
    }
}

/// Both ends of a range.
pub(crate) type Ends<T> = (StdBound<T>, StdBound<T>);

/// A question about one value.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    /// One of these.
    Values(Vec<Wanted>),
    /// Text between, by bytes.
    TextRange(Ends<String>),
    /// Number between.
    NumberRange(Ends<Number>),
    /// Address between, ends included.
    Network(u128, u128),
    /// Time between.
    TimeRange(Ends<i64>),
    /// Starts with.
    Prefix(String),
    /// The whole value matches.
    Pattern(Pattern),
}

impl Test {
    /// A range over a field of this class.
    pub(crate) fn range(field: &str, class: Class, lower: &Bound, upper: &Bound) -> Result<Self> {
        let what = match class {
            Class::Long => "a number",
            Class::Ip => "an address",
            Class::Date | Class::Time | Class::Ingested => "a time (RFC 3339)",
            _ => "",
        };
        let bad = |text: &str| {
            StoreError::BadRequest(format!("{field}: {text:?} is not {what}, as its range needs"))
        };
        let number = |text: &str| Number::parse(text).ok_or_else(|| bad(text));
        let time =
            |text: &str| Timestamp::parse_rfc3339(text).map(|t| t.0).ok_or_else(|| bad(text));
        let text = |text: &str| Ok(cut(text, KEYWORD_BYTES_MAX).to_owned());
        match class {
            Class::Keyword => Ok(Self::TextRange(ends(lower, upper, text)?)),
            Class::Long => Ok(Self::NumberRange(ends(lower, upper, number)?)),
            Class::Date | Class::Time | Class::Ingested => {
                Ok(Self::TimeRange(ends(lower, upper, time)?))
            }
            Class::Ip => {
                let address = |text: &str| parse_ip(text).ok_or_else(|| bad(text));
                Ok(network_of(ends(lower, upper, address)?))
            }
            Class::Dynamic => match ends(lower, upper, number) {
                Ok(numbers) => Ok(Self::NumberRange(numbers)),
                Err(_) => Ok(Self::TextRange(ends(lower, upper, text)?)),
            },
            Class::Text | Class::AnyText | Class::Id => Err(StoreError::BadRequest(format!(
                "{field}: has no order; ranges need a number, an address, a time or a keyword"
            ))),
        }
    }

    /// Whether the value satisfies it.
    pub(crate) fn accepts(&self, canon: &Canon<'_>) -> bool {
        match (self, canon) {
            (Self::Values(wanted), canon) => wanted.iter().any(|one| one.accepts(canon)),
            (Self::TextRange(ends), Canon::Text(text)) => {
                within(ends, |end| text.as_ref().cmp(end.as_str()))
            }
            (Self::NumberRange(ends), Canon::Int(number)) => {
                within(ends, |end| Number::Int(*number).compare(*end))
            }
            (Self::NumberRange(ends), Canon::Float(number)) => {
                within(ends, |end| Number::Float(*number).compare(*end))
            }
            (Self::TimeRange(ends), Canon::Time(time)) => within(ends, |end| time.cmp(end)),
            (Self::Network(low, high), Canon::Ip(address)) => (low..=high).contains(&address),
            (Self::Network(low, high), Canon::Text(text)) => {
                parse_ip(text).is_some_and(|address| (*low..=*high).contains(&address))
            }
            (Self::Prefix(prefix), canon) => canon.text().starts_with(prefix.as_str()),
            (Self::Pattern(pattern), canon) => pattern.matches(&canon.text()),
            _ => false,
        }
    }
}

/// The whole numbers between the ends, both included; `None` when there is none.
pub(crate) fn whole_range(ends: &Ends<Number>) -> Option<(i64, i64)> {
    let low = match ends.0 {
        StdBound::Unbounded => i128::MIN,
        StdBound::Included(Number::Int(number)) => number,
        StdBound::Excluded(Number::Int(number)) => number.saturating_add(1),
        StdBound::Included(Number::Float(number)) | StdBound::Excluded(Number::Float(number)) => {
            number.ceil() as i128
        }
    };
    let high = match ends.1 {
        StdBound::Unbounded => i128::MAX,
        StdBound::Included(Number::Int(number)) => number,
        StdBound::Excluded(Number::Int(number)) => number.saturating_sub(1),
        StdBound::Included(Number::Float(number)) | StdBound::Excluded(Number::Float(number)) => {
            number.floor() as i128
        }
    };
    let low = i64::try_from(low.max(i64::MIN.into())).ok()?;
    let high = i64::try_from(high.min(i64::MAX.into())).ok()?;
    (low <= high).then_some((low, high))
}

/// The times between the ends, both included; `None` when there is none.
pub(crate) fn time_range(ends: &Ends<i64>) -> Option<(i64, i64)> {
    let low = match ends.0 {
        StdBound::Unbounded => i64::MIN,
        StdBound::Included(time) => time,
        StdBound::Excluded(time) => time.checked_add(1)?,
    };
    let high = match ends.1 {
        StdBound::Unbounded => i64::MAX,
        StdBound::Included(time) => time,
        StdBound::Excluded(time) => time.checked_sub(1)?,
    };
    (low <= high).then_some((low, high))
}

fn network_of(ends: Ends<u128>) -> Test {
    let low = match ends.0 {
        StdBound::Unbounded => Some(0),
        StdBound::Included(address) => Some(address),
        StdBound::Excluded(address) => address.checked_add(1),
    };
    let high = match ends.1 {
        StdBound::Unbounded => Some(u128::MAX),
        StdBound::Included(address) => Some(address),
        StdBound::Excluded(address) => address.checked_sub(1),
    };
    match (low, high) {
        (Some(low), Some(high)) if low <= high => Test::Network(low, high),
        _ => Test::Values(Vec::new()),
    }
}

fn ends<T>(lower: &Bound, upper: &Bound, read: impl Fn(&str) -> Result<T>) -> Result<Ends<T>> {
    let end = |bound: &Bound| {
        Ok(match bound {
            Bound::Unbounded => StdBound::Unbounded,
            Bound::Included(text) => StdBound::Included(read(text)?),
            Bound::Excluded(text) => StdBound::Excluded(read(text)?),
        })
    };
    Ok((end(lower)?, end(upper)?))
}

/// Whether something is between the ends; `compare` puts it against an end.
fn within<T>(ends: &Ends<T>, compare: impl Fn(&T) -> Ordering) -> bool {
    let above = match &ends.0 {
        StdBound::Unbounded => true,
        StdBound::Included(end) => compare(end) != Ordering::Less,
        StdBound::Excluded(end) => compare(end) == Ordering::Greater,
    };
    above
        && match &ends.1 {
            StdBound::Unbounded => true,
            StdBound::Included(end) => compare(end) != Ordering::Greater,
            StdBound::Excluded(end) => compare(end) == Ordering::Less,
        }
}
