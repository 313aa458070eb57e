"""What the image `nginx` is in a lab: the machine's NGINX with a configuration and a document root of its own.

Takes the pod's address and the ports of its container; gives files as they lie in the real image, and the words that
start it. All pods of a lab share one network, so a server listens on its pod's address and not on all; where a pod
brings configuration of its own, written for a network of its own, each bare `listen` is narrowed to that address when
NGINX starts.
"""

from collections.abc import Iterable
from typing import Final

from sevengate.lab.kubelet.filesystem import File, Layer
from sevengate.nginx.conf import Directive, write

FOREGROUND: Final = ("-g", "daemon off;")
PAGES: Final = "/usr/share/nginx/html"
_CONF: Final = "/etc/nginx"
_TYPES: Final = {
    "text/html": ("html", "htm"), "text/css": ("css",), "application/javascript": ("js",), "text/plain": ("txt",),
    "application/json": ("json",), "image/png": ("png",), "image/jpeg": ("jpg", "jpeg"), "image/gif": ("gif",),
    "image/svg+xml": ("svg",), "image/x-icon": ("ico",), "font/woff2": ("woff2",), "text/xml": ("xml",),
}  # fmt: skip

_WELCOME: Final = """<!DOCTYPE html>
<html>
<head><title>Welcome to nginx!</title></head>
<body>
<h1>Welcome to nginx!</h1>
<p>This page is served by a pod of a Sevengate lab. Change it with
<code>kubectl exec POD -- sh -c 'echo hello &gt; /usr/share/nginx/html/index.html'</code>.</p>
</body>
</html>
"""
_BROKEN: Final = (
    "<!DOCTYPE html>\n<html><head><title>Error</title></head><body><h1>An error occurred.</h1></body></html>\n"
)

#: Copies the configuration and puts the pod's address before each port that stands alone or after a wildcard.
_NARROW: Final = r"""
cp -rL /etc/nginx /run/nginx-conf
find /run/nginx-conf -type f -exec sed -i -E \
  -e "s#\blisten[[:space:]]+\[::\]:?[^;]*;##g" \
  -e "s#\blisten[[:space:]]+((\*|0\.0\.0\.0):)?([0-9]+)([[:space:];])#listen $0:\3\4#g" \
  -e "s#/etc/nginx/#/run/nginx-conf/#g" {} +
program="$1"; shift
exec "$program" -c /run/nginx-conf/nginx.conf "$@"
"""


def start(nginx: str, address: str, *, is_configured: bool) -> tuple[str, ...]:
    """Give the words that start NGINX, to which arguments such as FOREGROUND are added."""
    if is_configured:
        return ("sh", "-c", _NARROW, address, nginx)
    return (nginx, "-c", f"{_CONF}/nginx.conf")


def layer(address: str, ports: Iterable[int], user: str = "") -> Layer:
    """Give the image's files; workers run as `user`, or as whom this NGINX was built to run them."""
    texts = {
        f"{_CONF}/nginx.conf": write(_main(user)),
        f"{_CONF}/mime.types": write([_types()]),
        f"{_CONF}/conf.d/default.conf": write([_server(address, ports)]),
        f"{PAGES}/index.html": _WELCOME,
        f"{PAGES}/50x.html": _BROKEN,
    }
    return Layer({path: File(text) for path, text in texts.items()}, (_CONF, PAGES))


def _main(user: str) -> list[Directive]:
    return [
        *([_d("user", user)] if user else []),
        _d("worker_processes", "1"),
        _d("error_log", "/dev/stderr", "notice"),
        _d("pid", "/run/nginx.pid"),
        _block("events", _d("worker_connections", "1024")),
        _block(
            "http",
            _d("include", f"{_CONF}/mime.types"),
            _d("default_type", "application/octet-stream"),
            _d("access_log", "/dev/stdout", "combined"),
            _d("keepalive_timeout", "65"),
            *(
                _d(f"{kind}_temp_path", f"/run/nginx-{kind}")
                for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            ),
            _d("include", f"{_CONF}/conf.d/*.conf"),
        ),
    ]


def _types() -> Directive:
    # A row without a directive's name is written as it is: `text/html html htm;`
    return _block("types", *(Directive("", (kind, *ends)) for kind, ends in _TYPES.items()))


def _server(address: str, ports: Iterable[int]) -> Directive:
    return _block(
        "server",
        *(_d("listen", f"{address}:{port}") for port in ports),
        _d("server_name", "localhost"),
        _block("location", _d("root", PAGES), _d("index", "index.html", "index.htm"), args=("/",)),
        _d("error_page", "500", "502", "503", "504", "/50x.html"),
        _block("location", _d("root", PAGES), args=("=", "/50x.html")),
    )


def _d(name: str, *args: str) -> Directive:
    return Directive(name, args)


def _block(name: str, *block: Directive, args: tuple[str, ...] = ()) -> Directive:
    return Directive(name, args, block)
