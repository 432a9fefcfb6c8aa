"""The page stays small, without a build step and without ways to turn data into markup."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "services/api/src/api/page"
FILES = [PAGE / "index.html", *sorted((PAGE / "assets").iterdir())]
MODULES = [path for path in FILES if path.suffix == ".js"]
MOST_BYTES = 100 * 1024
DANGEROUS = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser|srcdoc|javascript:"


def test_all_files_of_the_page_have_at_most_100_kb() -> None:
    assert sum(path.stat().st_size for path in FILES) <= MOST_BYTES


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_each_module_has_at_most_200_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 200


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_comes_from_another_host_and_no_data_becomes_markup(path: Path) -> None:
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"https?://|//[a-z]+\.[a-z]+", text) == []
    assert re.findall(DANGEROUS, text) == []


def test_the_document_has_no_inline_script_or_style() -> None:
    text = (PAGE / "index.html").read_text()
    assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_each_module_imports_what_exists_and_uses_what_it_imports(path: Path) -> None:
    text = path.read_text()
    for names, module in re.findall(r'^import (.+) from "\./([^"]+)";$', text, re.M):
        exported = (PAGE / "assets" / module).read_text()
        for name in re.findall(r"\w+", names.removeprefix("* as ")):
            assert len(re.findall(rf"\b{name}\b", text)) > 1, f"{name} is not used"
            is_exported = re.search(rf"^export (async )?(function|const|class) {name}\b", exported, re.M)
            assert is_exported or names.startswith("* as "), f"{module} has no {name}"
