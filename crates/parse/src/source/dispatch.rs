//! [`Dispatch`]: which conditions of a source may hold, told by one value that most of them ask
//! for (the number of a Windows event), so that the others are not gone through.

use ahash::AHashMap;
use tocsin_model::Value;

use super::plan::{Read, Test, WhenPlan};
use super::sink::Target;

/// Where fewer conditions ask for one value, going through all is as fast.
const ASKING_MIN: usize = 8;

/// The conditions that may hold, by a value.
#[derive(Debug)]
pub(crate) struct Dispatch {
    /// The value that is looked at.
    pub on: Read,
    /// By lower-case text, in order.
    by_text: AHashMap<String, Box<[u16]>>,
    /// Those that may hold whatever it is.
    others: Box<[u16]>,
}

impl Dispatch {
    /// By the value that most of the conditions ask for; `None` where few do.
    pub(crate) fn of(whens: &[WhenPlan]) -> Option<Self> {
        u16::try_from(whens.len()).ok()?;
        let mut asked: Vec<(Read, usize)> = Vec::new();
        for read in whens.iter().flat_map(|when| when.conditions.iter().filter_map(exact)) {
            match asked.iter_mut().find(|(other, _)| *other == read) {
                Some((_, times)) => *times += 1,
                None => asked.push((read, 1)),
            }
        }
        let (on, times) = asked.into_iter().max_by_key(|(_, times)| *times)?;
        if times < ASKING_MIN || whens.iter().any(|when| changes(when, on)) {
            return None;
        }
        let mut by_text: AHashMap<String, Vec<u16>> = AHashMap::new();
        for text in whens.iter().filter_map(|when| asks(when, on)).flatten() {
            by_text.entry(text.to_owned()).or_default();
        }
        let mut others = Vec::new();
        for (number, when) in whens.iter().enumerate() {
            let number = number as u16;
            let wanted = asks(when, on);
            if wanted.is_none() {
                others.push(number);
            }
            for (text, list) in &mut by_text {
                if wanted.as_ref().is_none_or(|wanted| wanted.contains(&text.as_str())) {
                    list.push(number);
                }
            }
        }
        let by_text = by_text.into_iter().map(|(text, list)| (text, list.into())).collect();
        Some(Self { on, by_text, others: others.into() })
    }

    /// The conditions that may hold with a value; `None` when all may.
    pub(crate) fn may_hold(&self, value: Option<Value<'_>>) -> Option<&[u16]> {
        let found = match value {
            None | Some(Value::Null) => None,
            Some(Value::Str(text)) if text.bytes().any(|b| b.is_ascii_uppercase()) => {
                self.by_text.get(&text.to_ascii_lowercase())
            }
            Some(Value::Str(text)) => self.by_text.get(text),
            // Numbers are compared as such, and of a list any element counts.
            Some(_) => return None,
        };
        Some(found.unwrap_or(&self.others))
    }
}

/// The value that a condition asks for by nothing but whole texts.
fn exact((read, tests): &(Read, Vec<Test>)) -> Option<Read> {
    tests.iter().all(|test| matches!(test, Test::Is(..))).then_some(*read)
}

/// The texts one of which the value must be, for all of it to hold; `None` when it may be another.
fn asks(when: &WhenPlan, on: Read) -> Option<Vec<&str>> {
    let condition = when.conditions.iter().find(|condition| exact(condition) == Some(on))?;
    let texts = condition.1.iter().filter_map(|test| match test {
        Test::Is(text, _) => Some(text.as_str()),
        _ => None,
    });
    Some(texts.collect())
}

/// Whether what is done under a condition may change the value.
fn changes(when: &WhenPlan, on: Read) -> bool {
    let written = |target: &Target| match target {
        Target::Temp(at) => on == Read::Temp(*at),
        Target::Field(id, _) => on == Read::Field(*id),
        Target::Time | Target::TimeUtc => false,
        // These write fields of their own, of which none is about the event itself.
        Target::Address(_) | Target::AddressPort(_) | Target::Url => match on {
            Read::Temp(_) => false,
            Read::Field(id) => !id.name().starts_with("event."),
        },
    };
    let groks = when.groks.iter().flat_map(|(_, patterns)| patterns);
    when.assigns.iter().any(|assign| assign.to == on)
        || when.copies.iter().any(|(target, _)| written(target))
        || groks.flat_map(|(_, targets)| targets).any(written)
}

#[cfg(test)]
mod tests {
    use tocsin_model::field;
    use tocsin_model::value::OwnedValue;

    use super::*;
    use crate::source::plan::Assign;
    use crate::source::run::holds;

    fn when(conditions: &[(Read, &[&str])], to: Read) -> WhenPlan {
        let tests = |texts: &[&str]| texts.iter().map(|text| Test::of_text(text)).collect();
        WhenPlan {
            conditions: conditions.iter().map(|(read, texts)| (*read, tests(texts))).collect(),
            assigns: vec![Assign { to, value: Some(OwnedValue::Bool(true)) }],
            copies: Vec::new(),
            groks: Vec::new(),
        }
    }

    #[test]
    fn none_is_left_out_that_holds() {
        let code = Read::Field(field::EVENT_CODE);
        let other = Read::Field(field::EVENT_ACTION);
        let mut whens: Vec<WhenPlan> =
            ["1", "2", "A", "b", "5", "06", "7"].map(|text| when(&[(code, &[text])], other)).into();
        whens.push(when(&[(code, &["1", "2", "9"]), (other, &["*"])], other));
        whens.push(when(&[(code, &["1*", "2"])], other));
        whens.push(when(&[(other, &["x"])], other));
        let dispatch = Dispatch::of(&whens).unwrap();
        assert_eq!(dispatch.on, code);
        for text in ["1", "2", "a", "A", "B", "5", "06", "6", "7", "9", "11", ""] {
            let value = Value::Str(text);
            let may = dispatch.may_hold(Some(value)).unwrap();
            assert!(may.is_sorted() && may.len() < whens.len(), "{text}: {may:?}");
            for (number, when) in whens.iter().enumerate() {
                let held = when
                    .conditions
                    .iter()
                    .all(|(read, tests)| *read != code || holds(Some(value), tests));
                assert!(!held || may.contains(&(number as u16)), "{text} {number}");
            }
        }
        assert_eq!(dispatch.may_hold(Some(Value::Int(6))), None);
        assert_eq!(dispatch.may_hold(None).unwrap(), [8, 9]);
        // One that changes the value spoils it, and a few are not worth it.
        assert!(Dispatch::of(&whens[..7]).is_none());
        whens.push(when(&[(code, &["3"])], code));
        assert!(Dispatch::of(&whens).is_none());
    }
}
