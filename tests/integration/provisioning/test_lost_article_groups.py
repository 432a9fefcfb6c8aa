"""Recovery of article groups that lost their positions: paid annotations are written, the rest annotated."""

import pytest
from eventually import eventually
from factories import article_submitted, record
from integration.installation import Installation

from shared.streams import ANNOTATOR, ARTICLE_ANNOTATIONS, ARTICLE_SUBMISSIONS, CATALOG_WRITER, ENRICHER

URNS = [
    "urn:article:nuts-meta-analysis",
    "urn:article:sourdough-bread-fodmap",
    "urn:article:pigs-protein-quality",
]


async def submit(installation: Installation) -> None:
    transport = installation.stack.connect()
    await transport.publish([record(article_submitted(urn)) for urn in URNS])
    await transport.close()


@pytest.mark.slow
async def test_paid_annotations_are_written_from_the_stream_and_not_paid_again(installation: Installation) -> None:
    assert installation.provision().code == 0
    projector = installation.project()
    catalog = installation.deployment.catalog
    catalog.add_fault("503", route="enhance")
    enricher = installation.add(ENRICHER, "enricher-1")
    await submit(installation)
    await eventually(lambda: installation.gemini.calls["calls"] == 2 * len(URNS), within=30)
    await eventually(lambda: installation.count_events("ArticleAnnotated") == len(URNS), within=20)
    enricher.kill()
    projector.kill()
    await installation.lose_positions(CATALOG_WRITER, ARTICLE_ANNOTATIONS.name)

    installation.project()
    ran = installation.provision()
    assert ran.code == 0
    assert f"Requeueing {len(URNS)} unfinished submissions on article-annotations" in ran.err
    catalog.forget_faults()
    installation.add(ENRICHER, "enricher-2")
    await eventually(lambda: set(installation.statuses().values()) == {"completed"}, within=60)
    assert catalog.written.keys() == set(URNS)
    assert installation.gemini.calls["calls"] == 2 * len(URNS)


async def test_articles_without_annotation_are_submitted_again(installation: Installation) -> None:
    assert installation.provision().code == 0
    projector = installation.project()
    installation.gemini.take(600)
    enricher = installation.add(ENRICHER, "enricher-1")
    await submit(installation)
    await eventually(lambda: "processing" in installation.statuses().values(), within=30)
    enricher.kill()
    await eventually(lambda: len(installation.statuses()) == len(URNS), within=20)
    projector.kill()
    installation.gemini.take(0)
    await installation.lose_positions(ANNOTATOR, ARTICLE_SUBMISSIONS.name)

    installation.project()
    ran = installation.provision()
    assert (ran.code, f"Requeueing {len(URNS)} unfinished submissions" in ran.err) == (0, True)
    installation.add(ENRICHER, "enricher-2")
    await eventually(lambda: set(installation.statuses().values()) == {"completed"}, within=60)
    assert installation.paid == dict.fromkeys(URNS, 2)
