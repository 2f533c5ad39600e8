"""Tiny video pipelines with random weights: real networks of diffusers' Wan family that draw noise within a second."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
)
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

_WORDS = ("<pad>", "</s>", "<unk>", "a", "red", "blue", "balloon", "lake")


def make_text_to_video(folder: Path) -> Path:
    """A pipeline that takes words alone."""
    WanPipeline(**_parts()).save_pretrained(folder)
    return folder


def make_image_to_video(folder: Path) -> Path:
    """A pipeline that starts from a picture, as Wan 2.2's 5B model does it."""
    pipeline = WanImageToVideoPipeline(**_parts(), image_encoder=None, image_processor=None, expand_timesteps=True)
    pipeline.save_pretrained(folder)
    return folder


def _parts() -> dict[str, object]:
    torch.manual_seed(0)
    text = UMT5Config(vocab_size=len(_WORDS), d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4)
    return {
        "tokenizer": _tokenizer(),
        "text_encoder": UMT5EncoderModel(text).eval(),
        "vae": AutoencoderKLWan(
            base_dim=3,
            z_dim=16,
            dim_mult=[1, 1, 1, 1],
            num_res_blocks=1,
            temperal_downsample=[False, True, True],
        ).eval(),
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=7.0),
        "transformer": WanTransformer3DModel(
            patch_size=(1, 2, 2),
            num_attention_heads=2,
            attention_head_dim=12,
            in_channels=16,
            out_channels=16,
            text_dim=32,
            freq_dim=256,
            ffn_dim=32,
            num_layers=2,
            cross_attn_norm=True,
            qk_norm="rms_norm_across_heads",
            rope_max_seq_len=32,
        ).eval(),
    }


def _tokenizer() -> PreTrainedTokenizerFast:
    words = Tokenizer(WordLevel({word: index for index, word in enumerate(_WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    )
