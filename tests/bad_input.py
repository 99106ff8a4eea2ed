#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Bad command lines: every program must end with a code above zero, say why in one line on standard
error, and write nothing, also to standard output.

    tests/bad_input.py BUILD      (a build with its examples)
"""
import pathlib
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1]).resolve()
examples = sorted(p for p in (build / "examples").iterdir()
                  if p.is_file() and p.stem not in ("twenty_lines", "extend", "own_command_line", "guides", "methods", "snippets"))
passed = failed = 0


def refuses(words, program, *arguments):
    global passed, failed
    with tempfile.TemporaryDirectory() as folder:
        given = [str(a).replace("HERE", folder) for a in arguments]
        run = subprocess.run([program, "--quick", *given], capture_output=True, text=True,
                             stdin=subprocess.DEVNULL, cwd=folder, timeout=60, check=False)
        left = [str(p) for p in pathlib.Path(folder).rglob("*") if p.is_file()]
    said = [line for line in run.stderr.splitlines() if not line.startswith("note: ")]
    if run.returncode > 0 and len(said) == 1 and words in said[0] and not run.stdout and not left:
        passed += 1
        return
    failed += 1
    print(f"FAILED: {program.name} {' '.join(given)}: code {run.returncode}, files {left}, said: "
          f"{run.stdout}{run.stderr}")


for program in examples:
    refuses("not expected", program, "--frobnicate")
    refuses("--seed", program, "--seed", "-1")
    refuses("--seed", program, "--seed", "one")
    refuses("--threads", program, "--threads", "99999")
    refuses("--json: cannot write", program, "--json", "HERE/none/such.json")
    refuses("--json: cannot write", program, "--json", "HERE")
    refuses("--out: cannot write", program, "--out", "/dev/null/x")
for program in examples:
    if program.name == "table":
        refuses("--train", program, "--train", "nothing")
        refuses("--cycles", program, "--cycles", "0")
        refuses("--updates", program, "--train", "small", "--updates", "-1")
        refuses("--quick excludes --train", program, "--train", "small")
    if program.name == "time_to_accuracy":
        refuses("--updates", program, "--updates", "0")
        refuses("--seeds", program, "--seeds", "-1")
    if program.name == "reference_scores":
        refuses("--cycles", program, "--cycles", "-5")
ours = build / "benchmarks" / "ours"
if ours.exists():
    refuses("usage", ours)
print(f"bad input: {passed} passed, {failed} failed")
sys.exit(failed > 0)
