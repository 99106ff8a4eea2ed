#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Draws the figures of the examples: scripts/plot.py NAME FOLDER reads the files that the example
NAME wrote into FOLDER and puts PNG files beside them; `analyses` is of the program dan, `errors` of
the bindings' examples."""
import argparse
import json
import pathlib
import sys
import textwrap

try:
    import matplotlib
except ModuleNotFoundError:
    sys.exit(f"plot.py: {sys.executable} has no matplotlib; with Debian's python3-matplotlib: "
             f"/usr/bin/python3 {' '.join(sys.argv)}")

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

COLOURS = {"climatology": "0.6", "3D-Var": "tab:orange", "EnKF-N": "tab:blue", "DAN": "tab:red",
           "4D-Var": "tab:brown", "IEnKS": "tab:green"}


def colour(method):
    return next((c for name, c in COLOURS.items() if method.startswith(name)), None)


def smoothed(values, width):
    """Mean over blocks of `width` values, and the index of each block's middle."""
    count = max(1, len(values) // width)
    blocks = np.array_split(np.asarray(values, float), count)
    middle = np.cumsum([len(b) for b in blocks]) - width / 2
    return middle, np.array([b.mean() for b in blocks])


def training_curve(ax, rmse):
    ax.loglog(*smoothed(rmse, 10), color="tab:red", lw=1)
    ax.set(xlabel="update", ylabel="analysis RMSE", title="Training: distance to the target, the EnSRF first, then the truth")
    ax.grid(alpha=0.3, which="both")


def hovmoeller(axes, method):
    truth, analysis = np.array(method["truth"]), np.array(method["analysis"])
    extent = [0, len(truth), 0, truth.shape[1]]
    limit = np.abs(truth).max()
    panels = [("truth", truth, "RdBu_r", limit), (f"analysis: {method['method']}", analysis,
              "RdBu_r", limit), ("error", analysis - truth, "PuOr", 1.0)]
    for ax, (title, field, cmap, bound) in zip(axes, panels):
        image = ax.imshow(field.T, aspect="auto", origin="lower", extent=extent, cmap=cmap,
                          vmin=-bound, vmax=bound, interpolation="nearest")
        ax.set(title=title, ylabel="variable")
        plt.colorbar(image, ax=ax, pad=0.01)
    axes[-1].set_xlabel("cycle")


def error_curves(ax, methods):
    for method in methods:
        ax.semilogy(method["rmse"], label=method["method"], color=colour(method["method"]), lw=1.2)
    ax.set(xlabel="cycle", ylabel="analysis RMSE, mean over runs", title="Error of all methods")
    ax.legend(ncol=2, fontsize=9)
    ax.grid(alpha=0.3, which="both")


def quickstart(folder):
    data = json.loads((folder / "figure.json").read_text())
    figure = plt.figure(figsize=(13, 9), constrained_layout=True)
    grid = figure.add_gridspec(6, 2, width_ratios=[1, 1.2])
    training_curve(figure.add_subplot(grid[:3, 0]), data["training_rmse"])
    error_curves(figure.add_subplot(grid[3:, 0]), data["methods"])
    hovmoeller([figure.add_subplot(grid[2 * i:2 * i + 2, 1]) for i in range(3)],
               data["methods"][-1])
    return [("quickstart", figure)]


def window_length(folder):
    data = json.loads((folder / "window_length.json").read_text())
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), constrained_layout=True, sharey=True)
    for ax, score in zip(axes, ["filtering", "smoothing"]):
        for curve in data["curves"]:
            points = [p for p in curve["points"] if None not in (p[score], *p[f"{score}_interval"])]
            if not points:
                continue
            value = np.array([p[score] for p in points])
            low, high = np.array([p[f"{score}_interval"] for p in points]).T
            ax.errorbar([p["lag"] for p in points], value, [value - low, high - value],
                        marker="o", ms=4, capsize=2, lw=1.2, color=colour(curve["method"]),
                        label=curve["method"])
        ax.set(xlabel="length of the window (cycles of 0.05)", title=score.capitalize())
        ax.grid(alpha=0.3)
        ax.legend()
    axes[0].set(ylabel="aRMSE", ylim=(0, None))
    figure.suptitle(f"Lorenz 96, {data['config']['members']} members")
    return [("window_length", figure)]


def sweep(folder, name, parameter, label, title, references=(), **axes):
    """aRMSE and 95 % interval of every method against a parameter, of a figure of examples/figures."""
    data = json.loads((folder / f"{name}.json").read_text())
    methods = dict.fromkeys(row["method"] for row in data["results"] if parameter in row)
    many = len(methods) > 10
    figure, ax = plt.subplots(figsize=(10.5 if many else 8, 5), constrained_layout=True)
    for n, method in enumerate(methods):
        rows = sorted((row for row in data["results"]
                       if row["method"] == method and row.get("analysis_rmse") is not None),
                      key=lambda row: row[parameter])
        if not rows:
            continue
        value = np.array([row["analysis_rmse"] for row in rows])
        low, high = np.array([[np.nan if end is None else end for end in row["interval"]]
                              for row in rows]).T
        at = [row[parameter] for row in rows]
        line = ax.errorbar(at, value, [value - low, high - value], marker="osD^vP*X"[n % 8], ms=5,
                           capsize=2, lw=2.4 if method.startswith("DAN") else 1.2, label=method,
                           color=plt.cm.tab20(n % 20) if many else f"C{n}")
        lost = [k for k, row in enumerate(rows) if "lost" in row or "failures" in row]
        ax.plot([at[k] for k in lost], value[lost], "o", ms=12, mfc="none", mec=line[0].get_color(),
                zorder=3)
    for height, text in references:
        ax.axhline(height, color="gray", ls=":", lw=1)
        ax.text(0.01, height, text, color="gray", fontsize=8, va="bottom",
                transform=ax.get_yaxis_transform())
    ax.set(xlabel=label, ylabel="aRMSE on unseen data, 95 % interval", title=title, **axes)
    if axes.get("xscale"):
        ax.set_xticks(sorted({row[parameter] for row in data["results"] if parameter in row}))
        ax.xaxis.set_minor_locator(NullLocator())
    if axes.get("yscale"):
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.grid(alpha=0.3, which="both")
    ax.legend(fontsize=9, title="a ring: some runs lost the truth", title_fontsize=8,
              **({"loc": "upper left", "bbox_to_anchor": (1.01, 1)} if many else {}))
    return [(name, figure)]


def kuramoto_sivashinsky(folder):
    """Scores against the time between observations; truth, analysis and error of a network."""
    name = "kuramoto_sivashinsky"
    figures = sweep(folder, name, "dt", "time between observations",
                    "Kuramoto–Sivashinsky, 128 points, length 32π, R = I", yscale="log")
    results = json.loads((folder / f"{name}.json").read_text())["results"]
    fields = [row for row in results if row.get("truth")]
    if fields:
        best = min((row for row in fields if row["dt"] == fields[0]["dt"]),
                   key=lambda row: row["analysis_rmse"])
        figure, axes = plt.subplots(3, 1, figsize=(10, 9), constrained_layout=True, sharex=True)
        hovmoeller(axes, best)
        for ax in axes:
            ax.set(ylabel="point")
        figures.append((f"{name}_fields", figure))
    return figures


def sphere_spectrum(setting, rows):
    """Kinetic energy of truth and of the analyses' errors by degree."""
    figure, ax = plt.subplots(figsize=(8, 5), constrained_layout=True)
    degree = np.arange(1, len(rows[0]["kinetic_energy"]["truth"]))
    by_degree = lambda row, what: np.array(row["kinetic_energy"][what][1:], float)
    ax.semilogy(degree, by_degree(rows[0], "truth"), "k-", label="truth")
    for row in rows:
        ax.semilogy(degree, by_degree(row, "analysis"), "o-", ms=3, lw=1.2,
                    label="error of " + row["method"])
    ax.set(xlabel="degree l", ylabel="kinetic energy, m²/s²",
           title="Barotropic flow on the sphere: " + setting)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(alpha=0.3)
    ax.legend(fontsize=9)
    return figure


def sphere(folder):
    """Scores and spectra by what is observed; truth, analysis and error in an equal-area map."""
    results = json.loads((folder / "sphere.json").read_text())["results"]
    rows = [row for row in results if row.get("analysis_rmse") is not None]
    settings = list(dict.fromkeys(row["observed"] for row in rows))
    figure, ax = plt.subplots(figsize=(8, 5), constrained_layout=True)
    methods = list(dict.fromkeys(row["method"] for row in rows))
    for n, method in enumerate(methods):
        own = [row for row in rows if row["method"] == method]
        at = np.array([settings.index(row["observed"]) for row in own]) + 0.12 * n
        value = np.array([row["analysis_rmse"] for row in own])
        ends = np.array([[np.nan if end is None else end for end in row["interval"]]
                         for row in own]).T
        ax.errorbar(at, value, [value - ends[0], ends[1] - value], fmt="osD^vP"[n % 6], capsize=2,
                    label=method)
    ax.set_xticks(np.arange(len(settings)) + 0.06 * (len(methods) - 1),
                  [textwrap.fill(setting, 14) for setting in settings])
    ax.set(xlabel="observed", ylabel="aRMSE in deviations of the climate, 95 % interval",
           title="Barotropic flow on the sphere, T21, every twelve hours where nothing else is said",
           yscale="log")
    ax.grid(alpha=0.3, which="both")
    ax.legend(fontsize=9, ncol=3, loc="upper center", bbox_to_anchor=(0.5, -0.22))
    figures = [("sphere", figure)]
    for setting in settings:
        own = [row for row in rows if row["observed"] == setting and row.get("kinetic_energy")]
        if own:
            figures.append(("sphere_spectrum_" + setting.replace(" ", "_"),
                            sphere_spectrum(setting, own)))
    for row in rows:
        if not row.get("truth"):
            continue
        truth, analysis = (np.array(row[name]).reshape(32, 64) / row.get("unit", 1e-5)
                           for name in ("truth", "analysis"))
        latitude = np.arcsin(np.polynomial.legendre.leggauss(32)[0])[::-1]
        longitude = np.radians(np.arange(65) * 360 / 64 - 180)
        seen = np.array(row.get("observations", [])).reshape(-1, 3)
        figure, axes = plt.subplots(2, 2, figsize=(11, 6), constrained_layout=True,
                                    subplot_kw={"projection": "mollweide"})
        largest = np.abs(truth).max()
        for ax, field, title, limit in zip(axes.flat, (truth, None, analysis, analysis - truth),
                                           ("truth", "observations", row["method"], "error"),
                                           (largest, largest, largest, largest / 5)):
            colours = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
            if field is None:  # the left end of the map is the meridian of 0 degrees
                mesh = ax.scatter(np.radians(seen[:, 1] - 180), np.radians(seen[:, 0]),
                                  c=seen[:, 2] / row.get("unit", 1e-5), s=60 if len(seen) < 200 else 12,
                                  edgecolors="grey", linewidths=0.3, **colours)
            else:
                closed = np.concatenate([field, field[:, :1]], axis=1)
                mesh = ax.pcolormesh(longitude, latitude, closed, shading="gouraud", **colours)
            ax.set_title(title)
            ax.set_xticklabels([])
            ax.grid(alpha=0.3)
            figure.colorbar(mesh, ax=ax, label=row.get("field", "vorticity, 1e-5/s"), shrink=0.8)
        figure.suptitle(row["observed"])
        figures.append(("sphere_" + row["observed"].replace(" ", "_"), figure))
    return figures


def transfer(folder):
    return sweep(folder, "transfer", "N_x", "variables N_x", "Lorenz 96: from 40 variables to others",
                 [(0.191, "talk, N_x = 40: 0.191")], xscale="log")


def sparsity(folder):
    return sweep(folder, "sparsity", "observed", "observed share of the state, at random places",
                 "Lorenz 96: fewer observations", yscale="log")


def noise(folder):
    return sweep(folder, "noise", "variance", "variance of the observations' errors",
                 "Lorenz 96: worse observations", xscale="log", yscale="log")


def truncation(folder):
    return sweep(folder, "truncation", "N_iter", "cycles that a gradient goes through, N_iter",
                 "Lorenz 96: truncated backpropagation", xscale="log")


def universal(folder):
    """aRMSE of every method in each setting, in units of the best classical one's there."""
    results = json.loads((folder / "universal.json").read_text())["results"]
    settings = list(dict.fromkeys(row["setting"] for row in results))
    methods = sorted(dict.fromkeys(row["method"] for row in results), key=lambda name: name.startswith("DAN"))
    largest = 1.6
    figure, ax = plt.subplots(figsize=(9, 5.5), constrained_layout=True)

    def style(method):
        dan = method.startswith("DAN")
        return {"marker": "D" if dan else "o", "color": "tab:red" if dan else f"C{methods.index(method) % 3}"
                if methods.index(method) < 3 else "tab:purple", "ms": 7 if dan else 5}

    for n, setting in enumerate(settings):
        rows = [row for row in results if row["setting"] == setting and row.get("analysis_rmse") is not None]
        kept = [row["analysis_rmse"] for row in rows
                if not (row["method"].startswith("DAN") or "lost" in row or "failures" in row)]
        for row in rows if kept else []:
            height = n + 0.09 * (methods.index(row["method"]) - len(methods) / 2)
            low, value, high = np.array([row["interval"][0], row["analysis_rmse"], row["interval"][1]], float) / min(kept)
            lost = "lost" in row or "failures" in row
            if lost or not value <= largest:
                ax.plot(min(value, largest), height, **style(row["method"]), **({"mfc": "none"} if lost else {}))
            else:
                ax.errorbar(value, height, xerr=[[value - low], [high - value]], capsize=2, lw=1, **style(row["method"]))
    for method in methods:
        ax.plot([], [], ls="", label=method, **style(method))
    ax.axvline(1, color="gray", ls=":", lw=1)
    ax.set_yticks(range(len(settings)), settings)
    ax.invert_yaxis()
    ax.set(xlim=(0.82, largest + 0.03), xlabel="aRMSE / that of the best classical method that lost no run",
           title="Lorenz 96: one network for twelve problems")
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8, title="hollow: some runs lost the truth", title_fontsize=8, loc="upper right")
    return [("universal", figure)]


def robustness(folder):
    """Cycles to the truth after each shock: median (marker) and longest (end of the line)."""
    results = json.loads((folder / "robustness.json").read_text())["results"]
    rows = [row for row in results if row["events"]]
    shocks, methods = (list(dict.fromkeys(row[key] for row in rows)) for key in ("shock", "method"))
    never = 900  # where those stand that do not come back
    figure, ax = plt.subplots(figsize=(10, (0.06 * len(methods) + 0.1) * len(shocks) + 1.5), constrained_layout=True)
    style = {method: {"color": f"C{n % 10}", "marker": "so^vDPX<>*"[n % 10]} for n, method in enumerate(methods)}
    for row in rows:
        height = shocks.index(row["shock"]) + 0.8 * (methods.index(row["method"]) + 0.5) / len(methods) - 0.4
        mostly_lost = row["median_cycles"] is None or 2 * row["never_back"] > row["events"]
        middle = never if mostly_lost else row["median_cycles"]
        most = never if row["never_back"] else row["most_cycles"]
        ax.plot([middle, most], [height, height], lw=0.8, color=style[row["method"]]["color"])
        ax.plot(middle, height, ls="", ms=4, mfc="none" if mostly_lost else None, **style[row["method"]])
    for method in methods:
        ax.plot([], [], ls="", ms=4, label=method, **style[method])
    ax.axvspan(never * 0.9, never * 1.15, color="0.9", zorder=0)
    ax.set_xscale("symlog", linthresh=10, linscale=1.2)
    ax.set_xlim(-0.5, never * 1.15)
    ax.set_xticks([0, 5, 10, 20, 50, 100, 200, 500, never], [*map(str, (0, 5, 10, 20, 50, 100, 200, 500)), "never"])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_yticks(range(len(shocks)), shocks)
    ax.set_ylim(len(shocks) - 0.5, -0.5)
    for n in range(1, len(shocks)):
        ax.axhline(n - 0.5, color="0.85", lw=0.6)
    ax.set(xlabel="cycles to the truth: median (marker), longest (end of the line)",
           title="Who finds the truth again, and how soon")
    ax.grid(axis="x", alpha=0.3)
    ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return [("robustness", figure)]


TALK = [(0.191, "talk: 0.191"), (0.179, "EnKF-N, 40 members, talk: 0.179")]


def filters(folder):
    return sweep(folder, "filters", "N_f", "filters N_f", "Lorenz 96: width of the talk's network",
                 TALK, xscale="log")


def architecture(folder):
    return sweep(folder, "architecture", "N_b", "residual blocks N_b",
                 "Lorenz 96: blocks and convolutions in a block", TALK)


def trajectories(folder):
    rows = json.loads((folder / "trajectories.json").read_text())["results"]
    endless = [(row["analysis_rmse"], row["method"]) for row in rows
               if "N_T" not in row and row.get("analysis_rmse") is not None]
    return sweep(folder, "trajectories", "N_T", "stored trajectories of 64 cycles, N_T",
                 "Lorenz 96: how much data", endless, xscale="log")


def ensemble_size(folder):
    figures = sweep(folder, "ensemble_size", "N_e", "members N_e", "Lorenz 96: size of the ensemble",
                    TALK, xscale="log")
    rows = sorted((row for row in json.loads((folder / "ensemble_size.json").read_text())["results"]
                   if row.get("correlation") is not None), key=lambda row: row["N_e"])
    if rows:
        figure, ax = plt.subplots(figsize=(8, 3.6), constrained_layout=True)
        for name, label in (("correlation", "correlation of the members' increments"),
                            ("scatter", "their variance about the mean / its square"),
                            ("used", "share of the mean that the members' differences make")):
            ax.plot([row["N_e"] for row in rows], [row[name] for row in rows], "o-", ms=4,
                    label=label)
        ax.set(xlabel="members N_e", xscale="log", title="Are the members one? (collapse: 1, 0, 0)")
        ax.set_xticks([row["N_e"] for row in rows])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.grid(alpha=0.3)
        ax.legend(fontsize=9)
        figures.append(("ensemble_collapse", figure))
    return figures


def nonlinear(folder):
    figures = sweep(folder, "nonlinear", "dt", "time between analyses, Δt",
                    "Lorenz 96: strong nonlinearity (what is lost lies above)", ylim=(0.1, 1))
    rows = [row for row in json.loads((folder / "nonlinear.json").read_text())["results"]
            if "skewness" in row]
    if rows:
        figure, ax = plt.subplots(figsize=(8, 3.2), constrained_layout=True)
        rows.sort(key=lambda row: row["dt"])
        for name, label in (("skewness", "skewness"), ("excess_kurtosis", "excess kurtosis")):
            ax.plot([row["dt"] for row in rows], [row[name] for row in rows], "o-", ms=4,
                    label=label)
        ax.set(xlabel="time between analyses, Δt", title="Forecast errors of the EnKF-N")
        ax.axhline(0, color="gray", lw=0.8)
        ax.grid(alpha=0.3)
        ax.legend()
        figures.append(("nonlinear_moments", figure))
    return figures


def time_to_accuracy(folder):
    data = json.loads((folder / "time_to_accuracy.json").read_text())
    figure, ax = plt.subplots(figsize=(8, 5.5), constrained_layout=True)
    for curve in data["curves"]:
        lengths = sorted({p["updates"] for p in curve["points"]})
        trainings = [[p for p in curve["points"] if p["updates"] == n] for n in lengths]
        seconds = [np.mean([p["seconds"] for p in t]) for t in trainings]
        scores = [np.array([p["analysis_rmse"] for p in t], float) for t in trainings]
        line, = ax.plot(seconds, [np.median(s) for s in scores], lw=1.2,
                        label=f"{curve['method']} ({curve['weights']:,} weights)")
        for t, score in zip(trainings, scores):
            ax.plot([p["seconds"] for p in t], score, "o", ms=4, color=line.get_color())
    ax.set(xscale="log", xlabel="training, wall-clock seconds on this machine",
           ylabel="aRMSE on unseen data", title="Lorenz 96: accuracy against training time")
    ax.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    for format_ticks in ax.xaxis.set_major_formatter, ax.xaxis.set_minor_formatter:
        format_ticks(StrMethodFormatter("{x:g}"))
    ax.grid(alpha=0.3, which="both")
    ax.legend(fontsize=9)
    return [("time_to_accuracy", figure)]


def scores(folder):
    """aRMSE and 95 % interval of every method of 04_own_model, 06_two_dimensions, 07_black_box."""
    data = json.loads((folder / "results.json").read_text())
    rows = data["results"][::-1]
    figure, ax = plt.subplots(figsize=(8, 0.5 * len(rows) + 1.4), constrained_layout=True)
    for n, row in enumerate(rows):
        low, high = row["interval"]
        ax.barh(n, row["analysis_rmse"], color=colour(row["method"]) or "tab:purple", alpha=0.8)
        ax.plot([low, high], [n, n], color="black", lw=1.5)
        ax.text(high, n, f"  {row['analysis_rmse']:.3f}", va="center", fontsize=9)
    ax.set(yticks=range(len(rows)), yticklabels=[row["method"] for row in rows],
           xlabel="aRMSE on unseen data, 95 % interval", title=data["example"])
    ax.margins(x=0.12)
    ax.grid(alpha=0.3, axis="x")
    return [("scores", figure)]


def own_observations(folder):
    """The errors of 05_own_observations, cycle by cycle, in its last call."""
    rows = json.loads((folder / "results.json").read_text())["cycles"]
    cycles = [row["cycle"] for row in rows]
    figure, ax = plt.subplots(figsize=(8, 4), constrained_layout=True)
    for key, label, color in (("LETKF", "LETKF, 20 members", "tab:blue"),
                              ("DAN", "DAN, one state", "tab:red"),
                              ("3D-Var", "3D-Var, tuned", "tab:orange"),
                              ("4D-Var", "4D-Var of 2 cycles, tuned", "tab:green")):
        errors = np.array([row[key] for row in rows], float)
        if not np.isnan(errors).all():  # the truth of a user's own file is not known
            ax.semilogy(cycles, errors, label=label, color=color, lw=1.2)
    ax.semilogy(cycles, [row["spread"] for row in rows], label="spread of the LETKF",
                color="tab:blue", lw=0.8, ls=":")
    ax.set(xlabel="cycle", ylabel="RMSE of the analysis",
           title="Observations from a file, between the grid points of Lorenz 96")
    ax.legend(fontsize=9)
    ax.grid(alpha=0.3, which="both")
    return [("own_observations", figure)]


def analyses(folder, *others):
    """analyses.csv of `dan run --observations`; with the truth.npy of `dan make` beside it or above, errors too:
    its first row is an interval after time 0. Of further folders the spread and the error are beside those of the first."""
    def read(place):
        table = np.genfromtxt(place / "analyses.csv", delimiter=",", names=True, ndmin=1)
        if table.size == 0:
            raise ValueError(f"{place / 'analyses.csv'} has no line, expected at least one cycle")
        run = json.loads((place / "run.json").read_text())
        field = np.array([table[name] for name in table.dtype.names if name.startswith("x")])
        return table, field, run["method"], np.rint(table["time"] / run["interval"]).astype(int) - 1

    table, field, made_by, _ = read(folder)
    times = table["time"]
    half = (times[-1] - times[0]) / (2 * max(1, len(times) - 1)) or 0.5
    truth = next((np.load(f) for f in (folder / "truth.npy", folder.parent / "truth.npy") if f.exists()), None)
    figure, axes = plt.subplots(3, 1, figsize=(9, 7.5), sharex=True, constrained_layout=True,
                                gridspec_kw={"height_ratios": [2, 1, 1]})
    image = axes[0].imshow(field, aspect="auto", origin="lower", cmap="RdBu_r", interpolation="nearest",
                           extent=[times[0] - half, times[-1] + half, -0.5, len(field) - 0.5],
                           vmin=-np.abs(field).max(), vmax=np.abs(field).max())
    plt.colorbar(image, ax=axes[:1], pad=0.01)
    axes[0].set(ylabel="element of the state", title=f"Analyses and innovations: {made_by}")
    for n, (run, states, method, rows) in enumerate(map(read, [folder, *others])):
        of = f" ({method.split(':')[0]})" if others else ""
        at, dash = run["time"], ("-", "--", ":", "-.")[n % 4]
        if np.isfinite(run["spread"]).any():
            axes[1].semilogy(at, run["spread"], dash, color="tab:blue", lw=1,
                             label=f"spread: the method's own estimate{of}")
        if truth is not None and 0 <= rows[0] and rows[-1] < len(truth):
            axes[1].semilogy(at, np.sqrt(((states.T - truth[rows]) ** 2).mean(axis=1)), dash, color="tab:red",
                             lw=1, label=f"RMSE of the analysis{of}")
        elif truth is not None:
            print(f"plot.py: truth.npy has rows 0 to {len(truth) - 1}, the analyses{of} need {rows[0]} to {rows[-1]}: "
                  "no errors are drawn", file=sys.stderr)
    axes[1].semilogy(times, table["innovation"], ".", color="0.6", ms=3, zorder=1,
                     label="innovations y − H(x^f), root mean square")
    axes[1].set(ylabel="error")
    axes[1].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes[1].yaxis.set_minor_locator(NullLocator())
    axes[1].yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    if others:
        axes[1].set_ylim(top=6 * axes[1].get_ylim()[1])  # for the legend
    axes[1].legend(fontsize=8, ncol=2 if others else 1, loc="upper right")
    axes[2].step(times, table["observations"], where="mid", color="0.4", lw=1)
    axes[2].set(ylabel="observations", xlabel="time", ylim=(0, None))
    for ax in axes[1:]:
        ax.grid(alpha=0.3, which="both")
    return [("analyses", figure)]


def errors(folder):
    """errors.csv, as the examples of the bindings write it: a cycle and the error of each method."""
    table = np.genfromtxt(folder / "errors.csv", delimiter=",", names=True)
    figure, ax = plt.subplots(figsize=(8, 3.5), constrained_layout=True)
    for name in table.dtype.names[1:]:
        ax.semilogy(table["cycle"], table[name], lw=1, label=f"{name}: {table[name].mean():.3f}")
    ax.set(xlabel="cycle", ylabel="RMSE of the analysis")
    ax.legend(fontsize=9)
    ax.grid(alpha=0.3, which="both")
    return [("errors", figure)]


def lyapunov(folder):
    """Exponents of a model and of cycles, and where increments and errors lie."""
    data = json.loads((folder / "lyapunov.json").read_text())
    figure, axes = plt.subplots(1, 3, figsize=(15, 4.4), constrained_layout=True)
    model, *cycles = data["spectra"]
    styles = {"3D-Var": "tab:orange", "DAN, plain": "tab:red", "DAN, recurrent": "tab:purple"}

    def spectrum(ax, row, **style):
        n = np.arange(1, len(row["exponents"]) + 1)
        value = np.array(row["exponents"], float)  # null: minus infinity
        low, high = np.array(row["intervals"], float).T
        ax.fill_between(n, low, high, alpha=0.25, lw=0, color=style["color"])
        ax.plot(n, value, marker="o", ms=3, lw=1, **style)

    positive = sum(x > 0 for x in model["exponents"])
    neutral = int(np.argmin(np.abs(model["exponents"]))) + 1
    spectrum(axes[0], model, color="tab:blue")
    axes[0].axhline(0, color="0.4", lw=0.8)
    axes[0].set(xlabel="n", ylabel="exponent, per unit of time",
                title=f"{model['system']}: largest {model['exponents'][0]:.2f}, {positive} positive, "
                      f"\nKaplan–Yorke dimension {model['dimension']:.1f}, sum {model['sum']:.2f}")
    for row in cycles:
        name = row["system"].removeprefix("cycle of ").removeprefix("the ")
        spectrum(axes[1], row, color=styles[name], label=f"{name}: {row['exponents'][0]:.2f} …")
    axes[1].axhline(0, color="0.4", lw=0.8)
    stable = all(high < 0 for row in cycles for _, high in row["intervals"] if high is not None)
    axes[1].set(xlabel="n", title="Assimilation cycles" + ": all negative, so stable" * stable)
    axes[1].legend(fontsize=9)
    for row in data["alignments"]:
        for key, dash in (("increment", "-"), ("error", ":")):
            axes[2].plot(row[key], dash, lw=1.4, color=styles[row["system"]],
                         label=f"{row['system']}, {key}")
    size = len(data["alignments"][0]["increment"]) - 1
    axes[2].plot([0, size], [0, 1], color="0.6", lw=0.8, label="without direction")
    axes[2].axvline(neutral, color="0.4", lw=0.8)
    axes[2].set(xlabel="first n backward vectors of the model", ylabel="share of the energy",
                title="Alignment of increments and errors of the analysis\n"
                      "(line: unstable and neutral)", ylim=(0, 1))
    axes[2].legend(fontsize=8)
    for ax in axes:
        ax.grid(alpha=0.3)

    models, axes = plt.subplots(1, 3, figsize=(15, 4.4), constrained_layout=True)
    for ax, row in zip(axes, data["models"]):
        spectrum(ax, row, color="tab:blue")
        ax.axhline(0, color="0.4", lw=0.8)
        dimension = row["dimension"]  # null: beyond the exponents that were asked for
        ax.set(xlabel="n", ylabel=f"exponent, per {row['per']}",
               title=f"{row['system']}: largest {row['exponents'][0]:.3f}, "
                     f"{sum(low > 0 for low, _ in row['intervals'])} positive"
                     + (f",\nKaplan–Yorke dimension {dimension:.1f}" if dimension else ""))
        ax.grid(alpha=0.3)
    return [("lyapunov", figure), ("lyapunov_models", models)]


def learned(folder):
    """Spectra beside the filter's, the inflation mode by mode, linearity and the patterns of S."""
    filter_row, *rows = json.loads((folder / "learned.json").read_text())["results"]
    figure = plt.figure(figsize=(4.3 * max(3, len(rows)), 8), constrained_layout=True)
    grid = figure.add_gridspec(2, max(3, len(rows)))
    spectra, inflation, linear = (figure.add_subplot(grid[0, n]) for n in range(3))
    modes = np.arange(1, len(filter_row["spectrum"]) + 1)

    def positive(values):
        return np.where(np.array(values, float) > 1e-5, np.array(values, float), np.nan)

    spectra.semilogy(modes, positive(filter_row["spectrum"]), color="black", lw=2,
                     label=filter_row["method"])
    inflation.axhline(1, color="black", lw=1)
    for row in rows:
        spectra.semilogy(modes, positive(row["spectrum"]), lw=1.2,
                         label=f"{row['method']}, b = {row['bias']:.4f}")
        inflation.semilogy(modes, positive(row["inflation"]), lw=1.2, label=row["method"])
        linear.loglog(row["factors"], row["nonlinear"], "o-", ms=4, lw=1.2, label=row["method"])
    spectra.set(xlabel="mode", ylabel="eigenvalue of $P^a$, mean over time", title="Spectra")
    inflation.set(xlabel="mode of the filter", ylabel="variance of the DAN / of the filter",
                  title="Effective inflation", ylim=(0.5, 100))
    linear.set(xlabel="times the innovation", ylabel="share of the increment",
               title="What is not linear in the innovation")
    linear.set(xticks=rows[0]["factors"], xticklabels=rows[0]["factors"])
    linear.minorticks_off()
    for ax in spectra, inflation, linear:
        ax.grid(alpha=0.3, which="both")
        ax.legend(fontsize=8)
    for n, row in enumerate(rows):
        s = np.array(row["sensitivity"])
        reach, bound = len(s) // 2, np.abs(s).max()
        ax = figure.add_subplot(grid[1, n])
        extent = [-reach - 0.5, reach + 0.5, reach + 0.5, -reach - 0.5]
        image = ax.imshow(s, cmap="RdBu_r", vmin=-bound, vmax=bound, extent=extent)
        ax.set(xlim=(-12.5, 12.5), ylim=(12.5, -12.5), xlabel=r"$\zeta$ at $x + j$",
               ylabel="increment at $x + i$",
               title=f"S of {row['method']}: {row['local']:.0%} within 6 points")
        plt.colorbar(image, ax=ax, shrink=0.8)
    return [("learned", figure)]


def forecast(folder):
    data = json.loads((folder / "forecast.json").read_text())
    methods = {}
    for row in data["results"]:
        methods.setdefault(row["method"], []).append(row)
    figure, axes = plt.subplots(1, 3, figsize=(14, 4.2), constrained_layout=True)
    reference = next(rows for name, rows in methods.items() if name.startswith("EnKF-N"))
    for (name, rows), style in zip(methods.items(), ["-", "--", ":"]):
        lead, crps, rmse, spread = (np.array([row[key] for row in rows], float)
                                    for key in ("lead_time", "crps", "rmse", "spread"))
        look = {"color": colour(name), "ls": style, "marker": "o", "ms": 3, "lw": 1.3, "label": name}
        axes[0].plot(lead, crps, **look)
        axes[1].plot(lead, crps / [row["crps"] for row in reference], **look)
        axes[2].plot(lead, spread / rmse, **look)
    low, high = np.array([row["interval"] for row in data["compared"]], float).T
    axes[1].fill_between([row["lead_time"] for row in data["compared"]], low, high,
                         color=colour("DAN"), alpha=0.15, lw=0, label="95 %, 40 members")
    axes[1].axhspan(0.95, 1.05, color="0.9", zorder=0)
    axes[0].set(ylabel="CRPS (fair)", title="Score of the ensemble")
    axes[1].set(ylabel="CRPS / that of the EnKF-N", title="Within 5 % where it is grey")
    axes[2].set(ylabel="spread / RMSE of the mean", title="Dispersion")
    axes[2].axhline(1, color="0.6", lw=0.8)
    for ax in axes:
        ax.set(xlabel="lead time")
        ax.grid(alpha=0.3)
    axes[0].legend()
    return [("forecast", figure)]


FIGURES = {figure.__name__: figure for figure in (
    analyses, architecture, ensemble_size, errors, filters, forecast, kuramoto_sivashinsky, learned, lyapunov, noise,
    nonlinear, own_observations, quickstart, robustness, scores, sparsity, sphere, time_to_accuracy,
    trajectories, transfer, truncation, universal, window_length)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(FIGURES))
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("others", type=pathlib.Path, nargs="*", help="of analyses: folders to compare with")
    arguments = parser.parse_args()
    if arguments.others and arguments.name != "analyses":
        parser.error(f"{arguments.name} is of one folder")
    try:
        figures = FIGURES[arguments.name](arguments.folder, *arguments.others)
    except FileNotFoundError as missing:
        sys.exit(f"plot.py: {missing}; expected the folder that {arguments.name} wrote into")
    except (ValueError, KeyError, IndexError, TypeError, EOFError, StopIteration) as wrong:
        sys.exit(f"plot.py: what is in {arguments.folder} is not what {arguments.name} writes, or damaged: "
                 f"{type(wrong).__name__}: {wrong}")
    for name, figure in figures:
        path = arguments.folder / f"{name}.png"
        figure.savefig(path, dpi=110)
        print(f"drew {path}")


if __name__ == "__main__":
    main()
