"""Building blocks of the answers: sentences with a placeholder for the subject, and words by field."""

TOPIC_SENTENCES = [
    sentence.split("{}")
    for sentence in (
        "{} is easiest to understand from the requests that enter it and the state they leave behind.",
        "The first version of {} fits on one machine; the rest is about growing without surprises.",
        "A good design for {} names what may be lost, what may be late, and what must never be wrong.",
        "Most of the cost of {} comes from a few hot paths, so these are measured first.",
        "Teams that run {} keep the write path short and move the rest behind a queue.",
        "When a part of {} fails, its neighbours go on with what they have and catch up later.",
        "{} is split by key, so that each part can be moved, copied and repaired alone.",
        "Reads of {} are served from copies; writes go to one owner per key.",
        "An operator of {} looks at waiting work first, then at errors, then at latency.",
        "Every step of {} can be repeated safely, so recovery is a matter of trying again.",
        "Load on {} comes in bursts, so it is smoothed before it reaches storage.",
    )
]
ARTICLE_SENTENCES = [
    sentence.split("{}")
    for sentence in (
        "{} asks one question and says for whom the answer holds.",
        "What {} found is about the people who took part; others may differ.",
        "The effect that {} reports is small for one person and matters for many.",
        "{} compares two groups over some weeks, which is short for a habit.",
        "Read {} together with other work before changing what you eat.",
        "{} measured what people reported, and people forget what they ate.",
        "For daily life {} suggests one step that costs little.",
        "Nothing in {} replaces the advice of somebody who knows your health.",
        "The authors of {} name what they could not measure.",
    )
]
POOLS = {
    name: pool.split(", ")
    for name, pool in {
        "company": "Northwind, Contoso, Fabrikam, Tailspin, Litware, Adatum, Proseware",
        "subcategory": "storage engines, data pipelines, service design, capacity planning, consistency",
        "technologies": "PostgreSQL, Redis, Apache Kafka, Kubernetes, gRPC, Prometheus, Envoy, RocksDB",
        "tags": "scalability, reliability, caching, sharding, replication, latency, queues, observability",
        "related_topics": "Consistent hashing, Leader election, Rate limiting, Load shedding",
        "learning_objectives": "Explain the main parts, Choose a partition key, Estimate the traffic, "
        "Describe what happens when one part fails, Compare two designs by their cost",
        "prerequisites": "HTTP and TCP basics, Relational databases, Caching, Queues, Basic probability",
        "estimated_read_time": "8 minutes, 10 minutes, 12 minutes, 15 minutes",
        "reader_group": "General public, Practitioners, Researchers, Students",
        "age_group": "Adults, Older adults, Teenagers, All ages",
        "population_group": "Healthy adults, Women with type 2 diabetes, Athletes, Mice",
        "safety_sensitivity": "Low: nothing here harms a healthy adult, "
        "High: people who take medicines should ask before they act on it",
    }.items()
}
