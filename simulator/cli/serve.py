"""``mtpsim serve``."""

from __future__ import annotations

import click

from simulator.cli.numbers import INT
from simulator.cli.streams import report, say
from simulator.cli.web import measured_rows, need

MOST_PORT = 65_535


@click.command()
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="To listen on.")
@click.option("--port", metavar="N", type=INT, default=8000, show_default=True, help="To listen on; 0: a free one.")
@click.option("--measured", metavar="FILE.csv", multiple=True, help="Measured rows to judge and lay over; repeatable.")
def serve(host: str, port: int, measured: tuple[str, ...]) -> None:
    """Serve the live chart, computed as its controls move, and the same answers as a JSON API.

    On loopback nobody else reaches it. With another --host every request has to bear the token that is printed. The
    API is described at /openapi.json.

    \b
    mtpsim serve
    mtpsim serve --port 8080 --measured runs.csv
    """
    from simulator.bounds import whole

    whole("--port", port, 0, MOST_PORT)
    need("serve", "plotly", "jinja2", "fastapi", "uvicorn")
    from simulator.cli.kernel_start import start_kernels

    start_kernels()
    from simulator.page.server.run import serve as run

    rows = measured_rows(measured)
    run(host, port, rows, say=say, warn=report)
