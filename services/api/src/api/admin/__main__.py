"""`python -m api.admin`, behind `topicflow keys` and `topicflow provision`."""

import typer

from api.admin import keys
from api.admin.provision import provision

app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)
app.add_typer(keys.app, name="keys")
app.command("provision")(provision)


@app.callback()
def admin() -> None:
    """Commands that need the broker or the database themselves."""


if __name__ == "__main__":
    app(prog_name="topicflow")
