"""What a scrape of /metrics says, read by Prometheus' own parser, as values that a test can ask for by labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

REQUESTS = "nginx_ingress_controller_requests"


@dataclass(frozen=True)
class Scrape:
    """`values` by name and labels; `kinds` and `help` by family."""

    values: Mapping[tuple[str, frozenset[tuple[str, str]]], float]
    kinds: Mapping[str, str] = field(default_factory=dict)
    help: Mapping[str, str] = field(default_factory=dict)

    def all(self, name: str, /, **labels: str) -> dict[frozenset[tuple[str, str]], float]:
        """Give the values of a name whose labels include these; `class_` stands for `class`."""
        wanted = {(key.removesuffix("_"), value) for key, value in labels.items()}
        return {found: value for (other, found), value in self.values.items() if other == name and wanted <= found}

    def sum(self, name: str = REQUESTS, /, **labels: str) -> float:
        """Give the sum of them."""
        return sum(self.all(name, **labels).values())

    def one(self, name: str, /, **labels: str) -> float:
        """Give the value of the only one."""
        [value] = self.all(name, **labels).values()
        return value

    def labels(self, label: str, name: str = REQUESTS, /, **labels: str) -> set[str]:
        """Give all values of a label."""
        return {value for found in self.all(name, **labels) for key, value in found if key == label}


def read(text: str) -> Scrape:
    """Read what was scraped; no family and no series may stand there twice."""
    values: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    kinds: dict[str, str] = {}
    told: dict[str, str] = {}
    for family in text_string_to_metric_families(text):
        # The parser takes `_total` off the names of counters, and puts it on those of their samples.
        is_counter = family.type == "counter"
        name = f"{family.name}_total" if is_counter and f"# TYPE {family.name}_total counter\n" in text else family.name
        assert name not in kinds
        kinds[name], told[name] = family.type, family.documentation
        for sample in family.samples:
            key = (name if is_counter else sample.name, frozenset(sample.labels.items()))
            assert key not in values
            values[key] = sample.value
    return Scrape(values, kinds, told)
