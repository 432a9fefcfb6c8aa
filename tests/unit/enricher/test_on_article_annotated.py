"""The state of a write by the marks in the catalogue: due, written, overtaken by a newer one, or mixed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from factories import BEGAN, article_annotated

from enricher.catalog_schema import CatalogArticle
from enricher.on_article_annotated import WRITTEN_BY, submission_mark, write_state

OURS: dict[str, Any] = {"keywords": ["oats"], "study_type": "Other", "evaluation": {"verdict": ["Eat oats."]}}
EVENT = article_annotated(attempt=2, annotation=OURS)
NEWER = submission_mark(EVENT.model_copy(update={"attempt": 3, "submitted_at": BEGAN + timedelta(seconds=1)}))
OLDER = submission_mark(EVENT.model_copy(update={"attempt": 1, "submitted_at": BEGAN - timedelta(seconds=1)}))
OURS_BY_RUN = submission_mark(EVENT) | {"run": EVENT.run}
WITH_OURS = CatalogArticle(EVENT.urn, "Oats", "", "", {}, ["oats"], "Other", ["Eat oats."])
WITH_OTHERS = replace(WITH_OURS, ai_tags=["kefir"])


@pytest.mark.parametrize(
    ("there", "mark", "expected"),
    [
        (WITH_OTHERS, None, "due"),
        (WITH_OTHERS, OLDER, "due"),
        (WITH_OTHERS, "somebody's own", "due"),
        (WITH_OURS, OLDER, "due"),
        (WITH_OURS, OURS_BY_RUN, "written"),
        (WITH_OTHERS, OURS_BY_RUN, "mixed"),
        (WITH_OTHERS, submission_mark(EVENT) | {"run": "another"}, "overtaken"),
        (WITH_OURS, submission_mark(EVENT) | {"run": "another"}, "overtaken"),
        (WITH_OTHERS, NEWER, "overtaken"),
        (WITH_OURS, NEWER, "mixed"),
    ],
)
def test_the_stored_extras_decide_what_is_written(there: CatalogArticle, mark: Any, expected: str) -> None:
    assert write_state(replace(there, extras={WRITTEN_BY: mark}), EVENT, OURS) == expected
