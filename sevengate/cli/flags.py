"""All flags of ingress-nginx and of klog, and what Sevengate does with each.

Deployments of ingress-nginx, of any age, name flags of it; a command that knew only some of them would not start. Each
row says whether a flag is carried out, taken without effect, and why there is nothing to do, or refused, because it
would change who can reach what and that cannot be done. Flags that are carried out are options of the commands
(serving.py, gate.py, cluster.py, webhook.py); the others stand only here. How they are written is go.py's affair, and
docs/flags.md is made from this table.
"""

from enum import StrEnum
from typing import Final

import msgspec


class Honour(StrEnum):
    """What becomes of a flag."""

    CARRIED_OUT = "carried out"
    WITHOUT_EFFECT = "without effect"
    REFUSED = "refused"


class Flag(msgspec.Struct, frozen=True):
    """One flag, with ingress-nginx's default. `why` says why it is not carried out."""

    name: str
    default: str = ""
    honour: Honour = Honour.CARRIED_OUT
    why: str = ""

    @property
    def is_switch(self) -> bool:
        """Whether it is true or false, so that it needs no value."""
        return self.default in {"true", "false"}


def _idle(name: str, default: str, why: str) -> Flag:
    return Flag(name, default, Honour.WITHOUT_EFFECT, why)


_PUSHED: Final = "what changes is pushed at once and makes no reload"
_NO_TEXT: Final = "no text of a user becomes configuration, so there is nothing to look through"
_CHECKED: Final = "values are always checked"
_NO_STREAM: Final = "TCP and UDP services are not carried out yet; those ports are not served"
_NO_GEOIP: Final = "GeoIP databases are not carried out yet"
_NO_NATIVE: Final = "histograms have the buckets of the flags above; there are no native ones"
_SOCKET: Final = "NGINX is asked over a unix socket"
_NO_PROFILER: Final = "there is no profiler of Go"
_STANDARD_ERROR: Final = "logs go to standard error, and nowhere else"

#: The areas of flags that ingress-nginx 1.15 has not, or not of its own.
OLDER: Final = "Of older versions, and gone since"
KLOG: Final = "klog"

#: By area, in the order of docs/flags.md.
FLAGS_BY_AREA: Final[dict[str, tuple[Flag, ...]]] = {
    "The API server, and what is watched": (
        Flag("apiserver-host"),
        Flag("certificate-authority"),
        Flag("kubeconfig"),
        Flag("watch-namespace"),
        Flag("watch-namespace-selector"),
        _idle(
            "sync-period", "0s", "a watch that breaks is resumed, and listed anew where something may have been missed"
        ),
        _idle("sync-rate-limit", "0.3", _PUSHED),
        Flag("version", "false"),
    ),
    "Whose Ingresses": (
        Flag("ingress-class", "nginx"),
        Flag("controller-class", "k8s.io/ingress-nginx"),
        Flag("ingress-class-by-name", "false"),
        Flag("watch-ingress-without-class", "false"),
        Flag("annotations-prefix", "nginx.ingress.kubernetes.io"),
    ),
    "Where settings come from": (
        Flag("configmap"),
        _idle("tcp-services-configmap", "", _NO_STREAM),
        _idle("udp-services-configmap", "", _NO_STREAM),
        Flag("default-backend-service"),
        Flag("default-ssl-certificate"),
    ),
    "Statuses and election": (
        Flag("update-status", "true"),
        Flag("publish-service"),
        Flag("publish-status-address"),
        Flag("report-node-internal-ip-address", "false"),
        Flag("update-status-on-shutdown", "true"),
        _idle("status-update-interval", "60", "a status is written as soon as it differs"),
        Flag("election-id", "ingress-controller-leader"),
        Flag("election-ttl", "30s"),
        Flag("disable-leader-election", "false"),
    ),
    "Ports": (
        Flag("http-port", "80"),
        Flag("https-port", "443"),
        Flag("default-server-port", "8181"),
        _idle("ssl-passthrough-proxy-port", "442", "TLS is not passed through"),
        Flag("healthz-port", "10254"),
        Flag("healthz-host"),
        _idle("status-port", "10246", _SOCKET),
        _idle("stream-port", "10247", _SOCKET),
        _idle("profiler-port", "10245", _NO_PROFILER),
        _idle("profiler-address", "127.0.0.1", _NO_PROFILER),
        _idle("internal-logger-address", "127.0.0.1:11514", _STANDARD_ERROR),
    ),
    "What is checked": (
        Flag("validating-webhook"),
        Flag("validating-webhook-certificate"),
        Flag("validating-webhook-key"),
        _idle("disable-full-test", "false", "the whole is always compiled; what that costs does not grow with it"),
        _idle("enable-annotation-validation", "true", _CHECKED),
        _idle("deep-inspect", "true", _NO_TEXT),
        Flag("disable-catch-all", "false"),
        Flag("disable-svc-external-name", "false"),
    ),
    "TLS": (
        Flag(
            "enable-ssl-passthrough",
            "false",
            Honour.REFUSED,
            "TLS is not passed through yet, and to end it here would let Sevengate read what is for the backend alone",
        ),
        _idle("enable-ssl-chain-completion", "false", "a chain is shown as its Secret holds it"),
    ),
    "Metrics, health, debugging": (
        Flag("enable-metrics", "false"),
        Flag("metrics-per-host", "true"),
        Flag("metrics-per-undefined-host", "false"),
        Flag("report-status-classes", "false"),
        Flag("time-buckets", "0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5,10"),
        Flag("length-buckets", "10,20,30,40,50,60,70,80,90,100"),
        Flag("size-buckets", "10,100,1000,10000,100000,1e+06,1e+07"),
        _idle("bucket-factor", "0", _NO_NATIVE),
        _idle("max-buckets", "100", _NO_NATIVE),
        Flag("exclude-socket-metrics"),
        _idle("monitor-max-batch-size", "10000", "requests are counted in shared memory, not sent in batches"),
        Flag("health-check-path", "/healthz"),
        _idle("health-check-timeout", "10", "NGINX is asked with a time-out of its own"),
        _idle("profiling", "true", _NO_PROFILER),
    ),
    "Beginning, changing, ending": (
        Flag("shutdown-grace-period", "0"),
        Flag("post-shutdown-grace-period", "10"),
        _idle("dynamic-configuration-retries", "15", "a push is tried again until it is live"),
        Flag("disable-sync-events", "false"),
        _idle("enable-topology-aware-routing", "false", "all ready endpoints are used, in whatever zone"),
    ),
    "GeoIP": (
        _idle("maxmind-mirror", "", _NO_GEOIP),
        _idle("maxmind-license-key", "", _NO_GEOIP),
        _idle("maxmind-edition-ids", "GeoLite2-City,GeoLite2-ASN", _NO_GEOIP),
        _idle("maxmind-retries-count", "1", _NO_GEOIP),
        _idle("maxmind-retries-timeout", "0s", _NO_GEOIP),
    ),
    OLDER: (
        _idle("enable-dynamic-certificates", "true", _PUSHED),
        _idle("enable-dynamic-configuration", "true", _PUSHED),
        _idle("sort-backends", "false", "the order of endpoints means nothing"),
        _idle(
            "force-namespace-isolation", "false", "an Ingress reaches Services and Secrets of its own namespace only"
        ),
    ),
    KLOG: (
        Flag("v", "0"),
        _idle("add-dir-header", "false", "lines name the part of Sevengate that speaks"),
        _idle("alsologtostderr", "false", _STANDARD_ERROR),
        _idle("log-backtrace-at", ":0", "there are no stack traces of Go"),
        _idle("log-dir", "", _STANDARD_ERROR),
        _idle("log-file", "", _STANDARD_ERROR),
        _idle("log-file-max-size", "1800", _STANDARD_ERROR),
        _idle("logtostderr", "true", _STANDARD_ERROR),
        _idle("one-output", "false", _STANDARD_ERROR),
        _idle("skip-headers", "false", "lines have the form of docs/logs.md"),
        _idle("skip-log-headers", "false", _STANDARD_ERROR),
        _idle("stderrthreshold", "2", _STANDARD_ERROR),
        _idle("vmodule", "", "one level is for all; see --v"),
    ),
}

#: All of them by name.
FLAGS: Final = {flag.name: flag for flags in FLAGS_BY_AREA.values() for flag in flags}
