# SPDX-License-Identifier: BSD-3-Clause
import json
import os
import pathlib

import numpy as np

from ._dan import Method, __version__, problems


def to_xarray(result, *, time=None, units="1"):
    """What the module returns, or writes, as an xarray.Dataset.

    result: of run(..., keep_fields=N), truth and analysis (time x point); a folder of assimilate(),
    analysis (time x point), and observations, innovation and spread (time); a Method as it is,
    estimate (time x run x point), spread (time x run) and, of an ensemble, states
    (time x run x member x point), with a time of length one, to be joined by xarray.concat. Without
    `run` where a method was opened without `runs`; of several channels `channel` comes last, and of
    a single point it stands alone. Names, units and attributes are those of CF and of the library's
    NetCDF files. time: of a Method, else that of its last analysis, in units of the problem
    ('callers_model': in cycles). units: of the state; '1' is right for the library's own problems,
    which are nondimensional.

    Copies. ImportError without xarray; ValueError, OSError for what is no such result.
    """
    try:
        import xarray
    except ImportError as missing:
        raise ImportError(f"to_xarray: {missing}; it needs xarray: pip install xarray, or on Debian "
                          "apt-get install python3-xarray") from missing
    if isinstance(result, Method):
        about, numbers = _of_method(result, time)
    elif time is not None:
        raise ValueError("to_xarray: time is given, expected None: only a Method does not know its own")
    elif isinstance(result, dict):
        about, numbers = _of_run(result)
    elif isinstance(result, (str, os.PathLike)):
        about, numbers = _of_folder(pathlib.Path(result))
    else:
        raise ValueError(f"to_xarray: result is a {type(result).__name__}, expected what run() returned, "
                         "a folder of assimilate(), or a Method")

    problem = _known("problem", problems(), about["problem"])
    method = _known("method", problem["methods"], about["method"])
    place = [(name, count) for name, count in (("point", problem["points"]), ("channel", problem["channels"]))
             if count > 1]
    variables = {}
    for name, (dims, long_name, values) in numbers.items():
        attributes = {"long_name": long_name, "units": "1" if name == "observations" else units}
        if dims[-1] == "element":
            size = problem["points"] * problem["channels"]
            if values.shape[-1] != size:
                raise ValueError(f"to_xarray: {name} has {values.shape[-1]} elements, expected {size}, those of a "
                                 f"state of {about['problem']}")
            dims = dims[:-1] + tuple(dim for dim, _ in place)
            values = values.reshape(values.shape[:-1] + tuple(count for _, count in place))
        variables[name] = (dims, values, attributes)
    # xarray itself says the units of dates.
    when = {} if np.issubdtype(np.asarray(numbers["time"][2]).dtype, np.datetime64) else {"units": "1"}
    variables["time"] = ("time", numbers["time"][2], {"axis": "T", **when})
    if problem["points"] > 1:
        variables["point"] = ("point", np.arange(float(problem["points"])),
                              {"long_name": "position, in grid steps", "units": "1"})
    return xarray.Dataset(variables, attrs={
        "Conventions": "CF-1.8", "source": f"dan {__version__}",
        "title": f"{problem['about']}: {method['about']}",
        **{name: str(about[name]) for name in ("problem", "method", "seed")}})


def _known(kind, those, named):
    """The entry of a menu for a name with parameters."""
    name = str(named).partition(":")[0]
    if name not in those:
        raise ValueError(f"to_xarray: there is no {kind} '{name}', expected one of: {', '.join(those)}")
    return those[name]


def _of_method(method, time):
    if time is None:
        time = method.cycle * (method.interval or 1)
    run = () if method.runs is None else ("run",)
    numbers = {
        "time": (("time",), "", [time]),
        "estimate": (("time", *run, "element"), "the method's estimate", method.estimate()[None]),
        "spread": (("time", *run), "the method's own estimate of its error", np.array(method.spread)[None])}
    states = method.states
    if states.shape[-2] > 1:
        numbers["states"] = (("time", *run, "member", "element"), "members of the ensemble", states[None])
    return {"problem": method.problem, "method": method.method, "seed": method.seed}, numbers


def _of_run(found):
    if "truth" not in found:
        raise ValueError("to_xarray: there is no truth, expected what run(..., keep_fields=100) returns")
    return found, {
        "time": (("time",), "", found["time"]),
        "truth": (("time", "element"), "state of the truth run", found["truth"]),
        "analysis": (("time", "element"), "estimate after the analysis", found["analysis"])}


def _of_folder(folder):
    try:
        about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        rows = np.loadtxt(folder / "analyses.csv", delimiter=",", skiprows=1, ndmin=2)
    except OSError as missing:
        raise OSError(f"to_xarray: {missing}; expected a folder of assimilate()") from missing
    except ValueError as damage:
        raise ValueError(f"to_xarray: {folder} is damaged, or not of assimilate(): {damage}") from damage
    if not isinstance(about, dict) or not {"problem", "method", "seed"} <= about.keys():
        raise ValueError(f"to_xarray: {folder / 'run.json'} is not of assimilate(): it does not say problem, "
                         "method and seed")
    if rows.shape[1] < 5:
        raise ValueError(f"to_xarray: {folder / 'analyses.csv'} has no analyses")
    return about, {
        "time": (("time",), "", rows[:, 0]),
        "observations": (("time",), "how many there were", rows[:, 1].astype(int)),
        "innovation": (("time",), "root mean square of the innovations", rows[:, 2]),
        "spread": (("time",), "the method's own estimate of its error", rows[:, 3]),
        "analysis": (("time", "element"), "estimate after the analysis", rows[:, 4:])}
