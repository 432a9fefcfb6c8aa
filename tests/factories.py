"""Events and answers for tests, with plain values for whatever a test does not care about.

`fields` replace the plain values and add others.
"""

from datetime import UTC, datetime
from typing import Any

from shared.events import (
    ArticleAnnotated,
    ArticleRemoved,
    ArticleSubmitted,
    ErrorDetail,
    Event,
    ForgetArticle,
    SubmissionCompleted,
    SubmissionFailed,
    SubmissionParked,
    SubmissionStarted,
    TopicRemoved,
    TopicSubmitted,
    Usage,
)
from shared.ids import article_id, normal, topic_id
from shared.messaging.cloudevents import Record, encode

BEGAN = datetime(2026, 5, 1, tzinfo=UTC)
URN = "urn:article:coffee"
_REQUEST: dict[str, Any] = {"submitted_at": BEGAN, "submitted_by": "local"}


def topic_submitted(title: str = "Raft", attempt: int = 1, **fields: Any) -> TopicSubmitted:
    attributes = {"id": topic_id(title), "attempt": attempt, "title": title}
    return TopicSubmitted.model_validate(_REQUEST | attributes | fields)


def article_submitted(urn: str = URN, attempt: int = 1, **fields: Any) -> ArticleSubmitted:
    attributes = {"id": article_id(urn), "attempt": attempt, "urn": urn}
    return ArticleSubmitted.model_validate(_REQUEST | attributes | fields)


def article_removed(urn: str = URN, attempt: int = 1) -> ArticleRemoved:
    return ArticleRemoved(id=article_id(urn), attempt=attempt, by="local")


def forget_article(urn: str = URN, attempt: int = 1) -> ForgetArticle:
    return ForgetArticle(id=article_id(urn), attempt=attempt, urn=urn, submitted_at=BEGAN)


def article_annotated(urn: str = URN, attempt: int = 1, run: str = "run", **fields: Any) -> ArticleAnnotated:
    annotated = {"annotation": {"keywords": ["coffee"]}, "annotated_at": BEGAN, "input_hash": "h"}
    return ArticleAnnotated.model_validate(annotated | run_fields(None, attempt, run, urn=urn, **fields))


def run_fields(
    title: str | None = "Raft", attempt: int = 1, run: str = "run", *, urn: str | None = None, **fields: Any
) -> dict[str, Any]:
    """What all outcomes of a run share: of a topic, or with `urn` of an article. Without a title, give an `id`."""
    attributes = {"kind": "topic", "id": title and topic_id(title), "title": title}
    if urn:
        attributes = {"kind": "article", "id": article_id(urn), "urn": urn}
    return {"submitted_at": BEGAN, "attempt": attempt, "run": run, "worker": f"worker of {run}", **attributes, **fields}


def started(title: str | None = "Raft", attempt: int = 1, run: str = "run", **fields: Any) -> SubmissionStarted:
    return SubmissionStarted(**run_fields(title, attempt, run, **fields))


def parked(title: str | None = "Raft", attempt: int = 1, run: str = "run", **fields: Any) -> SubmissionParked:
    return SubmissionParked.model_validate({"reason": "rate_limited"} | run_fields(title, attempt, run, **fields))


def completed(title: str | None = "Raft", attempt: int = 1, run: str = "run", **fields: Any) -> SubmissionCompleted:
    """Its content names the run."""
    content = {"content": {"title": f"by {run}"}}
    return SubmissionCompleted.model_validate(content | run_fields(title, attempt, run, **fields))


def failed(title: str | None = "Raft", attempt: int = 1, run: str = "run", **fields: Any) -> SubmissionFailed:
    error = {"error": ErrorDetail(code="refused", message="no")}
    return SubmissionFailed.model_validate(error | run_fields(title, attempt, run, **fields))


def removed(title: str = "Raft", attempt: int = 1, **fields: Any) -> TopicRemoved:
    return TopicRemoved.model_validate({"id": topic_id(title), "attempt": attempt, "by": "local"} | fields)


def usage(call_id: str = "call", **fields: Any) -> Usage:
    plain = {"model": "m", "prompt_version": "1", "tokens_in": 10, "tokens_out": 20, "seconds": 1.0}
    return Usage.model_validate({"call_id": call_id} | plain | fields)


def record(event: Event, at: datetime | None = None) -> Record:
    """`at`: when it happened, by default now."""
    return encode(event, source="test", time=at)


# -- an article and the two answers of a good model about it -------------------------------------------------------

TEXT = normal(
    "Coffee and sleep: a cohort of nurses. Caffeine after noon delays sleep. Naïve Bayes, 日誌 and β-glucan too."
)
CLASSIFICATION: dict[str, Any] = {
    "keywords": ["Coffee", "sleep", "caffeine"],
    "reader_group": "General public",
    "age_group": "Adults",
    "population_group": "Nurses",
    "study_type": "Observational (Cohort)",
}
QA = [{"question": f"Question {n}?", "answer": "Yes.", "grounding": "Caffeine after noon delays sleep."} for n in "abc"]
ASSESSMENT: dict[str, Any] = {
    "evaluation": {
        "user_value_score": 4,
        "actionability_score": 5,
        "verdict": ["No coffee after noon."],
        "safety_sensitivity": "Low",
        "recommended_user_framing": "An observation, no proof.",
    },
    "annotations": {
        "abstract": "People who drink coffee late sleep late.",
        "glossary": [{"term": name, "definition": "What it is.", "rationale": "Why."} for name in ("a", "b", "c")],
        "user_qa": QA,
        "expert_qa": QA,
        "practitioner_qa": QA,
    },
}
