#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The networks of weights/ in PyTorch; docs/weights.md has their format and their equations.

    from dan_torch import DanNetwork                      # with scripts/ in PYTHONPATH
    network = DanNetwork.load("weights/recurrent.safetensors")
    analysis, memory = network.analyse(forecast, observed, variance, memory)

Run as a program it scores a file on Lorenz 96, all observed, R = I:

    /usr/bin/python3 scripts/dan_torch.py weights/recurrent.safetensors

Needs torch and numpy only. Covered are all networks that the library writes, on a ring (the default)
or on a grid on the sphere (`geometry=LatLon(32, 64)`).
"""
import argparse
import dataclasses
import functools
import json
import math
import pathlib
import struct

import numpy as np
import torch

ACTIVATIONS = {"silu": torch.nn.functional.silu, "tanh": torch.tanh, "relu": torch.relu,
               "identity": lambda x: x}


def read_safetensors(path):
    """Metadata (without the checksum, which is checked) and arrays of a file of F32 and F64."""
    content = pathlib.Path(path).read_bytes()
    try:
        length, = struct.unpack("<Q", content[:8])
        header, data = json.loads(content[8:8 + length]), content[8 + length:]
        expected = header["__metadata__"].pop("checksum", None)
    except (struct.error, ValueError, KeyError) as error:
        raise ValueError(f"{path} is not a safetensors file with metadata") from error
    if expected is not None:
        hash_value = 0xcbf29ce484222325
        text = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        for byte in data + text.encode():
            hash_value = (hash_value ^ byte) * 0x100000001b3 & (2**64 - 1)
        if f"{hash_value:016x}" != expected:
            raise ValueError(f"{path} is damaged: its checksum is {hash_value:016x}, expected {expected}")
    metadata = header.pop("__metadata__")
    types = {"F32": "<f4", "F64": "<f8"}
    return metadata, {name: np.frombuffer(data[slice(*entry["data_offsets"])],
                                          types[entry["dtype"]]).reshape(entry["shape"])
                      for name, entry in header.items()}


@dataclasses.dataclass(frozen=True)
class Ring:
    """Points on a ring, as many as the state has."""
    dimensions = 1

    @functools.lru_cache(maxsize=None)
    def stencil(self, points, side, spacing=1):
        """The taps of every point, points x taps, and by which tap each sees that point."""
        k = np.arange(side)
        taps = (np.arange(points)[:, None] + (k - side // 2) * spacing) % points
        return torch.from_numpy(taps), torch.from_numpy(np.tile(side - 1 - k, (points, 1)))

    def marks(self):
        raise ValueError("this network sees the place, and a ring is the same everywhere; "
                         "give the geometry it was trained on")


@dataclasses.dataclass(frozen=True)
class LatLon:
    """Rows from north to south x equidistant columns on the sphere."""
    rows: int
    columns: int
    gaussian: bool = True
    dimensions = 2

    @functools.lru_cache(maxsize=None)
    def stencil(self, points, side, spacing=1):
        if points != self.rows * self.columns:
            raise ValueError(f"the state has {points} points, the geometry {self.rows * self.columns}")
        p, k = np.arange(points)[:, None], np.arange(side**2)
        row = p // self.columns + (k // side - side // 2) * spacing
        column = p % self.columns + (k % side - side // 2) * spacing
        crosses = (row < 0) | (row >= self.rows)  # a pole: half a turn of longitude away
        row = np.where(row < 0, -1 - row, np.where(row >= self.rows, 2 * self.rows - 1 - row, row))
        column = (column + crosses * (self.columns // 2)) % self.columns
        back = np.where(crosses, k // side, side - 1 - k // side) * side + side - 1 - k % side
        return torch.from_numpy(row * self.columns + column), torch.from_numpy(back)

    def marks(self):
        """The sine of the latitude of every point, points x 1."""
        if self.gaussian:
            sines = np.polynomial.legendre.leggauss(self.rows)[0][::-1]
        else:
            sines = np.cos((np.arange(self.rows) + 0.5) * np.pi / self.rows)
        return torch.from_numpy(np.repeat(sines, self.columns)[:, None])


class Convolution(torch.nn.Module):
    """out[p] = bias + sum over k of in[tap(p, k)] weight[k]; batch x points x channels."""

    def __init__(self, shape, kernel, geometry):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(shape))  # taps x in x out
        self.bias = torch.nn.Parameter(torch.empty(shape[-1]))
        self.kernel, self.geometry = kernel, geometry

    def forward(self, x):
        taps, _ = self.geometry.stencil(x.shape[1], self.kernel)
        return x[:, taps].flatten(2) @ self.weight.flatten(0, 1) + self.bias


class DanNetwork(torch.nn.Module):
    """The learned increment; the names of its parameters are those of the file."""

    def __init__(self, architecture, scaling, geometry=Ring()):
        super().__init__()
        a = self.architecture = architecture
        unknown = set(a) - {"filters", "blocks", "sub_blocks", "kernel", "members", "activation",
                            "head", "memory", "gain_radius", "sees_forecast", "gates", "channels",
                            "gain_levels", "output_kernel", "sees_precision", "sees_place", "sees_scales", "retrace"}
        if unknown or a["head"] not in ("plain", "symmetric gain") or a["activation"] not in ACTIVATIONS:
            raise ValueError(f"this script does not know such a network: {a}")
        self.geometry = geometry
        self.channels, self.members, self.memory = a["channels"], a["members"], a["memory"]
        self.sees_precision = a.get("sees_precision", False)
        self.sees_place, self.sees_scales = a.get("sees_place", False), a.get("sees_scales", False)
        self.levels = a.get("gain_levels", 1)
        self.mean = torch.tensor(scaling["input_mean"], dtype=torch.float64)
        self.deviation = torch.tensor(scaling["input_deviation"], dtype=torch.float64)

        filters, products = a["filters"], a["gates"]
        window = (2 * a["gain_radius"] + 1) ** geometry.dimensions
        plain = a["head"] == "plain"
        self.per_element = 1 if plain else 1 + self.levels * window * self.channels
        features = ((self.members if a["sees_forecast"] else 0) + 1 + self.sees_precision + 2 * self.sees_scales
                    ) * self.channels + self.memory + self.sees_place

        def convolution(i, o, kernel=a["kernel"]):
            return Convolution((kernel ** geometry.dimensions, i, o), kernel, geometry)

        def block():
            if products:
                return [convolution(filters, 2 * products), convolution(products, filters)]
            return [convolution(filters, filters) for _ in range(a["sub_blocks"])]

        self.input = convolution(features, filters)
        self.blocks = torch.nn.ModuleList(torch.nn.ModuleList(block()) for _ in range(a["blocks"]))
        self.output = convolution(filters, self.members * self.channels * self.per_element + 2 * self.memory,
                                  a.get("output_kernel", a["kernel"]))

    @classmethod
    def load(cls, path, geometry=Ring(), dtype=torch.float32):
        """The network of a weights file, on a ring of any number of points or on `geometry`."""
        metadata, tensors = read_safetensors(path)
        if metadata.get("format") != "dan analysis network 1":
            raise ValueError(f"{path} has format {metadata.get('format')!r}, expected 'dan analysis network 1'")
        architecture, scaling = (json.loads(metadata[key]) for key in ("architecture", "scaling"))
        if scaling.get("uplift_scale", 1) != 1:
            raise ValueError(f"{path} is of a version whose weights knew the size of R; train it again")
        if len(tensors["input.weight"]) != architecture["kernel"] ** geometry.dimensions:
            raise ValueError(f"{path} holds a network for another geometry than {geometry}: its kernels have "
                             f"{len(tensors['input.weight'])} taps; a grid on the sphere is LatLon(rows, columns)")
        network = cls(architecture, scaling, geometry).to(dtype)
        network.load_state_dict({name: torch.tensor(values) for name, values in tensors.items()})
        network.metadata = metadata
        return network

    def empty_memory(self, batch, points):
        return self.output.bias.new_zeros(batch, points, self.memory)

    def forward(self, forecast, z, memory=None, precision=None, scales=None):
        """Increments and memory; all in units of the observations' errors (docs/weights.md).

        forecast: batch x members x points x channels; z, precision: batch x points x channels;
        scales: batch x 2 x points x channels, the logarithms of errors and of a cycle's change;
        memory: batch x points x memory, empty if None. Increments have the shape of `forecast`.
        """
        batch, members, points, channels = forecast.shape
        if (members, channels) != (self.members, self.channels):
            raise ValueError(f"the forecast has {members} members and {channels} channels, "
                             f"expected {self.members} and {self.channels}")
        dtype = self.output.bias.dtype
        memory = self.empty_memory(batch, points) if memory is None else memory
        features = []
        if self.architecture["sees_forecast"]:
            scaled = (forecast - self.mean.to(forecast)) * (1 / self.deviation).to(forecast)
            features += scaled.unbind(1)
        features += [z]
        if self.sees_precision:
            if precision is None:
                raise ValueError("this network sees the precision; give it")
            features += [precision]
        if self.sees_scales:
            if scales is None:
                raise ValueError("this network sees the scales; give them")
            features += scales.unbind(1)
        features += [memory]
        if self.sees_place:
            features += [self.geometry.marks().to(z).expand(batch, -1, -1)]
        phi = ACTIVATIONS[self.architecture["activation"]]
        h = phi(self.input(torch.cat(features, -1).to(dtype)))
        for block in self.blocks:
            f = h
            if self.architecture["gates"]:
                value, gate = block[0](f).chunk(2, -1)
                f = block[1](value * torch.nn.functional.silu(gate))
            else:
                for convolution in block:
                    f = phi(convolution(f))
            h = h + f
        y = self.output(h)
        heads = y[..., :self.output.bias.numel() - 2 * self.memory].unflatten(
            -1, (self.members, self.channels, self.per_element))
        if self.architecture["head"] == "plain":
            increments = heads[..., 0].transpose(1, 2)
        else:
            increments = torch.stack([self.gain_head(heads[:, :, m], z) for m in range(self.members)], 1)
        gate, candidate = y[..., y.shape[-1] - 2 * self.memory:].chunk(2, -1)
        keep = torch.sigmoid(gate)
        return increments, keep * memory + (1 - keep) * torch.tanh(candidate)

    def gain_head(self, y, z):
        """Bias and symmetric gains times z; y: batch x points x channels x numbers of an element."""
        points, side = z.shape[1], 2 * self.architecture["gain_radius"] + 1
        # batch x points x channels x levels x taps x channels of the tap
        u = y[..., 1:].unflatten(-1, (self.levels, side**self.geometry.dimensions, self.channels))
        one_way = z.new_tensor([0.25, 0.5, 0.25])
        weights = one_way if self.geometry.dimensions == 1 else torch.outer(one_way, one_way).flatten()
        smoothed = [z]  # z, B_1^T z, B_2^T B_1^T z, ...
        for level in range(1, self.levels):
            taps, _ = self.geometry.stencil(points, 3, 2 ** (level - 1))
            spread = weights[:, None] * smoothed[-1][:, :, None]
            smoothed.append(torch.zeros_like(z).index_add(1, taps.flatten(), spread.flatten(1, 2)))
        total = 0
        for level in reversed(range(self.levels)):
            taps, back = self.geometry.stencil(points, side, 2**level)
            of_level = u[:, :, :, level].transpose(2, 3)  # batch x points x taps x channels x channels
            symmetric = (of_level + of_level[:, taps, back].transpose(-1, -2)) / 2
            total = total + torch.einsum("bpjcd,bpjd->bpc", symmetric, smoothed[level][:, taps])
            if level > 0:
                taps, _ = self.geometry.stencil(points, 3, 2 ** (level - 1))
                total = (weights[:, None] * total[:, taps]).sum(2)
        return y[..., 0] + total

    def analyse(self, forecast, observed, variance, memory=None, change=None):
        """Analysis and memory from observations of single elements with one error variance.

        observed: batch x points x channels, NaN where there is none; the rest as in `forward`.
        change, for a network that sees the scales: what one cycle changes, a number per channel
        (docs/weights.md, "A cycle").
        The way back of dan::Learned, for runs that have lost the truth, is not here.
        """
        s = math.sqrt(variance)
        memory = self.empty_memory(forecast.shape[0], forecast.shape[2]) if memory is None else memory
        there = ~torch.isnan(observed)
        z = torch.where(there, (observed - forecast.mean(1)) / s, torch.zeros_like(observed)).clamp(-8, 8)
        mean, deviation = self.mean.to(forecast), self.deviation.to(forecast)
        scales = None
        if self.sees_scales:
            if change is None:
                raise ValueError("this network sees the scales; give the change of a cycle")
            sizes = torch.stack([torch.full_like(deviation, s), torch.as_tensor(change).to(deviation)])
            scales = (sizes / deviation).nan_to_num(50).clamp(1 / 50, 50).log()[None, :, None].expand(len(z), -1, z.shape[1], -1)
        increments, new = self(forecast, z, memory, there.to(z), scales)
        analysis = (forecast + s * increments).clamp(mean - 5 * deviation, mean + 5 * deviation)
        seen = there.any(-1).any(-1)
        if not self.sees_precision:
            new = torch.where(seen[:, None, None], new, memory)
        return torch.where(seen[:, None, None, None], analysis, forecast), new


def lorenz96(x):
    """A Runge-Kutta step of 0.05, F = 8; points are the last dimension but one."""
    def tendency(x):
        return (x.roll(-1, -2) - x.roll(2, -2)) * x.roll(1, -2) - x + 8

    h = 0.05
    k1 = tendency(x)
    k2 = tendency(x + h / 2 * k1)
    k3 = tendency(x + h / 2 * k2)
    return x + h / 6 * (k1 + 2 * (k2 + k3) + tendency(x + h * k3))


@torch.no_grad()
def twin(network, runs, cycles, burn_in, seed):
    """aRMSE of the mean of the members after `burn_in` cycles, mean over runs and cycles."""
    torch.manual_seed(seed)
    truth = 2.3 + 3.6 * torch.randn(runs, 1, 40, 1, dtype=torch.float64)
    for _ in range(400):
        truth = lorenz96(truth)
    analysis = truth + torch.randn_like(truth)
    if network.members > 1:
        analysis = analysis + torch.randn(runs, network.members, 40, 1)
    analysis, memory, errors = analysis.float(), None, []
    for cycle in range(burn_in + cycles):
        truth = lorenz96(truth)
        observed = (truth + torch.randn_like(truth)).float()[:, 0]
        analysis, memory = network.analyse(lorenz96(analysis), observed, 1.0, memory)
        if cycle >= burn_in:
            errors.append((analysis.mean(1) - truth[:, 0]).square().mean((1, 2)).sqrt().mean().item())
    return float(np.mean(errors))


def main():
    parser = argparse.ArgumentParser(description="Scores a weights file on Lorenz 96, all observed, R = I.")
    parser.add_argument("file")
    parser.add_argument("--runs", type=int, default=64)
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument("--burn-in", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    try:
        network = DanNetwork.load(options.file)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise SystemExit(f"dan_torch.py: {error}")
    print(network.metadata["architecture"])
    print(f"{sum(p.numel() for p in network.parameters())} weights; aRMSE on Lorenz 96: "
          f"{twin(network, options.runs, options.cycles, options.burn_in, options.seed):.3f}")


if __name__ == "__main__":
    main()
