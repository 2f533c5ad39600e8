"""How likely an English text is an insult or a profanity, by alt-profanity-check's linear model on scikit-learn."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import joblib

_VECTORIZER: Final = "vectorizer.joblib"
_CLASSIFIER: Final = "model.joblib"
_PROFANE: Final = 1  # the column of the classifier's answer


class TextJudge:
    """The model in `folder`. Loading brings in scikit-learn, and runs what the files say: they have to be trusted.

    Raises FileNotFoundError.
    """

    def __init__(self, folder: Path) -> None:
        self._vectorizer: Any = joblib.load(folder / _VECTORIZER)
        self._classifier: Any = joblib.load(folder / _CLASSIFIER)

    def scores(self, texts: Sequence[str]) -> list[float]:
        """One score from 0 to 1 for each text, of which there is at least one."""
        likelihoods = self._classifier.predict_proba(self._vectorizer.transform(texts))
        return [float(row[_PROFANE]) for row in likelihoods]
