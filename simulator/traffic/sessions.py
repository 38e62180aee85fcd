"""Recorded sessions of agents: requests that wait for the answers before them, and share beginnings of prompts.

A session is a tree: a conversation whose requests follow one another, and subagents that it starts, each a conversation
of its own. Prompts are known as blocks: equal ids in one session mean an equal prompt up to the end of that block.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Tokens = NDArray[np.int64]


@dataclass(frozen=True)
class Totals:
    """How much there is of what.

    Attributes:
        sessions: number of them.
        requests: of conversations and subagents.
        subagents: number of them.
        prompt: input tokens.
        output: output tokens.
    """

    sessions: int
    requests: int
    subagents: int
    prompt: int
    output: int


@dataclass(frozen=True, eq=False)
class Session:
    """One recorded session tree, its requests in an order in which every one comes after those it waits for.

    Attributes:
        name: as the file has it.
        prompt: input tokens, at least 1, shape (n,).
        output: output tokens, at least 1, shape (n,).
        service: recorded seconds of the model, NaN where absent, shape (n,).
        stream: 0 is the conversation itself, k its k-th subagent, shape (n,).
        waits_of: the requests that request i waits for stand at ``waits_of[i]:waits_of[i + 1]``, shape (n + 1,).
        waits_for: requests whose end is waited for; a request without any starts with the session.
        delay: seconds after that end, as recorded, without a cap.
        runs_of: the blocks of prompt i stand at ``runs_of[i]:runs_of[i + 1]``, shape (n + 1,).
        run_first: first id of a range of block ids, which are at least 0 and below 2^31.
        run_count: ids of the range, at least 1; in one prompt each id stands once.
    """

    name: str
    prompt: Tokens
    output: Tokens
    service: Array
    stream: Tokens
    waits_of: Tokens
    waits_for: Tokens
    delay: Array
    runs_of: Tokens
    run_first: Tokens
    run_count: Tokens

    @property
    def count(self) -> int:
        """Number of requests."""
        return self.prompt.size

    @property
    def subagents(self) -> int:
        """Number of subagents."""
        return int(self.stream.max()) if self.stream.size else 0

    @property
    def longest(self) -> int:
        """Input and output tokens of the longest request."""
        return int((self.prompt + self.output).max())

    def waits(self, request: int) -> list[tuple[int, float]]:
        """The requests that one waits for, and the seconds after the end of each."""
        part = slice(self.waits_of[request], self.waits_of[request + 1])
        return list(zip(self.waits_for[part].tolist(), self.delay[part].tolist(), strict=True))

    def runs(self, request: int) -> list[tuple[int, int]]:
        """The block ids of a prompt as ranges: first id and number of ids."""
        part = slice(self.runs_of[request], self.runs_of[request + 1])
        return list(zip(self.run_first[part].tolist(), self.run_count[part].tolist(), strict=True))

    def blocks(self, request: int) -> Tokens:
        """The block ids of a prompt in order."""
        ranges = [np.arange(first, first + count, dtype=np.int64) for first, count in self.runs(request)]
        return np.concatenate(ranges) if ranges else np.zeros(0, np.int64)


@dataclass(frozen=True)
class Sessions:
    """Sessions of one or several files.

    Attributes:
        kind: name of the format.
        items: the sessions, at least one.
        block_tokens: tokens of a block, the same in all.
        notes: what a reader of results must know about the files, in words.
    """

    kind: str
    items: tuple[Session, ...]
    block_tokens: int
    notes: tuple[str, ...] = ()

    @property
    def totals(self) -> Totals:
        """Requests, tokens and subagents of all sessions."""
        return Totals(
            sessions=len(self.items),
            requests=sum(one.count for one in self.items),
            subagents=sum(one.subagents for one in self.items),
            prompt=sum(int(one.prompt.sum()) for one in self.items),
            output=sum(int(one.output.sum()) for one in self.items),
        )

    def noting(self, *notes: str) -> Sessions:
        """The same with further notes."""
        return replace(self, notes=(*self.notes, *notes))
