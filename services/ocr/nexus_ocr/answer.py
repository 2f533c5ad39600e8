"""One page's answer in Mistral's shape."""

from collections.abc import Sequence
from itertools import chain

from nexus.contract.wire.ocr import OcrBlock, OcrConfidence, OcrDimensions, OcrPage, OcrRequest, OcrWordConfidence
from nexus.sdk.media.page_picture import Picture
from nexus_ocr.layout import Block, arranged, markdown
from nexus_ocr.lines import Line


def page_answer(index: int, picture: Picture, lines: Sequence[Line], request: OcrRequest) -> OcrPage:
    """The page's Markdown, with its blocks and confidences where they were asked for."""
    blocks = arranged(lines)
    text = markdown(blocks)
    return OcrPage(
        index=index,
        markdown=text,
        dimensions=OcrDimensions(dpi=picture.dpi, height=picture.height, width=picture.width),
        blocks=tuple(_block(block) for block in blocks) if request.include_blocks else None,
        confidence_scores=_confidence(text, blocks, request.confidence_scores_granularity == "word")
        if request.confidence_scores_granularity
        else None,
    )


def _block(block: Block) -> OcrBlock:
    box = block.box
    return OcrBlock(
        type="title" if block.level else "text",
        content=block.markdown,
        top_left_x=int(box.left),
        top_left_y=int(box.top),
        bottom_right_x=round(box.right),
        bottom_right_y=round(box.bottom),
    )


def _confidence(text: str, blocks: Sequence[Block], by_word: bool) -> OcrConfidence:
    """Mean and least over the characters, or over the words; a page without text has nothing to doubt."""
    lines = [line for block in blocks for row in block.rows for line in row.lines]
    if not by_word:
        return _summed(list(chain.from_iterable(line.scores for line in lines)))
    words = _words(text, lines)
    return _summed([word.confidence for word in words], tuple(words))


def _summed(scores: Sequence[float], words: tuple[OcrWordConfidence, ...] | None = None) -> OcrConfidence:
    return OcrConfidence(
        average_page_confidence_score=round(sum(scores) / len(scores), 5) if scores else 1.0,
        minimum_page_confidence_score=round(min(scores, default=1.0), 5),
        word_confidence_scores=words,
    )


def _words(text: str, lines: Sequence[Line]) -> list[OcrWordConfidence]:
    """Each word with the mean of its characters' scores, found again in the Markdown from left to right."""
    words = []
    place = 0
    for line in lines:
        start = 0
        for word in line.text.split():
            start = line.text.index(word, start)
            place = text.index(word, place)
            scores = line.scores[start : start + len(word)] or (0.0,)
            words.append(
                OcrWordConfidence(text=word, confidence=round(sum(scores) / len(scores), 5), start_index=place)
            )
            start += len(word)
            place += len(word)
    return words
