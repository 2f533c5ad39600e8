"""Stands in for torchaudio 2.9 and later beside no torchcodec: what it does when it is asked to save."""


def save(uri: str, src: object, sample_rate: int) -> None:
    raise ImportError(
        "TorchCodec is required for save_with_torchcodec. Please install torchcodec to use this function."
    )
