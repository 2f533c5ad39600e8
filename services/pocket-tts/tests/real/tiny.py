"""A Pocket TTS model with random weights: the package's smallest configuration, with a tokenizer of letters.

It speaks noise, by the same code as the real one. Its configuration names no weights, for which the package makes
random ones.
"""

from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
import yaml
from pocket_tts import TTSModel, export_model_state
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as Decoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

VOICE = "hum"


def save(folder: Path) -> Path:
    """The configuration's file; beside it the tokenizer, and a folder `voices` with one voice."""
    letters = sorted(ByteLevel.alphabet())
    tokenizer = Tokenizer(BPE(vocab={letter: number for number, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer, tokenizer.decoder = ByteLevel(add_prefix_space=True), Decoder()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = yaml.safe_load((files("pocket_tts") / "config" / "english_2m_2026-10.yaml").read_text(encoding="utf-8"))
    del config["weights_path"], config["weights_path_without_voice_cloning"]
    table: dict[str, Any] = config["flow_lm"]["lookup_table"]
    table.update(tokenizer="tokenizers", tokenizer_path=str(folder / "tokenizer.json"), n_bins=len(letters))
    file = folder / "tiny.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    (folder / "voices").mkdir()
    model = TTSModel.load_model(config=file)
    state = model.get_state_for_audio_prompt(torch.rand(1, 24_000) * 0.2 - 0.1)
    export_model_state(state, folder / "voices" / f"{VOICE}.safetensors")
    return file
