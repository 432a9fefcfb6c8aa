"""`python -m enricher`: one enricher, configured by the environment only."""

from enricher.app import main
from enricher.settings import EnricherSettings
from shared.service.bootstrap import start
from shared.streams import ENRICHER

if __name__ == "__main__":
    start(ENRICHER, EnricherSettings, main)
