"""Every metric of every process. Exposed by `prometheus.py`, documented in docs/metrics.md.

Labels have few values, independent of what is submitted: never an id, a title, a path or a message.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics

from shared.observability.prometheus import Reading

disable_created_metrics()  # type: ignore[no-untyped-call]  # else each counter has a second series

# -- every process ---------------------------------------------------------------------------------------------------
EVERY = CollectorRegistry()
ProcessCollector(registry=EVERY)

BUILD_INFO = Gauge(
    "topicflow_build_info",
    "Always 1: which service this process is, and its version.",
    ["service", "version"],
    registry=EVERY,
)
BROKER_ERRORS = Counter(
    "topicflow_broker_errors_total",
    "Failed broker calls by error (BrokerUnreachable, BrokerFull, PositionsLost). The first two are retried until they"
    " succeed.",
    ["error"],
    registry=EVERY,
)


def _of_a_service() -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(EVERY)
    return registry


# -- api -------------------------------------------------------------------------------------------------------------
API = _of_a_service()

REQUESTS = Histogram(
    "topicflow_http_request_seconds",
    "HTTP request duration until the response was sent, or until an event stream began, by method, route template"
    " ((none) if no route matches) and status code. Its _count is the number of requests.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    registry=API,
)
REQUESTS_REFUSED = Counter(
    "topicflow_http_requests_refused_total",
    "Requests answered with a problem, by reason: no_room, broker_unreachable, broker_full, database_unreachable, or"
    " the name of the status code, such as not_found.",
    ["reason"],
    registry=API,
)
SUBMISSIONS = Counter(
    "topicflow_submissions_received_total",
    "Titles and articles received, by verdict: queued, skipped (already completed or in progress), imported.",
    ["kind", "verdict"],
    registry=API,
)

EVENT_STREAMS = Gauge(
    "topicflow_event_streams",
    "Event streams (GET /api/v1/events) that are open at this replica.",
    registry=API,
)
EVENT_STREAMS_DROPPED = Counter(
    "topicflow_event_streams_dropped_total",
    "Event streams that were ended because their client read too slowly.",
    registry=API,
)

# System-wide gauges: every API replica reports the same values, so aggregate with max, never sum.
SUBMISSIONS_NOW = Reading(
    "topicflow_submissions",
    "Submissions by current status: pending, processing, completed, failed.",
    ["kind", "status"],
    registry=API,
)
DEAD_LETTERS_NOW = Reading(
    "topicflow_dead_letters",
    "Records on the dead-letter streams, as counted by the projection.",
    registry=API,
)
LIVE_PROCESSES = Reading(
    "topicflow_live_processes",
    "Processes of each service with a heartbeat in the last seconds; absent while no heartbeat arrives.",
    ["service"],
    registry=API,
)
PROJECTION_LAG = Reading(
    "topicflow_projection_lag_seconds",
    "Age of the oldest event that is not projected yet: how stale a status read from the API can be; 0 when caught up.",
    registry=API,
)
BACKLOG = Reading(
    "topicflow_backlog",
    "Submissions that a worker group has not settled, by state: waiting (not delivered yet), in_flight. At"
    " TOPICFLOW_MAX_BACKLOG new ones are rejected.",
    ["group", "state"],
    registry=API,
)
OLDEST_UNENDED = Reading(
    "topicflow_backlog_oldest_seconds",
    "Age of the oldest submission that a worker group has not settled; absent if there is none.",
    ["group"],
    registry=API,
)
TIME_TO_LOSS = Reading(
    "topicflow_time_to_loss_seconds",
    "Time until retention removes entries that a worker group has not read; absent if it never does, as on Redis.",
    ["group"],
    registry=API,
)
BROKER_MEMORY = Reading(
    "topicflow_broker_memory_share",
    "Used share of the broker's memory limit, 0 to 1; from 0.8 on new work is rejected. Absent if there is no limit.",
    registry=API,
)

# -- topic-worker ----------------------------------------------------------------------------------------------------
WORKER = _of_a_service()

DELIVERIES = Counter(
    "topicflow_deliveries_total",
    "Deliveries settled by this worker, by end: completed; failed; dead_lettered; requeued (republished at the end of"
    " its stream after waiting too long); taken_over (now owned by another member); nothing_to_do (already settled, or"
    " withdrawn).",
    ["end"],
    registry=WORKER,
)
HANDLING_SECONDS = Histogram(
    "topicflow_handling_seconds",
    "Time from the start of processing a submission until the broker stored its outcome, including calls and waiting.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
    registry=WORKER,
)
IN_FLIGHT = Reading(
    "topicflow_in_flight",
    "Submissions that this worker has taken and not settled yet; at most TOPICFLOW_IN_FLIGHT, and while calls are short"
    " those that begin within 50 ms.",
    registry=WORKER,
)
WAITING = Reading(
    "topicflow_waiting_seconds",
    "How long this worker has been waiting for an outage to end, by reason (rate_limited, unavailable,"
    " key_refused, catalog_unavailable, catalog_refuses_us, bug); absent while it works.",
    ["reason"],
    registry=WORKER,
)
LLM_CALLS = Counter(
    "topicflow_llm_calls_total",
    "Calls to the language model, by outcome: answered, empty, cut_off (at the token limit), blocked, rate_limited,"
    " unavailable, key_refused, timeout, cancelled, or gemini_ and the status code of a rejection.",
    ["model", "outcome"],
    registry=WORKER,
)
LLM_SECONDS = Histogram(
    "topicflow_llm_call_seconds",
    "Duration of calls to the language model, for every outcome.",
    ["model"],
    buckets=(0.25, 0.5, 1, 2, 5, 10, 20, 40, 80, 120),
    registry=WORKER,
)
LLM_TOKENS = Counter(
    "topicflow_llm_tokens_total",
    "Tokens paid for, by kind: in, out, cached (a part of in), thought.",
    ["model", "kind"],
    registry=WORKER,
)
SUBMISSIONS_PER_CALL = Histogram(
    "topicflow_llm_submissions_per_call",
    "Submissions per call to the language model.",
    buckets=(1, 2, 3, 4, 5),
    registry=WORKER,
)

# -- status-projector ------------------------------------------------------------------------------------------------
PROJECTOR = _of_a_service()

PROJECTED_EVENTS = Counter(
    "topicflow_projected_events_total",
    "Events stored in the database by this projector, by type; a redelivered event counts again.",
    ["type"],
    registry=PROJECTOR,
)
PROJECTION_SECONDS = Histogram(
    "topicflow_projection_transaction_seconds",
    "Duration of the transactions that store a batch of events.",
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
    registry=PROJECTOR,
)
PROJECTION_BATCH = Histogram(
    "topicflow_projection_batch_events",
    "Events per transaction; near the upper end the projector is catching up.",
    buckets=(1, 5, 10, 50, 100, 500, 1000, 2000),
    registry=PROJECTOR,
)
TRIMMED_ENTRIES = Counter(
    "topicflow_trimmed_entries_total",
    "Entries removed from a stream after every reader had processed them.",
    ["stream"],
    registry=PROJECTOR,
)
