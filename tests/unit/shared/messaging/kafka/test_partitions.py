"""A key has the same partition as in every other Kafka client."""

from itertools import cycle, islice
from uuid import uuid4

import pytest
from aiokafka.partitioner import DefaultPartitioner

from shared.messaging.kafka.producer import partition_of


@pytest.mark.parametrize(
    ("key", "murmur2"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536)],
    ids=str,
)
def test_the_partition_is_that_of_the_java_clients(key: bytes, murmur2: int) -> None:
    """The values are those of Kafka's own tests (UtilsTest.testMurmur2)."""
    many = range(2**31)
    assert partition_of(key, many, many) == murmur2 & 0x7FFFFFFF


def test_the_cached_partition_is_the_same() -> None:
    keys = [str(uuid4()).encode() for _ in range(1500)]  # more than are remembered
    for partitions in (1, 7, 12):
        numbers = list(range(partitions))
        for key in islice(cycle(keys), 2 * len(keys)):
            assert partition_of(key, numbers, numbers) == DefaultPartitioner()(key, numbers, numbers)
