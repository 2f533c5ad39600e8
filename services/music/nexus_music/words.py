"""What words of a prompt or tags mean to the composer: one table, read from its top to its bottom.

Later rows go over earlier ones, so genres stand first, then moods, then instruments. Numbers of instruments are those
of General MIDI, counted from 0. Where several values stand, the seed chooses.
"""

from dataclasses import dataclass
from typing import Final

PIANO, ELECTRIC_PIANO, HARPSICHORD, CELESTA, MUSIC_BOX, VIBRAPHONE, MARIMBA = 0, 4, 6, 8, 10, 11, 12
ORGAN, ROCK_ORGAN, CHURCH_ORGAN, ACCORDION, HARMONICA = 16, 18, 19, 21, 22
NYLON, STEEL, JAZZ_GUITAR, CLEAN, OVERDRIVE, DISTORTION = 24, 25, 26, 27, 29, 30
UPRIGHT, FINGERED, PICKED, FRETLESS, SLAP, SYNTH_BASS, DEEP_BASS = 32, 33, 34, 35, 36, 38, 39
VIOLIN, VIOLA, CELLO, CONTRABASS, PIZZICATO, HARP = 40, 41, 42, 43, 45, 46
STRINGS, SLOW_STRINGS, SYNTH_STRINGS, CHOIR, OOHS = 48, 49, 50, 52, 53
TRUMPET, TROMBONE, TUBA, MUTED_TRUMPET, HORNS, BRASS = 56, 57, 58, 59, 60, 61
SOPRANO, ALTO, TENOR, OBOE, BASSOON, CLARINET = 64, 65, 66, 68, 70, 71
FLUTE, PAN_FLUTE, WHISTLE, OCARINA = 73, 75, 78, 79
SQUARE, SAW, WARM_PAD, POLY, SPACE, HALO, SWEEP = 80, 81, 89, 90, 91, 94, 95
SITAR, BANJO, KOTO, KALIMBA, FIDDLE, STEEL_DRUM = 104, 105, 107, 108, 110, 114
STANDARD_KIT, POWER_KIT, ELECTRONIC_KIT, DANCE_KIT, JAZZ_KIT, ORCHESTRA_KIT = 0, 16, 24, 25, 32, 48


@dataclass(frozen=True, slots=True)
class Traits:
    """What one row changes; None leaves it as it is.

    `tempo` is a range of beats a minute, `speed` a factor on it. `lift` is added to the energy (0 to 1). `figure`,
    `line` and `beat` name rows of the tables in `backing` and `drums`; `progressions` one of those in `harmony`.
    `silent` are roles that fall silent and `plays` those that play again. `swing` is where the second half of a beat
    begins (0.5: in its middle).
    """

    tempo: tuple[int, int] | None = None
    speed: float = 1.0
    modes: tuple[str, ...] | None = None
    progressions: str | None = None
    sevenths: bool | None = None
    beats: int | None = None
    swing: float | None = None
    energy: float | None = None
    lift: float = 0.0
    lead: tuple[int, ...] | None = None
    chords: tuple[int, ...] | None = None
    bass: tuple[int, ...] | None = None
    pad: tuple[int, ...] | None = None
    kit: int | None = None
    figure: tuple[str, ...] | None = None
    line: str | None = None
    beat: str | None = None
    silent: tuple[str, ...] = ()
    plays: tuple[str, ...] = ()


BASE: Final = Traits(
    tempo=(92, 120), modes=("major", "major", "minor"), progressions="pop", sevenths=False, beats=4, swing=0.5,
    energy=0.55, lead=(CLEAN, ELECTRIC_PIANO, FLUTE, VIOLIN), chords=(PIANO, STEEL), bass=(FINGERED,),
    pad=(STRINGS, WARM_PAD), kit=STANDARD_KIT, figure=("arpeggio", "block", "strum"), line="pushed", beat="pop",
)  # fmt: skip

WORDS: Final[tuple[tuple[tuple[str, ...], Traits], ...]] = (
    # genres
    (("rock",), Traits(tempo=(112, 144), modes=("major", "mixolydian", "minor"), energy=0.8, lead=(OVERDRIVE,),
        chords=(OVERDRIVE, DISTORTION), bass=(PICKED,), pad=(ROCK_ORGAN,), kit=POWER_KIT, figure=("pulse",),
        line="eighths", beat="rock")),
    (("metal", "punk"), Traits(tempo=(150, 184), modes=("minor", "phrygian"), progressions="dance", energy=0.95,
        lead=(DISTORTION,), chords=(DISTORTION,), bass=(PICKED,), pad=(STRINGS,), kit=POWER_KIT, figure=("pulse",),
        line="eighths", beat="rock")),
    (("country", "bluegrass"), Traits(tempo=(100, 128), modes=("major",), lead=(FIDDLE, BANJO), chords=(STEEL,),
        bass=(UPRIGHT,), pad=(ACCORDION,), figure=("strum",), line="half", beat="train")),
    (("folk", "acoustic", "singer songwriter"), Traits(tempo=(84, 108), energy=0.4, lead=(WHISTLE, FLUTE, FIDDLE),
        chords=(STEEL, NYLON), bass=(UPRIGHT,), pad=(STRINGS,), figure=("strum", "arpeggio"), line="half",
        beat="soft")),
    (("funk", "disco"), Traits(tempo=(104, 122), modes=("dorian", "minor"), progressions="dance", sevenths=True,
        energy=0.75, lead=(BRASS, ALTO), chords=(CLEAN, ELECTRIC_PIANO), bass=(SLAP, FINGERED), pad=(STRINGS,),
        figure=("stabs",), line="octaves", beat="funk")),
    (("soul", "rnb", "r&b"), Traits(tempo=(72, 92), progressions="jazz", sevenths=True, energy=0.45,
        lead=(TENOR, ALTO), chords=(ELECTRIC_PIANO,), bass=(FINGERED,), figure=("block",), line="pushed",
        beat="pop")),
    (("hip hop", "hiphop", "rap", "trap"), Traits(tempo=(78, 92), modes=("minor", "phrygian"), progressions="dance",
        energy=0.6, lead=(MUSIC_BOX, PIZZICATO, SQUARE), chords=(ELECTRIC_PIANO, PIANO), bass=(DEEP_BASS,),
        pad=(STRINGS, CHOIR), kit=DANCE_KIT, figure=("arpeggio", "block"), line="pushed", beat="hiphop")),
    (("lofi", "lo fi", "chillhop"), Traits(tempo=(70, 86), modes=("major", "dorian"), progressions="jazz",
        sevenths=True, swing=0.58, energy=0.3, lead=(VIBRAPHONE, JAZZ_GUITAR), chords=(ELECTRIC_PIANO,),
        bass=(FRETLESS,), pad=(WARM_PAD,), figure=("block",), line="pushed", beat="hiphop")),
    (("reggae", "ska"), Traits(tempo=(72, 92), energy=0.5, lead=(ALTO, ROCK_ORGAN), chords=(CLEAN, ORGAN),
        bass=(FINGERED,), figure=("offbeat",), line="pushed", beat="onedrop")),
    (("bossa", "bossa nova", "samba", "latin"), Traits(tempo=(112, 132), progressions="jazz", sevenths=True,
        energy=0.4, lead=(FLUTE, TENOR), chords=(NYLON,), bass=(UPRIGHT,), figure=("bossa",), line="half",
        beat="bossa")),
    (("salsa", "cuban", "caribbean", "calypso"), Traits(tempo=(100, 124), modes=("major", "minor"), energy=0.7,
        lead=(TRUMPET, STEEL_DRUM), chords=(PIANO,), bass=(UPRIGHT,), pad=(BRASS,), figure=("stabs",), line="pushed",
        beat="bossa")),
    (("blues",), Traits(tempo=(84, 112), modes=("mixolydian",), progressions="blues", sevenths=True, swing=0.64,
        energy=0.5, lead=(HARMONICA, JAZZ_GUITAR, TENOR), chords=(PIANO, CLEAN), bass=(UPRIGHT,), pad=(ROCK_ORGAN,),
        figure=("comp",), line="walking", beat="swing")),
    (("jazz", "swing", "bebop", "big band"), Traits(tempo=(116, 152), modes=("major", "dorian"), progressions="jazz",
        sevenths=True, swing=0.64, energy=0.5, lead=(TENOR, MUTED_TRUMPET, VIBRAPHONE), chords=(PIANO,),
        bass=(UPRIGHT,), kit=JAZZ_KIT, figure=("comp",), line="walking", beat="swing", silent=("pad",))),
    (("classical", "baroque", "chamber"), Traits(tempo=(88, 116), progressions="classical", energy=0.45,
        lead=(VIOLIN, OBOE, FLUTE), chords=(HARPSICHORD, PIZZICATO, PIANO), bass=(CELLO,), pad=(STRINGS,),
        figure=("arpeggio",), line="half", silent=("drums",))),
    (("orchestral", "orchestra", "symphony", "symphonic", "cinematic", "film", "soundtrack", "trailer"),
        Traits(tempo=(80, 104), progressions="classical", energy=0.6, lead=(VIOLIN, HORNS, OBOE),
        chords=(STRINGS, HARP), bass=(CONTRABASS,), pad=(STRINGS,), kit=ORCHESTRA_KIT, figure=("arpeggio",),
        line="half", beat="epic")),
    (("march", "military", "parade", "anthem"), Traits(tempo=(108, 120), modes=("major",), progressions="classical",
        energy=0.75, lead=(TRUMPET,), chords=(BRASS,), bass=(TUBA,), pad=(HORNS,), kit=ORCHESTRA_KIT,
        figure=("offbeat",), line="half", beat="march")),
    (("celtic", "irish", "medieval", "tavern"), Traits(tempo=(104, 126), modes=("dorian", "mixolydian"), energy=0.55,
        lead=(WHISTLE, FIDDLE), chords=(HARP, NYLON), bass=(CELLO,), pad=(STRINGS,), figure=("arpeggio", "strum"),
        line="half", beat="soft")),
    (("eastern", "asian", "japanese", "chinese"), Traits(modes=("minor", "dorian"), progressions="calm",
        lead=(KOTO, PAN_FLUTE), chords=(HARP, KOTO), figure=("arpeggio",), line="root", beat="soft")),
    (("chiptune", "8 bit", "8bit", "video game", "arcade"), Traits(tempo=(128, 156), energy=0.7, lead=(SQUARE,),
        chords=(SQUARE, SAW), bass=(SYNTH_BASS,), pad=(POLY,), kit=ELECTRONIC_KIT, figure=("gate",),
        line="octaves", beat="dance")),
    (("techno", "edm", "electronic", "dance", "rave", "club"), Traits(tempo=(126, 138), modes=("minor", "phrygian"),
        progressions="dance", energy=0.85, lead=(SAW, SQUARE), chords=(SAW, POLY), bass=(SYNTH_BASS, DEEP_BASS),
        pad=(SWEEP, SYNTH_STRINGS), kit=DANCE_KIT, figure=("gate", "stabs"), line="offbeat", beat="dance")),
    (("house", "deep house"), Traits(tempo=(118, 126), modes=("minor", "dorian"), progressions="dance",
        sevenths=True, energy=0.7, lead=(SAW, VIBRAPHONE), chords=(PIANO, ELECTRIC_PIANO), bass=(SYNTH_BASS,),
        pad=(WARM_PAD,), kit=DANCE_KIT, figure=("stabs",), line="offbeat", beat="dance")),
    (("trance",), Traits(tempo=(134, 142), modes=("minor",), progressions="dance", energy=0.85, lead=(SAW,),
        chords=(SAW, POLY), bass=(SYNTH_BASS,), pad=(SWEEP,), kit=DANCE_KIT, figure=("gate",), line="offbeat",
        beat="dance")),
    (("drum and bass", "dnb", "jungle"), Traits(tempo=(168, 176), modes=("minor",), progressions="dance", energy=0.85,
        lead=(SAW,), chords=(POLY,), bass=(DEEP_BASS,), pad=(SWEEP,), kit=ELECTRONIC_KIT, figure=("block",),
        line="pushed", beat="breaks")),
    (("synthwave", "retrowave", "80s", "synthpop"), Traits(tempo=(96, 118), modes=("minor", "major"), energy=0.7,
        lead=(SAW, SQUARE), chords=(POLY, SYNTH_STRINGS), bass=(SYNTH_BASS,), pad=(SYNTH_STRINGS,),
        kit=ELECTRONIC_KIT, figure=("gate",), line="eighths", beat="rock")),
    (("ambient", "meditation", "drone", "new age", "spa"), Traits(tempo=(58, 72), modes=("major", "dorian"),
        progressions="calm", sevenths=True, energy=0.15, lead=(VIBRAPHONE, PAN_FLUTE, CELESTA), chords=(HALO, SPACE),
        bass=(CONTRABASS,), pad=(WARM_PAD, HALO), figure=("slow",), line="root", silent=("drums",))),
    (("lullaby", "baby", "nursery"), Traits(tempo=(66, 80), modes=("major",), beats=3, energy=0.2,
        lead=(MUSIC_BOX, CELESTA), chords=(HARP,), bass=(CELLO,), figure=("arpeggio",), line="root",
        silent=("drums",))),
    (("waltz", "3/4", "viennese"), Traits(tempo=(132, 168), progressions="classical", beats=3, energy=0.45,
        lead=(VIOLIN, CLARINET, FLUTE), chords=(STRINGS, PIANO), bass=(CONTRABASS,), pad=(STRINGS,),
        figure=("waltz",), line="root", beat="waltz", silent=("drums",))),
    (("pop",), Traits(modes=("major",), energy=0.6, beat="pop")),
    (("ballad",), Traits(tempo=(66, 80), energy=0.35, chords=(PIANO,), figure=("arpeggio",), beat="soft")),
    # moods
    (("epic", "heroic", "dramatic", "powerful", "battle", "triumphant"), Traits(modes=("minor",), lift=0.3,
        lead=(HORNS, TRUMPET, VIOLIN), chords=(STRINGS, BRASS), bass=(CONTRABASS,), pad=(CHOIR,), kit=ORCHESTRA_KIT,
        figure=("pulse",), line="eighths", beat="epic", plays=("drums",))),
    (("happy", "joyful", "cheerful", "bright", "fun", "sunny", "uplifting", "playful"),
        Traits(speed=1.1, modes=("major",), lift=0.15)),
    (("sad", "melancholy", "melancholic", "sorrow", "lonely", "grief", "rainy", "nostalgic"),
        Traits(speed=0.8, modes=("minor",), lift=-0.2)),
    (("dark", "scary", "horror", "ominous", "tense", "mysterious", "gothic"),
        Traits(speed=0.92, modes=("phrygian", "minor"), pad=(CHOIR, SWEEP))),
    (("romantic", "love", "tender", "warm"), Traits(speed=0.9, lift=-0.1, pad=(STRINGS,))),
    (("calm", "relaxing", "relaxed", "peaceful", "gentle", "soft", "chill", "quiet", "soothing", "sleep", "dreamy"),
        Traits(speed=0.82, lift=-0.3, pad=(WARM_PAD, SLOW_STRINGS))),
    (("energetic", "driving", "intense", "aggressive", "exciting", "party"), Traits(speed=1.12, lift=0.25)),
    (("slow", "adagio", "largo"), Traits(speed=0.75)),
    (("fast", "upbeat", "allegro", "presto"), Traits(speed=1.22, lift=0.1)),
    (("loud", "forte"), Traits(lift=0.2)),
    (("minor", "minor key"), Traits(modes=("minor",))),
    (("major", "major key"), Traits(modes=("major",))),
    # instruments: those that carry chords, then those that carry a tune
    (("guitar", "acoustic guitar"), Traits(chords=(STEEL, NYLON), figure=("strum", "arpeggio"))),
    (("electric guitar",), Traits(lead=(OVERDRIVE,), chords=(CLEAN,))),
    (("organ",), Traits(chords=(ORGAN, CHURCH_ORGAN), pad=(CHURCH_ORGAN,), figure=("block",))),
    (("piano", "keys"), Traits(lead=(PIANO,), chords=(PIANO,))),
    (("solo piano", "piano solo"), Traits(figure=("arpeggio",), silent=("drums", "bass", "pad"))),
    (("electric piano", "rhodes"), Traits(chords=(ELECTRIC_PIANO,), lead=(ELECTRIC_PIANO,))),
    (("harp",), Traits(chords=(HARP,), figure=("arpeggio",))),
    (("harpsichord",), Traits(chords=(HARPSICHORD,), figure=("arpeggio",))),
    (("accordion",), Traits(lead=(ACCORDION,))),
    (("strings", "string quartet"), Traits(lead=(VIOLIN,), pad=(STRINGS,))),
    (("choir", "vocals", "voices"), Traits(pad=(CHOIR, OOHS))),
    (("synth", "synthesizer", "synthesiser"), Traits(lead=(SAW, SQUARE), pad=(SYNTH_STRINGS, POLY))),
    (("bells", "music box"), Traits(lead=(MUSIC_BOX, CELESTA))),
    (("marimba", "kalimba"), Traits(lead=(MARIMBA, KALIMBA))),
    (("vibraphone",), Traits(lead=(VIBRAPHONE,))),
    (("sitar", "indian"), Traits(lead=(SITAR,))),
    (("violin", "fiddle"), Traits(lead=(VIOLIN,))),
    (("viola",), Traits(lead=(VIOLA,))),
    (("cello",), Traits(lead=(CELLO,))),
    (("flute",), Traits(lead=(FLUTE,))),
    (("ocarina",), Traits(lead=(OCARINA,))),
    (("clarinet",), Traits(lead=(CLARINET,))),
    (("oboe",), Traits(lead=(OBOE,))),
    (("bassoon",), Traits(lead=(BASSOON,))),
    (("sax", "saxophone"), Traits(lead=(ALTO, TENOR, SOPRANO))),
    (("trumpet",), Traits(lead=(TRUMPET,))),
    (("trombone",), Traits(lead=(TROMBONE,))),
    (("brass", "horns", "french horn"), Traits(lead=(HORNS, BRASS))),
    (("harmonica",), Traits(lead=(HARMONICA,))),
    (("drums", "drum", "percussion"), Traits(plays=("drums",))),
    (("no-drums", "no-percussion", "no-beat", "drumless"), Traits(silent=("drums",))),
    (("no-bass",), Traits(silent=("bass",))),
)  # fmt: skip
