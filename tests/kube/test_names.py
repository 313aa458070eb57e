"""Names are those of the Kubernetes documentation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.kube.names import is_label, is_qualified, is_subdomain


@pytest.mark.parametrize("name", ["a", "0", "shop", "a-b", "a--b", "x" * 63])
def test_labels_are_taken(name: str) -> None:
    assert is_label(name)
    assert is_subdomain(name)


@pytest.mark.parametrize("name", ["", "-", "a-", "-a", "A", "a_b", "a b", "a/b", "é", "a\n", "a\0", "x" * 64])
def test_what_is_no_label_is_refused(name: str) -> None:
    assert not is_label(name)


@pytest.mark.parametrize("name", ["a.b", "kube-root-ca.crt", "x" * 200, ".".join(["a"] * 127)])
def test_subdomains_are_taken(name: str) -> None:
    assert is_subdomain(name)


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a..b", "a.-b", "a\n", "x" * 254])
def test_what_is_no_subdomain_is_refused(name: str) -> None:
    assert not is_subdomain(name)


@pytest.mark.parametrize("key", ["a", "A.b_c-d", "example.com/a", "Example.com/a", "a.b/" + "x" * 63])
def test_names_of_annotations_are_taken(key: str) -> None:
    assert is_qualified(key)


@pytest.mark.parametrize(
    "key", ["", "/", "a/", "/a", "a/b/c", "a b", "a ", "a/b ", "-a", "a\n", "a_/b", "x" * 64, "a" * 999]
)
def test_what_is_no_name_of_an_annotation_is_refused(key: str) -> None:
    assert not is_qualified(key)


@given(st.text(alphabet="a-.", max_size=400))
def test_no_text_takes_long_or_slips_through_with_an_edge(name: str) -> None:
    if is_subdomain(name):
        assert all(label and label[0] != "-" and label[-1] != "-" for label in name.split("."))
