"""A seeded sample of mutants of the cost model and the kernels: how many do the tests kill?

    python -m pip install -e '.[mutants,test]'
    python benchmarks/mutants.py --sample 200 --seed 0

cosmic-ray finds the mutants and makes them; each is tried in a copy of the tree, in a process of its own, by the tests
for its file (``benchmarks/mutant_tree.py``), first failure ends it. A mutant that takes more than the limit counts as
killed. The session file keeps the sample and its results: the same command goes on where it ended, and
``--again survived`` tries the survivors once more.

Left out, as they are not behaviour or cannot live: annotations, removed decorators (``compiled``, ``cache``,
``property``), bit operators in place of arithmetic and ``is`` in place of ``==`` (type errors and warnings on floats).
Texts are never changed by cosmic-ray.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import parso
from cosmic_ray.commands.init import init
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkItem, WorkResult
from mutant_tree import ROOT, Tree, copies, stages

COUNTING = ("layers", "weights", "memory", "model", "checkpoint", "draft")
FILES = sorted(
    [
        *(ROOT / "simulator" / "cost").rglob("*.py"),
        *(ROOT / "simulator" / "kernels").glob("*.py"),
        *(ROOT / "simulator" / "facts" / f"{name}.py" for name in COUNTING),
        *(ROOT / "simulator" / "facts").glob("mixers/*.py"),
        *(ROOT / "simulator" / "facts").glob("feed_forward/*.py"),
    ]
)
BITS = ("RShift", "LShift", "BitOr", "BitAnd", "BitXor", "Invert")


def is_behaviour(mutation: MutationSpec) -> bool:
    """Whether a mutant is one that a test could be expected to kill; see the top."""
    name = mutation.operator_name.removeprefix("core/")
    if name == "RemoveDecorator" or any(bit in name for bit in BITS):
        return False
    if name.endswith(("_Is", "_IsNot")) and not name.startswith("ReplaceComparisonOperator_Is"):
        return False
    leaf = parso.parse((ROOT / mutation.module_path).read_text()).get_leaf_for_position(
        mutation.start_pos, include_prefixes=True
    )
    while leaf is not None and leaf.type not in ("suite", "file_input", "atom_expr"):
        if leaf.type in ("annassign", "tfpdef"):
            value = leaf.children[3] if len(leaf.children) > 3 else None
            return value is not None and value.start_pos <= mutation.start_pos
        leaf = leaf.parent
    return True


def sample_of(database: WorkDB, size: int, seed: int) -> list[WorkItem]:
    """The sample that a session file keeps, or a new one, from all mutants of all files alike."""
    if database.num_work_items:
        return list(database.work_items)
    init([file.relative_to(ROOT) for file in FILES], database, {})
    every = sorted(database.work_items, key=lambda item: _key(item.mutations[0]))
    random.Random(seed).shuffle(every)
    chosen = list(_first(size, every))
    print(f"{len(chosen)} of {len(every)} mutants, seed {seed}")
    database.clear()
    database.add_work_items(chosen)
    return chosen


def _first(size: int, every: list[WorkItem]) -> Iterator[WorkItem]:
    found = 0
    for item in every:
        if found < size and is_behaviour(item.mutations[0]):
            found += 1
            yield item


def _key(mutation: MutationSpec) -> tuple[str, str, int]:
    return str(mutation.module_path), mutation.operator_name, mutation.occurrence


def attempt(tree: Tree, item: WorkItem, limit: float) -> WorkResult:
    """Try one mutant in a copy of the tree."""
    (mutation,) = item.mutations
    path = str(mutation.module_path)
    operator = get_operator(mutation.operator_name)(**mutation.operator_args)
    before = (ROOT / path).read_text(encoding="utf-8")
    after = mutate_code(before, operator, mutation.occurrence)
    with tree.changed(path, after):
        verdict, seconds, words = tree.run(path, limit)
    outcome = TestOutcome.SURVIVED if verdict == "survived" else TestOutcome.KILLED
    words = f"{verdict} after {seconds:.0f} s: {words}"
    return WorkResult(WorkerOutcome.NORMAL, words, outcome, _change(before, after))


def _change(before: str, after: str) -> str:
    """The lines that differ, before and after."""
    pairs = zip(before.splitlines(), after.splitlines(), strict=False)
    return "\n".join(f"  - {old.strip()}\n  + {new.strip()}" for old, new in pairs if old != new)


def place(item: WorkItem) -> str:
    """File, line, function and kind of a mutant."""
    (m,) = item.mutations
    return f"{m.module_path}:{m.start_pos[0]} {m.definition_name or ''} {m.operator_name.removeprefix('core/')}"


def report(items: list[WorkItem], database: WorkDB) -> int:
    """Print the counts and every survivor; 1 if fewer than 85 % of those tried were killed."""
    results = dict(database.results)
    tried = [item for item in items if item.job_id in results]
    counts: Counter[str] = Counter(str(results[item.job_id].output).split()[0] for item in tried)
    killed = counts["killed"] + counts["timeout"]
    print(f"\n{len(tried)} mutants: {killed} killed, {counts['timeout']} of them by the time limit, ", end="")
    print(f"{counts['survived']} survived: {100 * killed / max(1, len(tried)):.1f} % killed")
    for item in sorted(tried, key=place):
        if results[item.job_id].test_outcome == TestOutcome.SURVIVED:
            print(f"\n{place(item)}\n{results[item.job_id].diff}")
    return int(killed < 0.85 * len(tried))


def slow(item: WorkItem) -> bool:
    """Whether a mutant needs the compiler; these come last."""
    return any(stage.compiled for stage in stages(str(item.mutations[0].module_path)))


class Baseline:
    """The tests for a file pass without a mutant, or no verdict means anything; asked before its first one."""

    def __init__(self) -> None:
        """Nothing asked yet."""
        self.passed: set[object] = set()

    def check(self, tree: Tree, item: WorkItem, limit: float) -> None:
        """Raise if they do not."""
        path = str(item.mutations[0].module_path)
        if stages(path) in self.passed:
            return
        outcome = tree.run(path, 3 * limit)
        if outcome.verdict != "survived":
            raise SystemExit(f"the tests for {path} fail without a mutant: {outcome.words}")
        self.passed.add(stages(path))


def main() -> int:
    """Run and report."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sample", type=int, default=200, help="mutants")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--limit", type=float, default=60.0, help="seconds for the tests of a mutant, as plain Python")
    options.add_argument("--processes", type=int, default=1, choices=(1, 2))
    options.add_argument("--session", type=Path, help="default: mutants-SEED-SAMPLE.sqlite here")
    options.add_argument("--again", choices=("survived", "all"), help="try these once more")
    options.add_argument("--report", action="store_true", help="print what the session has, and try nothing")
    chosen = options.parse_args()
    session = chosen.session or Path(f"mutants-{chosen.seed}-{chosen.sample}.sqlite")
    database = WorkDB(str(session), WorkDB.Mode.create)
    items = sample_of(database, chosen.sample, chosen.seed)
    if chosen.report:
        return report(items, database)
    known = {
        job: result
        for job, result in database.results
        if chosen.again is None or (chosen.again == "survived" and result.test_outcome != TestOutcome.SURVIVED)
    }
    open_items = sorted((item for item in items if item.job_id not in known), key=slow)
    baseline = Baseline()
    with copies(chosen.processes) as trees, ThreadPoolExecutor(chosen.processes) as pool:
        free: Queue[Tree] = Queue()
        for tree in trees:
            free.put(tree)

        def work(item: WorkItem) -> tuple[WorkItem, WorkResult]:
            tree = free.get()
            try:
                baseline.check(tree, item, chosen.limit)
                return item, attempt(tree, item, chosen.limit)
            finally:
                free.put(tree)

        for number, (item, result) in enumerate(pool.map(work, open_items), 1):
            database.set_result(item.job_id, result)
            print(f"{number}/{len(open_items)} {place(item)}: {result.output}", flush=True)
    return report(items, database)


if __name__ == "__main__":
    sys.exit(main())
