#pragma once

#include "framework/kernels/matrix.h"
#include "framework/types.h"

namespace heed::kernels {

/// The rows of a key-value matrix that one query sees: rows[0 .. count), or begin, begin + 1, ...
/// where rows is null.
struct KeyList {
  const Id* rows;
  Index begin;
  Index count;
};

/// Attention of single queries to cached keys and values, as decoding needs it.
struct RowAttention {
  Index heads = 1;
  Real scale = 1;
  ConstMatrix queries;            // (rows, d), d = heads * width
  const Real* cache = nullptr;    // (.., 2 d): in each row the keys, then the values
  const KeyList* keys = nullptr;  // (rows): what each query sees
  bool serial = false;            // on the calling thread alone
};

/// y_r = softmax(scale q_r K_r^T) V_r for each row r and head: y (rows, d), dense. A row without
/// keys yields zeros.
void attend_rows(const RowAttention& attention, Real* y);

}  // namespace heed::kernels
