"""`python -m topic_worker`: one worker, configured by the environment only."""

from shared.service import start
from topic_worker.app import GROUP, main
from topic_worker.settings import WorkerSettings

if __name__ == "__main__":
    start(GROUP, WorkerSettings, main)
