"""Asks what Elasticsearch's own client asks, unchanged. Argument: the server's URL. Prints what it found, as JSON."""

import json
import sys

from elasticsearch import BadRequestError, Elasticsearch, NotFoundError

es = Elasticsearch(sys.argv[1])
found = {}

answer = es.search(index="logs-*", query={"match": {"http.response.status_code": 401}})
found["401"] = answer["hits"]["total"]["value"]
found["source"] = answer["hits"]["hits"][0]["_source"]["http"]["response"]["status_code"]

answer = es.search(
    index="logs-*",
    size=0,
    aggs={
        "sets": {
            "terms": {"field": "event.dataset", "size": 50},
            "aggs": {"who": {"cardinality": {"field": "source.ip"}}},
        },
        "bytes": {"percentiles": {"field": "http.response.body.bytes"}},
        "time": {"date_histogram": {"field": "@timestamp", "fixed_interval": "1m"}},
    },
)
buckets = answer["aggregations"]["sets"]["buckets"]
found["sum"] = sum(bucket["doc_count"] for bucket in buckets)
found["nested"] = all(bucket["who"]["value"] >= 0 for bucket in buckets)
found["percentiles"] = sorted(answer["aggregations"]["bytes"]["values"], key=float)
found["times"] = sum(bucket["doc_count"] for bucket in answer["aggregations"]["time"]["buckets"])

found["count"] = es.count(index="logs-*")["count"]
found["alerts"] = es.count(index="alerts-*")["count"]
found["indices"] = [row["index"] for row in es.cat.indices(format="json")]
found["caps"] = list(es.field_caps(index="logs-*", fields="source.ip")["fields"]["source.ip"])

many = es.msearch(searches=[{"index": "logs-*"}, {"size": 1}, {"index": "alerts-*"}, {"size": 0}])
found["many"] = [answer["hits"]["total"]["value"] for answer in many["responses"]]

walked, after = 0, {}
while True:
    page = es.search(
        index="logs-*",
        size=200,
        sort=[{"@timestamp": "asc"}],
        query={"term": {"event.dataset": "openssh.sshd"}},
        source=False,
        **after,
    )["hits"]["hits"]
    if not page:
        break
    walked += len(page)
    after = {"search_after": page[-1]["sort"]}
found["walked"] = walked
sshd = {"term": {"event.dataset": "openssh.sshd"}}
found["sshd"] = es.count(index="logs-*", query=sshd)["count"]

try:
    es.search(index="logs-*", query={"fuzzy": {"user.name": "root"}})
except BadRequestError as error:
    found["refused"] = str(error)
try:
    es.search(index="nothing")
except NotFoundError as error:
    found["absent"] = error.error
print(json.dumps(found))
