#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Small right files for each reader, from which fuzzing begins: tests/fuzz/seeds.py FOLDER."""
import json
import pathlib
import struct
import sys

folder = pathlib.Path(sys.argv[1])


def write(reader, name, content):
    (folder / reader).mkdir(parents=True, exist_ok=True)
    (folder / reader / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def safetensors(tensors, metadata, kind):
    data, header = b"", {"__metadata__": metadata}
    for name, shape, values in tensors:
        part = struct.pack(f"<{len(values)}{'f' if kind == 'F32' else 'd'}", *values)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def npy(rows):
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({len(rows)}, {len(rows[0])}), }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + b"".join(
        struct.pack(f"<{len(row)}d", *row) for row in rows)


table = "time,place,channel,value,deviation\n0.05,4.5,0,2.5,1\n0.05,27,0,-1e-3,0.5\n0.1,39.5,0,3,1\n"
write("csv", "table", table)
write("csv", "special", "a,b\r\n nan , -inf\r\n1,2\r\n")
write("observations", "table", table)
write("npy", "array", npy([[1, 2], [3, 4.5]]))
write("observations_npy", "array", npy([[0.5, 10, 20, 1, 3, 1], [1, -10, 300, 0, 4, 2]]))
write("json", "object", '{"a": [1, -2.5e3, null, "x\\u00e9"], "b": {"c": true}}')
metadata = {"format": "dan analysis network 1", "architecture": "{}"}
for reader in ("safetensors", "weights"):
    write(reader, "file", safetensors([("a.weight", [1, 2, 1], [1, 2]), ("a.bias", [1], [3])], metadata, "F32"))
write("carried", "file", safetensors([("state", [3, 1], [1, 2, 3])],
                                     {"format": "dan carried 1", "method": "3D-Var", "cycle": "3"}, "F64"))
write("carried_whole", "file", safetensors(
    [("state", [3, 1], [1, 2, 3])],
    {"format": "dan carried 1", "method": "Var3d", "cycle": "3", "time": "3", "seed": "7", "runs side by side": "1",
     "sizes": "points 1, channels 3, slots 3, runs 1, 64-bit numbers"}, "F64"))


def netcdf_classic(rows, columns):
    """The classic format: a header, then variable after variable."""
    def text(word):
        return struct.pack(">i", len(word)) + word.encode() + b"\0" * (-len(word) % 4)

    def header(first):
        variables = b"".join(text(name) + struct.pack(">iiii", 1, 0, 0, 0) + struct.pack(">iii", kind, size, at)
                             for (name, kind, size), at in zip(kinds, first))
        return (b"CDF\1" + struct.pack(">iii", 0, 10, 1) + text("row") + struct.pack(">i", rows)
                + struct.pack(">ii", 12, 1) + text("source") + struct.pack(">i", 2) + text("seed")
                + struct.pack(">ii", 11, len(kinds)) + variables)
    kinds = [(name, kind, rows * {4: 4, 5: 4, 6: 8}[kind]) for name, kind in columns]
    first, at = [], len(header([0] * len(kinds)))
    for _, _, size in kinds:
        first.append(at)
        at += size
    return header(first) + b"".join(
        struct.pack(f">{rows}{ {4: 'i', 5: 'f', 6: 'd'}[kind]}", *range(rows)) for _, kind, _ in kinds)


write("netcdf", "doubles", netcdf_classic(3, [("time", 6), ("place", 6), ("value", 6)]))
write("netcdf", "kinds", netcdf_classic(2, [("time", 6), ("number", 4), ("single", 5)]))
for reader in ("netcdf_written", "netcdf4_written", "checkpoint_whole", "weights_whole"):
    write(reader, "recipe", bytes(range(64)))
write("name", "text", "etkf:members=20,inflation=1.02")
for reader in ("toml", "toml_whole"):
    write(reader, "file", """[run]
runs = 8
burn-in=20
first-guess=0.5  # a comment
json = "a.json"
out="."
observations='o.csv'
interval=0.05
set=["a=1", "b=2"]
[train]
set=["a=1", "b=2"]
""")
write("trials", "file", """{"problem": "some", "names": ["a", "b"], "check": 5.5, "trials": [
{"values": [1.5, 4], "score": 0.25}, {"values": [2, 1e-3], "score": null, "reason": "x"}]}""")
