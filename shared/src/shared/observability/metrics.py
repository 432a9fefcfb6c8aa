"""Every metric, on one screen: what each process counts and measures. `prometheus.py` shows them, docs/metrics.md too.

A label has few values, whatever is submitted: never an id, a title, a path or a message.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics

from shared.observability.prometheus import Reading

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody reads

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
    "Calls to the broker that failed, by what that means for us (BrokerUnreachable, BrokerFull, PositionsLost). The"
    " first two are repeated until they succeed.",
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
    "HTTP requests: how many (its _count) and how long until the answer was sent, by method, by the route's template"
    " ((none) where no route fits) and by the answer's status code.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    registry=API,
)
REQUESTS_REFUSED = Counter(
    "topicflow_http_requests_refused_total",
    "Requests answered with a problem, by reason: no_room, broker_unreachable, broker_full, database_unreachable, else"
    " the name of the status code, such as not_found.",
    ["reason"],
    registry=API,
)
SUBMISSIONS = Counter(
    "topicflow_submissions_received_total",
    "Titles and articles that people sent, by verdict: queued, skipped because it is completed or under way, imported.",
    ["kind", "verdict"],
    registry=API,
)

# Of the whole system: each API replica reads the same, so take the max over replicas, never the sum.
SUBMISSIONS_NOW = Reading(
    "topicflow_submissions",
    "Submissions by the status that people see now: pending, processing, completed, failed.",
    ["kind", "status"],
    registry=API,
)
DEAD_LETTERS_NOW = Reading(
    "topicflow_dead_letters",
    "Records that could not be handled and wait among the dead letters for somebody to look at them.",
    registry=API,
)
LIVE_PROCESSES = Reading(
    "topicflow_live_processes",
    "Processes of each service whose heartbeat arrived within the last seconds; absent while no heartbeat arrives.",
    ["service"],
    registry=API,
)
PROJECTION_LAG = Reading(
    "topicflow_projection_lag_seconds",
    "Age of the oldest event that is not in the database yet, so how old a status that people read may be; 0 when all"
    " are.",
    registry=API,
)
BACKLOG = Reading(
    "topicflow_backlog",
    "Submissions that a worker group has not ended, by state: waiting (nobody has taken it), in_flight. At"
    " TOPICFLOW_MAX_BACKLOG more are refused.",
    ["group", "state"],
    registry=API,
)
OLDEST_UNENDED = Reading(
    "topicflow_backlog_oldest_seconds",
    "Age of the oldest submission that a worker group has not ended; absent while there is none.",
    ["group"],
    registry=API,
)
TIME_TO_LOSS = Reading(
    "topicflow_time_to_loss_seconds",
    "How long until retention removes what a worker group has not read; absent while it never does, as on Redis.",
    ["group"],
    registry=API,
)
BROKER_MEMORY = Reading(
    "topicflow_broker_memory_share",
    "How much of the memory that the broker may use is used, 0 to 1; from 0.8 on work is refused. Absent where there is"
    " no limit.",
    registry=API,
)

# -- topic-worker ----------------------------------------------------------------------------------------------------
WORKER = _of_a_service()

DELIVERIES = Counter(
    "topicflow_deliveries_total",
    "Deliveries that this worker ended, by end: completed; failed; dead_lettered; requeued (put at the tail of its"
    " stream after waiting too long); taken_over (another member has it by now); nothing_to_do (it had ended already,"
    " or was taken back).",
    ["end"],
    registry=WORKER,
)
HANDLING_SECONDS = Histogram(
    "topicflow_handling_seconds",
    "From the start of handling a submission until its end was stored by the broker, calls and waiting included.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
    registry=WORKER,
)
IN_FLIGHT = Reading(
    "topicflow_in_flight",
    "Submissions that this worker has taken and not ended yet; at most TOPICFLOW_IN_FLIGHT, and while calls are short "
    "those that begin within 50 ms.",
    registry=WORKER,
)
WAITING = Reading(
    "topicflow_waiting_seconds",
    "How long this worker has been waiting for the end of an outage, by reason (rate_limited, unavailable,"
    " key_refused, catalog_unavailable, catalog_refuses_us, bug); absent while it works.",
    ["reason"],
    registry=WORKER,
)
LLM_CALLS = Counter(
    "topicflow_llm_calls_total",
    "Calls to the language model, by outcome: answered, empty, cut_off (at the token limit), blocked, rate_limited,"
    " unavailable, key_refused, timeout, cancelled, or gemini_ and the status code of a refusal.",
    ["model", "outcome"],
    registry=WORKER,
)
LLM_SECONDS = Histogram(
    "topicflow_llm_call_seconds",
    "How long calls to the language model took, whatever their outcome.",
    ["model"],
    buckets=(0.25, 0.5, 1, 2, 5, 10, 20, 40, 80, 120),
    registry=WORKER,
)
LLM_TOKENS = Counter(
    "topicflow_llm_tokens_total",
    "Tokens that were paid for, by kind: in, out, cached (a part of in), thought.",
    ["model", "kind"],
    registry=WORKER,
)
SUBMISSIONS_PER_CALL = Histogram(
    "topicflow_llm_submissions_per_call",
    "How many submissions shared one call to the language model.",
    buckets=(1, 2, 3, 4, 5),
    registry=WORKER,
)

# -- status-projector ------------------------------------------------------------------------------------------------
PROJECTOR = _of_a_service()

PROJECTED_EVENTS = Counter(
    "topicflow_projected_events_total",
    "Events that this projector has stored in the database, by type; a repeated event counts again.",
    ["type"],
    registry=PROJECTOR,
)
PROJECTION_SECONDS = Histogram(
    "topicflow_projection_transaction_seconds",
    "How long the transactions took that stored a batch of events.",
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
    registry=PROJECTOR,
)
PROJECTION_BATCH = Histogram(
    "topicflow_projection_batch_events",
    "How many events one transaction stored; near the upper end the projector is catching up.",
    buckets=(1, 5, 10, 50, 100, 500, 1000, 2000),
    registry=PROJECTOR,
)
TRIMMED_ENTRIES = Counter(
    "topicflow_trimmed_entries_total",
    "Entries removed from a stream because everybody was done with them.",
    ["stream"],
    registry=PROJECTOR,
)
