"""Structured logs of every service: JSON lines on standard error, readable lines on a terminal."""

import logging
import sys

import structlog

from shared.observability import tracing


def set_up(service: str, instance: str, level: str = "INFO") -> None:
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _origin(service, instance),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.UnicodeDecoder(),
    ]
    on_terminal = sys.stderr.isatty()
    renderers: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]  # rich shows locals: secrets
        if on_terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    )
    structlog.configure(
        processors=[*processors, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    stdlib_processors = [*processors, structlog.stdlib.add_logger_name]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=stdlib_processors, processors=_stdlib_renderers(renderers)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(True)


def _origin(service: str, instance: str) -> structlog.typing.Processor:
    """Adds the trace, service and instance to each line, in any thread or task."""

    def add(_: object, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if trace_id := tracing.trace_id():
            line["trace_id"] = trace_id
        line.update(service=service, instance=instance)
        return line

    return add


def _stdlib_renderers(renderers: list[structlog.typing.Processor]) -> list[structlog.typing.Processor]:
    """For libraries, which log through the standard library: their lines have the same format."""
    return [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers]
