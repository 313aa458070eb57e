"""Every metric that Sevengate serves: METRICS is the whole list, and docs/metrics.md is made from it.

A family is all series of one name. Those that ingress-nginx had keep its names and labels, so that dashboards and
alerts go on working; ours begin with `sevengate_`. Here is also how a family is written down in Prometheus' text format
(https://prometheus.io/docs/instrumenting/exposition_formats/). What is counted, and when, is left to the edges: of
requests in NGINX itself (nginx/lua/metrics.lua), of NGINX in nginx/instruments.py, of the controller in web/metrics.py,
of reviews in web/admission.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

#: What the names begin with that ingress-nginx gave.
INHERITED: Final = "nginx_ingress_controller_"


class Kind(StrEnum):
    """What a family's values are."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Family(msgspec.Struct, frozen=True):
    """All series of one name: what they say, and their labels beside those of CONTROLLER.

    `everywhere`: whether the labels of CONTROLLER are there.
    """

    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    everywhere: bool = True


class Sample(msgspec.Struct, frozen=True):
    """One value of a family. `suffix` is what a histogram appends to the family's name."""

    value: float
    labels: Mapping[str, str] = {}
    suffix: str = ""


#: Labels that say which controller speaks.
CONTROLLER: Final = ("controller_class", "controller_namespace", "controller_pod")

_REQUEST: Final = ("ingress", "namespace", "path", "service", "canary", "host", "method", "status")
_CERTIFICATE: Final = ("class", "host", "identifier", "namespace", "secret_name")

#: What NGINX counts of requests, with --enable-metrics.
REQUESTS: Final[dict[str, Family]] = {
    "nginx_ingress_controller_requests": Family(Kind.COUNTER, "Requests that are over.", _REQUEST),
    "nginx_ingress_controller_request_duration_seconds": Family(
        Kind.HISTOGRAM, "From a request's first byte to the last byte of the answer.", _REQUEST
    ),
    "nginx_ingress_controller_response_duration_seconds": Family(
        Kind.HISTOGRAM, "Time that backends took for the whole answer, all tries together.", _REQUEST
    ),
    "nginx_ingress_controller_header_duration_seconds": Family(
        Kind.HISTOGRAM, "Time until backends had sent the head of the answer, all tries together.", _REQUEST
    ),
    "nginx_ingress_controller_connect_duration_seconds": Family(
        Kind.HISTOGRAM, "Time to connect to backends, all tries together; 0 on a kept connection.", _REQUEST
    ),
    "nginx_ingress_controller_request_size": Family(
        Kind.HISTOGRAM, "Bytes of requests: line, headers and body.", _REQUEST
    ),
    "nginx_ingress_controller_response_size": Family(
        Kind.HISTOGRAM, "Bytes that were sent to clients, headers included.", _REQUEST
    ),
    "nginx_ingress_controller_bytes_sent": Family(
        Kind.HISTOGRAM, "The same in larger buckets; ingress-nginx calls it deprecated.", _REQUEST
    ),
}

#: What is read of NGINX.
NGINX: Final[dict[str, Family]] = {
    "nginx_ingress_controller_nginx_process_connections": Family(
        Kind.GAUGE, "Client connections by state: active, reading, writing, waiting.", ("state",)
    ),
    "nginx_ingress_controller_nginx_process_connections_total": Family(
        Kind.COUNTER, "Client connections that were accepted, and that were handled.", ("state",)
    ),
    "nginx_ingress_controller_nginx_process_requests_total": Family(
        Kind.COUNTER, "Requests of clients, and our own to the control server."
    ),
    "nginx_ingress_controller_nginx_process_num_procs": Family(Kind.GAUGE, "Processes, the master included."),
    "nginx_ingress_controller_nginx_process_cpu_seconds_total": Family(
        Kind.COUNTER, "CPU time of the processes that run, in seconds."
    ),
    "nginx_ingress_controller_nginx_process_read_bytes_total": Family(
        Kind.COUNTER, "Bytes that they read from storage."
    ),
    "nginx_ingress_controller_nginx_process_write_bytes_total": Family(
        Kind.COUNTER, "Bytes that they wrote to storage."
    ),
    "nginx_ingress_controller_nginx_process_resident_memory_bytes": Family(
        Kind.GAUGE, "Memory of all processes; what they share counts for each."
    ),
    "nginx_ingress_controller_nginx_process_virtual_memory_bytes": Family(
        Kind.GAUGE, "Address space of all processes, most of which is never used."
    ),
    "nginx_ingress_controller_nginx_process_oldest_start_time_seconds": Family(
        Kind.GAUGE, "When the master started, as a Unix time."
    ),
    "sevengate_nginx_up": Family(Kind.GAUGE, "1 while NGINX answers."),
    "nginx_ingress_controller_config_hash": Family(Kind.GAUGE, "A number that stands for the text of nginx.conf."),
    "sevengate_generation": Family(Kind.GAUGE, "Generation that NGINX serves; it rises with every push that is live."),
    "sevengate_dictionary_bytes": Family(Kind.GAUGE, "Memory for documents."),
    "sevengate_dictionary_free_bytes": Family(Kind.GAUGE, "What is free of it; it grows by itself, with a reload."),
    "sevengate_uncounted_requests_total": Family(
        Kind.COUNTER, "Requests that are in no series: there was no room for more."
    ),
}

#: What the controller knows.
OF_CONTROLLER: Final[dict[str, Family]] = {
    "nginx_ingress_controller_build_info": Family(Kind.GAUGE, "1; its label is Sevengate's version.", ("release",)),
    "nginx_ingress_controller_success": Family(Kind.COUNTER, "Reloads of NGINX."),
    "nginx_ingress_controller_errors": Family(
        Kind.COUNTER, "Rounds that did not go live, and settings that NGINX refused."
    ),
    "nginx_ingress_controller_config_last_reload_successful": Family(
        Kind.GAUGE, "1 if what was last wished for went live, 0 if the state before it serves."
    ),
    "nginx_ingress_controller_config_last_reload_successful_timestamp_seconds": Family(
        Kind.GAUGE, "When something last went live, as a Unix time."
    ),
    "nginx_ingress_controller_ssl_expire_time_seconds": Family(
        Kind.GAUGE,
        "When the certificate of a server name expires, as a Unix time; host `_`: the default certificate.",
        _CERTIFICATE,
        everywhere=False,
    ),
    "nginx_ingress_controller_ssl_certificate_info": Family(
        Kind.GAUGE,
        "1; its labels say who issued the certificate of a server name.",
        (*_CERTIFICATE, "issuer_common_name", "issuer_organization", "public_key_algorithm", "serial_number"),
        everywhere=False,
    ),
    "nginx_ingress_controller_leader_election_status": Family(
        Kind.GAUGE, "1 if this controller may write statuses; the name is that of the Lease.", ("name",)
    ),
    "nginx_ingress_controller_orphan_ingress": Family(
        Kind.GAUGE,
        "1 for an Ingress whose Service is not there (no-service) or has no ready endpoint (no-endpoint).",
        ("ingress", "namespace", "type"),
    ),
    "sevengate_reloads_total": Family(
        Kind.COUNTER, "Reloads of NGINX by reason; a reload may have several.", ("reason",)
    ),
    "sevengate_pushes_total": Family(Kind.COUNTER, "Pushes of documents that went live."),
    "sevengate_pushed_documents_total": Family(Kind.COUNTER, "Documents in them, those taken away included."),
    "sevengate_pushed_bytes_total": Family(Kind.COUNTER, "Bytes of text in them."),
    "sevengate_event_to_live_seconds": Family(
        Kind.HISTOGRAM, "From the arrival of an event that changes something until all workers serve by it."
    ),
    "sevengate_diagnostics": Family(
        Kind.GAUGE, "What there is to complain of now, by severity and code.", ("severity", "code")
    ),
    "sevengate_ingresses": Family(
        Kind.GAUGE, "Ingresses of our class by what became of them: served, in part, refused.", ("status",)
    ),
}

#: What the validating webhook counts.
OF_WEBHOOK: Final[dict[str, Family]] = {
    "nginx_ingress_controller_admission_roundtrip_duration": Family(
        Kind.GAUGE, "Seconds that the last review took, from its arrival to its answer."
    ),
    "sevengate_reviews_total": Family(
        Kind.COUNTER,
        "Reviews by outcome: allowed, denied, or the HTTP status of an answer without a verdict.",
        ("outcome",),
    ),
    "sevengate_review_seconds": Family(Kind.HISTOGRAM, "From a review's arrival to its answer."),
}

#: The table: all families by their names, in the order in which they are served.
METRICS: Final[dict[str, Family]] = {**REQUESTS, **NGINX, **OF_CONTROLLER, **OF_WEBHOOK}


def header(name: str) -> str:
    """Give the lines that stand before a family's samples."""
    family = METRICS[name]
    return f"# HELP {name} {_escaped(family.help)}\n# TYPE {name} {family.kind}\n"


def written(name: str, samples: Iterable[Sample], constant: Mapping[str, str]) -> str:
    """Write a family down; `constant` holds the labels of CONTROLLER."""
    before = label_text(constant) if METRICS[name].everywhere else ""
    return header(name) + "".join(_line(name, sample, before) for sample in samples)


def label_text(labels: Mapping[str, str]) -> str:
    """Write labels down as they stand between braces, with a comma behind each."""
    return "".join(f'{name}="{_escaped(value, quote=True)}",' for name, value in labels.items())


def histogram(counts: Sequence[int], bounds: Sequence[float], total: float) -> list[Sample]:
    """Give the samples of a histogram: `counts` are those of each bucket, one more than there are bounds."""
    samples, seen = [], 0
    for bound, count in zip((*bounds, float("inf")), counts, strict=True):
        seen += count
        samples.append(Sample(seen, {"le": bound_text(bound)}, "_bucket"))
    return [*samples, Sample(total, {}, "_sum"), Sample(seen, {}, "_count")]


def bound_text(bound: float) -> str:
    """Write a bound of a bucket as Go's client does, so that series go on under the same labels."""
    return "+Inf" if bound == float("inf") else f"{bound:g}"


def _line(name: str, sample: Sample, before: str) -> str:
    labels = before + label_text(sample.labels)
    return f"{name}{sample.suffix}{{{labels[:-1]}}} {_number(sample.value)}\n"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _escaped(text: str, *, quote: bool = False) -> str:
    text = text.replace("\\", r"\\").replace("\n", r"\n")
    return text.replace('"', r"\"") if quote else text
