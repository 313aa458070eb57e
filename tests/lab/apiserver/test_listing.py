"""Lists: pages of one revision, selectors, forms, and revisions that are too old or too new."""

from tests.lab.apiserver.serving import CONFIG_MAPS, INGRESSES, PODS, Lab, config_map, in_lab, ingress, pod

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"


@in_lab
async def test_pages_show_one_revision_whatever_happens_between_them(lab: Lab) -> None:
    for number in range(7):
        await lab.create(CONFIG_MAPS, config_map(f"c{number}"))
    first = await lab.get(CONFIG_MAPS, limit="3")
    assert first.body["metadata"]["remainingItemCount"] == 4
    await lab.delete(f"{CONFIG_MAPS}/c5")
    await lab.create(CONFIG_MAPS, config_map("c3a"))
    await lab.merge(f"{CONFIG_MAPS}/c6", {"data": {"x": "new"}})
    names, page = [one["metadata"]["name"] for one in first.body["items"]], first
    while token := page.body["metadata"].get("continue"):
        page = await lab.get(CONFIG_MAPS, **{"limit": "3", "continue": token})
        assert page.version == first.version
        assert all("data" not in one or one["data"] == {} for one in page.body["items"])
        names += [one["metadata"]["name"] for one in page.body["items"]]
    assert names == [f"c{number}" for number in range(7)]


@in_lab
async def test_a_page_whose_revision_is_forgotten_is_gone(lab: Lab) -> None:
    for number in range(3):
        await lab.create(CONFIG_MAPS, config_map(f"c{number}"))
    first = await lab.get(CONFIG_MAPS, limit="1")
    await lab.create(CONFIG_MAPS, config_map("later"))
    lab.running.compact()
    gone = await lab.get(CONFIG_MAPS, **{"limit": "1", "continue": first.body["metadata"]["continue"]})
    assert (gone.code, gone.body["reason"]) == (410, "Expired")
    assert (await lab.get(CONFIG_MAPS, **{"continue": "nonsense"})).code == 400


@in_lab
async def test_an_earlier_revision_can_be_asked_for_exactly(lab: Lab) -> None:
    made = await lab.create(CONFIG_MAPS, config_map("a", x="1"))
    await lab.merge(f"{CONFIG_MAPS}/a", {"data": {"x": "2"}})
    old = await lab.get(CONFIG_MAPS, resourceVersion=made.version, resourceVersionMatch="Exact")
    assert [one["data"] for one in old.body["items"]] == [{"x": "1"}]
    newer = await lab.get(CONFIG_MAPS, resourceVersion=made.version)
    assert [one["data"] for one in newer.body["items"]] == [{"x": "2"}]


@in_lab
async def test_a_revision_that_is_yet_to_come_is_not_made_up(lab: Lab) -> None:
    answer = await lab.get(CONFIG_MAPS, resourceVersion="999999")
    assert (answer.code, answer.body["reason"]) == (504, "Timeout")


@in_lab
async def test_a_list_is_of_one_namespace_or_of_all(lab: Lab) -> None:
    await lab.create(CONFIG_MAPS, config_map("a"))
    await lab.create("/api/v1/namespaces/kube-system/configmaps", config_map("b"))
    everywhere = await lab.get("/api/v1/configmaps")
    assert {"a", "b"} <= {one["metadata"]["name"] for one in everywhere.body["items"]}
    assert [one["metadata"]["name"] for one in (await lab.get(CONFIG_MAPS)).body["items"]] == ["a"]
    assert everywhere.body["kind"] == "ConfigMapList"


@in_lab
async def test_selectors_choose_and_page_together(lab: Lab) -> None:
    for number in range(6):
        labels = {"parity": "even" if number % 2 == 0 else "odd"}
        body = pod(f"p{number}", "node01" if number < 4 else "")
        body["metadata"]["labels"] = labels
        await lab.create(PODS, body)
    query = {"labelSelector": "parity=even", "fieldSelector": "spec.nodeName=node01"}
    first = await lab.get(PODS, limit="1", **query)
    second = await lab.get(PODS, **query, **{"limit": "1", "continue": first.body["metadata"]["continue"]})
    names = [one["metadata"]["name"] for page in (first, second) for one in page.body["items"]]
    assert names == ["p0", "p2"]
    assert "continue" not in second.body["metadata"]


@in_lab
async def test_a_table_has_the_columns_and_rows_that_kubectl_prints(lab: Lab) -> None:
    await lab.create(INGRESSES, ingress("shop"))
    table = (await lab.ask("GET", INGRESSES, headers={"Accept": TABLE})).body
    names = [column["name"] for column in table["columnDefinitions"]]
    assert names == ["Name", "Class", "Hosts", "Address", "Ports", "Age"]
    assert table["rows"][0]["cells"][:5] == ["shop", "nginx", "shop.example", "", "80"]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


@in_lab
async def test_metadata_alone_can_be_asked_for(lab: Lab) -> None:
    await lab.create(INGRESSES, ingress("shop"))
    found = (await lab.ask("GET", INGRESSES, headers={"Accept": METADATA})).body
    assert found["kind"] == "PartialObjectMetadataList"
    assert found["items"][0].keys() == {"kind", "apiVersion", "metadata"}


@in_lab
async def test_a_form_that_is_not_known_is_refused(lab: Lab) -> None:
    answer = await lab.ask("GET", INGRESSES, headers={"Accept": "application/vnd.kubernetes.protobuf"})
    assert answer.code == 406
