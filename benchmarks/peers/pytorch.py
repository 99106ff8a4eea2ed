#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Training steps in PyTorch and in dan, in alternation: sample-cycles per second and their ratio.

    apt-get install python3-torch
    /usr/bin/python3 benchmarks/peers/pytorch.py build/release/benchmarks/ours

The same residual network with periodic convolutions and SiLU, the same batch, window, Lorenz 96
model, observations, loss and Adam, in float32 and on all cores. What differs by nature: PyTorch
makes truth and noise in float32, dan in double. Without PyTorch it says so and ends with 0.
"""
import argparse
import os
import statistics
import subprocess
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    print("skipped: there is no PyTorch for this Python; on Debian, apt-get install python3-torch "
          "and run this with /usr/bin/python3")
    sys.exit(0)

POINTS, KERNEL, WINDOW = 40, 5, 4
# filters: (blocks, convolutions of a block, batch, what we aim at)
CASES = {40: (5, 5, 96, 3.5), 24: (3, 3, 64, 6.2)}


def step(x):
    """One Runge-Kutta step of Lorenz 96, F = 8, h = 0.05; x is batch x 1 x points."""
    def tendency(x):
        around = F.pad(x, (2, 1), mode="circular")
        return (around[..., 3:] - around[..., :-3]) * around[..., 1:-2] - x + 8

    h = 0.05
    k1 = tendency(x)
    k2 = tendency(x + h / 2 * k1)
    k3 = tendency(x + h / 2 * k2)
    k4 = tendency(x + h * k3)
    return x + h / 6 * (k1 + 2 * (k2 + k3) + k4)


class AnalysisNetwork(torch.nn.Module):
    """The plain head of dan::AnalysisNetwork."""

    def __init__(self, filters, blocks, sub_blocks):
        super().__init__()

        def convolution(i, o):
            return torch.nn.Conv1d(i, o, KERNEL, padding=KERNEL // 2, padding_mode="circular")

        self.first = convolution(2, filters)
        self.blocks = torch.nn.ModuleList(
            torch.nn.ModuleList(convolution(filters, filters) for _ in range(sub_blocks))
            for _ in range(blocks))
        self.last = convolution(filters, 1)
        with torch.no_grad():
            self.last.weight *= 0.01

    def forward(self, forecast, zeta):
        h = F.silu(self.first(torch.cat([(forecast - 2.3) / 3.6, zeta], 1)))
        for block in self.blocks:
            f = h
            for convolution in block:
                f = F.silu(convolution(f))
            h = h + f
        return self.last(h)


class Training:
    def __init__(self, filters):
        torch.manual_seed(1)
        blocks, sub_blocks, self.batch, _ = CASES[filters]
        self.network = AnalysisNetwork(filters, blocks, sub_blocks)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=1e-4, betas=(0.9, 0.99))
        self.truth = 8 + torch.randn(self.batch, 1, POINTS)
        with torch.no_grad():
            for _ in range(200):
                self.truth = step(self.truth)
        self.state = self.truth + torch.randn_like(self.truth)

    def update(self):
        loss = 0
        x = self.state
        for _ in range(WINDOW):
            with torch.no_grad():
                self.truth = step(self.truth)
                observed = self.truth + torch.randn_like(self.truth)
            forecast = step(x)
            x = forecast + self.network(forecast, observed - forecast)
            loss = loss + ((x - self.truth) ** 2).mean() / (2 * WINDOW)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.state = x.detach()

    def rate(self, seconds):
        begin, updates = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds:
            self.update()
            updates += 1
        return updates * self.batch * WINDOW / (time.perf_counter() - begin)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("ours", help="the program benchmarks/ours of a build")
    parser.add_argument("--seconds", type=float, default=2, help="of each measurement")
    parser.add_argument("--alternations", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    options = parser.parse_args()
    threads = options.threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    print(f"PyTorch {torch.__version__}, {threads} threads")
    for filters, (blocks, sub_blocks, batch, aim) in CASES.items():
        layers = blocks * sub_blocks
        flops = 6 * POINTS * layers * KERNEL * filters**2
        print(f"\n{filters} filters, {layers} layers, batch {batch}, window {WINDOW}: "
              "sample-cycles/s (GFLOP/s)")
        training = Training(filters)
        training.rate(min(1, options.seconds))  # warm up
        ratios, limits = [], []
        for _ in range(options.alternations):
            theirs = training.rate(options.seconds)
            command = [options.ours, str(filters), str(options.seconds), str(threads)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            ours, peak = map(float, done.stdout.split())
            ratios.append(ours / theirs)
            limits.append(peak * 1e9 / flops / theirs)
            print(f"  PyTorch {theirs:8.0f} ({theirs * flops / 1e9:5.1f})   "
                  f"dan {ours:8.0f} ({ours * flops / 1e9:5.1f})   "
                  f"= {ours * flops / peak / 1e7:2.0f} % of peak   ratio {ratios[-1]:5.2f}",
                  flush=True)
        print(f"  median ratio {statistics.median(ratios):.2f}, aimed at {aim}; "
              f"{statistics.median(limits):.2f} would be all of this machine's FMA peak")


if __name__ == "__main__":
    main()
