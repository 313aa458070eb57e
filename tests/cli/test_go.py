"""Flags in every spelling that Go's programs take, and what is said of those that do nothing."""

import click
import pytest
from click.testing import CliRunner

from sevengate import __version__
from sevengate.cli import main
from sevengate.cli.flags import FLAGS, FLAGS_BY_AREA, KLOG, OLDER, Honour
from sevengate.cli.go import GoCommand, switch

#: Rows of ingress-nginx alone, 1.15.1.
OF_INGRESS_NGINX = 72


@click.command(cls=GoCommand)
@click.option("--configmap", default="")
@switch("--watch", "Watch.")
@switch("--update-status", "Write.", default=True)
@click.option("--v", type=int, default=0)
@click.argument("more", nargs=-1)
def command(configmap: str, watch: bool, update_status: bool, v: int, more: tuple[str, ...]) -> None:
    click.echo(" ".join((configmap, str(watch), str(update_status), str(v), *more)).strip())


def said(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, list(words))
    return result.exit_code, result.output.strip()


@pytest.mark.parametrize(
    ("words", "heard"),
    [
        (("--configmap=a/b",), "a/b False True 0"),
        (("--configmap", "a/b"), "a/b False True 0"),
        (("-configmap=a/b",), "a/b False True 0"),
        (("-configmap", "-a/b"), "-a/b False True 0"),
        (("--configmap=a=b",), "a=b False True 0"),
        (("--configmap=a/b", "--configmap=c/d"), "c/d False True 0"),
        (("--watch",), " True True 0"),
        (("--watch=true", "--update_status=F"), " True False 0"),
        (("--watch", "manifests"), " True True 0 manifests"),
        (("-watch=0", "manifests"), " False True 0 manifests"),
        (("-v=3",), " False True 3"),
        (("-v3",), " False True 3"),
        (("--v", "3"), " False True 3"),
        (("a", "--", "--watch"), " False True 0 a --watch"),
        (("-",), " False True 0 -"),
    ],
)
def test_a_flag_is_understood_however_go_would_take_it(words: tuple[str, ...], heard: str) -> None:
    assert said(*words) == (0, heard.strip())


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--watch=maybe",), '--watch: \'maybe\' is neither "true" nor "false"'),
        (("--configmap",), "--configmap needs a value"),
        (("--sync-period",), "--sync-period needs a value"),
        (("--deep-inspect=x",), "--deep-inspect: 'x' is neither"),
        (("--watsh",), "--watsh"),
        (("--enable-ssl-passthrough",), "--enable-ssl-passthrough=true is refused: TLS is not passed through yet"),
    ],
)
def test_what_cannot_be_understood_or_done_is_a_usage_error(words: tuple[str, ...], complaint: str) -> None:
    code, output = said(*words)
    assert (code, complaint in output) == (2, True), output


def test_what_has_no_effect_is_said_once_with_the_reason() -> None:
    code, output = said("--sync-rate-limit=1", "--sync-rate-limit", "2", "-logtostderr", "--watch")
    assert code == 0
    assert output.splitlines() == [
        "--sync-rate-limit has no effect: what changes is pushed at once and makes no reload",
        "True True 0",
    ]


def test_what_would_have_been_so_anyway_is_not_worth_a_word() -> None:
    assert said("--profiling", "--enable-ssl-passthrough=false", "--stream-port=10247", "--logtostderr=true") == (
        0,
        "False True 0",
    )


def test_every_flag_of_the_predecessor_has_one_row() -> None:
    rows = [flag.name for area, flags in FLAGS_BY_AREA.items() for flag in flags if area not in {KLOG, OLDER}]
    assert (len(rows), len(set(rows))) == (OF_INGRESS_NGINX, OF_INGRESS_NGINX)
    assert len(FLAGS) == sum(len(flags) for flags in FLAGS_BY_AREA.values())


def test_whatever_is_not_carried_out_says_why() -> None:
    assert [flag.name for flag in FLAGS.values() if (flag.honour is Honour.CARRIED_OUT) == bool(flag.why)] == []


@pytest.mark.parametrize("name", ["run", "controller"])
def test_what_is_carried_out_is_an_option_and_nothing_else_is(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert isinstance(command, GoCommand)
    options = {option.removeprefix("--") for parameter in command.params for option in parameter.opts}
    carried_out = {flag.name for flag in FLAGS.values() if flag.honour is Honour.CARRIED_OUT}
    of_the_dataplane = {"http-port", "https-port", "default-server-port", "post-shutdown-grace-period"}
    assert carried_out - options == (set() if name == "run" else of_the_dataplane)
    assert options & (FLAGS.keys() - carried_out) == set()


def test_a_flag_of_the_dataplane_is_taken_by_the_controller_and_that_is_said() -> None:
    result = CliRunner().invoke(main, ["controller", "--http-port=8080", "--kubeconfig=/none"])
    assert "--http-port has no effect: it is for `sevengate dataplane`" in result.output


def test_a_version_can_be_asked_for_as_of_ingress_nginx() -> None:
    assert CliRunner().invoke(main, ["run", "-version"]).output == f"sevengate {__version__}\n"
