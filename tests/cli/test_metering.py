import click
import pytest
from click.testing import CliRunner

from sevengate.cli.go import GoCommand
from sevengate.cli.metering import metering_options, take_metering
from sevengate.settings import Metering


def read(*words: str) -> Metering:
    found: list[Metering] = []

    @click.command(cls=GoCommand)
    @metering_options
    def command(**flags: object) -> None:
        found.append(take_metering(flags))

    answer = CliRunner().invoke(command, words)
    if answer.exit_code:
        raise ValueError(answer.output)
    return found[0]


def test_without_flags_nothing_is_counted_and_all_has_its_default() -> None:
    assert read() == Metering()


def test_flags_are_those_of_ingress_nginx() -> None:
    excluded = "nginx_ingress_controller_success,nginx_ingress_controller_request_size"
    found = read(
        *("--enable-metrics", "--metrics-per-host=false", "--metrics-per-undefined-host", "--report-status-classes"),
        *("--time-buckets=0.1,1", "--length-buckets", "100", "--size-buckets", "10,1e+06"),
        *("--exclude-socket-metrics", excluded),
    )
    assert found == Metering(
        enabled=True,
        per_host=False,
        per_undefined_host=True,
        status_classes=True,
        time_buckets=(0.1, 1),
        length_buckets=(100,),
        size_buckets=(10, 1e6),
        excluded=("nginx_ingress_controller_request_size",),
    )


@pytest.mark.parametrize(
    "bounds",
    [
        "",
        "x",
        "1,",
        "2,1",
        "1,1",
        "0,1",
        "-1",
        "nan",
        "inf",
        "1,inf",
        "1.0000001,1.0000002",
        ",".join(map(str, range(1, 102))),
    ],
)
def test_bounds_that_make_no_buckets_are_refused(bounds: str) -> None:
    with pytest.raises(ValueError, match="--time-buckets"):
        read("--time-buckets", bounds)
