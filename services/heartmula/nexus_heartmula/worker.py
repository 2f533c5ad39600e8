"""The worker process: heartlib, one song at a time. Run as a file by an interpreter that has heartlib (Python 3.10 on);
nothing of the service is imported, for heartlib pins other versions of what the service needs.

Lines of JSON, one a message. In: one `{"load": …}`, then `{"song": …}` for each. Out: `{"event": "ready" | "done" |
"interrupted" | "failed"}`, the last with `error` and `kind` (an exception's class). Progress is what heartlib's own bar
writes to stderr. SIGINT breaks off the song that is being made, and is nothing while none is. The end of stdin ends the
process: so it dies with the service, however that dies.
"""

import json
import os
import queue
import signal
import sys
import threading
import wave


class Interrupted(BaseException):
    """Somebody wants no more of this song. Not an Exception, so that no library takes it for a failure of its own."""


class Interrupter:
    """Turns SIGINT into `Interrupted` while a song is made."""

    def __init__(self):
        self.busy = False
        signal.signal(signal.SIGINT, self._signalled)

    def _signalled(self, *_):
        if self.busy:
            self.busy = False  # once a song
            raise Interrupted


def main():
    """Load as the first line says, then make songs until the lines end."""
    tell = _teller()
    lines = _lines()
    interrupter = Interrupter()
    try:
        sing = load(**json.loads(lines.get())["load"])
    except Exception as error:  # noqa: BLE001 - whatever heartlib, torch or the files raise is told, not traced
        return tell(_failure(error))
    tell({"event": "ready"})
    while True:
        song = json.loads(lines.get())["song"]
        tell(_made(sing, song, interrupter))


def load(checkpoint, version, device, codec_device, lazy_load):
    """Read the model; a function that makes one song. This is the one place that knows heartlib (0.1.0)."""
    # Here and not above, so that their absence is told as a message.
    import torch  # noqa: PLC0415
    import torchaudio  # noqa: PLC0415
    from heartlib import HeartMuLaGenPipeline  # noqa: PLC0415

    # From 2.9 on torchaudio writes by torchcodec, which heartlib does not ask for: its import would fail at the very
    # end of a song. heartlib calls nothing else of it.
    torchaudio.save = save_wav
    pipeline = HeartMuLaGenPipeline.from_pretrained(
        checkpoint,
        device={"mula": torch.device(device), "codec": torch.device(codec_device)},
        dtype={"mula": torch.bfloat16, "codec": torch.float32},
        version=version,
        lazy_load=lazy_load,
    )

    def sing(song):
        torch.manual_seed(song["seed"])  # heartlib takes no seed
        pipeline(
            {"lyrics": song["lyrics_file"], "tags": song["tags_file"]},
            max_audio_length_ms=song["milliseconds"],
            temperature=song["temperature"],
            topk=song["top_k"],
            cfg_scale=song["cfg_scale"],
            save_path=song["wav_file"],
        )

    return sing


def save_wav(uri, src, sample_rate, **_):
    """What `torchaudio.save` does for a WAV file: `src` is a tensor, channels by samples, of floats from -1 to 1."""
    import numpy  # noqa: PLC0415 - as above

    samples = src.detach().cpu().float().numpy()
    samples = samples[None] if samples.ndim == 1 else samples
    pcm = (numpy.clip(samples, -1, 1) * 32767).round().astype("<i2")
    with wave.open(str(uri), "wb") as file:
        file.setnchannels(pcm.shape[0])
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(pcm.T.tobytes())


def _made(sing, song, interrupter):
    try:
        interrupter.busy = True
        try:
            sing(song)
        finally:
            interrupter.busy = False
    except Interrupted:
        return {"event": "interrupted"}
    except Exception as error:  # noqa: BLE001 - as above; the next song may succeed
        return _failure(error)
    return {"event": "done"}


def _failure(error):
    return {"event": "failed", "kind": type(error).__name__, "error": " ".join(str(error).split())[:500]}


def _teller():
    """A function that writes one message. What libraries print goes to stderr from here on."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(message):
        out.write(json.dumps(message) + "\n")
        out.flush()

    return tell


def _lines():
    """The lines of stdin, read by a thread that ends the process where they end, whatever else it does just then."""
    lines = queue.Queue()

    def read():
        for line in sys.stdin:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return lines


if __name__ == "__main__":
    main()
