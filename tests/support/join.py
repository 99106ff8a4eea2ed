#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes one source file that holds several tests: their includes, then each in a namespace of its own.

    join.py OUTPUT TEST...

What tests share is then instantiated once, which takes a third of the compile time off.
"""
import pathlib
import re
import sys

output, *tests = map(pathlib.Path, sys.argv[1:])
includes, bodies = [], []
for test in tests:
    lines = test.read_text().splitlines()
    for line in lines:
        if line.startswith("#include"):
            near = test.resolve().parent / line.split()[1].strip('"')
            includes.append(f'#include "{near}"' if near.is_file() else line)
    name = re.sub(r"\W", "_", f"{test.parent.name}_{test.stem}")
    body = ["" if line.startswith("#include") else line for line in lines]
    bodies += [f"namespace {name} {{", f'#line 1 "{test.resolve()}"', *body, "}"]
output.write_text("\n".join([*dict.fromkeys(includes), *bodies, ""]))
