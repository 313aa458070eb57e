import asyncio

from sevengate.cluster.resources import CONFIG_MAPS, NAMESPACES, NODES, Selection
from sevengate.lab.mirror import Change, Object, key_of
from tests.lab.apiserver.serving import CONFIG_MAPS as PATH
from tests.lab.apiserver.serving import Lab, config_map, in_lab
from tests.lab.clients import component
from tests.waiting import until


@in_lab
async def test_it_holds_what_the_server_holds(lab: Lab) -> None:
    await lab.create(PATH, config_map("there", word="one"))
    async with component(lab.running) as (mirrors, _):
        mirror = mirrors.of(CONFIG_MAPS)
        await mirrors.synced()
        assert mirror.objects["default/there"]["data"] == {"word": "one"}
        assert mirror.objects["default/there"]["kind"] == "ConfigMap"
        await lab.merge(f"{PATH}/there", {"data": {"word": "two"}})
        await until(lambda: mirror.objects["default/there"]["data"] == {"word": "two"})
        lab.running.cut_watches()
        await lab.delete(f"{PATH}/there")
        await until(lambda: "default/there" not in mirror.objects)


@in_lab
async def test_subscribers_hear_of_each_change_with_what_was_before(lab: Lab) -> None:
    await lab.create(PATH, config_map("there", word="one"))
    async with component(lab.running) as (mirrors, _):
        heard: list[tuple[str, object, object]] = []

        def note(change: Change) -> None:
            before, after = ((one or {}).get("data") for one in (change.before, change.after))
            if change.key == "default/there":
                heard.append((change.key, before, after))

        mirror = mirrors.of(CONFIG_MAPS)
        await mirrors.synced()
        mirror.subscribe(note)
        await lab.merge(f"{PATH}/there", {"data": {"word": "two"}})
        await until(lambda: len(heard) == 2)
        await lab.delete(f"{PATH}/there")
        await until(lambda: len(heard) == 3)
        one, two = {"word": "one"}, {"word": "two"}
        assert heard == [
            ("default/there", None, one),
            ("default/there", one, two),
            ("default/there", two, None),
        ]


@in_lab
async def test_who_asks_for_the_same_gets_the_same_mirror(lab: Lab) -> None:
    async with component(lab.running) as (mirrors, _):
        assert mirrors.of(NODES) is mirrors.of(Selection(NODES))
        assert mirrors.of(NODES) is not mirrors.of(NAMESPACES)
        only = mirrors.of(Selection(NAMESPACES, field_selector="metadata.name=default"))
        await mirrors.synced()
        assert list(only.objects) == ["default"]
        assert "kube-system" in mirrors.of(NAMESPACES).objects


@in_lab
async def test_an_index_follows_what_its_objects_are_looked_up_by(lab: Lab) -> None:
    def words(thing: Object) -> list[str]:
        return list((thing.get("data") or {}).values())

    async with component(lab.running) as (mirrors, _):
        index = mirrors.of(CONFIG_MAPS).index(words)

        def found(word: str) -> list[str]:
            return sorted(key_of(thing) for thing in index.find(word))

        await lab.create(PATH, config_map("a", first="red", second="red"))
        await lab.create(PATH, config_map("b", first="red", second="blue"))
        await until(lambda: found("red") == ["default/a", "default/b"] and found("blue") == ["default/b"])
        await lab.merge(f"{PATH}/b", {"data": {"first": "green"}})
        await until(lambda: found("red") == ["default/a"] and found("green") == ["default/b"])
        await lab.delete(f"{PATH}/a")
        await until(lambda: found("red") == [])


@in_lab
async def test_what_was_written_is_there_at_once(lab: Lab) -> None:
    async with component(lab.running) as (mirrors, writer):
        mirror = mirrors.of(CONFIG_MAPS)
        await mirrors.synced()
        metadata = {"namespace": "default", "name": "new"}
        for _ in range(20):
            made = await writer.create(CONFIG_MAPS, {"metadata": metadata, "data": {"word": "one"}})
            assert mirror.objects["default/new"]["data"] == {"word": "one"}
            await writer.merge(CONFIG_MAPS, made, {"data": {"word": "two"}})
            assert mirror.objects["default/new"]["data"] == {"word": "two"}
            await writer.delete(CONFIG_MAPS, made)
            assert "default/new" not in mirror.objects


@in_lab
async def test_a_late_answer_to_a_write_does_not_bring_back_what_was_deleted_since(lab: Lab) -> None:
    async with component(lab.running) as (mirrors, _):
        mirror = mirrors.of(CONFIG_MAPS)
        await mirrors.synced()
        stored = lab.running.storage
        await lab.create(PATH, config_map("brief"))
        late = stored.items(("", "configmaps"), "default")[0].encoded
        await lab.delete(f"{PATH}/brief")
        await lab.create(PATH, config_map("last"))
        await until(lambda: "default/last" in mirror.objects)
        mirrors.learn(CONFIG_MAPS, late)
        await asyncio.sleep(0)
        assert "default/brief" not in mirror.objects


@in_lab
async def test_what_one_subscriber_stumbles_over_the_others_hear_of(lab: Lab) -> None:
    async with component(lab.running) as (mirrors, _):
        heard: list[str] = []

        def stumble(change: Change) -> None:
            raise KeyError(change.key)

        mirror = mirrors.of(CONFIG_MAPS)
        mirror.subscribe(stumble)
        mirror.subscribe(lambda change: heard.append(change.key))
        await lab.create(PATH, config_map("a"))
        await until(lambda: "default/a" in heard and "default/a" in mirror.objects)
