// All baselines for the instruction set of the including file.
#pragma once

#include "attention-inl.hpp"
#include "fwht-inl.hpp"
#include "limits-inl.hpp"

namespace {

bench::Baselines all_baselines(const char* name) {
  return {{name, kLanes, panels, decode, prefill_panels, prefill, begin_tiles, end_tiles},
          {name, kDotInstruction, read_all, write_all, adds, fmas, dots, cycles},
          {naive_fwht, tuned_fwht}};
}

}  // namespace
