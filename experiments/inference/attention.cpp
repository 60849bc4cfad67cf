#include "experiments/inference/attention.h"

#include <algorithm>

#include "datasets/text/special_ids.h"
#include "framework/sequences.h"

namespace heed {

namespace {

constexpr std::size_t forced_batch = 16;  // the logits of all its rows are in memory at once

std::vector<std::string> tokens_of(const Tokenizer& tokenizer, const std::vector<Id>& ids,
                                   const std::vector<std::string>& extra) {
  std::vector<std::string> tokens;
  for (Id id : ids)
    tokens.push_back(tokenizer.token(id, extra));
  return tokens;
}

/// Sequences for a pass with teacher forcing.
struct ForcedSequences {
  std::vector<std::vector<Id>> sources;
  std::vector<std::vector<Id>> targets;

  /// Adds a line and its hypothesis. Writes their tokens to `line`.
  void add(const Decoder& decoder, const Tokenizers& tokenizers, const Translation& best,
           AttendedLine& line) {
    std::vector<std::string> extra;
    std::vector<Id> source = encode_source(decoder, tokenizers, line.source_text, extra);
    std::vector<Id> gold = best.ids;
    std::vector<Id> target = {bos_id};
    target.insert(target.end(), gold.begin(), gold.end());
    if (best.ended)
      gold.push_back(eos_id);
    else
      target.pop_back();  // the output was cut: nothing was predicted after its last token
    line.source = tokens_of(*tokenizers.source, source, extra);
    line.target = tokens_of(*tokenizers.target, gold, extra);
    sources.push_back(std::move(source));
    targets.push_back(std::move(target));
  }
};

void add_maps(const std::vector<AttentionMap>& maps, std::size_t sequence, AttendedLine& line) {
  for (const AttentionMap& map : maps) {
    const Tensor& weights = map.weights[sequence];
    AttentionLayerMap& to = line.layers.emplace_back(AttentionLayerMap{
        map.layer, weights.shape()[0], weights.shape()[1], weights.shape()[2], {}});
    for (Real weight : weights.span())
      to.weights.push_back(static_cast<float>(weight));
  }
}

}  // namespace

bool attends(const Decoder& decoder) {
  std::vector<AttentionMap> maps;
  decoder.logits(pack({{eos_id}}), pack({{bos_id}}), &maps);
  return !maps.empty();
}

std::vector<AttendedLine> attend(const Decoder& decoder, const Tokenizers& tokenizers,
                                 std::span<const std::string> lines,
                                 std::span<const std::vector<Translation>> results) {
  std::vector<AttendedLine> attended(lines.size());
  std::vector<std::size_t> order;  // of the lines with a hypothesis
  for (std::size_t i = 0; i < lines.size(); ++i) {
    attended[i].source_text = lines[i];
    if (results[i].empty()) continue;
    attended[i].target_text = results[i][0].text;
    order.push_back(i);
  }
  for (std::size_t begin = 0; begin < order.size(); begin += forced_batch) {
    const std::size_t end = std::min(order.size(), begin + forced_batch);
    ForcedSequences forced;
    for (std::size_t i = begin; i < end; ++i)
      forced.add(decoder, tokenizers, results[order[i]][0], attended[order[i]]);
    std::vector<AttentionMap> maps;
    decoder.logits(pack(forced.sources), pack(forced.targets), &maps);
    for (std::size_t i = begin; i < end; ++i)
      add_maps(maps, i - begin, attended[order[i]]);
  }
  return attended;
}

}  // namespace heed
