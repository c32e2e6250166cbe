"""Makes a topic, or reads one from its beginning, with a client that is not ours."""

import json
import sys

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.partitioner.default import murmur2


def create(broker, topic, partitions):
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.create_topics({topic: {"num_partitions": partitions, "replication_factor": 1}})
    admin.close()


def read(broker, topic):
    consumer = KafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False)
    parts = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
    consumer.assign(parts)
    consumer.seek_to_beginning()
    left = sum(consumer.end_offsets(parts).values())
    out = []
    while left > 0:
        for records in consumer.poll(timeout_ms=500).values():
            for record in records:
                left -= 1
                usual = (murmur2(record.key) & 0x7FFFFFFF) % len(parts)
                out.append(
                    {
                        "key": record.key.decode(),
                        "value": json.loads(record.value),
                        "headers": {name: value.decode() for name, value in record.headers},
                        "partition": record.partition,
                        "usual_partition": usual,
                    }
                )
    consumer.close()
    json.dump(out, sys.stdout)


if sys.argv[2] == "create":
    create(sys.argv[1], sys.argv[3], int(sys.argv[4]))
else:
    read(sys.argv[1], sys.argv[3])
