//! An expression over rules that have to match in order: a condition in, the ways in which it can
//! hold out. Knows nothing of events.

use super::condition::Condition;

/// One way in which an expression holds, as bits of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sequence {
    /// These match, in the order of the list.
    pub(crate) wanted: u64,
    /// None of these matches.
    pub(crate) without: u64,
}

/// The most ways of one expression.
const SEQUENCES_MAX: usize = 256;

/// All ways in which a condition holds, none of which asks for more than another one.
pub(crate) fn ways(condition: &Condition) -> Result<Vec<Sequence>, String> {
    let ways = expand(condition, false)?;
    let mut least: Vec<Sequence> = Vec::new();
    for way in &ways {
        let more = |other: &Sequence| {
            other != way
                && other.wanted & way.wanted == other.wanted
                && other.without & way.without == other.without
        };
        if !ways.iter().any(more) && !least.contains(way) {
            least.push(*way);
        }
    }
    if least.is_empty() {
        return Err("the condition can never hold".to_owned());
    }
    Ok(least)
}

fn expand(condition: &Condition, negated: bool) -> Result<Vec<Sequence>, String> {
    match condition {
        Condition::Search(place) => {
            let bit = 1 << place;
            let (wanted, without) = if negated { (0, bit) } else { (bit, 0) };
            Ok(vec![Sequence { wanted, without }])
        }
        Condition::Not(inner) => expand(inner, !negated),
        Condition::And(parts) if negated => either(parts, negated),
        Condition::Or(parts) if !negated => either(parts, negated),
        Condition::And(parts) | Condition::Or(parts) => {
            let mut all = vec![Sequence::default()];
            for part in parts {
                let part = expand(part, negated)?;
                let pairs = all.iter().flat_map(|left| part.iter().map(move |right| (left, right)));
                all = pairs.filter_map(|(left, right)| both(*left, *right)).collect();
                limit(&mut all)?;
            }
            Ok(all)
        }
    }
}

fn either(parts: &[Condition], negated: bool) -> Result<Vec<Sequence>, String> {
    let mut any = Vec::new();
    for part in parts {
        any.extend(expand(part, negated)?);
        limit(&mut any)?;
    }
    Ok(any)
}

/// Both ways at once; `None` when one excludes the other.
fn both(left: Sequence, right: Sequence) -> Option<Sequence> {
    let wanted = left.wanted | right.wanted;
    let without = left.without | right.without;
    (wanted & without == 0).then_some(Sequence { wanted, without })
}

fn limit(ways: &mut Vec<Sequence>) -> Result<(), String> {
    ways.sort_unstable_by_key(|way| (way.wanted, way.without));
    ways.dedup();
    if ways.len() > SEQUENCES_MAX {
        return Err(format!("the condition can hold in more than {SEQUENCES_MAX} ways"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::condition::{Names, parse};
    use super::*;

    #[test]
    fn expressions_become_ways() {
        let names = Names { names: &["a", "b", "c", "d"], selectors: false };
        let way = |wanted, without| Sequence { wanted, without };
        let table = [
            ("a and b", vec![way(0b11, 0)]),
            ("a or b", vec![way(0b01, 0), way(0b10, 0)]),
            ("(a or b) and c", vec![way(0b101, 0), way(0b110, 0)]),
            ("a and not b", vec![way(0b01, 0b10)]),
            ("a and not (b or c)", vec![way(0b001, 0b110)]),
            ("a and not (b and c)", vec![way(0b001, 0b010), way(0b001, 0b100)]),
            ("a or (a and b)", vec![way(0b01, 0)]),
        ];
        for (text, expected) in table {
            assert_eq!(ways(&parse(text, names).unwrap()).unwrap(), expected, "{text}");
        }
        let never = parse("a and not a", names).unwrap();
        assert!(ways(&never).unwrap_err().contains("never"));
        let many: Vec<String> = (0..20).map(|place| format!("r{place}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let text: Vec<String> =
            many.chunks(2).map(|pair| format!("({} or {})", pair[0], pair[1])).collect();
        let names = Names { names: &many, selectors: false };
        assert!(ways(&parse(&text.join(" and "), names).unwrap()).is_err());
    }
}
