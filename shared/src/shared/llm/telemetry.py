"""What is told of one LLM call, which submissions may share: log lines, a span with links to them, the metrics."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context

import structlog

from shared.llm.gemini import Answer
from shared.observability import tracing
from shared.observability.metrics import SUBMISSIONS_PER_CALL

log = structlog.get_logger()


@contextmanager
def observed(sharing: Mapping[str, Context]) -> Iterator[Callable[[Answer], None]]:
    """`sharing`: by submission, the context of its delivery; the first one's is this task's.

    Tell what is given the answer, if there is one.
    """
    SUBMISSIONS_PER_CALL.observe(len(sharing))
    _, *others = sharing
    if others:
        structlog.contextvars.bind_contextvars(shared_with=others)
    traces = [sharing[other].run(tracing.current) for other in others]
    links = [trace for trace in traces if tracing.is_recorded(trace)]
    with tracing.Span("generate_content", "client", links=links) as span:
        span.attributes |= {"gen_ai.operation.name": "generate_content", "topicflow.submissions": len(sharing)}

        def tell(answer: Answer) -> None:
            log.debug("gemini_answered", finish_reason=answer.finish_reason, seconds=round(answer.seconds, 3))
            span.attributes |= {
                "gen_ai.response.model": answer.model,
                "gen_ai.usage.input_tokens": answer.tokens_in,
                "gen_ai.usage.output_tokens": answer.tokens_out,
            }

        yield tell
