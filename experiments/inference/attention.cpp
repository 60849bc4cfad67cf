#include "experiments/inference/attention.h"

#include "datasets/text/special_ids.h"
#include "experiments/inference/internal/forced_lines.h"
#include "framework/sequences.h"

namespace heed {

namespace {

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
  for (std::size_t i = 0; i < lines.size(); ++i) {
    attended[i].source_text = lines[i];
    if (!results[i].empty()) attended[i].target_text = results[i][0].text;
  }
  const auto attend_to = [&](std::span<const ForcedLine> batch) {
    std::vector<AttentionMap> maps;
    decoder.logits(sources_of(batch), targets_of(batch), &maps);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      AttendedLine& line = attended[batch[i].number];
      line.source = tokens_of(*tokenizers.source, batch[i].source, batch[i].extra);
      line.target = tokens_of(*tokenizers.target, batch[i].gold, batch[i].extra);
      add_maps(maps, i, line);
    }
  };
  for_forced_batches(decoder, tokenizers, lines, results, attend_to);
  return attended;
}

AttendedLine attend_text(const Decoder& decoder, const Tokenizer& tokenizer,
                         std::span<const Id> text) {
  AttendedLine line;
  if (text.size() < 2) return line;
  const std::span<const Id> read = text.first(text.size() - 1);
  line.source = tokens_of(tokenizer, read, {});
  line.target = tokens_of(tokenizer, text.subspan(1), {});
  line.source_text = tokenizer.decode(read);
  std::vector<AttentionMap> maps;
  decoder.logits({}, pack({std::vector<Id>(read.begin(), read.end())}), &maps);
  add_maps(maps, 0, line);
  return line;
}

}  // namespace heed
