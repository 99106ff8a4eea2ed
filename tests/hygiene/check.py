#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checks of the house rules that the compiler does not make.

    check.py RULE BUILD_DIRECTORY [FILE]

alone     every header compiles alone and without a warning (those in OPTIONAL folders, where what
          they need is installed)
layers    includes go downward only (docs/architecture.md)
names     xtensor, xsimd and xtensor-blas are named by the headers meant for it only
light       models, and analyses with a twin experiment, need neither JSON nor networks
long      headers have at most 300 lines, or a reason in docs/architecture.md
standard  headers include those of the standard library whose names they use, and no others
umbrella  dan.hpp includes every header, but for those in OPTIONAL folders
licence   every source file begins with its licence
listed    every test, benchmark and example is in the meson.build that builds it
defaults  tests/core/compiler.cpp looks at every struct with numbers that have defaults
cold      no object file of the build has a loop over cycles, an analysis, a model step or a kernel among
          what is never run: g++ takes [[gnu::cold]] on to callers (docs/performance.md)
compiles  figures, docs/parallel.cpp, dan, benchmarks and slow tests compile with the compiler of the build,
          without a warning
uses      every file of tests/compile_fail compiles as it stands
misuse    tests/FILE fails with -DMISUSE, or the `// flags:` it names, with the words it expects; with
          a line `// lines: 40` in at most so many lines (clang says more)
"""
import concurrent.futures
import functools
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"
HEADERS = sorted(path.relative_to(INCLUDE).as_posix() for path in INCLUDE.rglob("*.hpp"))
UMBRELLA = "dan/dan.hpp"
LEVELS = {"core": 1, "geometry": 2, "autodiff": 2, "io": 2, "transform": 2, "integrate": 3,
          "observe": 3, "network": 3, "models": 4, "problem": 4, "analysis": 5, "experiment": 6,
          "train": 6, "diagnose": 7,
          "netcdf": 7, "mpi": 7, "app": 8}
# Folders that need more libraries than the rest: not in dan.hpp.
OPTIONAL = {"app": "CLI/CLI.hpp", "netcdf": "netcdf", "mpi": "mpi.h"}
NAMES = {r"\bxtensor\b|\bxt::": ["core/tensor.hpp", "core/linalg.hpp"],
         r"\bxsimd\b": ["core/registers.hpp"],
         r"xtensor-blas|\bxlinalg\b|\bxt::linalg\b|\bcblas|\bLAPACK": ["core/linalg.hpp"]}
# What is looked for in headers of the standard library that headers of ours use often.
STANDARD = {
    "algorithm": "(ranges::)?(any_of|all_of|none_of|clamp|copy(_n|_if)?|count(_if)?|equal|fill(_n)?|find(_if)?|"
                 "(lower|upper)_bound|max|max_element|min|min_element|minmax|nth_element|replace|reverse|rotate|"
                 "sort|stable_sort|transform|unique|adjacent_find|is_sorted|contains)",
    "array": "array",
    "bit": "bit_cast|has_single_bit|bit_ceil|endian|countr_zero|popcount|bit_width",
    "cmath": "sqrt|abs|pow|exp|log|log1p|log10|expm1|sin|cos|tan|asin|acos|atan|atan2|sinh|cosh|tanh|erf|floor|"
             "ceil|round|llround|isfinite|isnan|isinf|hypot|fmod|copysign|fma|signbit|nextafter|lgamma|remainder",
    "chrono": "chrono",
    "complex": "complex|polar",
    "concepts": "same_as|convertible_to|floating_point|((un)?signed_)?integral|invocable|copyable|"
                "default_initializable|derived_from|constructible_from|copy_constructible|predicate",
    "cstddef": "size_t|ptrdiff_t|byte",
    "cstdint": "u?int(8|16|32|64|ptr)_t",
    "cstring": "memcpy|memset|memcmp|strlen|strcmp|strerror",
    "deque": "deque",
    "exception": "exception(_ptr)?|current_exception|rethrow_exception|uncaught_exceptions",
    "filesystem": "filesystem|error_code",
    "functional": "function|identity|invoke|plus|multiplies|greater|hash|ref",
    "limits": "numeric_limits",
    "locale": "locale",
    "map": "map",
    "memory": "unique_ptr|shared_ptr|make_unique|make_shared|addressof|assume_aligned|allocator",
    "numbers": "numbers",
    "numeric": "accumulate|gcd|inner_product|midpoint|iota",
    "optional": "optional|nullopt",
    "set": "set",
    "span": "span|as_bytes|dynamic_extent",
    "string": "string|to_string|getline",
    "string_view": "string_view",
    "tuple": "tuple|tuple_cat|tuple_size_v|tuple_element_t|tie|apply|make_tuple|get",
    "type_traits": r"is_\w+|remove_\w+|conditional_t|decay_t|common_type_t|integral_constant|true_type|false_type|"
                   "invoke_result_t|type_identity(_t)?|underlying_type_t|bool_constant",
    "utility": "pair|exchange|swap|make_pair|declval|index_sequence|make_index_sequence|as_const|in_place",
    "vector": "vector",
}


def read(header):
    return (INCLUDE / header).read_text(encoding="utf-8")


def includes(header):
    return re.findall(r'^\s*#\s*include\s*["<](dan/[^">]+)[">]', read(header), re.MULTILINE)


@functools.cache
def all_includes(header):
    """What a header includes, and what that includes."""
    found, left = set(), [header]
    while left:
        new = set(includes(left.pop())) - found
        found |= new
        left += new
    return found


def commands(build):
    return json.loads((pathlib.Path(build) / "compile_commands.json").read_text())


def compile_only(build, *arguments, like="tests/main.cpp", output="-fsyntax-only", precompiled=False):
    """Runs the compile command of a file on other input, without output by default; returns it.

    `precompiled`: with the precompiled header of the unit tests, which hides missing includes.
    """
    entry = next(c for c in commands(build) if c["file"].endswith(like))
    command = shlex.split(entry["command"])
    # Each with its value.
    for option in ["-o", "-c", "-MQ", "-MF", *([] if precompiled else ["-include", "-include-pch"])]:
        if option in command:
            at = command.index(option)
            del command[at:at + 2]
    command += [output, "-fdiagnostics-color=never", *arguments]
    return subprocess.run(command, cwd=entry["directory"], text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def alone(build):
    # A header is compiled after the largest of these that it includes. Precompiled, that one hides
    # nothing: what a header says stands behind its includes (rule layers), and they are compiled
    # themselves.
    first = ["dan/app/menu.hpp", "dan/app/options.hpp", "dan/analysis/learned.hpp",
             "dan/network/weights.hpp", "dan/problem/problem.hpp", "dan/core/linalg.hpp",
             "dan/core/tensor.hpp", "dan/core/simd.hpp"]
    folder = tempfile.TemporaryDirectory()

    def precompile(header):
        file = pathlib.Path(folder.name) / header.replace("/", "_")
        file.write_text(f'#include "{header}"\n')
        compile_only(build, "-x", "c++-header", str(file), output=f"-o{file}.gch")

    def failure(header):
        known = [h for h in first if h in all_includes(header)]
        largest = max(known, key=lambda h: len(all_includes(h)), default="")
        before = ["-include", f"{folder.name}/{largest.replace('/', '_')}"] if known else []
        done = compile_only(build, "-Werror", *before, "-include", header, "-x", "c++", os.devnull)
        return f"{header} does not compile alone:\n{done.stdout}" if done.returncode else None

    absent = [name for name, needs in OPTIONAL.items()
              if compile_only(build, "-include", needs, "-x", "c++", os.devnull).returncode]
    there = [h for h in HEADERS if h.split("/")[1] not in absent]
    with folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        first = [h for h in first if h in there]
        list(pool.map(precompile, first))
        return [text for text in pool.map(failure, there) if text]


def compiles(build):
    # The figures after dan.hpp, which they include through support.hpp: precompiled for all of them.
    programs = sorted({c["file"] for c in commands(build)
                       if re.search(r"(^|/)(examples/figures|apps|benchmarks|tests/slow)/|"
                                    r"(^|/)docs/parallel", c["file"])})
    figure = next((file for file in programs if "examples/figures/" in file), None)
    if not figure:
        return [f"{build} has no figures; set it up with -Dexamples=enabled"]
    folder = tempfile.TemporaryDirectory()
    umbrella = f"{folder.name}/dan.hpp"
    pathlib.Path(umbrella).write_text(f'#include "{UMBRELLA}"\n')

    def failure(file):
        before = ["-include", umbrella] if "examples/figures/" in file else []
        done = compile_only(build, "-Werror", *before, file, like=file)
        return f"{file}:\n{done.stdout}" if done.returncode else None

    with folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        compile_only(build, "-x", "c++-header", umbrella, like=figure, output=f"-o{umbrella}.gch")
        return [text for text in pool.map(failure, programs) if text]


def cold(build):
    hot = re.compile(r"run_twin_group<|::(analyse|forecast|learn|step|step_adjoint|backward)[<(]|tendency[<(]")
    found, seen = [], 0
    for file in sorted(pathlib.Path(build).rglob("*.o")):
        table = subprocess.run(["objdump", "--syms", "--demangle", file], text=True, capture_output=True, check=True).stdout
        functions = [line for line in table.splitlines() if " F .text" in line and "[clone .cold]" not in line]
        names = [(line, re.split(r"\t[0-9a-f]+ ", line)[-1]) for line in functions]
        seen += sum(bool(hot.search(name)) for _, name in names)
        found += [f"{file.name}: {name[:160]} is cold" for line, name in names
                  if " F .text.unlikely" in line and hot.search(name)]
    return found or ([] if seen else [f"{build} has no function that should be fast; build the examples"])


def layers(_):
    found = []
    for header in HEADERS:
        folder = pathlib.PurePath(header).parts[1:-1]
        if header == UMBRELLA:
            continue
        if folder and folder[0] not in LEVELS:
            found.append(f"{header}: folder {folder[0]} has no level; add it to LEVELS")
            continue
        level = LEVELS[folder[0]] if folder else 2  # concepts.hpp may include core
        for other in includes(header):
            its_folder = pathlib.PurePath(other).parts[1:-1]
            if other not in HEADERS:
                found.append(f"{header} includes {other}, which does not exist")
            elif other == UMBRELLA:
                found.append(f"{header} includes {UMBRELLA}, which is for users only")
            elif its_folder and its_folder[:1] != folder[:1] and LEVELS.get(its_folder[0], 9) >= level:
                found.append(f"{header} (level {level}) includes {other}; includes go downward")
        for other in re.findall(r'^\s*#\s*include\s*"(?!dan/)([^"]*)"', read(header), re.MULTILINE):
            found.append(f'{header} includes "{other}", expected the whole path "dan/..."')
    return found


def names(_):
    found = []
    for header in HEADERS:
        code = re.sub(r"//.*|/\*.*?\*/", "", read(header))
        for name, allowed in NAMES.items():
            if header.removeprefix("dan/") not in allowed:
                found += [f"{header} says {m.group()}, allowed in {', '.join(allowed)} only"
                          for m in re.finditer(name, code)]
    return found


def standard(_):
    found = []
    for header in HEADERS:
        text = re.sub(r"'(\\.|[^'\\\n])'", "0", read(header))  # without characters, comments, strings
        text = re.sub(r"\"(\\.|[^\"\\\n])*\"", "", re.sub(r"//.*", "", text))
        included = re.findall(r"#include <(\w+)>", text)
        for name, words in STANDARD.items():
            qualified = r"\b(std::)?" if name == "cstdint" else r"\bstd::"
            used = re.search(rf"{qualified}({words})\b", text)
            if used and name not in included:
                found.append(f"{header} uses {used[0]} and does not include <{name}>")
            moves = name == "utility" and re.search(r"\bstd::(move|forward)\b", text)  # every container has them
            if name in included and not used and not moves:
                found.append(f"{header} includes <{name}> and uses nothing of it")
    return found


def light(_):
    apart = {f"dan/analysis/{name}.hpp" for name in ("carried", "cycle", "learned", "operational_run", "retrace", "way_back")}  # files, networks
    folders = ("geometry", "integrate", "models", "observe", "transform", "analysis")
    return [f"{header} includes {other}" for header in HEADERS
            if (header.split("/")[1] in folders or header == "dan/experiment/twin.hpp") and header not in apart
            for other in all_includes(header) | {header}
            if "<nlohmann" in read(other) or other.startswith(("dan/network/", "dan/train/"))]


def long(_):
    page = (ROOT / "docs/architecture.md").read_text()
    lines = {header: len((INCLUDE / header).read_text().splitlines()) for header in HEADERS}
    return [f"{header} has {n} lines, expected at most 300 or a reason in docs/architecture.md"
            for header, n in lines.items() if n > 300 and f"`{header.removeprefix('dan/')}` (" not in page]


def umbrella(_):
    missing = ({h for h in HEADERS if h.split("/")[1] not in OPTIONAL} - set(includes(UMBRELLA))
               - {UMBRELLA})
    return [f"{UMBRELLA} does not include {header}" for header in sorted(missing)]


def licence(_):
    files = [path for folder in ["include", "tests", "benchmarks", "examples", "apps"]
             for path in sorted((ROOT / folder).rglob("*")) if path.suffix in (".hpp", ".cpp")]
    return [f"{path.relative_to(ROOT)} does not begin with the SPDX line" for path in files
            if not path.read_text().startswith("// SPDX-License-Identifier: BSD-3-Clause\n")]


def listed(_):
    found = []
    for folder in [ROOT / "tests", ROOT / "benchmarks", ROOT / "examples", ROOT / "apps/dan"]:
        plan = (folder / "meson.build").read_text()
        for path in sorted(folder.rglob("*.cpp")):
            name = path.relative_to(folder).as_posix()
            if f"'{name}'" not in plan and not name.startswith(("consumers/", "fuzz/")):
                found.append(f"{folder.name}/meson.build does not list {name}")
    return found


def readme(_):
    shown = re.search(r"```cpp\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    source = (ROOT / "docs/twenty_lines.cpp").read_text()
    found = [] if shown and source.endswith(shown[1]) else [
        "the program in README.md is not the end of docs/twenty_lines.cpp"]
    for page, program in [("docs/extend.md", "extend.cpp"), ("docs/command_line.md", "own_command_line.cpp"),
                          ("docs/classical.md", "snippets.cpp"), ("docs/training.md", "snippets.cpp"),
                          ("docs/parallel.md", "parallel.cpp"),
                          *((f"docs/{page}.md", "guides.cpp") for page in ("tuning", "diagnosing", "cycling")),
                          *((page.relative_to(ROOT).as_posix(), "methods.cpp")
                            for page in sorted((ROOT / "docs/methods").glob("*.md"))),
                          ("README.md", "snippets.cpp")]:
        text = (ROOT / page).read_text()
        source = without_layout((ROOT / "docs" / program).read_text())
        parts = re.findall(r"```cpp\n(.*?)```", text, re.DOTALL)[page == "README.md":]
        parts += [part for part in re.findall(r"(?<=\n\n)(?:    .*\n)+", text) if re.search(r"; *(//|$)", part, re.M)]
        found += [f"{page}: not in docs/{program}:\n{part}" for part in parts
                  if without_layout(part) not in source]
    return found


def without_layout(source):
    return re.sub(r"//.*|#include.*|\s", "", source)


def defaults(_):
    test = (ROOT / "tests/core/compiler.cpp").read_text()
    number = r"^ +(?:double|float|std::(?:size_t|u?int\d+_t)) [a-z_]+ = "
    found = []
    for header in HEADERS:
        for name, body in re.findall(r"^(?<!>\n)struct (\w+) \{\n(.*?)^\};", read(header),
                                     re.MULTILINE | re.DOTALL):
            if (re.search(number, body, re.MULTILINE) and not re.search(r"std::(vector|string|map|filesystem)", body)
                    and not re.search(rf"\b{name}\b", test)):
                found.append(f"{header}: tests/core/compiler.cpp does not look at {name}")
    return found


def uses(build):
    files = sorted((ROOT / "tests/compile_fail").glob("*.cpp"))
    with tempfile.TemporaryDirectory() as folder:  # all in one file: what they share is read once
        together = pathlib.Path(folder) / "uses.cpp"
        subprocess.run([sys.executable, ROOT / "tests/support/join.py", together, *files], check=True)
        right = compile_only(build, str(together), precompiled=True)
    return [f"what should compile does not:\n{right.stdout}"] if right.returncode else []


def misuse(build, file):
    source = ROOT / "tests" / file
    expected = re.findall(r"^// expect: (.*)$", source.read_text(), re.MULTILINE)
    flags = re.search(r"^// flags: (.*)$", source.read_text(), re.MULTILINE)
    precompiled = not flags  # which hold for what is precompiled, too
    flags = flags[1].split() if flags else ["-DMISUSE"]
    wrong = compile_only(build, *flags, str(source), precompiled=precompiled)
    found = []
    if not wrong.returncode:
        found.append(f"{source.name} compiles with {' '.join(flags)}, expected an error")
    found += [f"{source.name}: the error does not say '{words}':\n{wrong.stdout}"
              for words in expected if words not in wrong.stdout]
    most = re.search(r"^// lines: (\d+)$", source.read_text(), re.MULTILINE)
    quoted = re.compile(r" +\d* +\|")  # of which gcc 14 has three times as much as gcc 12
    lines = sum(not quoted.match(line) for line in wrong.stdout.splitlines())
    if most and "clang" not in wrong.args[0] and lines > int(most[1]):
        found.append(f"{source.name}: the error has {lines} lines without source, expected at most {most[1]}:\n"
                     f"{wrong.stdout}")
    return found or ([] if expected else [f"{source.name} has no line '// expect: words'"])


def main():
    rule, *arguments = sys.argv[1:]
    rules = [alone, cold, compiles, layers, light, long, names, standard, umbrella, licence, listed, readme, defaults,
             uses, misuse]
    found = {f.__name__: f for f in rules}[rule](*arguments)
    print("\n".join(found) or f"{rule}: good")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
