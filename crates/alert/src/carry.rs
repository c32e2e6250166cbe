//! Which ECS fields an alert carries from the event that completed its match, and how a plain
//! rule's matches are grouped.

use serde_json::Value as Json;
use tocsin_model::rule::OWN_PACK;
use tocsin_model::{Finding, Severity, Value, field};

/// Fields that tell who, where and what; in the order people read them.
const CARRIED: &[field::FieldId] = &[
    field::SOURCE_IP,
    field::SOURCE_ADDRESS,
    field::SOURCE_PORT,
    field::SOURCE_GEO_COUNTRY_ISO_CODE,
    field::SOURCE_GEO_COUNTRY_NAME,
    field::SOURCE_GEO_REGION_NAME,
    field::SOURCE_GEO_CITY_NAME,
    field::SOURCE_AS_NUMBER,
    field::SOURCE_AS_ORGANIZATION_NAME,
    field::SOURCE_ASSET_NAME,
    field::SOURCE_ASSET_OWNER,
    field::SOURCE_ASSET_CRITICALITY,
    field::USER_NAME,
    field::USER_EFFECTIVE_NAME,
    field::USER_TARGET_NAME,
    field::USER_ASSET_NAME,
    field::USER_ASSET_OWNER,
    field::USER_ASSET_CRITICALITY,
    field::GROUP_NAME,
    field::HOST_NAME,
    field::HOST_HOSTNAME,
    field::HOST_ASSET_NAME,
    field::HOST_ASSET_OWNER,
    field::HOST_ASSET_CRITICALITY,
    field::DESTINATION_IP,
    field::DESTINATION_PORT,
    field::DESTINATION_GEO_COUNTRY_ISO_CODE,
    field::DESTINATION_GEO_COUNTRY_NAME,
    field::DESTINATION_GEO_REGION_NAME,
    field::DESTINATION_GEO_CITY_NAME,
    field::DESTINATION_AS_NUMBER,
    field::DESTINATION_AS_ORGANIZATION_NAME,
    field::DESTINATION_ASSET_NAME,
    field::DESTINATION_ASSET_OWNER,
    field::DESTINATION_ASSET_CRITICALITY,
    field::NETWORK_TRANSPORT,
    field::NETWORK_PROTOCOL,
    field::SERVICE_NAME,
    field::PROCESS_NAME,
    field::PROCESS_EXECUTABLE,
    field::PROCESS_COMMAND_LINE,
    field::PROCESS_PARENT_EXECUTABLE,
    field::FILE_PATH,
    field::FILE_NAME,
    field::FILE_HASH_SHA256,
    field::HTTP_REQUEST_METHOD,
    field::HTTP_RESPONSE_STATUS_CODE,
    field::URL_DOMAIN,
    field::URL_ORIGINAL,
    field::URL_PATH,
    field::USER_AGENT_ORIGINAL,
    field::DNS_QUESTION_NAME,
    field::WINLOG_CHANNEL,
    field::WINLOG_EVENT_ID,
    field::EVENT_ACTION,
    field::EVENT_CATEGORY,
    field::EVENT_OUTCOME,
    field::EVENT_DATASET,
    field::LOG_FILE_PATH,
    field::THREAT_INDICATOR_TYPE,
    field::THREAT_INDICATOR_NAME,
    field::THREAT_INDICATOR_DESCRIPTION,
    field::THREAT_INDICATOR_CONFIDENCE,
    field::THREAT_INDICATOR_PROVIDER,
    field::TOCSIN_INDICATOR_CONFIDENCE,
    field::THREAT_MATCHED_ATOMIC,
    field::THREAT_MATCHED_FIELD,
    field::TOCSIN_FIRST_SEEN,
    field::TOCSIN_BASELINE_NAME,
    field::TOCSIN_BASELINE_ENTITY,
    field::TOCSIN_BASELINE_COUNT,
    field::TOCSIN_BASELINE_HIGH,
    field::TOCSIN_BASELINE_TEXT,
    field::TOCSIN_SEVERITY_CHANGE,
];

/// The longest text carried in one field, bytes; longer is cut at a character.
const CARRIED_BYTES_MAX: usize = 4096;

/// The fields an alert carries, from the event that completed the match. Group-by values that
/// are ECS fields win, since they are what the alert is about.
pub fn fields(finding: &Finding) -> Vec<(String, Json)> {
    let mut carried: Vec<(String, Json)> = Vec::new();
    for id in CARRIED {
        let of_group = finding.group.iter().find(|(name, _)| name == id.name());
        let value = match of_group {
            Some((_, value)) => Json::String(value.clone()),
            None => match finding.event.get(*id) {
                Some(value) => cut(value.to_json()),
                None => continue,
            },
        };
        carried.push((id.name().to_owned(), value));
    }
    if finding.rule.pack == OWN_PACK {
        // Made for the alert: all of it is to be seen.
        for (id, value) in finding.event.iter().filter(|(id, _)| !CARRIED.contains(id)) {
            carried.push((id.name().to_owned(), cut(value.to_json())));
        }
    }
    carried
}

/// How severe a finding is: what its rule says, more or less where what it is about matters more
/// or less than others.
pub fn severity(finding: &Finding) -> Severity {
    let change = match finding.event.get(field::TOCSIN_SEVERITY_CHANGE) {
        Some(Value::Int(change)) => change.clamp(-1, 1) as isize,
        _ => return finding.rule.severity,
    };
    let all = Severity::ALL;
    let place = all.iter().position(|one| *one == finding.rule.severity).unwrap_or_default();
    let place = place.saturating_add_signed(change).min(all.len() - 1);
    all.get(place).copied().unwrap_or(finding.rule.severity)
}

fn cut(value: Json) -> Json {
    match value {
        Json::String(text) if text.len() > CARRIED_BYTES_MAX => {
            Json::String(text[..text.floor_char_boundary(CARRIED_BYTES_MAX)].to_owned())
        }
        other => other,
    }
}

/// What tells one attack from another: the correlation's own group, or what `tocsin.group_by`
/// names of it; else the rule's `tocsin.group_by`, else the source address, else user and host,
/// else the host.
pub fn group(finding: &Finding) -> Vec<(String, String)> {
    if !finding.group.is_empty() || finding.rule.correlation {
        let named = &finding.rule.group_by;
        let mut group = finding.group.clone();
        group.retain(|(name, _)| named.is_empty() || named.contains(name));
        return group;
    }
    let pick = |names: &[&str]| -> Vec<(String, String)> {
        names
            .iter()
            .filter_map(|name| {
                let id = field::FieldId::lookup(name)?;
                let mut first = None;
                finding.event.get(id)?.for_each_scalar(|value| {
                    if first.is_none() {
                        first = value.to_text().map(|text| text.into_owned());
                    }
                });
                Some(((*name).to_owned(), first?))
            })
            .collect()
    };
    if !finding.rule.group_by.is_empty() {
        let names: Vec<&str> = finding.rule.group_by.iter().map(String::as_str).collect();
        return pick(&names);
    }
    let by_source = pick(&["source.ip"]);
    if !by_source.is_empty() {
        return by_source;
    }
    pick(&["user.name", "host.name", "Computer", "User"])
}
