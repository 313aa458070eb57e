"""What somebody might write into an Ingress or a ConfigMap to get more than is his: text, and whole objects of it.

Most of it is near to what is valid, because what is refused at once reaches nothing: good hosts, paths and values, with
odd text before, behind and between. Text holds what means something in nginx.conf, Lua, URLs, headers or YAML.
"""

from typing import Any, Final

from hypothesis import strategies as st

from sevengate.annotations.catalogue import ANNOTATIONS
from sevengate.annotations.unsupported import NAMES
from tests.compiler.making import PREFIX

TRICKS: Final = (
    *(
        "\n",
        "\r\n",
        "\0",
        "\t",
        " ",
        '"',
        "'",
        "`",
        "\\",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "|",
        ";",
        "#",
        "$",
        "%",
        "*",
        "+",
    ),
    *(
        "$host",
        "${uri}",
        "$1",
        "$http_x",
        "$request_uri",
        "%00",
        "%2f",
        "%0a",
        "%zz",
        "..",
        "//",
        "/",
        "/./",
        "?",
        "=",
        ":",
    ),
    *(
        "@service",
        ":80",
        "*.",
        ".",
        "-",
        ",",
        "é",
        "\u2028",
        "\ud800",
        "\x1b[31m",
        "\ufeff",
        "A",
        "0",
        "-1",
        "9" * 30,
        "1e9",
    ),
    *("]]", "]=]", "--[[", '"..os.exit()..', "ngx.exit(200)", "require('os')", "content_by_lua_block { ngx.say(1) }"),
    *("return 200;", "} location / { alias /; }", "\n}\nserver {\n", "include /etc/passwd;", "lua_package_path x;"),
    *(
        "{{ .Values }}",
        "<script>",
        "(a|",
        "[a-",
        "(?{",
        "{1,99999}",
        "(a+)+$",
        "(?R)",
        "|null|",
        "true",
        "0.0.0.0/0",
        "::/0",
    ),
    *("x" * 500, "x" * 5000, "/" * 300),
)
texts: Final = st.lists(st.sampled_from(TRICKS) | st.text(max_size=4), max_size=4).map("".join)


def mostly(good: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Give something odd one time in eight: where all is odd, all is refused at the first look."""
    return st.integers(0, 7).flatmap(lambda number: odd if number == 7 else good)


def near(*good: str) -> st.SearchStrategy[str]:
    """Give mostly good texts, and such with odd text before, behind or in their place."""
    fine = st.sampled_from(good)
    odd = st.one_of(st.builds("{}{}".format, fine, texts), st.builds("{}{}".format, texts, fine), texts)
    return mostly(fine, odd)


_hosts = near("a.example", "b.example", "*.example", "*.a.example", "")
_paths = near("/", "/a", "/a/", "/a/b", "/A", "/é", "/(a|b)/(.*)", "/a(/|$)(.*)", "/[ab]+$", "")
_types = mostly(st.sampled_from(["Prefix", "Exact", "ImplementationSpecific"]), texts)
_odd_ports: st.SearchStrategy[Any] = st.builds(dict, number=st.sampled_from([81, 0, -1, 70_000])) | st.builds(
    dict, name=near("http")
)
_services = st.builds(
    lambda name, port: {"service": {"name": name, "port": port}},
    near("shop", "other"),
    mostly(st.just({"number": 80}), _odd_ports),
)
_odd_backends = st.one_of(
    st.builds(lambda kind: {"resource": {"kind": kind, "name": "b"}}, texts),
    st.sampled_from([None, {}, "shop", {"serviceName": "shop", "servicePort": 80}]),
)
_one_path = st.builds(
    lambda path, kind, to: {"path": path, "pathType": kind, "backend": to},
    _paths,
    _types,
    mostly(_services, _odd_backends),
)
_rules = st.builds(
    lambda host, paths: {"host": host, "http": {"paths": paths}},
    _hosts,
    st.lists(mostly(_one_path, st.sampled_from([None, {}, 7])), min_size=1, max_size=4),
)
_tls = st.builds(
    lambda hosts, secret: {"hosts": hosts, "secretName": secret},
    st.lists(_hosts, max_size=2),
    near("tls", "junk", "gone"),
)


def _annotations_of(**examples: str) -> st.SearchStrategy[dict[str, str]]:
    """Give annotations that belong together, their values near to what is valid."""
    return st.fixed_dictionaries(
        {f"{PREFIX}/{name.replace('_', '-')}": near(example) for name, example in examples.items()}
    )


_readable = [_annotations_of(**{name: row.example}) for row in ANNOTATIONS for name in (row.name, *row.aliases)]
_unreadable = [_annotations_of(**{name: "true"}) for name in sorted(NAMES)]
_together = [
    _annotations_of(canary="true", canary_by_header="X-Canary"),
    _annotations_of(canary="true", canary_by_header="X-Canary", canary_by_header_value="beta"),
    _annotations_of(canary="true", canary_by_header="X-Canary", canary_by_header_pattern="^(beta|qa)$"),
    _annotations_of(canary="true", canary_by_cookie="canary", canary_weight="10"),
    _annotations_of(affinity="cookie", session_cookie_name="route", session_cookie_path="/"),
    _annotations_of(rewrite_target="/$2", x_forwarded_prefix="/shop"),
]
_annotations = st.lists(mostly(st.one_of(_readable) | st.one_of(_together), st.one_of(_unreadable)), max_size=3).map(
    lambda found: {name: value for some in found for name, value in some.items()}
)


def _ingress(number: int, annotations: dict[str, str], spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {
        "name": f"odd-{number}",
        "namespace": "default",
        "creationTimestamp": f"2025-01-0{1 + number % 3}T00:00:00Z",
        "annotations": annotations,
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata,
        "spec": {"ingressClassName": "nginx", **spec},
    }


_specs = st.fixed_dictionaries(
    {"rules": st.lists(_rules, min_size=1, max_size=3)},
    optional={"tls": st.lists(_tls, max_size=2), "defaultBackend": _services},
)

#: Up to four Ingresses as a YAML parser gives them, of few hosts and paths, so that they get into each other's way.
ingresses: Final = st.lists(st.tuples(_annotations, _specs), min_size=1, max_size=4).map(
    lambda drawn: [_ingress(number, annotations, spec) for number, (annotations, spec) in enumerate(drawn)]
)
