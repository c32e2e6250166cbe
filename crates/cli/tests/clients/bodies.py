"""Bodies that scripts, Grafana and Kibana's like send, asked with Elasticsearch's own client. Argument: the server's URL.
Prints what went wrong, as JSON; nothing is an empty list."""

import json
import sys

from elasticsearch import ApiError, BadRequestError, Elasticsearch, NotFoundError, helpers
from elasticsearch.dsl import A, Q, Search

es = Elasticsearch(sys.argv[1], http_compress=True)
wrong = []
all_of = es.count(index="logs-*")["count"]


def search(**body):
    return es.search(index="logs-*", **body)


def total(query):
    return search(query=query, size=0)["hits"]["total"]["value"]


def expect(what, got, wanted):
    if got != wanted:
        wrong.append([what, got, wanted])


failed = total({"term": {"event.outcome": "failure"}})
sshd = total({"term": {"event.dataset": "openssh.sshd"}})
newest = search(size=1, sort=[{"@timestamp": "desc"}])["hits"]["hits"][0]["_source"]["@timestamp"]
oldest = search(size=1, sort=[{"@timestamp": "asc"}])["hits"]["hits"][0]["_source"]["@timestamp"]
if not 0 < failed < all_of or not 0 < sshd < all_of:
    wrong.append(["nothing to ask about", failed, sshd])

# Query, how many it must find (None: some, not all).
both = {"term": {"event.dataset": "openssh.sshd"}}
failure = {"term": {"event.outcome": {"value": "failure", "boost": 2.0}}}
either = len([0]) and total({"bool": {"should": [both, failure]}})
QUERIES = [
    ("none of both", {"bool": {"must_not": [both, failure]}}, all_of - either),
    ("at least one", {"bool": {"must": [{"match_all": {}}], "should": [both, failure], "minimum_should_match": 1}}, either),
    ("at least two", {"bool": {"should": [both, failure], "minimum_should_match": 2, "adjust_pure_negative": True, "boost": 1.0}}, sshd + failed - either),
    ("filter alone", {"bool": {"filter": both, "_name": "mine"}}, sshd),
    ("terms", {"terms": {"event.dataset": ["openssh.sshd", "absent"], "boost": 1.0}}, sshd),
    ("keyword suffix", {"term": {"event.dataset.keyword": "openssh.sshd"}}, sshd),
    ("any case", {"term": {"event.outcome": {"value": "FAILURE", "case_insensitive": True}}}, failed),
    ("from the oldest", {"range": {"@timestamp": {"gte": oldest, "lte": newest, "format": "strict_date_optional_time"}}}, all_of),
    ("date math", {"range": {"@timestamp": {"gte": "now-100y/y", "lt": "now+1d/d", "time_zone": "Europe/Berlin"}}}, all_of),
    ("epoch seconds", {"range": {"@timestamp": {"gte": "1000000000", "lte": "4000000000", "format": "epoch_second"}}}, all_of),
    ("epoch millis", {"range": {"@timestamp": {"gte": 1000000000000, "lte": 4000000000000, "format": "epoch_millis"}}}, all_of),
    ("java's pattern", {"range": {"@timestamp": {"gte": "01/01/2001", "lte": "2099", "format": "dd/MM/yyyy||yyyy"}}}, all_of),
    ("older keys", {"range": {"@timestamp": {"from": oldest, "to": newest, "include_lower": True, "include_upper": True}}}, all_of),
    ("exists", {"exists": {"field": "event.dataset"}}, all_of),
    ("wildcard", {"wildcard": {"event.dataset": {"value": "openssh.*", "boost": 1.0, "rewrite": "constant_score"}}}, sshd),
    ("prefix", {"prefix": {"event.dataset": {"value": "openssh.s"}}}, sshd),
    ("regexp", {"regexp": {"event.dataset": {"value": "openssh\\.s.*", "flags": "ALL"}}}, sshd),
    ("query_string", {"query_string": {"query": "event.dataset:openssh.sshd AND _exists_:event.outcome", "analyze_wildcard": True, "default_field": "*"}}, None),
    ("simple", {"simple_query_string": {"query": "failed + password", "fields": ["message"], "default_operator": "and"}}, None),
    ("simple or", {"simple_query_string": {"query": "\"failed password\" | accepted -nobodyatall", "fields": ["message^3"], "default_operator": "AND"}}, None),
    ("simple unclosed", {"simple_query_string": {"query": "(failed \"password", "fields": ["message"]}}, None),
    ("multi_match", {"multi_match": {"query": "failure", "fields": ["event.outcome", "message"], "type": "best_fields"}}, None),
    ("match_phrase", {"match_phrase": {"message": {"query": "failed password", "slop": 0}}}, None),
    ("match", {"match": {"message": {"query": "failed password", "operator": "and"}}}, None),
    ("phrase prefix", {"match_phrase_prefix": {"message": "failed pass"}}, None),
    ("dis_max", {"dis_max": {"queries": [both, failure], "tie_breaker": 0.7}}, either),
    ("constant_score", {"constant_score": {"filter": both, "boost": 1.2}}, sshd),
    ("nested", {"nested": {"path": "event", "query": both}}, sshd),
    ("cidr", {"term": {"source.ip": "0.0.0.0/0"}}, None),
]
for name, query, wanted in QUERIES:
    try:
        got = total(query)
        if got != wanted and (wanted is not None or not 0 < got < all_of):
            wrong.append([name, got, wanted])
    except ApiError as error:
        wrong.append([name, str(error), wanted])

# What would be answered in another meaning is refused, by name.
for query in [
    {"fuzzy": {"user.name": "rot"}},
    {"match": {"message": {"query": "faild", "fuzziness": "AUTO"}}},
    {"match": {"message": {"query": "a b c", "minimum_should_match": "75%"}}},
    {"match_phrase": {"message": {"query": "failed for", "slop": 3}}},
    {"range": {"@timestamp": {"gte": "now", "time_zone": "Mars/Olympus"}}},
    {"range": {"@timestamp": {"gte": "21.11.26", "format": "qq"}}},
    {"script": {"script": "true"}},
]:
    try:
        wrong.append(["refused", total(query), query])
    except BadRequestError:
        pass

# One hit in all its forms.
hit = search(
    size=1,
    query={"exists": {"field": "source.ip"}},
    source=["source.*", "event.dataset"],
    fields=["event.dataset", {"field": "@timestamp", "format": "epoch_millis"}],
    docvalue_fields=["source.ip"],
    sort=[{"@timestamp": {"order": "desc", "unmapped_type": "boolean"}}, {"_doc": {"order": "desc"}}],
    track_total_hits=True,
    highlight={"fields": {"*": {}}},
    stored_fields=["*"],
    script_fields={},
)["hits"]["hits"][0]
expect("times in their format", hit["fields"]["@timestamp"][0].isdigit(), True)
expect("source", sorted(hit["_source"]), ["event", "source"])
expect("fields", sorted(hit["fields"]), ["@timestamp", "event.dataset", "source.ip"])
expect("includes", list(es.search(index="logs-*", size=1, source_includes="event.id")["hits"]["hits"][0]["_source"]), ["event"])
expect("excludes", "event" in es.search(index="logs-*", size=1, source_excludes="event*")["hits"]["hits"][0]["_source"], False)
expect("get", es.get(index="logs-tocsin", id=hit["_id"])["_source"]["source"], hit["_source"]["source"])
expect("exists", bool(es.exists(index="logs-tocsin", id=hit["_id"])), True)
expect("mget", [doc["found"] for doc in es.mget(index="logs-tocsin", ids=[hit["_id"], "nothing"])["docs"]], [True, False])
try:
    es.get(index="logs-tocsin", id="0" * 32)
    wrong.append(["get of nothing", 200, 404])
except NotFoundError:
    pass
for body in [{"sort": ["user.name", "source.ip"]}, {"min_score": 1}, {"collapse": {"field": "user.name"}}]:
    try:
        search(size=1, **body)
        wrong.append(["refused", body, 400])
    except BadRequestError:
        pass

expect("unavailable", es.search(index="nothing,logs-*", ignore_unavailable=True, size=0, rest_total_hits_as_int=True)["hits"]["total"], all_of)
expect("only unavailable", es.search(index="nothing", ignore_unavailable=True)["hits"]["total"]["value"], 0)

# Everything, in pages: each event once.
ids = [hit["_id"] for hit in helpers.scan(es, index="logs-*", size=700, query={"query": {"match_all": {}}, "_source": False})]
expect("scan", [len(ids), len(set(ids))], [all_of, all_of])
pit = es.open_point_in_time(index="logs-*", keep_alive="1m")["id"]
ids, after = [], {}
while True:
    page = es.search(size=900, pit={"id": pit, "keep_alive": "1m"}, sort=[{"event.outcome": "asc"}, {"_shard_doc": "asc"}], source=False, **after)
    pit = page["pit_id"]
    if not page["hits"]["hits"]:
        break
    ids += [hit["_id"] for hit in page["hits"]["hits"]]
    after = {"search_after": page["hits"]["hits"][-1]["sort"]}
es.close_point_in_time(id=pit)
expect("point in time", [len(ids), len(set(ids))], [all_of, all_of])
expect("alerts scanned", len(list(helpers.scan(es, index="alerts-*", size=3))), es.count(index="alerts-*")["count"])


def aggs(index="logs-*", query=None, **asked):
    return es.search(index=index, size=0, aggs=asked, query=query or {"match_all": {}})["aggregations"]


outcome = {"terms": {"field": "event.outcome", "size": 10}}
for every in ["minute", "1h", "day", "week", "1M", "quarter", "1y"]:
    for zone in ["UTC", "America/New_York", "+05:30"]:
        histogram = {"field": "@timestamp", "calendar_interval": every, "time_zone": zone, "min_doc_count": 1}
        found = aggs(t={"date_histogram": histogram, "aggs": {"o": outcome}})["t"]["buckets"]
        expect(f"{every} {zone}", sum(bucket["doc_count"] for bucket in found), all_of)
century = {"range": {"@timestamp": {"gte": "now-100y"}}}
for asked in [{"fixed_interval": "1s"}, {"calendar_interval": "day", "time_zone": "Asia/Tokyo"}]:
    found = aggs(query={"bool": {"filter": [century]}}, t={"date_histogram": {"field": "@timestamp", "min_doc_count": 1, **asked}})
    expect(f"a century by {asked}", sum(bucket["doc_count"] for bucket in found["t"]["buckets"]), all_of)
month = aggs(t={"date_histogram": {"field": "@timestamp", "calendar_interval": "month", "format": "yyyy-MM"}})["t"]["buckets"]
expect("format", month[0]["key_as_string"], oldest[:7])
grafana = {
    "interval": "10m", "field": "@timestamp", "min_doc_count": 0, "format": "epoch_millis",
    "extended_bounds": {"min": month[0]["key"], "max": month[0]["key"]},
}
found = aggs(**{"2": {"date_histogram": grafana, "aggs": {
    "1": {"percentiles": {"field": "http.response.body.bytes", "percents": [25, 95]}},
    "3": {"extended_stats": {"field": "http.response.body.bytes"}},
    "4": {"cumulative_sum": {"buckets_path": "_count"}},
    "5": {"derivative": {"buckets_path": "3.max"}},
}}})["2"]["buckets"]
expect("cumulative", found[-1]["4"]["value"], all_of)
expect("deviation", found[0]["3"]["std_deviation"] > 0, True)
expect("epoch_millis", found[0]["key_as_string"], str(found[0]["key"]))
expect("no empty ends", [found[0]["doc_count"] > 0, found[-1]["doc_count"] > 0], [True, True])

found = aggs(who={
    "terms": {"field": "source.ip", "size": 5},
    "aggs": {
        "bad": {"filter": failure},
        "last": {"top_hits": {"size": 2, "sort": [{"@timestamp": {"order": "desc"}}], "_source": {"includes": ["@timestamp", "source.ip"]}}},
        "first": {"top_metrics": {"metrics": {"field": "event.dataset"}, "sort": {"@timestamp": "asc"}}},
    },
})["who"]["buckets"]
expect("five", len(found), 5)
for bucket in found:
    hits = bucket["last"]["hits"]
    expect("hits of a bucket", [hits["total"]["value"], hits["hits"][0]["_source"]["source"]["ip"]], [bucket["doc_count"], bucket["key"]])
    times = [hit["_source"]["@timestamp"] for hit in hits["hits"]]
    expect("newest first", times, sorted(times, reverse=True))
    expect("filter in a bucket", bucket["bad"]["doc_count"], total({"bool": {"filter": [failure, {"term": {"source.ip": bucket["key"]}}]}}))
    expect("top metrics", isinstance(bucket["first"]["top"][0]["metrics"]["event.dataset"], str), True)

pairs, page, pages = {}, {}, 0
while True:
    sources = [{"set": {"terms": {"field": "event.dataset"}}}, {"day": {"date_histogram": {"field": "@timestamp", "fixed_interval": "1h"}}}, {"how": {"terms": {"field": "event.outcome", "order": "desc"}}}]
    found = aggs(c={"composite": {"size": 7, "sources": sources, **page}, "aggs": {"who": {"cardinality": {"field": "source.ip"}}}})["c"]
    for bucket in found["buckets"]:
        pairs[json.dumps(bucket["key"])] = bucket["doc_count"]
    pages += 1
    if "after_key" not in found:
        break
    page = {"after": found["after_key"]}
expect("composite", [sum(pairs.values()), pages > 2], [total({"exists": {"field": "event.outcome"}}), True])

found = aggs(m={"multi_terms": {"terms": [{"field": "event.dataset"}, {"field": "event.outcome"}], "size": 3}})["m"]
expect("multi_terms", found["sum_other_doc_count"] + sum(b["doc_count"] for b in found["buckets"]), sum(pairs.values()))
found = aggs(
    missing={"terms": {"field": "event.outcome", "missing": "N/A", "size": 20}},
    none={"missing": {"field": "event.outcome"}},
    only={"terms": {"field": "event.dataset", "include": "openssh.*"}},
    without={"terms": {"field": "event.dataset", "exclude": ["openssh.sshd"], "size": 50, "order": {"_key": "asc"}}},
    often={"terms": {"field": "event.dataset", "min_doc_count": sshd, "order": {"_key": "asc"}}},
    named={"filters": {"filters": {"bad": failure}, "other_bucket_key": "rest"}},
    listed={"filters": {"filters": [failure, both]}},
    when={"date_range": {"field": "@timestamp", "ranges": [{"to": "now-50y"}, {"from": "now-50y", "key": "ours"}]}},
    auto={"auto_date_histogram": {"field": "@timestamp", "buckets": 12}},
)
expect("missing", sum(b["doc_count"] for b in found["missing"]["buckets"]), all_of)
expect("none", found["none"]["doc_count"], next(b["doc_count"] for b in found["missing"]["buckets"] if b["key"] == "N/A"))
expect("include", [b["key"] for b in found["only"]["buckets"]], ["openssh.sshd"])
expect("exclude", sum(b["doc_count"] for b in found["without"]["buckets"]), all_of - sshd)
expect("often", all(b["doc_count"] >= sshd for b in found["often"]["buckets"]), True)
expect("other bucket", found["named"]["buckets"]["rest"]["doc_count"], all_of - failed)
expect("listed", [b["doc_count"] for b in found["listed"]["buckets"]], [failed, sshd])
expect("date_range", [b["doc_count"] for b in found["when"]["buckets"]], [0, all_of])
expect("auto", [0 < len(found["auto"]["buckets"]) <= 12, sum(b["doc_count"] for b in found["auto"]["buckets"])], [True, all_of])
found = aggs(index="alerts-*", s={"terms": {"field": "event.severity"}, "aggs": {"last": {"top_hits": {"size": 1}}}})
expect("alerts", [b["last"]["hits"]["hits"][0]["_index"] for b in found["s"]["buckets"]][:1], ["alerts-tocsin"])
for agg in [
    {"significant_terms": {"field": "user.name"}},
    {"avg": {"field": "http.response.body.bytes", "missing": 0}},
    {"terms": {"script": "1"}},
    {"date_histogram": {"field": "@timestamp", "calendar_interval": "2M"}},
]:
    try:
        wrong.append(["refused", aggs(x=agg).body, agg])
    except BadRequestError:
        pass

# The client's own language for all of it.
dsl = Search(using=es, index="logs-*").query(Q("match", event__dataset="openssh.sshd")).filter("exists", field="event.outcome")
dsl = dsl.exclude("term", event__outcome="nothing").source(["event.*"]).sort("-@timestamp")
dsl.aggs.bucket("by", A("terms", field="event.outcome")).metric("who", "cardinality", field="source.ip")
answer = dsl[:5].execute()
expect("dsl", [len(answer), answer.hits.total.value], [5, sum(b.doc_count for b in answer.aggregations.by.buckets)])
expect("dsl scan", len(list(dsl.params(size=100).scan())), answer.hits.total.value)
expect("dsl count", dsl.count(), answer.hits.total.value)
print(json.dumps(wrong))
