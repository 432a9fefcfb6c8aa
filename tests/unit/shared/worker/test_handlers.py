"""Each event reaches the handler of its type."""

import pytest
from factories import article_submitted, topic_submitted

from shared.errors import InvalidEvent
from shared.events import ArticleSubmitted, TopicSubmitted
from shared.worker.handlers import Handlers
from shared.worker.run import Run


async def test_each_event_reaches_the_handler_of_its_type_and_no_other_is_handled() -> None:
    handled: list[str] = []

    async def on_topic(event: TopicSubmitted, run: Run) -> None:
        handled.append(event.title)

    async def on_article(event: ArticleSubmitted, run: Run) -> None:
        handled.append(event.urn)

    handlers = Handlers().on(TopicSubmitted, on_topic)
    topic, article = topic_submitted("Raft"), article_submitted("urn:article:coffee")
    await handlers(topic, Run(topic, "worker"))
    with pytest.raises(InvalidEvent, match="nothing here handles ArticleSubmitted"):
        await handlers(article, Run(article, "worker"))
    await handlers.on(ArticleSubmitted, on_article)(article, Run(article, "worker"))
    assert handled == ["Raft", "urn:article:coffee"]
