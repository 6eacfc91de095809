"""``headgate where``: where an image runs, since when, and who delivered it. Reads only."""

from __future__ import annotations

import sys

from headgate import config
from headgate.commands.hydrate import select
from headgate.objects.image_query import parse_query
from headgate.records import frozen_record
from headgate.report.terminal import Terminal
from headgate.report.where import places_to_json, write_places
from headgate.state.reading import open_for_reading
from headgate.state.where import find_image


@frozen_record
class WhereOptions:
    """The command's arguments."""

    image: str
    manifests: str = "."
    environment: str = ""
    history: bool = False
    json: bool = False


def run(request: WhereOptions) -> int:
    """Show where the image is and return 0, even if it is nowhere. Raises ArgumentError for an invalid image."""
    query = parse_query(request.image)
    with open_for_reading(request.manifests) as workspace:
        configuration = config.load(workspace.tree)
        select(configuration, (), (request.environment,) if request.environment else ())
        found = find_image(workspace, configuration, query, environment=request.environment, history=request.history)
    if request.json:
        print(places_to_json(request.image, found))  # noqa: T201  the answer itself
    else:
        write_places(Terminal(sys.stdout), request.image, found)
    return 0
