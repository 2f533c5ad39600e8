"""The text that a new operator copies from: it names what is there, and nothing else."""

from nexus.contract.card import Card
from nexus.stack.greeting import chat_model, greeting


def card(operation: str, *models: str) -> Card:
    return Card.model_validate(
        {
            "schema_version": "v1",
            "service": {"name": "some"},
            "capabilities": {"operations": [operation]},
            "models": [{"id": model} for model in models],
        }
    )


def test_the_first_chat_model_of_the_cards_is_tried() -> None:
    cards = [card("embeddings", "vectors"), card("chat.completions", "talker", "other")]
    assert chat_model(cards) == "talker"
    text = greeting("http://127.0.0.1:8800", "sk-1", cards)
    assert 'curl http://127.0.0.1:8800/v1/chat/completions -H "Authorization: Bearer sk-1"' in text
    assert '"model": "talker"' in text
    assert 'base_url="http://127.0.0.1:8800/v1", api_key="sk-1"' in text


def test_a_models_own_operations_decide() -> None:
    mixed = card("chat.completions", "a", "b")
    models = (mixed.models[0].model_copy(update={"operations": ("completions",)}), mixed.models[1])
    assert chat_model([mixed.model_copy(update={"models": models})]) == "b"


def test_without_a_chat_model_the_models_are_listed() -> None:
    text = greeting("http://127.0.0.1:8800", None, [card("embeddings", "vectors")])
    assert "curl http://127.0.0.1:8800/v1/models\n" in text
    assert "client.models.list()" in text
    assert "Authorization" not in text
    assert "Token" not in text
