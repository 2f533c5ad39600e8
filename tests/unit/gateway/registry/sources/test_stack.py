import json
from pathlib import Path

from nexus.gateway.registry.sources.stack import StackSource

CARD = {"schema_version": "v1", "service": {"name": "llm"}, "capabilities": {"operations": ["chat.completions"]}}


async def test_it_lists_what_the_file_names_and_follows_it(tmp_path: Path, events) -> None:
    path = tmp_path / "stack.json"
    source = StackSource(path, events)
    assert await source.listings() == ()
    path.write_text(json.dumps({"services": [{"url": "http://127.0.0.1:1/", "card": CARD}, {"url": "http://b:2"}]}))
    first = await source.listings()
    assert [(one.url, one.source) for one in first] == [("http://127.0.0.1:1", "stack"), ("http://b:2", "stack")]
    assert first[0].card is not None
    assert first[0].card.service.name == "llm"
    assert first[1].card is None
    assert (await source.listings())[0] is first[0]  # read once
    path.write_text('{"services": []}')
    assert await source.listings() == ()
    path.unlink()
    assert await source.listings() == ()
    assert events == []


async def test_a_bad_file_is_told_once_and_the_last_answer_stays(tmp_path: Path, events) -> None:
    path = tmp_path / "stack.json"
    path.write_text(json.dumps({"services": [{"url": "http://a:1", "card": None}]}))
    source = StackSource(path, events)
    before = await source.listings()
    path.write_text('{"services": [')
    assert await source.listings() == before
    assert await source.listings() == before
    assert len(events.named("stack_file_unreadable")) == 1


async def test_a_bad_entry_does_not_take_the_others_with_it(tmp_path: Path, events) -> None:
    path = tmp_path / "stack.json"
    path.write_text(json.dumps({"services": [{"url": "nonsense"}, {"url": "http://a:1", "card": {"no": "card"}}]}))
    listings = await StackSource(path, events).listings()
    assert [(one.url, one.card) for one in listings] == [("http://a:1", None)]
    assert len(events.named("stack_entry_ignored")) == 1
    assert len(events.named("stack_card_ignored")) == 1
