"""No key and no password is in anything that is written, under any fault: all outputs are searched."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from eventually import eventually
from integration.api import Api
from integration.data_dumps import Dump, arguments, database, files, leaks, output_of
from integration.keyed import bearer
from integration.secured import Secured, on_kafka_with_a_password, on_valkey_with_a_password
from otlp_collector import OtlpCollector
from servers import LOOPBACK, Deployment, GeminiSimulator, Process, Stacks, free_port
from servers.leaky_gemini import LeakyGemini
from servers.stack import VALKEY

from api.access.api_keys import ApiKeys
from shared.db.engine import open_access
from shared.db.migrate import migrate
from shared.streams import ENRICHER, PROJECTOR

pytestmark = pytest.mark.slow

TOPICFLOW = str(Path(sys.executable).with_name("topicflow"))
WITHIN = 60  # seconds
LOUD = {"TOPICFLOW_LOG_LEVEL": "DEBUG", "PYTHONFAULTHANDLER": "1"}
QUICK = {"TOPICFLOW_LONGEST_PAUSE_SECONDS": "0.2", "GEMINI_TIMEOUT_SECONDS": "1", "WORKER_BATCH_SIZE": "1"}
LEAKY_TITLES = [f"answers {what}" for what in (400, 401, 403, 404, 429, 500, 503, "nonsense")]
EVENTS = "/api/v1/events"  # has no end
COMMANDS = ("up --help", "keys list", "keys list --json", "provision --check", "status", "topics list", "usage")


@pytest.fixture
def secured(
    stacks: Stacks, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    if stacks.name == VALKEY:
        with on_valkey_with_a_password(folder) as secured:
            yield secured
    else:
        own_kafka, postgres_url = map(request.getfixturevalue, ("own_kafka", "postgres_url"))
        yield on_kafka_with_a_password(folder, own_kafka, postgres_url)


class LeakScenario:
    """Runs a deployment through faults, and dumps everything that it writes."""

    def __init__(self, secured: Secured) -> None:
        self.secured, self.secrets, self.folder = secured, secured.secrets, secured.secrets.folder
        self.collector, self.leaky, self.gemini = OtlpCollector(), LeakyGemini(), GeminiSimulator(self.folder)
        self.deployment = Deployment(
            self.folder, secured.stack, self.gemini, LOUD | QUICK | self.collector.settings | {"GEMINI_API_KEY": ""}
        )
        self.dumps: list[Dump] = []
        self.ops: dict[str, int] = {}

    async def start(self) -> Api:
        """The API reads its settings from files and requires a key, the projector reads the environment."""
        self.gemini.start()
        access = open_access(self.secured.stack.database_url)
        await migrate(access, "access")
        _, self.key = await ApiKeys(access).create("everything", ["read", "submit", "operate"])
        await access.close()
        self.secrets.values["an API key"] = self.key.split("_", 2)[2]
        self._add("api", "api", TOPICFLOW_HOST="0.0.0.0", **self.secured.by_files)
        self._add(PROJECTOR, "projector")
        client = self.deployment.client()
        client.headers["Authorization"] = f"Bearer {self.key}"
        return await Api(self.deployment, client).up()

    def _add(self, service: str, name: str, **settings: str) -> Process:
        if service != "api":
            self.ops[name] = free_port()
            settings["TOPICFLOW_OPS_PORT"] = str(self.ops[name])
        return self.deployment.add(service, name, **settings)

    def new_keys(self, *names: str) -> str:
        return ",".join(map(self.secrets.new, names))

    async def exercise_faults(self, api: Api) -> None:
        """Faults of one key each and of all; the worker is configured by the environment, and aborted during a call."""
        keys = self.new_keys("a good key", "a refused key", "a resting key")
        _, refused, resting = keys.split(",")
        self.gemini.add_fault("401", of_key=refused)
        self.gemini.add_fault("429", of_key=resting, of_the_day=True)
        for fault in ("hang", "reset", "503"):
            self.gemini.add_fault(fault, title_contains=fault, times=1)
        worker = self._add("topic-worker", "faulty", GEMINI_API_KEYS=keys, GEMINI_API_KEY="")
        await ended(api, "hang", "reset", "503", *(f"Of a fault {n}" for n in range(6)))
        assert "api_key_rejected" in worker.output
        assert "api_key_cooling_down" in worker.output
        await self.dump_process(api, "faulty")
        self.gemini.add_fault("hang", title_contains="Aborted")
        await api.submit("Aborted")
        await eventually(lambda: self.gemini.calls["in_flight"], within=WITHIN)
        self.abort("faulty")
        self.gemini.forget_faults()

    async def exercise_leaky_gemini(self, api: Api) -> None:
        """The worker reads its settings from files, and Gemini quotes the key wherever it can."""
        keys = self.secrets.file("keys", self.new_keys("key 4", "key 5", "key 6", "key 7"))
        settings = {"GOOGLE_GEMINI_BASE_URL": self.leaky.url, "GEMINI_API_KEYS_FILE": keys} | self.secured.by_files
        worker = self._add("topic-worker", "by-files", GEMINI_API_KEY="", **settings)
        await ended(api, *LEAKY_TITLES, "hangs", "resets", "invalid key")
        assert set(LEAKY_TITLES) <= self.leaky.seen.keys()
        await self.dump_process(api, "by-files")
        assert worker.stop() == 0

    async def exercise_catalogue(self, api: Api) -> None:
        """The catalogue refuses login and tokens, sends HTML, and resets; the enricher calls the API with a key."""
        secret = self.secrets.new("the catalogue's secret")
        settings = {
            "KEYCLOAK_CLIENT_SECRET": secret,
            "TOPICFLOW_API_KEY": self.key,
            "GEMINI_API_KEY": self.new_keys("key 8"),
        }
        catalog = self.deployment.catalog
        for fault in ("401", "503", "page", "reset"):
            catalog.add_fault(fault, times=2)
        enricher = self._add(ENRICHER, "enricher", **settings)
        assert (await api.ask("POST", "/articles/scan")).is_success
        await eventually(lambda: len(catalog.written) > 30, within=WITHIN)
        assert "catalog_" in enricher.output
        await self.dump_process(api, "enricher")
        self.abort("enricher")

    async def exercise_wrong_settings(self) -> None:
        """Starts services with wrong secret settings, each until it writes something."""
        secret = self.secrets.new("a wrong setting")
        server = self.secured.stack.broker_url.rpartition("@")[2].removeprefix("kafka://")
        wrong = [
            ("TOPICFLOW_BROKER_URL", f"redis://:{secret}@[host/0"),
            ("TOPICFLOW_BROKER_URL", f"redis://:{secret}@host:port/0"),
            ("TOPICFLOW_BROKER_URL", f"redis://:{secret}@{server}"),
            ("TOPICFLOW_BROKER_URL", f"kafka://user:{secret}@host:9092"),
            ("TOPICFLOW_BROKER_URL", f"user:{secret}@host:6379"),
            ("TOPICFLOW_DATABASE_URL", f"postgresql://user:{secret}/x@host/database"),
            ("TOPICFLOW_DATABASE_URL", f"postgresql://user:{secret}@host:port/database"),
            ("TOPICFLOW_DATABASE_URL", f"postgresql://user:{secret}@{LOOPBACK}:1/database"),
            ("TOPICFLOW_DATABASE_URL", f"postgresql://user:{secret}@host/database?unknown={secret}"),
            ("TOPICFLOW_DATABASE_URL", secret),
            ("GEMINI_API_KEYS", f"a\r{secret}"),
            ("GEMINI_API_KEYS", f"good,ü{secret}"),
            ("TOPICFLOW_KAFKA_PASSWORD", secret),
            ("TOPICFLOW_KAFKA_CA", secret),
        ]
        for n, (name, value) in enumerate(wrong):
            service = PROJECTOR if name.startswith("TOPICFLOW_DATABASE") else "topic-worker"
            process = self._add(service, f"wrong-{n}", **{name: value})
            await any_output(process, "")
            process.end()

    async def exercise_requests(self, api: Api) -> None:
        """Every GET, with the key, with a wrong one, and with one as a query parameter."""
        self.secrets.values["a wrong API key"] = wrong = self.secrets.new("a wrong API key")
        [failed, *_] = (await api.get("/topics", status="failed"))["topics"]
        paths = (await api.http.get("/openapi.json")).json()["paths"]
        for path in [*(path for path, of in paths.items() if "get" in of), "/metrics", "/health", "/live"]:
            at = path.replace("{id}", failed["id"]).replace("{urn}", "urn:article:any")
            assert "{" not in at
            for request in ({}, bearer(f"tf_0_{wrong}"), {"params": {"key": wrong}}):
                async with api.http.stream("GET", at, **request) as answer:
                    parts = answer.aiter_text()
                    text = await anext(parts) if at == EVENTS else "".join([part async for part in parts])
                self.dumps.append((f"the answer of {path}", repr((answer.headers, text)).encode()))

    async def dump_process(self, api: Api, name: str) -> None:
        """Its command line as other users see it, and its metrics."""
        process = self.deployment.services[name].running
        assert process
        self.dumps += arguments(name, process.pid)
        if port := self.ops.get(name):
            scraped = await api.http.get(f"http://{LOOPBACK}:{port}/metrics")
            assert scraped.is_success
            self.dumps.append((f"/metrics of {name}", scraped.content))

    async def exercise_commands(self) -> None:
        environment = {**self.secured.stack.settings, "TOPICFLOW_DATABASE_URL": self.secured.stack.database_url}
        environment |= {
            "TOPICFLOW_URL": self.deployment.url,
            "TOPICFLOW_API_KEY": self.key,
            "TOPICFLOW_DATA": str(self.folder),
        }
        for command in COMMANDS:
            for key in (self.key, f"tf_0_{self.secrets.new('a wrong key of a command')}"):
                _, output = await output_of(TOPICFLOW, *command.split(), **environment | {"TOPICFLOW_API_KEY": key})
                assert output
                self.dumps.append((f"the output of topicflow {command}", output))

    def abort(self, name: str) -> None:
        process = self.deployment.services[name]
        process.signal(signal.SIGABRT)
        assert process.running
        process.running.wait(10)
        assert "Fatal Python error: Aborted" in process.output

    async def all_dumps(self) -> list[Dump]:
        spans = [("a span", body) for body in self.collector.received]
        assert spans
        in_broker = [place async for place in self.secured.broker()]
        in_database = list(database(self.secured.stack.database_url))
        in_files = list(files(self.folder, self.secrets.files))
        for what, dumps in (
            ("Of a fault 1", in_broker),
            ("Of a fault 1", in_database),
            ("api_key_cooling_down", in_files),
        ):
            assert any(what.encode() in written for _, written in dumps), (what, [where for where, _ in dumps])
        return [*self.dumps, *spans, *in_broker, *in_database, *in_files]

    def end(self) -> None:
        self.deployment.end()
        self.leaky.end()
        self.collector.close()


async def ended(api: Api, *titles: str) -> None:
    """Submits the topics and waits until they are completed or failed."""
    ids = {topic["id"] for topic in (await api.submit(*titles))["topics"]}

    async def have() -> bool:
        topics = [(await api.ask("GET", f"/topics/{id_}")).json() for id_ in ids]
        return all(topic["status"] in {"completed", "failed"} for topic in topics)

    await eventually(have, within=WITHIN, every=0.5)  # the API limits the requests of a key


async def any_output(process: Process, *what: str) -> None:
    """Waits until it has written one of these; "" is anything."""
    await eventually(lambda: process.output and any(text in process.output for text in what), within=WITHIN)


async def test_no_secret_is_in_anything_that_is_written(secured: Secured) -> None:
    scenario = LeakScenario(secured)
    try:
        api = await scenario.start()
        await scenario.exercise_faults(api)
        await scenario.exercise_leaky_gemini(api)
        await scenario.exercise_catalogue(api)
        await scenario.exercise_wrong_settings()
        await scenario.exercise_requests(api)
        await scenario.exercise_commands()
        for name in ("api", "projector"):
            await scenario.dump_process(api, name)
            scenario.abort(name)
        await api.http.aclose()
        found = leaks(secured.secrets.values, await scenario.all_dumps())
    finally:
        scenario.end()
    assert not found, "\n".join(found)
