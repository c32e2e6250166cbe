"""Sends lines, one a line on standard input, with a public client: send.py CLIENT ADDRESS."""

import logging
import sys


def elasticsearch(address, lines):
    from elasticsearch import Elasticsearch, helpers

    client = Elasticsearch(f"http://{address}", retry_on_timeout=True, max_retries=3)
    assert client.info()["tagline"] == "You Know, for Search"
    actions = [{"_index": "logs", "_op_type": "create", "_source": {"message": line}} for line in lines]
    done, errors = helpers.bulk(client, actions)
    assert (done, errors) == (len(lines), []), errors


def elasticsearch_tls(address, lines):
    from elasticsearch import Elasticsearch, helpers

    address, token, certificate = address.split(",")
    client = Elasticsearch(f"https://{address}", ca_certs=certificate, api_key=("web1", token))
    done, errors = helpers.bulk(client, [{"_index": "logs", "message": line} for line in lines])
    assert (done, errors) == (len(lines), []), errors


def otlp_grpc_tls(address, lines):
    from grpc import ssl_channel_credentials
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter

    address, token, certificate = address.split(",")
    with open(certificate, "rb") as file:
        credentials = ssl_channel_credentials(file.read())
    headers = (("authorization", f"Bearer {token}"),)
    exporter = OTLPLogExporter(
        endpoint=f"https://{address}", credentials=credentials, headers=headers
    )
    otlp(address, lines, exporter)


def otlp(address, lines, exporter):
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
    from opentelemetry.sdk.resources import Resource

    provider = LoggerProvider(resource=Resource.create({"host.name": "gate"}))
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    handler = LoggingHandler(level=logging.INFO, logger_provider=provider)
    send(handler, lines)
    provider.shutdown()


def otlp_http(address, lines):
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

    exporter = OTLPLogExporter(endpoint=f"http://{address}/v1/logs", compression=Compression.Gzip)
    otlp(address, lines, exporter)


def otlp_grpc(address, lines):
    from grpc import Compression
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter

    exporter = OTLPLogExporter(
        endpoint=f"http://{address}", insecure=True, compression=Compression.Gzip
    )
    otlp(address, lines, exporter)


def send(handler, lines):
    logger = logging.getLogger("sshd")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    for line in lines:
        logger.info("%s", line)


def gelf_tcp(address, lines):
    from pygelf import GelfTcpHandler

    host, port = address.rsplit(":", 1)
    send(GelfTcpHandler(host=host, port=int(port)), lines)


def gelf_udp(address, lines):
    from pygelf import GelfUdpHandler

    host, port = address.rsplit(":", 1)
    # Small chunks, so that each message takes several.
    send(GelfUdpHandler(host=host, port=int(port), compress=True, chunk_size=100), lines)


def graypy(address, lines):
    from graypy import GELFUDPHandler

    host, port = address.rsplit(":", 1)
    send(GELFUDPHandler(host, int(port)), lines)


def lumberjack(address, lines):
    from pylogbeat import PyLogBeatClient

    host, port = address.rsplit(":", 1)
    client = PyLogBeatClient(host, int(port), ssl_enable=False)
    client.connect()
    # Returns when all is acknowledged.
    client.send([{"message": line, "@metadata": {"beat": "test"}} for line in lines])
    client.close()


def fluent(address, lines):
    from fluent import sender

    host, port = address.rsplit(":", 1)
    logger = sender.FluentSender("host", host=host, port=int(port), nanosecond_precision=True)
    for line in lines:
        assert logger.emit("auth", {"message": line}), logger.last_error
    logger.close()


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2], sys.stdin.read().splitlines())
