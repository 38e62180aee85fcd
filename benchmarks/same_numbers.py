"""Prove that two checkouts give the same numbers: predictions, fits, plans and studies, to the last bit.

    python benchmarks/same_numbers.py                        # the last commit against the working tree
    python benchmarks/same_numbers.py --before v0.1          # a revision, unpacked into a temporary folder
    python benchmarks/same_numbers.py --before ../old --after .
    python benchmarks/same_numbers.py --quick                # a smaller sample
    python benchmarks/same_numbers.py --all-fits             # also make the shipped calibrations again: slow
    python benchmarks/same_numbers.py --prove                # that one last bit of one parameter would be seen

Only the command line is used, so modules may move. Each checkout runs all commands in one process of its own, in a
folder with the checkout's measured files, with kernels compiled anew (the compiler's cache does not notice a changed
function in another file than its caller's). All that a command leaves is compared: exit status, standard output,
standard error and files. Fits are written rounded and are compared as they are written. Exit status: 0 all the same,
1 something differs or too few commands succeeded.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
LEAST = 200
"""Commands that must succeed in a whole run: one that fails in both checkouts compares no numbers."""

ENVIRONMENT = {"PYTHONHASHSEED": "0", "LOKY_MAX_CPU_COUNT": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""The same order of sets, and sums in the same order."""

Command = list[str]
Result = dict[str, Any]

# --- the comparison ---------------------------------------------------------------------------------------------------

FOLDERS = re.compile(r"(?:[\w.-]*/)+(?=[\w-][\w.-]*\.(?:yaml|csv|py|md)\b)")


def only_folders(path: str, before: Any, after: Any) -> bool:
    """Whether two texts are the same but for the folders before the names of files."""
    return isinstance(before, str) and isinstance(after, str) and FOLDERS.sub("", before) == FOLDERS.sub("", after)


MAY_DIFFER: dict[str, tuple[Callable[[str, Any, Any], bool], str]] = {
    "versions": (lambda path, before, after: ".versions." in path, "which release is installed, no prediction"),
    "folders": (only_folders, "files move; their names and all other text must stay"),
}
"""All that may differ, by JSON path and values, and why. No command states a time of day or how long it took."""


class Difference(NamedTuple):
    """Where two documents differ, and the entry of :data:`MAY_DIFFER` that allows it, if one does."""

    path: str
    before: Any
    after: Any
    allowed: str | None

    def text(self) -> str:
        """One line."""
        out, numbers = f"{self.path}: before {json.dumps(self.before)}, after {json.dumps(self.after)}", (int, float)
        if isinstance(self.before, numbers) and isinstance(self.after, numbers) and self.before != self.after:
            out += f", relative {abs(self.after - self.before) / max(abs(self.after), abs(self.before)):.3g}"
        return out


ABSENT = "(absent)"


def differences(before: Any, after: Any, path: str = "$") -> Iterator[Difference]:
    """Every difference of two JSON documents: values, types, lengths, keys and their order. Floats by their repr."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            yield from differences(before.get(key, ABSENT), after.get(key, ABSENT), f"{path}.{key}")
        if before.keys() == after.keys() and list(before) != list(after):
            yield Difference(f"{path} (order of keys)", list(before), list(after), None)
    elif isinstance(before, list) and isinstance(after, list):
        for i in range(max(len(before), len(after))):
            yield from differences(*(x[i] if i < len(x) else ABSENT for x in (before, after)), f"{path}[{i}]")
    elif type(before) is not type(after) or repr(before) != repr(after):
        allowed = (name for name, (holds, _) in MAY_DIFFER.items() if holds(path, before, after))
        yield Difference(path, before, after, next(allowed, None))


def document(text: str) -> Any:
    """The JSON document that a text is, else its lines."""
    try:
        return json.loads(text)
    except ValueError:
        return text.splitlines()


# --- the configurations -----------------------------------------------------------------------------------------------

COPIED = ("sglang_mi355x_8k1k.csv", "atom_mi355x_tp4.csv", "inferencex_frontier_fp4_1k1k.csv")
PROFILE = "hardware_profiles/mi355x.yaml"

WORDS = {
    "SGLANG": COPIED[0],
    "ATOM": COPIED[1],
    "FRONTIER": COPIED[2],
    "SHIPPED": "{atom-mi355x|sglang-mi355x-fp4-2026-09|sglang-mi355x-fp8-2026-08|inferencex-mi355x-fp4-1k1k}",
    "PROFILE": "{qwen3.5-397b-a17b-nonthinking|deepseek-v4-pro-thinking|glm-5.2-thinking}",
    "PLATFORM": "--hardware {mi355x {--precision fp4|--checkpoint mxfp4-attnfp8} --tp {2|4|8}"
    "|mi355x --precision {fp4 --tp {2|4}|fp8 --tp {4|8}|bf16 --tp 4}|./own.yaml --tp 4|mi350x --checkpoint mxfp4 --tp 2"
    "|{mi300x|mi325x|h200|b300} --precision fp8 --tp {4|8}|{b200|b300} --checkpoint nvfp4 --kv-dtype fp8 --tp {2|4|8}"
    "|mi300x --precision fp4 --allow-dequant --tp {4|8}|h100 --precision fp8 --tp 8}",
    "FITTED": "--force --calibration {SHIPPED|kernel-priors|out/{fp8|fp4|more|mtp}.yaml}",
    "LENGTHS": "{|--isl {128|1024|8192|8192|20000|{100..16000}}} {|--osl {128|1024|{2..3000}}}",
    "PLAIN": "PLATFORM --engine {sglang|sglang|atom|vllm} {||||||--ep {2|4}} {||||||--dp {2|4}} {|||||FITTED} LENGTHS",
    "DRAFTS": "{--mtp {1|2|3|5}|--mtp 3 --acceptance-length {1.0..4.0}|--mtp {1|2|4} --acceptance-rate {0.0..1.0}"
    "|--mtp 2 --acceptance {0.5..1.0},{0.0..0.5}|--mtp {1|3|4} --acceptance-profile PROFILE"
    "|--mtp 2 --acceptance-positions {un|}conditional:0.8,{0.0..0.7}|--mtp {2|4} --draft-acceptance {0.0..1.0}}",
    "COST": "{|--cost-basis {hyperscaler|neocloud|rental}}",
    "METHOD": "COST {|--seed {0..99}} --method {des|des|closed-form}",
    "FORM": "--format {" + 14 * "json|" + "csv|table}",
    "STUDY": "PLAIN DRAFTS COST --method {des|closed-form} --backend serial --concurrency {4,32|8,64|2..16} FORM",
    "ROWS": '--select "{precision=FP8|tp=4|isl=8192} and concurrency<={8|32}"',
    "TRAFFIC": "{|--cv {0|1|2.5}} {|--router {round-robin|least-outstanding|two-choices}} {|--seed {0..99}} COST"
    " {|--lengths {uniform:0.5|lognormal:0.7|empirical:trace.csv}} --ttft-p99 {2..5}s {|--tpot-p95 {20..60}ms}",
    "PROMISED": "--ttft-p99 2s --tpot-p95 25ms",
}
"""What words in capitals stand for."""
WORD = re.compile(rf"\b(?:{'|'.join(WORDS)})\b")

# How many, and of what: {a|b|} is one of these, {1..9} and {0.0..9.0} a number of that range. Fits come first, since
# others use them; "+" marks those of --all-fits. The last lines are bad input.
COMMANDS = """
1 calibrate ATOM --select "precision=FP8 and spec=off and isl=8192 and concurrency<=8" -o out/fp8.yaml
1 calibrate SGLANG --select "precision=FP4 and tp=4 and concurrency<=8" -o out/fp4.yaml --no-cross-validation
1 calibrate SGLANG --select "precision=FP4 and concurrency<=8" -o out/more.yaml --prior sglang-mi355x-fp4-2026-09
1 calibrate ATOM --select "precision=FP8 and spec=mtp and isl=1024 and concurrency<=16" -o out/mtp.yaml
1 fit-kernels kernels.csv --hardware mi355x -o out/kernels.yaml
+ calibrate ATOM -o out/all_atom.yaml
+ calibrate SGLANG --select precision=FP4 -o out/all_fp4.yaml
+ calibrate SGLANG --select precision=FP8 -o out/all_fp8.yaml
+ calibrate FRONTIER --prior sglang-mi355x-fp4-2026-09 -o out/all_frontier.yaml
110 predict PLAIN {|DRAFTS} METHOD FORM {|--concurrency {4..64|1,7,100|{1..300}}} {||--requests-per-client 3}
10 predict PLATFORM --mtp 0,{1..3} --concurrency 4..32 --tp 2,4,8 --range-ratio {0.2..1.0} METHOD FORM
20 compare PLAIN DRAFTS METHOD FORM {|--at {44,64,84|20,33.3}}
40 explain PLAIN {|DRAFTS} FORM {|--concurrency {1..100}} --phase {decode|prefill|both} {||--batch 12.5}
10 suggest PLAIN {|DRAFTS} FORM --concurrency {8|32} {|--metric {mean_tpot_ms|mean_ttft_ms}}
2 infer-acceptance SGLANG SGLANG --method {des|closed-form} --format json
4 infer-acceptance ATOM ATOM ROWS --method {des|closed-form} {|FITTED} --format {json|json|csv}
1 validate SGLANG --format json
7 validate {SGLANG|swapped.csv|ATOM} ROWS --method {des|closed-form} {|FITTED} --format {json|json|json|table}
8 evaluate {SGLANG|ATOM} ROWS --method {des|closed-form} {|FITTED} --format {json|json|json|csv|table}
2 evaluate {SGLANG|ATOM} --format json
2 evaluate FRONTIER {|FITTED} --format json
8 what-if acceptance STUDY {--rates 0..1:5|--acceptance-lengths 1,1.5,1.9}
1 what-if acceptance --concurrency 8,64 --rates 0..1:5 --backend serial --results out/runs.jsonl --format json
8 what-if depth STUDY
6 what-if workload STUDY {|--across-isl 1024,4096} {|--across-osl 128}
3 what-if sensitivity PLAIN DRAFTS FORM --samples 16
8 what-if sweep STUDY --rates 0..1:7
30 simulate PLAIN {|DRAFTS} TRAFFIC FORM --rate {0.3..3.0} --duration {30s|2min|5min} {|--queue-limit 20}
15 simulate PLAIN {|DRAFTS} TRAFFIC --rate {2.0..9.0} --duration 1min --replicas {2..4} --requests out/requests.csv
3 predict PLAIN {|DRAFTS} FORM --concurrency 4,16 --hit-rate {0.3|0.8|0.95}
2 simulate --trace sessions.jsonl --tp 8 --duration 2min --replicas 2 --router {prefix-aware|sticky} --format json
8 simulate PLATFORM TRAFFIC FORM --rate {1..5} --duration 1min --prefill-tp 4 --max-running {16|64}
6 simulate {--trace trace.{csv|jsonl}|--profile day.csv} --tp {2|4} {|--replicas 2} {|--mtp 2} --format json
4 replay PLATFORM {|DRAFTS} --concurrency {2|4,8} --duration 1min {|--prefix-cache off} --format json
2 what-if cache PLATFORM {|DRAFTS} --concurrency 2,8 --duration 1min --pool-scale 0.1,1 --format json
2 compare --workload agentic --mtp {1|3} --concurrency 2,8 --duration 1min --format json
4 describe-trace {trace.{csv|jsonl}|day.csv|sessions.jsonl} --format {json|csv|table}
3 convert SGLANG {|--explain} --format {json|csv|table}
1 page -o out/page.html --sweep 2:4 --mtp 0 --isl 8192 --osl 1024 --engine sglang --precision fp4 --no-steps --jobs 1
1 serve --port 99999
1 plan --rate 20 --isl 8192 --tp 2,4 --mtp 0,3 PROMISED --resume out/trials.jsonl --format json
1 plan --rate 20 --isl 8192 --tp 2,4 --mtp 0,3 PROMISED --resume out/trials.jsonl --format table
1 plan --rate 9 --isl 8192 --osl 256 --tp 2 --mtp 0 PROMISED --pools --spare 1 --format json
8 plan PLATFORM --isl 8192 --osl {128|256} --mtp 0,{2|3} {--rate {2..9}|--gpus 8} TRAFFIC --max-running 48 --format json
1 plan --rate 5 --isl 8192 --tp 4 --mtp 0 --ttft-p99 1ms --format json
6 import-model {llama|mixtral|deepseek_v3|mistral}.json {|-o out/model.yaml} --format {json|csv|table}
1 profiles parameters --format json
12 profiles {|hardware|engine|acceptance|calibration|model|model qwen3.5-397b-a17b} --format json
15 profiles hardware {mi355x|mi350x|mi325x|mi300x|h100|h200|b200|b300|own.yaml} --format json
15 profiles {calibration {SHIPPED|out/fp8.yaml}|acceptance PROFILE|engine {sglang|atom|vllm}} --format json
7 predict {--hardware mi999|--tp 3 --isl 0|--isl 8192 --calibration atom-mi355x|--precision bf16 --tp 1}
9 {compare --mtp 0|simulate --tp 4|plan --rate 10|evaluate trace.csv|profiles hardware day.csv|validate FRONTIER}
"""


def configurations(seed: int, quick: bool = False, all_fits: bool = False) -> list[Command]:
    """Commands, the same for the same seed; if ``quick`` the first of each kind and every tenth."""
    rng = random.Random(seed)
    out: list[Command] = []
    for count, template in (line.split(maxsplit=1) for line in COMMANDS.strip().splitlines()):
        texts = [draw(rng, template) for _ in range(int(count.replace("+", "1" if all_fits else "0")))]
        out += [[a or b for a, b in re.findall(r'"([^"]*)"|(\S+)', text)] for text in dict.fromkeys(texts)]
    first = {kind(command): i for i, command in reversed(list(enumerate(out)))}
    return [command for i, command in enumerate(out) if not quick or i % 10 == 0 or first[kind(command)] == i]


def draw(rng: random.Random, text: str) -> str:
    """A template with words replaced and every brace decided, the inner ones first."""
    while WORD.search(text):
        text = WORD.sub(lambda word: WORDS[word[0]], text)
    while group := re.search(r"\{([^{}]*)\}", text):
        low, _, high = group[1].partition("..")
        if low.isdigit() and high.isdigit():
            value = str(rng.randint(int(low), int(high)))
        elif re.fullmatch(r"\d+\.\d+ \d+\.\d+", f"{low} {high}"):
            value = str(round(rng.uniform(float(low), float(high)), 3))
        else:
            value = rng.choice(group[1].split("|"))
        text = text[: group.start()] + value + text[group.end() :]
    return text


def kind(command: Command) -> str:
    """The name of a command, with that of a study."""
    return " ".join(command[: 2 if command[0] == "what-if" else 1])


# --- a checkout at work -----------------------------------------------------------------------------------------------


def find(checkout: Path, name: str) -> Path:
    """The file of this name, which may begin with the folder that it lies in, wherever that is.

    Raises:
        SystemExit: there is none, or there are several that differ.
    """
    found = [p for p in checkout.rglob(name) if not any(x.startswith(".") for x in p.relative_to(checkout).parts)]
    if len({p.read_bytes() for p in found}) != 1:
        raise SystemExit(f"{checkout}: expected one {name}, found {', '.join(map(str, found)) or 'none'}")
    return found[0]


PLAIN = {"hidden_size": 512, "num_attention_heads": 8, "num_hidden_layers": 4, "vocab_size": 3200}
CONFIGURATIONS = {
    "llama": {"architectures": ["LlamaForCausalLM"], "intermediate_size": 1024},
    "mixtral": {"architectures": ["MixtralForCausalLM"], "intermediate_size": 256, "num_local_experts": 8,
                "num_experts_per_tok": 2},
    "deepseek_v3": {"architectures": ["DeepseekV3ForCausalLM"], "intermediate_size": 1024, "moe_intermediate_size": 256,
                    "n_routed_experts": 8, "num_experts_per_tok": 2, "first_k_dense_replace": 1, "q_lora_rank": 128,
                    "kv_lora_rank": 64, "qk_nope_head_dim": 32, "qk_rope_head_dim": 16, "v_head_dim": 32,
                    "num_nextn_predict_layers": 1, "quantization_config": {"quant_method": "fp8"}},
    "mistral": {"architectures": ["MistralForCausalLM"], "intermediate_size": 1024, "sliding_window": 64,
                "num_key_value_heads": 2, "colour": "blue"},
}  # fmt: skip
"""``model_type`` -> keys of a configuration beside those of all."""


def prepare(checkout: Path) -> None:
    """Fill the current folder with the files that commands name; data are the checkout's own."""
    Path("out").mkdir()
    for name in COPIED:
        shutil.copy(find(checkout, name), name)
    Path("own.yaml").write_text(find(checkout, PROFILE).read_text().replace("name: mi355x", "name: own"))
    Path("swapped.csv").write_text(Path(COPIED[0]).read_text().replace(",FP4,", ",FP8,"))
    rng = random.Random(1)
    rows = [(700 * i, rng.randint(50, 9000), rng.randint(1, 900)) for i in range(200)]
    lines = [f"{ms / 1000},{isl},{osl}\n" for ms, isl, osl in rows]
    Path("trace.csv").write_text("arrival_s,input_tokens,output_tokens\n" + "".join(lines))
    fields = "timestamp", "input_length", "output_length"
    Path("trace.jsonl").write_text("".join(json.dumps(dict(zip(fields, row, strict=True))) + "\n" for row in rows))
    gemms = "".join(f"gemm,bf16,10240,4096,{t},{us}\n" for t, us in ((1, 18), (64, 20), (1024, 95), (8192, 700)))
    Path("kernels.csv").write_text("kernel,precision,n,k,tokens,time_us\n" + gemms)
    for kind, keys in CONFIGURATIONS.items():
        Path(f"{kind}.json").write_text(json.dumps({**PLAIN, **keys, "model_type": kind}))
    asked = [{"input_tokens": n, "output_tokens": 9, "blocks": [[0, n // 64]]} for n in (200, 900, 1500)]
    Path("sessions.jsonl").write_text(json.dumps({"session": "a", "block_tokens": 64, "requests": asked}) + "\n")
    Path("day.csv").write_text("start_s,requests_per_s\n0,1\n60,2.5\n120,0.5\n")


def work(checkout: Path, commands: Sequence[Command], results: Path) -> None:
    """In a process of its own: run all commands in the current folder, one line of JSON each."""
    sys.path.insert(0, str(checkout))
    from simulator.cli import main as mtpsim

    prepare(checkout)
    seen: dict[Path, int] = {}
    with results.open("w") as file:
        for command in commands:
            out, err, start = io.StringIO(), io.StringIO(), time.process_time()
            sys.argv = ["mtpsim", *command]
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    status: Any = mtpsim()
                except SystemExit as end:
                    status = end.code
                except Exception as fault:
                    status = f"{type(fault).__name__}: {fault}"
            if status == 130:
                raise KeyboardInterrupt
            gc.unfreeze()  # the command line switches the search for garbage off
            gc.enable()
            now = {path: path.stat().st_mtime_ns for path in sorted(Path("out").iterdir())}
            files = {path.name: contents(path) for path in now if now[path] != seen.get(path)}
            seen = now
            result = {"status": status, "out": out.getvalue(), "err": err.getvalue().splitlines(), "files": files}
            file.write(json.dumps(result | {"seconds": time.process_time() - start}) + "\n")
    for name, module in list(sys.modules.items()):
        place = getattr(module, "__file__", None)
        if place and name.split(".")[0] in ("simulator", "hardware_profiles"):
            assert Path(place).resolve().is_relative_to(checkout), f"{name} came from {place}, not from {checkout}"


def contents(path: Path) -> Any:
    """A file: YAML as data, anything else as lines."""
    if path.suffix != ".yaml":
        return path.read_text().splitlines()
    import yaml

    return json.loads(json.dumps(yaml.safe_load(path.read_text()), default=str))


def run(checkout: Path, python: str, commands: Sequence[Command]) -> list[Result]:
    """Results of all commands in one checkout."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "COLUMNS")} | ENVIRONMENT
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "work").mkdir()
        (folder / "commands").write_text(json.dumps(commands))
        environment["NUMBA_CACHE_DIR"] = str(folder / "cache")
        job = [python, "-P", __file__, "--work", checkout.resolve(), folder / "commands", folder / "results"]
        subprocess.run(job, cwd=folder / "work", env=environment, check=True, stdin=subprocess.DEVNULL)
        return [json.loads(line) for line in (folder / "results").read_text().splitlines()]


def unpack(revision: str, folder: Path) -> Path:
    """The folder with a revision of this repository in it."""
    packed = subprocess.run(["git", "-C", ROOT, "archive", revision], stdout=subprocess.PIPE)
    if packed.returncode:
        raise SystemExit(f"--before {revision}: neither a folder nor a revision of {ROOT}")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder


def plant(checkout: Path, folder: Path) -> Path:
    """A copy of the checkout in which the last bit of one parameter is another."""
    shutil.copytree(checkout, folder, ignore=shutil.ignore_patterns(".*", "__pycache__"), dirs_exist_ok=True)
    path = find(folder, "parameters.yaml")
    found = re.search(r"(?m)(?<=^host\.step_us: \{value: )[\d.]+", text := path.read_text())
    assert found is not None, f"{path} has no host.step_us"
    path.write_text(text[: found.start()] + repr(math.nextafter(float(found[0]), math.inf)) + text[found.end() :])
    return folder


# --- the report -------------------------------------------------------------------------------------------------------


def compared(before: Result, after: Result) -> list[Difference]:
    """All differences of what one command left in the two checkouts."""
    one, two = (result | {"out": document(result["out"]), "seconds": None} for result in (before, after))
    return list(differences(one, two))


def report(commands: Sequence[Command], before: Sequence[Result], after: Sequence[Result], most: int | None) -> int:
    """Print the table by kind, every difference, and how many may differ; return the number of those that may not."""
    found = [compared(*pair) for pair in zip(before, after, strict=True)]
    wrong = [[d for d in each if d.allowed is None] for each in found]
    titles = "commands", "succeed", "same", "JSON", "same", "s before", "s after"
    table: dict[str, list[float]] = {}
    for command, b, a, bad in zip(commands, before, after, wrong, strict=True):
        is_json = isinstance(document(b["out"]), dict)
        row = 1, succeeded(b, a), not bad, is_json, is_json and not bad, b["seconds"], a["seconds"]
        for name in (kind(command), "all"):
            table[name] = [x + y for x, y in zip(row, table.get(name, [0.0] * len(row)), strict=True)]
    print(f"{'kind':20s}" + "".join(f"{title:>10s}" for title in titles))
    for name in sorted(table, key=lambda name: name == "all"):
        print(f"{name:20s}" + "".join(f"{cell:10.0f}" for cell in table[name]))
    for command, bad in zip(commands, wrong, strict=True):
        if bad:
            print("\nmtpsim", *(f'"{word}"' if " " in word else word for word in command), f"# {len(bad)} differences")
            print(*(f"  {difference.text()}" for difference in bad[:most]), sep="\n")
    for name, (_, reason) in MAY_DIFFER.items():
        print(f"may differ: {name} ({reason}): {sum(d.allowed == name for each in found for d in each)} values do")
    print(f"differences: {sum(map(len, wrong))}, in {sum(map(bool, wrong))} of {len(commands)} commands")
    return sum(map(len, wrong))


def succeeded(before: Result, after: Result) -> bool:
    """Whether a command exited with 0 in both checkouts."""
    return bool(before["status"] == after["status"] == 0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare two checkouts; 1 if they differ, or if too few commands succeeded to say so."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", default="HEAD", metavar="REV|FOLDER", help="default: the last commit")
    parser.add_argument("--after", type=Path, default=ROOT, metavar="FOLDER", help="default: this checkout")
    parser.add_argument("--python-before", default=sys.executable, metavar="PYTHON", help="default: this one")
    parser.add_argument("--python-after", default=sys.executable, metavar="PYTHON", help="default: this one")
    parser.add_argument("--seed", type=int, default=0, help="of the configurations")
    parser.add_argument("--quick", action="store_true", help="a smaller sample")
    parser.add_argument("--all-fits", action="store_true", help="also make the shipped calibrations again")
    parser.add_argument("--most", type=int, metavar="N", help="differences to print of each command; default: all")
    parser.add_argument("--prove", action="store_true", help="compare --after with a copy that differs in one bit")
    parser.add_argument("--work", nargs=3, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.work:
        work(options.work[0], json.loads(options.work[1].read_text()), options.work[2])
        return 0
    commands = configurations(options.seed, options.quick or options.prove, options.all_fits)
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(options.before), options.after
        if options.prove:
            before, after = after, plant(after, Path(folder))
        elif not before.is_dir():
            before = unpack(options.before, Path(folder))
        print(f"{len(commands)} commands, before: {before}, after: {after}", flush=True)
        results = [run(before, options.python_before, commands), run(after, options.python_after, commands)]
    differing = report(commands, *results, options.most)
    if options.prove:
        print("the planted bit was", "seen" if differing else "NOT SEEN")
        return 0 if differing else 1
    enough = sum(map(succeeded, *results))
    if not options.quick and enough < LEAST:
        print(f"only {enough} commands succeeded in both: expected at least {LEAST}")
        return 1
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
