#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compares scripts/dan_torch.py with the library, for every file of weights/ and what none of them has.

    compare_torch.py NETWORK_OUTPUTS [WEIGHTS]

NETWORK_OUTPUTS is the program of that name of a build (tests/peers/network_outputs.cpp). Increments
and memory may differ by 1e-5 of the largest of them. Without PyTorch it ends as skipped.
"""
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
try:
    import numpy as np
    import torch
except ImportError:
    print("skipped: there is no PyTorch for this Python; on Debian, apt-get install python3-torch "
          "and run this with /usr/bin/python3")
    sys.exit(77)

from dan_torch import DanNetwork, LatLon, Ring

LARGEST = 1e-5


def difference(network, inputs, outputs):
    """The largest differences of increments and memory, each relative to the largest number."""
    fields = network.members + 1 + network.sees_precision + 2 * network.sees_scales
    points = inputs.shape[-1] // (network.channels * fields + network.memory)
    found = [0.0, 0.0]
    for x, y in zip(inputs, outputs):  # cycles
        def take(tensor, count, *shape):
            part = tensor[:, take.at:take.at + count]
            take.at += count
            return part.reshape(len(part), *shape)

        size, take.at = points * network.channels, 0
        forecast = take(x, network.members * size, network.members, points, network.channels)
        z = take(x, size, points, network.channels)
        precision = take(x, size, points, network.channels) if network.sees_precision else None
        scales = take(x, 2 * size, 2, points, network.channels) if network.sees_scales else None
        memory = take(x, points * network.memory, points, network.memory)
        assert take.at == x.shape[1]
        with torch.no_grad():
            result = network(forecast, z, memory, precision, scales)
        take.at = 0
        expected = [take(y, forecast[0].numel(), *forecast.shape[1:]), take(y, memory[0].numel(), *memory.shape[1:])]
        assert take.at == y.shape[1]
        for n in range(2):
            if expected[n].numel():
                relative = ((result[n] - expected[n]).abs().max() / expected[n].abs().max()).item()
                found[n] = relative if not relative <= found[n] else found[n]  # NaN stays
    return found


def main():
    program = sys.argv[1]
    weights = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else ROOT / "weights")
    bad = 0
    print(f"PyTorch {torch.__version__}; largest relative difference of increments, of memory")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, weights, folder], check=True)
        for file in sorted([*weights.glob("*.safetensors"), *pathlib.Path(folder).glob("*.safetensors")]):
            geometry = LatLon(32, 64) if file.stem.startswith("sphere") else Ring()
            for kind, dtype in [("float32", torch.float32), ("float64", torch.float64)]:
                inputs, outputs = (torch.from_numpy(np.load(f"{folder}/{file.stem}.{what}.npy")).to(dtype)
                                   for what in ("inputs", f"{kind}.outputs"))
                found = difference(DanNetwork.load(file, geometry, dtype), inputs, outputs)
                wrong = not max(found) <= LARGEST
                bad += wrong
                print(f"{file.stem:32} {kind}  {found[0]:.1e}  {found[1]:.1e}{'  TOO LARGE' if wrong else ''}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
