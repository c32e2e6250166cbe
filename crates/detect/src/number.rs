//! [`Number`]: numbers of rules and events, compared exactly.
//!
//! Whole numbers never pass through floating point, so two 64-bit ids that differ by one differ.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use tocsin_model::Value;

/// A whole number or any other.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Number {
    /// Whole.
    Int(i128),
    /// Other.
    Float(f64),
}

impl Number {
    /// Reads decimal text (`10`, `-3`, `1.5`, `1e3`); nothing around it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return None;
        }
        if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().ok().map(Self::Int);
        }
        let numeric = digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
        if numeric { text.parse().ok().map(Self::Float) } else { None }
    }

    /// A plain YAML number.
    pub(crate) fn of_node(node: &tocsin_content::Node) -> Option<Self> {
        node.as_int().map(Self::Int).or_else(|| node.as_float().map(Self::Float))
    }

    /// A number of an event, or text that is one.
    pub(crate) fn of_value(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Str(text) => Self::parse(text),
            other => Self::of_numeric(other),
        }
    }

    /// A number of an event.
    pub(crate) fn of_numeric(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Int(number) => Some(Self::Int(number.into())),
            Value::UInt(number) => Some(Self::Int(number.into())),
            Value::Float(number) => Some(Self::Float(number)),
            _ => None,
        }
    }

    /// Compares; `None` with NaN.
    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Some(left.cmp(&right)),
            (Self::Float(left), Self::Float(right)) => left.partial_cmp(&right),
            (Self::Int(left), Self::Float(right)) => compare_mixed(left, right),
            (Self::Float(left), Self::Int(right)) => {
                compare_mixed(right, left).map(Ordering::reverse)
            }
        }
    }

    /// As text, the way an event's number is written when compared as text.
    pub(crate) fn to_text(self) -> String {
        match self {
            Self::Int(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
        }
    }

    /// The nearest float.
    pub(crate) fn to_float(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

fn compare_mixed(int: i128, float: f64) -> Option<Ordering> {
    // 2^126: every float below is an exact i128 once its fraction is cut off.
    const EXACT: f64 = 8.507_059_173_023_462e37;
    if float.is_nan() {
        return None;
    }
    if float.abs() >= EXACT {
        return Some(if float > 0.0 { Ordering::Less } else { Ordering::Greater });
    }
    let whole = float.floor();
    let by_whole = int.cmp(&(whole as i128));
    Some(if by_whole == Ordering::Equal && float > whole { Ordering::Less } else { by_whole })
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => left == right,
            (Self::Float(left), Self::Float(right)) => left.to_bits() == right.to_bits(),
            _ => false,
        }
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Int(number) => number.hash(state),
            Self::Float(number) => number.to_bits().hash(state),
        }
    }
}

/// `lt`, `lte`, `gt`, `gte`, `eq`, `neq`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Operator {
    /// Less than.
    Lt,
    /// At most.
    Lte,
    /// More than.
    Gt,
    /// At least.
    Gte,
    /// Equal.
    Eq,
    /// Not equal.
    Neq,
}

impl Operator {
    /// The operator of this name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "lt" => Self::Lt,
            "lte" => Self::Lte,
            "gt" => Self::Gt,
            "gte" => Self::Gte,
            "eq" => Self::Eq,
            "neq" => Self::Neq,
            _ => return None,
        })
    }

    /// Its Sigma name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lt => "lt",
            Self::Lte => "lte",
            Self::Gt => "gt",
            Self::Gte => "gte",
            Self::Eq => "eq",
            Self::Neq => "neq",
        }
    }

    /// Whether `left operator right` holds.
    pub(crate) fn holds(self, left: Number, right: Number) -> bool {
        let Some(order) = left.compare(right) else { return false };
        match self {
            Self::Lt => order.is_lt(),
            Self::Lte => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::Gte => order.is_ge(),
            Self::Eq => order.is_eq(),
            Self::Neq => order.is_ne(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_stay_exact() {
        let big = i128::from(u64::MAX);
        assert_eq!(Number::Int(big).compare(Number::Float(big as f64)), Some(Ordering::Less));
        assert_eq!(Number::Int(3).compare(Number::Float(3.0)), Some(Ordering::Equal));
        assert_eq!(Number::Int(-3).compare(Number::Float(-3.5)), Some(Ordering::Greater));
        assert_eq!(Number::Float(2.5).compare(Number::Int(3)), Some(Ordering::Less));
        assert_eq!(Number::Int(1).compare(Number::Float(f64::NAN)), None);
        assert_eq!(Number::Int(1).compare(Number::Float(f64::INFINITY)), Some(Ordering::Less));
    }

    #[test]
    fn only_decimal_text_is_a_number() {
        let yes = ["10", "-3", "+4", "1.5", "1e3", ".5", "18446744073709551615"];
        let no = ["", "0x10", "ten", "1 ", "inf", "NaN", "-", "1.2.3", "e3"];
        for text in yes {
            assert!(Number::parse(text).is_some(), "{text}");
        }
        for text in no {
            assert!(Number::parse(text).is_none(), "{text}");
        }
    }
}
