// A window: how long it is, and whether old transmissions are swept out after it. One rule for all forms.
#pragma once
#include "fixed.h"

namespace teiden {

struct Window {
  int64_t start = 0, end = 0;
  int64_t sweep_before = INT64_MIN;  // after it, what is on air is dropped up to here; INT64_MIN: nothing is
  int64_t swept = 0;                 // end of the latest window with a sweep

  // Open the next one; `history` is how far back a node looks, `longest` the longest transmission.
  void open(int64_t from, int64_t to, int64_t history, int64_t longest) {
    start = from;
    end = to;
    const bool sweeps = end - swept > history;
    if (sweeps) swept = end;
    sweep_before = sweeps ? end - history - 2 * longest : INT64_MIN;
  }
  bool sweeps() const { return sweep_before > INT64_MIN; }
};

}  // namespace teiden
