"""The initial content of the catalogue simulator: articles from a file, and generated ones. Pure."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any
from uuid import NAMESPACE_URL, uuid5

MADE = "urn:article:made-"
CREATED_AT = "2024-01-01T00:00:00+00:00"
DEFAULTS: dict[str, Any] = {
    "abstract": None,
    "authors": [],
    "venue": None,
    "publication_year": None,
}
CONSTANT_FIELDS: dict[str, Any] = {  # generated articles
    "description": None,
    "content": "",
    "language": "en",
    "type": "JournalArticle",
    "status": "active",
    "tags": [],
    "keywords": [],
    "category": None,
    "extras": None,
    "ai_tags": [],
    "ai_category": None,
    "ai_key_takeaways": [],
    "created_at": CREATED_AT,
    "updated_at": CREATED_AT,
}
POOLS = {
    name: pool.split(", ")
    for name, pool in {
        "food": "lentils, oats, olive oil, walnuts, kefir, spinach, mackerel, barley, chickpeas, blueberries, "
        "green tea, eggs, tofu, rye bread, beetroot, yogurt, almonds, kale, sardines, cocoa, tomatoes, quinoa",
        "outcome": "LDL cholesterol, fasting glucose, blood pressure, body weight, satiety, iron status, "
        "sleep quality, bone density, stool frequency, inflammation, cognitive function, muscle strength, hydration",
        "group": "older adults, schoolchildren, pregnant women, adults with obesity, endurance athletes, teenagers, "
        "night-shift workers, adults with type 2 diabetes, healthy volunteers, hospital patients, vegetarians",
        "design": "a randomized controlled trial, a prospective cohort study, a case-control study, a meta-analysis, "
        "a cross-sectional survey, a systematic review, a qualitative study",
        "author": "Ahmed, Bianchi, Çelik, Dvořák, Eriksen, Fonseca, Gupta, Horváth, Ito, Jansen, Kovač, Łukasik",
    }.items()
}


def invented() -> dict[str, dict[str, Any]]:
    """The articles of the file by URN, in order, in the shape of the catalogue's responses."""
    records = tomllib.loads(files("simulators.catalog").joinpath("articles.toml").read_text("utf-8"))["article"]
    return {article["urn"]: _shaped(article) for article in records}


def made_urn(number: int) -> str:
    return f"{MADE}{number:06}"


def exists(urn: str) -> bool:
    return urn.startswith(MADE) and urn.removeprefix(MADE).isdecimal()


def made_article(urn: str) -> dict[str, Any]:
    """Deterministic: depends on the URN only."""
    number = int(urn.removeprefix(MADE))
    seed = number * 2_654_435_761 & 0xFFFFFFFF
    food, outcome, group, design, author = (pool[(seed >> 5 * n) % len(pool)] for n, pool in enumerate(POOLS.values()))
    people, weeks, change = 24 + seed % 4_000, 4 + seed % 48, 1 + seed % 17
    findings = (
        f"Compared with usual meals, {food} changed {outcome} by {change} % on average.",
        f"No difference in {outcome} was found between those who ate {food} daily and those who rarely did.",
        f"The association between {food} and {outcome} was weaker after adjustment for age and education.",
    )
    return _shaped(
        {
            "urn": urn,
            "title": f"{food.capitalize()} and {outcome} in {group}: {design} (no. {number})",
            "abstract": f"This report describes {design} of {food} and {outcome} in {group}. It covers {people} people "
            f"over {weeks} weeks. {findings[seed % 3]} Portions ranged from {20 + seed % 80} to {110 + seed % 200} g "
            "a day. The authors name self-reported intake as the main limitation.",
            "authors": [f"{author}, {chr(65 + seed % 26)}."],
            "year": 1990 + seed % 35,
            "venue": "Annals of Made-up Measurements",
        }
    )


def _shaped(record: Mapping[str, Any]) -> dict[str, Any]:
    return empty(record["urn"]) | {
        "title": record["title"],
        "abstract": record.get("abstract", "").strip() or None,
        "content": record.get("content", "").strip(),
        "authors": record["authors"],
        "venue": record["venue"],
        "publication_year": f"{record['year']}-01-01",
        "language": record.get("language", "en"),
    }


def empty(urn: str) -> dict[str, Any]:
    return {"urn": urn, "id": str(uuid5(NAMESPACE_URL, urn)), "title": urn, **DEFAULTS, **CONSTANT_FIELDS}
