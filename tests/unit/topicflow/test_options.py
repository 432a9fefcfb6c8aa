"""Where commands find the API."""

from pathlib import Path

import pytest

from topicflow.errors import WrongUse
from topicflow.local_mode.data_folder import write_private
from topicflow.options import api_url


def test_the_url_comes_from_the_option_the_environment_the_folder_or_the_usual_port(tmp_path: Path) -> None:
    folder = {"TOPICFLOW_DATA": str(tmp_path)}
    assert api_url(None, folder) == "http://127.0.0.1:8000"
    write_private(tmp_path / "url", "http://127.0.0.1:8123\n")
    assert api_url(None, folder) == "http://127.0.0.1:8123"
    assert api_url(None, {**folder, "TOPICFLOW_URL": "https://cards.example/"}) == "https://cards.example"
    assert api_url("http://other:1/api/v1/", {**folder, "TOPICFLOW_URL": "https://cards.example"}) == "http://other:1"


@pytest.mark.parametrize("url", ["cards.example", "ftp://cards.example", "http://"])
def test_an_invalid_url_is_wrong_use(url: str) -> None:
    with pytest.raises(WrongUse):
        api_url(url, {})
