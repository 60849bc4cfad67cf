#pragma once

#include <cstdint>
#include <string>

#include "datasets/text/pairs.h"
#include "experiments/inference/interrupted.h"
#include "framework/fields.h"

namespace heed {

/// A built-in corpus, and the files that it is written to.
struct CorpusFiles {
  std::string corpus;  // "toy:NAME"
  std::string out;     // how the names of the files begin: OUT.src, OUT.tgt
  Index lines = 1000;
  Index seed = 1;
  Split split = Split::train;
  bool force = false;  // replace files of these names

  void list(Fields& f);
};

/// Writes sources and targets, a line each. Throws Error where there is no such corpus or a file
/// exists already, and Interrupted where it should stop; no file is half-written then.
void write_corpus(const CorpusFiles& files, const ShouldStop& should_stop = {});

}  // namespace heed
