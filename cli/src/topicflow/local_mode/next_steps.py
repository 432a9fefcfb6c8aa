"""The lines that `topicflow up` prints once it is ready: its URL, what is simulated, and example commands."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from topicflow.client.api import DEFAULT_URL
from topicflow.local_mode import data_folder


def next_steps(
    url: str, data: Path, environment: Mapping[str, str], *, storage: str, remarks: Sequence[str]
) -> Iterator[str]:
    """`storage`: where submissions are kept; `remarks`: what is simulated or turned off."""
    yield f"topicflow is ready at {url}"
    yield from remarks
    command = "topicflow" if shutil.which("topicflow") else sys.argv[0]
    option = "" if _is_default(url, data, environment) else f" --url {url}"
    yield f'In another terminal: {command} submit "Consistent hashing" "CAP theorem" --wait{option}'
    yield f"                     {command} topics list{option}"
    yield f"Ctrl-C stops; submissions are kept in {storage}"


def _is_default(url: str, data: Path, environment: Mapping[str, str]) -> bool:
    """Whether other commands find this instance without --url: by the data folder or on the default port."""
    if environment.get("TOPICFLOW_URL"):
        return False
    default = environment.get("TOPICFLOW_DATA") or data_folder.DEFAULT
    return Path(os.path.abspath(default)) == data or url == DEFAULT_URL
