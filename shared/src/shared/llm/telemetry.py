"""Observes one LLM call, which submissions may share: log lines, metrics, and a span linked to theirs."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context

import structlog
from opentelemetry.trace import SpanKind

from shared.llm.gemini import Answer
from shared.observability import tracing
from shared.observability.metrics import SUBMISSIONS_PER_CALL

log = structlog.get_logger()


@contextmanager
def observed(contexts: Mapping[str, Context]) -> Iterator[Callable[[Answer], None]]:
    """`contexts`: the context of each submission's delivery; the first is that of the current task.

    Call the yielded function with the answer, if there is one.
    """
    SUBMISSIONS_PER_CALL.observe(len(contexts))
    _, *others = contexts
    if others:
        structlog.contextvars.bind_contextvars(shared_with=others)
    traces = [contexts[other].run(tracing.current) for other in others]
    links = [trace for trace in traces if trace.trace_flags.sampled]
    with tracing.span("generate_content", SpanKind.CLIENT, links=links) as span:
        span.set_attributes({"gen_ai.operation.name": "generate_content", "topicflow.submissions": len(contexts)})

        def on_answer(answer: Answer) -> None:
            log.debug("gemini_answered", finish_reason=answer.finish_reason, seconds=round(answer.seconds, 3))
            span.set_attributes(
                {
                    "gen_ai.response.model": answer.model,
                    "gen_ai.usage.input_tokens": answer.tokens_in,
                    "gen_ai.usage.output_tokens": answer.tokens_out,
                }
            )

        yield on_answer
