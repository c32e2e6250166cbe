//! Which values alerts carry most often.

use rusqlite::params;
use serde::Serialize;
use tocsin_model::Timestamp;

use crate::error::Result;
use crate::{Catalog, whole};

/// How many alerts carry a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ValueCount {
    /// The value as text.
    pub value: String,
    /// Alerts.
    pub count: u64,
}

impl Catalog {
    /// The values that alerts raised from `from` (included) to `to` (not) have in `field`, be it
    /// carried or a group's, the most frequent first; at most `limit`.
    pub fn alert_values(
        &self,
        field: &str,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<ValueCount>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT value, count(DISTINCT id) FROM (
                    SELECT alerts.id AS id, CAST(json_extract(pair.value, '$[1]') AS TEXT) AS value
                    FROM alerts, json_each(alerts.json, '$.fields') AS pair
                    WHERE exception IS NULL AND raised >= ?1 AND raised < ?2
                        AND json_extract(pair.value, '$[0]') = ?3
                    UNION
                    SELECT alerts.id, CAST(json_extract(pair.value, '$[1]') AS TEXT)
                    FROM alerts, json_each(alerts.json, '$.group') AS pair
                    WHERE exception IS NULL AND raised >= ?1 AND raised < ?2
                        AND json_extract(pair.value, '$[0]') = ?3
                 ) WHERE value IS NOT NULL
                 GROUP BY value ORDER BY 2 DESC, 1 LIMIT ?4",
            )?;
            let from = from.map_or(i64::MIN, |time| time.0);
            let to = to.map_or(i64::MAX, |time| time.0);
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map(params![from, to, field, limit], |row| {
                Ok(ValueCount { value: row.get(0)?, count: whole(row, 1)? })
            })?;
            rows.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tocsin_model::{Alert, AlertId, AlertStatus, RuleMeta, Severity};

    use super::*;
    use crate::AlertQuery;

    fn alert(id: &str, severity: Severity, ip: &str, at: i64) -> Alert {
        Alert {
            id: AlertId(id.to_owned()),
            rule: RuleMeta::default(),
            severity,
            group: vec![("source.ip".to_owned(), ip.to_owned())],
            first_seen: Timestamp(at),
            last_seen: Timestamp(at),
            raised: Timestamp(at),
            count: 1,
            findings: 1,
            status: AlertStatus::New,
            triage: tocsin_model::Triage::default(),
            historical: false,
            reason: String::new(),
            fields: vec![
                ("source.ip".to_owned(), json!(ip)),
                ("source.port".to_owned(), json!(22)),
            ],
            events: Vec::new(),
            matches: Vec::new(),
            version: 1,
        }
    }

    #[test]
    fn values_are_counted_once_an_alert_and_lists_of_severities_filter() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(dir.path()).unwrap();
        let alerts = [
            alert("a", Severity::High, "192.0.2.1", 10),
            alert("b", Severity::Low, "192.0.2.1", 20),
            alert("c", Severity::Critical, "192.0.2.10", 30),
        ];
        catalog.save(&alerts, &[]).unwrap();
        let values = catalog.alert_values("source.ip", None, None, 5).unwrap();
        let of = |value: &str, count| ValueCount { value: value.to_owned(), count };
        assert_eq!(values, [of("192.0.2.1", 2), of("192.0.2.10", 1)]);
        let later = catalog.alert_values("source.ip", Some(Timestamp(15)), None, 1).unwrap();
        assert_eq!(later, [of("192.0.2.1", 1)]);
        assert_eq!(catalog.alert_values("source.port", None, None, 5).unwrap(), [of("22", 3)]);
        let total = |severity_in: &[Severity], status_in: &[AlertStatus]| {
            let query = AlertQuery {
                severity_in: severity_in.to_vec(),
                status_in: status_in.to_vec(),
                limit: 0,
                ..AlertQuery::default()
            };
            catalog.alerts(&query).unwrap().total
        };
        assert_eq!(total(&[Severity::High, Severity::Critical], &[]), 2);
        assert_eq!(total(&[Severity::Low], &[AlertStatus::New]), 1);
        assert_eq!(total(&[], &[AlertStatus::Closed]), 0);
    }
}
