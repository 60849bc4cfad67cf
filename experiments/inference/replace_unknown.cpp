#include "experiments/inference/replace_unknown.h"

#include <algorithm>

#include "datasets/text/special_ids.h"
#include "experiments/inference/attention.h"
#include "framework/sequences.h"

namespace heed {

namespace {

bool has_unknown(const Translation& output) {
  return std::find(output.ids.begin(), output.ids.end(), unk_id) != output.ids.end();
}

/// The source token to which token `row` of the output attended most, among the first `count`.
std::size_t attended_most(const AttendedLine& line, Index row, std::size_t count) {
  std::vector<double> sums(count, 0);
  for (const AttentionLayerMap& map : line.layers)
    for (Index head = 0; head < map.heads; ++head) {
      const float* weights = map.weights.data() + (head * map.rows + row) * map.columns;
      for (std::size_t i = 0; i < count; ++i)
        sums[i] += static_cast<double>(weights[i]);
    }
  return static_cast<std::size_t>(std::max_element(sums.begin(), sums.end()) - sums.begin());
}

/// The text of an output. `pieces`: of the source, without </s>.
std::string text_with(const AttendedLine& line, const std::vector<std::string>& pieces,
                      const Translation& output, const Tokenizer& tokenizer) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < output.ids.size(); ++i) {
    const bool unknown = output.ids[i] == unk_id && !pieces.empty();
    words.push_back(unknown ? pieces[attended_most(line, static_cast<Index>(i), pieces.size())]
                            : line.target[i]);
  }
  return tokenizer.join(words);
}

/// The pieces of a source as it was written, as many as the model has read.
std::vector<std::string> source_pieces(const AttendedLine& line, const Tokenizer& tokenizer) {
  std::vector<std::string> pieces = tokenizer.tokens(line.source_text);
  const std::size_t read = line.source.empty() ? 0 : line.source.size() - 1;  // without </s>
  pieces.resize(std::min(pieces.size(), read));
  return pieces;
}

}  // namespace

void replace_unknown(const Decoder& decoder, const Tokenizers& tokenizers,
                     std::span<const std::string> lines,
                     std::vector<std::vector<Translation>>& results) {
  if (!attends(decoder))
    fail("the model does not attend to its source: no word of it can be taken");
  for (std::size_t i = 0; i < results.size(); ++i)
    for (Translation& output : results[i]) {
      if (!has_unknown(output)) continue;
      const std::vector<std::vector<Translation>> one = {{output}};
      const AttendedLine line = attend(decoder, tokenizers, lines.subspan(i, 1), one).front();
      output.text =
          text_with(line, source_pieces(line, *tokenizers.source), output, *tokenizers.target);
    }
}

}  // namespace heed
