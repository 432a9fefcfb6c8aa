"""`python -m status_projector`: one projector, configured by the environment only."""

from shared.service.bootstrap import start
from shared.streams import PROJECTOR
from status_projector.app import main
from status_projector.settings import ProjectorSettings

if __name__ == "__main__":
    start(PROJECTOR, ProjectorSettings, main)
