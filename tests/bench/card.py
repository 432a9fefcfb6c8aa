"""A card of 3 KB, as a model would answer: the answer of every benchmark's LLM."""

import json
from typing import Any

SENTENCE = "It keeps the write path short, moves the rest behind a queue and measures the few hot paths first. "

CARD: dict[str, Any] = {
    "title": "Consistent hashing",
    "description": SENTENCE * 22,
    "category": "system_design",
    "subcategory": "partitioning",
    "company": "General",
    "technologies": ["Redis", "Cassandra", "Envoy"],
    "complexity_level": "intermediate",
    "tags": ["hashing", "sharding", "balance"],
    "related_topics": ["Sharding", "Load balancing"],
    "metrics": {"scale": "thousands of nodes", "performance": "O(log n)", "reliability": "high", "latency": "1 ms"},
    "implementation_details": {
        "architecture": "a ring of virtual nodes",
        "scaling": "add nodes, move 1/n of the keys",
        "storage": "a sorted list of tokens",
        "caching": "the ring is small enough to keep",
        "monitoring": "keys per node, moved keys",
    },
    "learning_objectives": ["explain the ring", "place virtual nodes", "estimate what moves"],
    "difficulty": 5,
    "estimated_read_time": "8 minutes",
    "prerequisites": ["hash functions", "binary search"],
}


def answer(data: str) -> str:
    """JSON items in, the model's JSON answer out."""
    return json.dumps([{**CARD, "id": item["id"], "title": item["title"]} for item in json.loads(data)])
