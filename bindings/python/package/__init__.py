# SPDX-License-Identifier: BSD-3-Clause
from ._dan import Method, __doc__, __version__, assimilate, problems, run, train
from ._xarray import to_xarray

__all__ = ["Method", "assimilate", "problems", "run", "to_xarray", "train"]
