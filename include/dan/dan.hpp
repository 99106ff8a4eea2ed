// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/// \file
/// Everything, in reading order; docs/architecture.md tells the idea.

// clang-format off
// Numbers with lanes, storage, randomness, work in parallel.
#include "dan/version.hpp"
#include "dan/core/compiler.hpp"
#include "dan/core/error.hpp"
#include "dan/core/scalar.hpp"
#include "dan/core/registers.hpp"
#include "dan/core/pack.hpp"
#include "dan/core/pack_functions.hpp"
#include "dan/core/simd.hpp"
#include "dan/core/tensor.hpp"
#include "dan/core/symmetric_eigen.hpp"
#include "dan/core/graded_rows.hpp"
#include "dan/core/linalg.hpp"
#include "dan/core/blas.hpp"
#include "dan/core/random.hpp"
#include "dan/core/parallel.hpp"
#include "dan/core/progress.hpp"
#include "dan/core/interrupt.hpp"
#include "dan/core/notice.hpp"
#include "dan/concepts.hpp"

// Where points are.
#include "dan/geometry/concepts.hpp"
#include "dan/geometry/corner.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/geometry/interval.hpp"
#include "dan/geometry/torus.hpp"
#include "dan/geometry/lat_lon.hpp"

// Differentiable maps.
#include "dan/autodiff/map.hpp"
#include "dan/autodiff/functions.hpp"
#include "dan/autodiff/dual.hpp"
#include "dan/autodiff/tape.hpp"
#include "dan/autodiff/derivatives.hpp"
#include "dan/autodiff/unroll.hpp"
#include "dan/autodiff/checks.hpp"
#include "dan/autodiff/battery.hpp"

// Models and their integrators.
#include "dan/integrate/tableau.hpp"
#include "dan/integrate/runge_kutta.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/integrate/repeated.hpp"
#include "dan/models/black_box.hpp"
#include "dan/models/lorenz63.hpp"
#include "dan/models/lorenz96.hpp"

// Observations.
#include "dan/observe/places.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/subset.hpp"
#include "dan/observe/random.hpp"
#include "dan/observe/interpolate.hpp"
#include "dan/observe/nonlinear.hpp"
#include "dan/observe/noise.hpp"
#include "dan/observe/whitened.hpp"
#include "dan/observe/observations.hpp"
#include "dan/observe/table.hpp"
#include "dan/observe/table_file.hpp"

// Networks.
#include "dan/network/activation.hpp"
#include "dan/network/convolution.hpp"
#include "dan/network/product.hpp"
#include "dan/network/shape.hpp"
#include "dan/network/features.hpp"
#include "dan/network/heads/increment.hpp"
#include "dan/network/heads/gain.hpp"
#include "dan/network/memory.hpp"
#include "dan/network/analysis_network.hpp"
#include "dan/network/trained_for.hpp"
#include "dan/network/weights.hpp"
#include "dan/network/pretrained.hpp"

// Problems, their truth and observations.
#include "dan/problem/start.hpp"
#include "dan/problem/norm.hpp"
#include "dan/problem/problem.hpp"
#include "dan/problem/truth.hpp"
#include "dan/problem/climate.hpp"
#include "dan/problem/describe.hpp"
#include "dan/problem/scaling.hpp"

// Analyses, and a cycle of them.
#include "dan/analysis/climatology.hpp"
#include "dan/analysis/ekf.hpp"
#include "dan/analysis/var3d.hpp"
#include "dan/analysis/var4d.hpp"
#include "dan/analysis/ensemble.hpp"
#include "dan/analysis/inflation.hpp"
#include "dan/analysis/localisation.hpp"
#include "dan/analysis/oi.hpp"
#include "dan/analysis/etkf.hpp"
#include "dan/analysis/ensrf.hpp"
#include "dan/analysis/enkf_n.hpp"
#include "dan/analysis/enks.hpp"
#include "dan/analysis/enkf.hpp"
#include "dan/analysis/denkf.hpp"
#include "dan/analysis/letkf.hpp"
#include "dan/analysis/window.hpp"
#include "dan/analysis/ienks.hpp"
#include "dan/analysis/cycle.hpp"
#include "dan/analysis/learned.hpp"
#include "dan/analysis/carried.hpp"

// Experiments.
#include "dan/experiment/score.hpp"
#include "dan/experiment/record.hpp"
#include "dan/experiment/record_series.hpp"
#include "dan/experiment/record_fields.hpp"
#include "dan/experiment/record_climate.hpp"
#include "dan/experiment/loss_of_truth.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/experiment/shock.hpp"
#include "dan/experiment/trials.hpp"
#include "dan/experiment/tune.hpp"

// Training.
#include "dan/train/loss.hpp"
#include "dan/train/optimiser.hpp"
#include "dan/train/schedule.hpp"
#include "dan/train/upsets.hpp"
#include "dan/train/trainer.hpp"

// Files.
#include "dan/io/file.hpp"
#include "dan/io/json.hpp"
#include "dan/io/npy.hpp"
#include "dan/io/csv.hpp"
#include "dan/io/safetensors.hpp"
