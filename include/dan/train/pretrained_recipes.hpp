// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "dan/train/recipe.hpp"

/// \file
/// How the networks of network/pretrained.hpp were trained, for weights of the same kind for a
/// problem of yours:
///     const auto [trained, report] =
///         train<pretrained::Small, 16>(problem, pretrained::small_recipe(), "mine");

namespace dan::pretrained {

using TaughtRecipe = Recipe<EnsrfTeacher<64>>;

inline TaughtRecipe plain_recipe() {
  return {.training = training_without_memory(60000), .finish = {.share = 0.25, .unroll = 32}};
}
inline TaughtRecipe small_recipe() {
  return {.training = training_with_memory(8000), .finish = {.share = 0.5}};
}
inline TaughtRecipe recurrent_recipe() {
  return {.training = training_with_memory(160000), .finish = {.share = 0.5, .unroll = 32}};
}
inline TaughtRecipe sparse_recipe() {
  return {.training = training_with_memory(12000),
          .finish = {.share = 0.25},
          .teacher = {.inflation = 1.02}};
}
/// Of `Sparse` where observations lie between grid points (places).
inline TaughtRecipe places_recipe() {
  return {.training = training_with_memory(8000),
          .finish = {.share = 0.25},
          .teacher = {.inflation = 1.02}};
}
inline TaughtRecipe kuramoto_sivashinsky_recipe() {
  return {.training = training_with_memory(4000), .finish = {.share = 0.5}};
}
inline TaughtRecipe kuramoto_sivashinsky_large_recipe() {
  return {.training = training_with_memory(9000), .finish = {.share = 2}};
}

}  // namespace dan::pretrained
