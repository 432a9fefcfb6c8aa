"""`python -m api`: one API replica, configured by the environment only."""

from api.app import SERVICE, main
from api.settings import ApiSettings
from shared.service.bootstrap import start

if __name__ == "__main__":
    start(SERVICE, ApiSettings, main)
