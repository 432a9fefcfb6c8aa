"""Everything the recorder imports from the product, in one place: when a module moves or a class is renamed, change
only this file. All else is read from documents and sources.
"""

from api.admin.__main__ import app as admin_app
from api.settings import ApiSettings
from enricher.annotate_article import Annotated
from enricher.annotation import Assessment, Classification, annotation_of
from enricher.catalog_client import CatalogClient as Catalog
from enricher.on_article_annotated import OnArticleAnnotated
from enricher.on_article_submitted import OnArticleSubmitted
from enricher.on_forget_article import OnForgetArticle
from enricher.settings import EnricherSettings
from shared.errors import BrokerUnsafe, CannotGoOn, GroupInUse, NewerVersion, PositionsLost, SettingInvalid
from shared.events import ArticleAnnotated, ArticleSubmitted, ForgetArticle, TopicSubmitted
from shared.ids import article_id, topic_id
from shared.messaging.broker import Delivery
from shared.messaging.cloudevents import Record, encode
from shared.messaging.dead_letter import dead_letter
from shared.service.sockets import CannotListen
from shared.streams import PROJECTOR, STREAMS
from shared.worker.run import Run
from status_projector.settings import ProjectorSettings
from topic_worker.settings import WorkerSettings
from topicflow.app import app as command_app
from topicflow.app import main as run_command

ENDS_OF_SERVICES: dict[str, type[CannotGoOn]] = {
    "a bad setting": SettingInvalid,
    "a broker that may lose what it stored": BrokerUnsafe,
    "a group that is in use": GroupInUse,
    "a group without its positions": PositionsLost,
    "a port in use": CannotListen,
    "an event of a newer version": NewerVersion,
}

__all__ = [
    "ENDS_OF_SERVICES",
    "PROJECTOR",
    "STREAMS",
    "Annotated",
    "ApiSettings",
    "ArticleAnnotated",
    "ArticleSubmitted",
    "Assessment",
    "Catalog",
    "Classification",
    "Delivery",
    "EnricherSettings",
    "ForgetArticle",
    "OnArticleAnnotated",
    "OnArticleSubmitted",
    "OnForgetArticle",
    "ProjectorSettings",
    "Record",
    "Run",
    "TopicSubmitted",
    "WorkerSettings",
    "admin_app",
    "annotation_of",
    "article_id",
    "command_app",
    "dead_letter",
    "encode",
    "run_command",
    "topic_id",
]
