"""`python -m bench.baseline worker|projector`: on the broker and the database of the environment."""

import gc
import os
import sys

from bench.baseline import into_postgresql, into_sqlite, on_kafka, on_redis

broker, database = os.environ["TOPICFLOW_BROKER_URL"], os.environ["TOPICFLOW_DATABASE_URL"]
on = on_kafka if broker.startswith("kafka:") else on_redis
into = into_postgresql if database.startswith("postgresql:") else into_sqlite
gc.freeze()
gc.set_threshold(50_000, 20, 50)  # as services do
if sys.argv[1] == "worker":
    on.work(broker)
else:
    on.project(broker, into.opened(database))
