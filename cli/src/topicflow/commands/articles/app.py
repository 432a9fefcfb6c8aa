"""`topicflow articles …`: submit articles of the catalogue by URN, and inspect their status and annotations."""

import asyncio
from typing import Annotated, Literal

import typer

from local_processes.plain_text import one_line
from topicflow.client.api import answer_of
from topicflow.client.models import article_path
from topicflow.client.submitting import ARTICLES
from topicflow.client.submitting import submit as submit_to
from topicflow.commands.articles.scan import scan
from topicflow.options import JsonOption, LimitOption, SearchOption, StatusOption, UrlOption, answer_from, api_at
from topicflow.views.article_view import article_view
from topicflow.views.confirmation import YesOption, confirm
from topicflow.views.display import console_for
from topicflow.views.history_table import history_table
from topicflow.views.pages import read_pages
from topicflow.views.submissions_table import submissions_table, total_line

UrnArgument = Annotated[str, typer.Argument(metavar="URN", help="For example urn:article:nuts-meta-analysis.")]
UrnsArgument = Annotated[list[str], typer.Argument(metavar="URN", help="For example urn:article:nuts-meta-analysis.")]

app = typer.Typer(no_args_is_help=True, help="Enrich scientific articles of the catalogue and inspect the results.")


@app.command()
def submit(
    urns: UrnsArgument,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also submit articles that are enriched or in progress, as their next attempt."),
    ] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Submit articles for enrichment.

    Submitting an article again is safe: it is recognized as the same submission.
    """

    async def command() -> None:
        async with api_at(url) as api:
            for response in await submit_to(api, ARTICLES, urns, {"force": force}):
                answer = answer_of(response)
                typer.echo(response.text if as_json else _line(answer["accepted"], answer["skipped"]))

    asyncio.run(command())


@app.command("list")
def list_articles(
    status: StatusOption = None,
    search: SearchOption = None,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """List articles, the most recently submitted first."""

    async def command() -> None:
        async with api_at(url) as api:
            answer, text = await read_pages(api, "articles", {"status": status, "search": search}, limit)
        if as_json:
            typer.echo(text)
            return
        if answer["articles"]:
            console_for().print(submissions_table(answer["articles"], name_field="urn"))
        typer.echo(total_line(answer, len(answer["articles"])))

    asyncio.run(command())


@app.command()
def show(urn: UrnArgument, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Show one article and its annotations."""
    answer = answer_from(url, lambda api: api.get(article_path(urn)))
    if as_json:
        typer.echo(answer.text)
    else:
        console_for().print(article_view(answer.content))


@app.command()
def history(urn: UrnArgument, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Show the history of one article: attempts, workers, tokens and cost."""
    answer = answer_from(url, lambda api: api.get(article_path(urn) + "/history"))
    if as_json:
        typer.echo(answer.text)
    else:
        console_for().print(history_table(answer.content["events"]))


@app.command()
def forget(urns: UrnsArgument, yes: YesOption = False, url: UrlOption = None) -> None:
    """Mark articles as not enriched, here and in the catalogue."""
    confirm(f"Forget {one_line(urns[0])}?" if len(urns) == 1 else f"Forget {len(urns)} articles?", yes)
    for urn in urns:
        answer = answer_from(url, lambda api, urn=urn: api.delete(article_path(urn) + "/enrichment"))  # type: ignore[misc]
        typer.echo(one_line(answer.content["message"]))


@app.command()
def reprocess(
    status: Annotated[
        Literal["completed", "failed"] | None,
        typer.Option("--status", metavar="STATUS", help="Filter by status: completed or failed."),
    ] = None,
    search: SearchOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Enrich completed or failed articles again, even if their text has not changed. Each one is paid for again."""
    confirm("Enrich them again and pay for them again?", yes)
    body = {name: value for name, value in (("status", status), ("search", search)) if value}
    answer, text = answer_from(url, lambda api: api.post_at_length("/articles/reprocess", body))
    typer.echo(text if as_json else f"{_articles(answer['count'])} queued again")


app.command()(scan)


def _articles(count: int) -> str:
    return f"{count:,} {'article' if count == 1 else 'articles'}"


def _line(accepted: int, skipped: int) -> str:
    line = f"{_articles(accepted)} submitted"
    return line + (f", {skipped} skipped (already enriched or in progress)" if skipped else "")
