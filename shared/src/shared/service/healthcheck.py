"""`python -m shared.service.healthcheck PORT PATH`: a container's health check without curl.

Exits with 0 if the response is 200.
"""

import sys
from http.client import HTTPConnection, HTTPException

PATIENCE = 3.0  # seconds; /ready itself gives a dependency 2


def why_not(port: int, path: str) -> str | None:
    """None if healthy, else the response. Unlike urllib, ignores proxies of the environment."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode(errors="replace")
    except (OSError, HTTPException) as error:
        return f"no answer: {error}"
    finally:
        connection.close()
    return None if answer.status == 200 else body


if __name__ == "__main__":
    sys.exit(why_not(int(sys.argv[1]), sys.argv[2]))
