"""From a request as it came to a commission that engines understand; whatever is wrong with it is a 400."""

import secrets

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.contract.wire.music import MusicRequest
from nexus_music.harmony import read_key
from nexus_music.seam import Commission, Sampling


def commission_of(request: MusicRequest) -> Commission:
    """What is asked for; a seed is drawn where none is given. Raises ApiError (400) that names the field."""
    if request.says_nothing:
        raise ApiError(INVALID_REQUEST, "say what to play: prompt, tags and lyrics are all empty", param="prompt")
    if request.tempo is not None and request.bpm is not None and request.tempo != request.bpm:
        raise ApiError(INVALID_REQUEST, "tempo and bpm are the same thing and differ", param="bpm")
    if request.key is not None:
        try:
            read_key(request.key)
        except ValueError as error:
            raise ApiError(INVALID_REQUEST, str(error), param="key") from error
    return Commission(
        prompt=(request.prompt or "").strip(),
        tags=tuple(tag.lower() for tag in request.tag_list),
        lyrics=request.lyrics or "",
        seconds=request.duration,
        seed=secrets.randbits(32) if request.seed is None else request.seed,
        bpm=request.bpm if request.tempo is None else request.tempo,
        key=request.key,
        sampling=Sampling(request.temperature, request.top_k, request.cfg_scale),
    )
