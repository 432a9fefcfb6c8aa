"""`python -m topic_worker`: one worker, configured by the environment only."""

from shared.service.bootstrap import start
from shared.streams import TOPIC_WORKER
from topic_worker.app import main
from topic_worker.settings import WorkerSettings

if __name__ == "__main__":
    start(TOPIC_WORKER, WorkerSettings, main)
