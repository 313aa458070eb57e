"""Which program stands in for an image."""

import sys

import pytest

from sevengate.lab.kubelet.images import ImageError, Program, Tools, Wanted, find_program, repository

TOOLS = Tools(nginx="/usr/sbin/nginx")


def program(image: str, **wanted: object) -> Program:
    made = find_program(Wanted(image, address="127.244.1.2", **wanted), TOOLS)  # type: ignore[arg-type]
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("nginx", "nginx"),
        ("nginx:1.25-alpine", "nginx"),
        ("docker.io/library/nginx@sha256:abc", "nginx"),
        ("registry.example:5000/team/nginx:1", "registry.example:5000/team/nginx"),
    ],
)
def test_an_image_is_known_by_its_name_without_tag_and_digest(image: str, name: str) -> None:
    assert repository(image) == name


@pytest.mark.parametrize("image", ["mysql:8", "nginx-unit", "my/nginx-exporter:1", "evil/echoserver-not", "sevengates"])
def test_an_image_that_only_looks_like_one_is_none(image: str) -> None:
    assert find_program(Wanted(image), TOOLS) is None


def test_nginx_listens_at_the_pods_address_and_its_containers_ports() -> None:
    text = program("nginx", ports=(80, 8080)).layer.files["/etc/nginx/conf.d/default.conf"].text
    assert "listen 127.244.1.2:80;" in text
    assert "listen 127.244.1.2:8080;" in text
    assert (
        "127.244.1.2:8080" in program("nginxinc/nginx-unprivileged").layer.files["/etc/nginx/conf.d/default.conf"].text
    )


def test_ports_below_1024_move_where_the_lab_may_not_have_them() -> None:
    assert program("nginx", port_shift=8000).listens == (8080,)
    assert program("hashicorp/http-echo", port_shift=8000).listens == (5678,)


def test_without_nginx_it_is_said_how_to_get_it() -> None:
    with pytest.raises(ImageError, match="apt-get install nginx"):
        find_program(Wanted("nginx"), Tools())


def test_command_and_args_take_the_place_of_entrypoint_and_arguments() -> None:
    assert program("busybox", command=("sh", "-c", "date")).argv == ("sh", "-c", "date")
    assert program("curlimages/curl", args=("-s", "http://shop")).argv == ("curl", "-s", "http://shop")
    assert program("curlimages/curl", command=("sleep",), args=("9",)).argv == ("sleep", "9")
    assert program("alpine").argv == ("sh",)


def test_sevengate_runs_by_this_python() -> None:
    python = (sys.executable, "-m", "sevengate")
    assert program("ghcr.io/sevengate/sevengate:1", args=("controller", "--x")).argv == (*python, "controller", "--x")
    assert program("sevengate", command=("sevengate",), args=("dataplane",)).argv == (*python, "dataplane")


@pytest.mark.parametrize(
    "words",
    [
        {"args": ("/nginx-ingress-controller", "--v=2")},
        {"command": ("/usr/bin/dumb-init", "--", "/nginx-ingress-controller"), "args": ("--v=2",)},
        {"args": ("--v=2",)},
    ],
)
def test_the_predecessor_is_sevengate_run_with_its_arguments(words: dict[str, tuple[str, ...]]) -> None:
    for image in (
        "k8s.gcr.io/ingress-nginx/controller:v1.0",
        "registry.k8s.io/ingress-nginx/controller:v1.15.1@sha256:0",
    ):
        assert program(image, **words).argv == (sys.executable, "-m", "sevengate", "run", "--v=2")


def test_before_version_1_it_served_what_names_no_class_unless_it_was_given_one() -> None:
    image = "quay.io/kubernetes-ingress-controller/nginx-ingress-controller:0.30.0"
    run = (sys.executable, "-m", "sevengate", "run")
    alone = "--disable-leader-election"
    assert program(image, args=("--v=2",)).argv == (*run, "--v=2", "--watch-ingress-without-class", alone)
    assert program(image, args=("--ingress-class=own",)).argv == (*run, "--ingress-class=own", alone)


def test_echo_servers_keep_what_their_image_would_be_told() -> None:
    made = program("hashicorp/http-echo", args=("-text=hello", "-listen=:9000"))
    assert made.argv[-2:] == ("-text=hello", "-listen=:9000")
    assert made.listens == ()
