#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "datasets/reader.h"
#include "datasets/text/pairs.h"
#include "datasets/text/tokenizer.h"
#include "framework/fields.h"
#include "framework/registry.h"
#include "models/front_ends.h"

namespace heed {

/// A row of the table of sources: what stands on the side of a pair that a model reads. Any source,
/// family and task go together, where the task takes the source.
struct SourceKind {
  std::string name;
  std::string help;
  std::string items;  // what several are called: "texts"
  /// The settings of the source's own.
  AnyOptions options = {};
  /// What reads it; null for texts, which tokenizers read.
  std::function<std::shared_ptr<const Reader>(const AnyOptions&)> reader = {};
  /// The model's part that turns it into rows of width `d` with this standard deviation.
  std::function<std::unique_ptr<FrontEnd>(const AnyOptions&, const Tokenizers&, Index d,
                                          Real deviation, Random&)>
      front_end;
  /// Opens pairs whose sources are of this kind; as open_pairs().
  std::function<std::unique_ptr<PairSource>(const std::vector<std::string>& data,
                                            const std::vector<std::string>& fields, Split split,
                                            std::uint64_t seed, const ReadOptions& options)>
      open;
};

/// text and image, and what a program adds.
Registry<SourceKind>& sources();

/// The source that these data hold, as far as they say so themselves; else text.
const SourceKind& source_of(const std::vector<std::string>& data,
                            const std::vector<std::string>& fields = {});

/// The settings of the source image.
struct ImageOptions {
  PictureRows rows = PictureRows::patches;
  // 0: not known yet, it follows the data.
  Index patch = 0;
  Index height = 0;
  Index width = 0;
  bool colour = false;
  Index shift = 0;
  bool mirror = false;

  PictureFrontEndOptions front_end() const;
  void list(Fields& f);
  void check() const;
};

}  // namespace heed
