# SPDX-License-Identifier: BSD-3-Clause
"""A truth made with NumPy, and methods of the library on its observations, one of them trained here.

    PYTHONPATH=build/release/bindings/python python3 bindings/python/example.py [FOLDER] [--quick]

--quick: with so short a training, and so few cycles, that it tests the example and nothing else.
"""
# %% What there is
import pathlib
import sys

import numpy as np

import dan

quick = "--quick" in sys.argv
folder = pathlib.Path(([a for a in sys.argv[1:] if a != "--quick"] or ["results/python"])[0])
folder.mkdir(parents=True, exist_ok=True)
for name, problem in dan.problems().items():
    print(f"{name}: {problem['about']}: {', '.join(problem['methods'])}")

# %% A network, trained by an ensemble filter (some seconds; again: from its checkpoints)
weights = folder / "small.safetensors"
report = dan.train("lorenz96", "small", str(weights), updates=20 if quick else 1000)
print(f"trained in {report['seconds']:.0f} s")
network = f"small:weights={weights}"

# %% Beside classical methods, on the same truths
for method in ("3dvar", "enkf-n:members=20", network):
    scores = dan.run("lorenz96", method, runs=8, cycles=300 if quick else 1450)
    low, high = scores["interval"]
    print(f"{method.split(':')[0]:10} {scores['analysis_rmse']:.4f} [{low:.4f}, {high:.4f}]")


# %% A model, a truth and observations of one's own, cycle by cycle
def lorenz96(x, h=0.05):
    def f(x):
        return (np.roll(x, -1) - np.roll(x, 2)) * np.roll(x, 1) - x + 8
    k1 = f(x)
    k2 = f(x + h / 2 * k1)
    k3 = f(x + h / 2 * k2)
    k4 = f(x + h * k3)
    return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


rng = np.random.default_rng(1)
truth = 8 + rng.standard_normal(40)
for _ in range(400):
    truth = lorenz96(truth)
methods = {"3D-Var": dan.Method("lorenz96", "3dvar"),
           "EnKF-N, its model in NumPy": dan.Method("callers_model", "enkf-n:members=20", lorenz96),
           "network, one state": dan.Method("lorenz96", network)}
guess = truth + rng.standard_normal(40)
for method in methods.values():
    method.start(guess)
errors = {name: [] for name in methods}
for _ in range(200):
    truth = lorenz96(truth)
    observations = truth + rng.standard_normal(40)
    observations[rng.random(40) < 0.1] = np.nan  # a tenth is missing
    for name, method in methods.items():
        method.forecast()
        method.analyse(observations)
        errors[name].append(np.sqrt(np.mean((method.estimate() - truth) ** 2)))

# %% The figure
try:
    import matplotlib
except ImportError:
    sys.exit("for the figure: apt-get install python3-matplotlib")
matplotlib.use("Agg")
import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(8, 3.5), constrained_layout=True)
for name, series in errors.items():
    ax.plot(np.arange(1, 201) * 0.05, series, lw=1, label=f"{name}: {np.mean(series[50:]):.3f}")
ax.axhline(1, color="grey", lw=0.8, ls=":", label="an observation")
ax.set(xlabel="time (units of Lorenz 96)", ylabel="RMSE of the analysis", yscale="log")
ax.legend(fontsize=8)
fig.savefig(folder / "errors.png", dpi=130)
print(folder / "errors.png")
