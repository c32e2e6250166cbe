//! Which events of a store rules may match: what they need as a filter. A rule for one kind of
//! log reads a part of history, not all of it.

use tocsin_detect::{Needs, RuleSet};
use tocsin_store::{
    ANY_TEXT, DYNAMIC_NAMES_MAX, EventStore, FieldInfo, Filter, Matcher, StoreError,
};

/// What rules see of every event, and no list of fields has.
const BESIDE_FIELDS: [&str; 5] =
    ["@timestamp", "event.ingested", "event.id", "event.original", ANY_TEXT];
/// More texts than this, or longer ones, are not asked for.
const TEXTS_MAX: usize = 64;
const TEXT_BYTES_MAX: usize = 200;
/// With more names than this that no dictionary knows, some may be missing from the list.
const NAMES_MAX: usize = DYNAMIC_NAMES_MAX / 2;

/// What is asked for, without events that no rule of any set matches.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn narrow(
    store: &dyn EventStore,
    sets: &[&RuleSet],
    asked: &Filter,
) -> Result<Filter, StoreError> {
    let fields = store.fields()?;
    if fields.iter().filter(|field| field.kind == "dynamic").count() > NAMES_MAX {
        return Ok(asked.clone());
    }
    let names = || fields.iter().map(|field| field.name.as_str()).chain(BESIDE_FIELDS);
    let filters: Vec<Filter> =
        sets.iter().map(|rules| filter(rules.needs(names()), &fields)).collect();
    if filters.contains(&Filter::All) {
        return Ok(asked.clone());
    }
    let narrowed = asked.clone().and(Filter::Or(filters));
    // What is too much for the store is read as a whole.
    Ok(if Matcher::new(&narrowed).is_ok() { narrowed } else { asked.clone() })
}

fn filter(needs: Needs, fields: &[FieldInfo]) -> Filter {
    match needs {
        Needs::Nothing => Filter::All,
        Needs::Text { fields: names, texts } => {
            let parts: Vec<Filter> =
                names.iter().map(|name| texts_in(name, &texts, fields)).collect();
            if parts.contains(&Filter::All) { Filter::All } else { Filter::Or(parts) }
        }
        Needs::All(parts) => parts
            .into_iter()
            .map(|part| filter(part, fields))
            .fold(Filter::All, |left, right| left.and(right)),
        Needs::Any(parts) => {
            let parts: Vec<Filter> = parts.into_iter().map(|part| filter(part, fields)).collect();
            if parts.contains(&Filter::All) { Filter::All } else { Filter::Or(parts) }
        }
    }
}

/// One of the texts in a field, in any case; every event where the store compares other than by
/// text.
fn texts_in(name: &str, texts: &[String], fields: &[FieldInfo]) -> Filter {
    let kind = fields.iter().find(|field| field.name == name).map(|field| field.kind);
    // What is no text may read the same.
    let is_word = |text: &String| {
        text.parse::<f64>().is_err()
            && !["", "true", "false"].contains(&text.as_str())
            && text.len() <= TEXT_BYTES_MAX
    };
    let is_text = matches!(kind, Some("keyword" | "wildcard" | "dynamic"));
    if !is_text || texts.len() > TEXTS_MAX || !texts.iter().all(is_word) {
        return Filter::All;
    }
    let any: Vec<String> = texts.iter().map(|text| regex::escape(text)).collect();
    Filter::Regex { field: name.to_owned(), pattern: format!("(?i)(?:{})", any.join("|")) }
}

#[cfg(test)]
mod tests {
    use tocsin_content::{FileKind, PackFile};
    use tocsin_detect::{Options, Tables};
    use tocsin_model::{Event, EventId, FieldId, Timestamp, Value};
    use tocsin_store::Embedded;

    use super::*;

    fn event(number: u64, fields: &[(&str, &str)]) -> Event {
        let mut event = Event::default();
        event.set_original("x");
        event.id = EventId { stream: 1, offset: number };
        event.time = Timestamp(1_795_219_200_000_000_000 + number as i64);
        event.received = event.time;
        for (name, value) in fields {
            event.push_str(FieldId::intern(name).unwrap(), value);
        }
        event
    }

    fn store(events: &[Event]) -> (tempfile::TempDir, Embedded) {
        let dir = tempfile::tempdir().unwrap();
        let store = Embedded::open(dir.path(), tocsin_store::Options::default()).unwrap();
        store.append(events).unwrap();
        store.commit("p").unwrap();
        (dir, store)
    }

    fn rules(selection: &str) -> RuleSet {
        let text = format!(
            "title: r\nlogsource: {{ category: test }}\n\
             detection: {{ s: {{ {selection} }}, condition: s }}\n"
        );
        let file = PackFile {
            kind: FileKind::Rule,
            path: "content/test/rules/r.yml".to_owned(),
            inner: "rules/r.yml".to_owned(),
            bytes: text.into_bytes(),
            built_in: false,
        };
        let options = Options { route: false, ..Options::default() };
        let (rules, diagnostics) = tocsin_detect::load(&[file], &Tables::default(), &options);
        assert_eq!(rules.len(), 1, "{diagnostics:?}");
        rules
    }

    #[test]
    fn only_what_a_rule_may_match_is_read() {
        let (_dir, store) = store(&[
            event(0, &[("app.verdict", "Evil"), ("user.name", "root")]),
            event(1, &[("app.verdict", "fine"), ("user.name", "ROOT")]),
            event(2, &[("user.name", "rooter")]),
        ]);
        let long: Vec<String> = (0..500).map(|number| format!("{number:064x}")).collect();
        let long = format!("user.name: [{}]", long.join(", "));
        // The selection, and how many events are read for it.
        let table = [
            ("app.verdict: evil", 1),
            ("app.verdict: [EVIL, fine]", 2),
            ("user.name: root", 2),
            ("user.name: root, app.verdict: fine", 1),
            ("user.name|contains: oo, app.verdict: fine", 1),
            ("nobody.has: it", 0),
            // Nothing is said that the index answers as rules mean it.
            ("user.name|contains: oo", 3),
            ("user.name: 'ro*'", 3),
            ("user.name: null", 3),
            ("app.verdict: '7'", 3),
            ("event.original: x", 3),
            ("event.id: x", 3),
            (&long, 3),
        ];
        for (selection, expected) in table {
            let filter = narrow(&store, &[&rules(selection)], &Filter::All).unwrap();
            let found = store.count(&filter, None, None).unwrap();
            assert_eq!(found, expected, "{} {filter:?}", &selection[..selection.len().min(60)]);
        }
        let both = [&rules("app.verdict: evil"), &rules("user.name: rooter")];
        let filter = narrow(&store, &both, &Filter::term("user.name", "rooter")).unwrap();
        assert_eq!(store.count(&filter, None, None).unwrap(), 1);
    }

    #[test]
    fn where_names_may_be_missing_everything_is_read() {
        let names: Vec<String> = (0..=NAMES_MAX).map(|number| format!("name{number}")).collect();
        let fields: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
        let (_dir, store) = store(&[event(0, &fields), event(1, &[("app.verdict", "evil")])]);
        let filter = narrow(&store, &[&rules("app.verdict: evil")], &Filter::All).unwrap();
        assert_eq!(filter, Filter::All);
    }

    #[test]
    fn names_without_values_take_no_place() {
        let mut nothing = event(0, &[]);
        for number in 0..DYNAMIC_NAMES_MAX {
            nothing.push(FieldId::intern(&format!("null{number}")).unwrap(), Value::Null);
        }
        let (_dir, store) = store(&[nothing, event(1, &[("app.verdict", "evil")])]);
        assert_eq!(store.count(&Filter::term("app.verdict", "evil"), None, None).unwrap(), 1);
    }
}
