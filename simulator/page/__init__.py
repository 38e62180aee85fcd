"""The live chart: one page over the public functions, as a file that opens offline and as a server on loopback.

What the page shows is a function of its :class:`~simulator.page.state.State`; each tab answers a state with a payload
of plain JSON, made of what the public functions give.
"""
