"""How much may be at work at a time: the rule that a worker and its calls to a model share."""


def most_ready(calls: int) -> int:
    """How many more than `calls` may be at work: their requests are made, or their answers read, meanwhile."""
    return calls // 10
