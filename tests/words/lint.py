"""Checks names: no identifier of `replaced.toml` outside `allowed.toml`, and no class name that is defined twice.

python tests/words/lint.py             says what is wrong and ends with 1
python tests/words/lint.py --allow     writes allowed.toml anew; only ever to make it shorter
"""

import ast
import io
import sys
import tokenize
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PRODUCT = ("shared/src", "services", "cli/src", "deploy/local/src")
CLIENT_MODELS = {f"cli/src/topicflow/client/{name}.py" for name in ("models", "events")}  # the API's answers, once more
ALLOWED = HERE / "allowed.toml"
HEAD = (
    "# Where names of replaced.toml are still used. It may only shrink: an entry that is not needed fails the lint.\n"
)
Uses = dict[str, set[str]]  # by file, the replaced names in it


def replacements() -> dict[str, str]:
    return tomllib.loads((HERE / "replaced.toml").read_text())


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not any(part.startswith(".") for part in path.relative_to(ROOT).parts):
                yield path


def identifiers(source: str) -> set[str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.string for token in tokens if token.type == tokenize.NAME}


def uses_of(replaced: set[str]) -> Uses:
    used = {
        str(path.relative_to(ROOT)): identifiers(path.read_text()) & replaced for path in sources(*PRODUCT, "tests")
    }
    return {path: names for path, names in used.items() if names}


def allowed() -> Uses:
    return {path: set(names) for path, names in tomllib.loads(ALLOWED.read_text()).items()} if ALLOWED.exists() else {}


def wrong_names(used: Uses, permitted: Uses, instead: dict[str, str]) -> list[str]:
    problems = []
    for path in sorted(used.keys() | permitted.keys()):
        found, spared = used.get(path, set()), permitted.get(path, set())
        problems += [f"{path}: {name}: write {instead[name]}" for name in sorted(found - spared)]
        problems += [f"{path}: {name} is allowed in allowed.toml but not used" for name in sorted(spared - found)]
    return problems


def class_names_used_twice() -> list[str]:
    defined = defaultdict(list)
    for path in (path for path in sources(*PRODUCT) if str(path.relative_to(ROOT)) not in CLIENT_MODELS):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                defined[node.name].append(str(path.relative_to(ROOT)))
    return [
        f"class {name} is defined in {', '.join(paths)}" for name, paths in sorted(defined.items()) if len(paths) > 1
    ]


def write_allowed(used: Uses) -> None:
    lines = [f'"{path}" = {sorted(names)!r}'.replace("'", '"') for path, names in sorted(used.items())]
    ALLOWED.write_text(HEAD + "\n".join(lines) + "\n")


def main() -> int:
    instead = replacements()
    used = uses_of(set(instead))
    if "--allow" in sys.argv:
        write_allowed(used)
    problems = wrong_names(used, allowed(), instead) + class_names_used_twice()
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
