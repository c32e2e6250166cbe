"""Counts in a Parquet file with DuckDB. Argument: the file. Prints numbers, as JSON."""

import json
import sys

import duckdb

row = duckdb.sql(f"""
    select count(*),
        count(distinct "event.id"),
        count(*) filter (where "http.response.status_code" = 401),
        count("event.original"),
        count(*) filter (where "@timestamp" > timestamptz '2020-01-01'),
        count(*) filter (where "_rest" is null or "_rest" like '{{%}}'),
        count(*) filter (where "event.category" = 'web' and "url.path" is not null)
    from '{sys.argv[1]}'
""").fetchall()[0]
print(json.dumps(row))
