"""What `topicflow up` says once it is ready: where it is, whose cards these are, and what to type next."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from topicflow.client.api import DEFAULT_URL
from topicflow.local_mode import data_folder


def next_steps(
    url: str, data: Path, environment: Mapping[str, str], *, kept: str, remarks: Sequence[str]
) -> Iterator[str]:
    """`kept`: where what was submitted is; `remarks`: on what is simulated, and what is off."""
    yield f"topicflow is ready at {url}"
    yield from remarks
    command = "topicflow" if shutil.which("topicflow") else sys.argv[0]
    where = "" if _is_found_without_help(url, data, environment) else f" --url {url}"
    yield f'In another terminal: {command} submit "Consistent hashing" "CAP theorem" --wait{where}'
    yield f"                     {command} topics list{where}"
    yield f"Ctrl-C stops; what was submitted stays in {kept}"


def _is_found_without_help(url: str, data: Path, environment: Mapping[str, str]) -> bool:
    """Other commands look into the data folder of their environment, then at the usual port."""
    if environment.get("TOPICFLOW_URL"):
        return False
    usual = environment.get("TOPICFLOW_DATA") or data_folder.DEFAULT
    return Path(os.path.abspath(usual)) == data or url == DEFAULT_URL
