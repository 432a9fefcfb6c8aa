"""`python -m shared.service.healthcheck PORT PATH`: a container's health check, where there is no curl.

Exits with 0 where 200 is answered.
"""

import sys
from http.client import HTTPConnection, HTTPException

PATIENCE = 3.0  # seconds; /ready itself gives a dependency 2


def why_not(port: int, path: str) -> str | None:
    """What is said instead. No proxy of the environment is asked, as urllib would."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        said = answer.read().decode(errors="replace")
    except (OSError, HTTPException) as error:
        return f"no answer: {error}"
    finally:
        connection.close()
    return None if answer.status == 200 else said


if __name__ == "__main__":
    sys.exit(why_not(int(sys.argv[1]), sys.argv[2]))
