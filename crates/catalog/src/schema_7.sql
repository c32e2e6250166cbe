-- By what alerts are grouped and counted. One index holds all of it, so that counting a hundred
-- thousand alerts never reads the alerts themselves.
ALTER TABLE alerts ADD COLUMN source_ip TEXT;
ALTER TABLE alerts ADD COLUMN user_name TEXT;
ALTER TABLE alerts ADD COLUMN host_name TEXT;
ALTER TABLE alerts ADD COLUMN tactics TEXT;

CREATE TEMP TABLE carried AS
    SELECT alerts.id AS id, json_extract(pair.value, '$[0]') AS field,
        CAST(json_extract(pair.value, '$[1]') AS TEXT) AS value
    FROM alerts, json_each(alerts.json, '$.fields') AS pair
    WHERE field IN ('source.ip', 'user.name', 'host.name')
    UNION ALL
    SELECT alerts.id, json_extract(pair.value, '$[0]'), json_extract(pair.value, '$[1]')
    FROM alerts, json_each(alerts.json, '$.group') AS pair
    WHERE json_extract(pair.value, '$[0]') IN ('source.ip', 'user.name', 'host.name');
CREATE INDEX temp.carried_by ON carried (id, field);
UPDATE alerts SET
    source_ip = (SELECT value FROM carried WHERE carried.id = alerts.id AND field = 'source.ip' LIMIT 1),
    user_name = (SELECT value FROM carried WHERE carried.id = alerts.id AND field = 'user.name' LIMIT 1),
    host_name = (SELECT value FROM carried WHERE carried.id = alerts.id AND field = 'host.name' LIMIT 1),
    tactics = (SELECT group_concat(value, ',') FROM json_each(alerts.json, '$.rule.tactics'));
DROP TABLE carried;

CREATE INDEX alerts_facets ON alerts (
    raised, id, severity, status, disposition, owner, rule_id, rule_title, source_ip, user_name,
    host_name, tactics, incident, exception, historical
);
