#include "experiments/inference/internal/forced_lines.h"

#include <algorithm>

#include "datasets/text/special_ids.h"
#include "framework/sequences.h"

namespace heed {

namespace {

constexpr std::size_t forced_batch = 16;

ForcedLine forced_line(const Decoder& decoder, const Tokenizers& tokenizers,
                       const std::string& line, const Translation& best) {
  ForcedLine forced;
  forced.source = encode_source(decoder, tokenizers, line, forced.extra);
  forced.gold = best.ids;
  forced.target = {bos_id};
  forced.target.insert(forced.target.end(), best.ids.begin(), best.ids.end());
  if (best.ended)
    forced.gold.push_back(eos_id);
  else
    forced.target.pop_back();  // the output was cut: nothing was predicted after its last token
  return forced;
}

Sequences side_of(std::span<const ForcedLine> batch, std::vector<Id> ForcedLine::*side) {
  std::vector<std::vector<Id>> all;
  for (const ForcedLine& line : batch)
    all.push_back(line.*side);
  return pack(all);
}

}  // namespace

void for_forced_batches(const Decoder& decoder, const Tokenizers& tokenizers,
                        std::span<const std::string> lines,
                        std::span<const std::vector<Translation>> results,
                        const std::function<void(std::span<const ForcedLine>)>& take) {
  std::vector<ForcedLine> batch;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!results[i].empty()) {
      batch.push_back(forced_line(decoder, tokenizers, lines[i], results[i][0]));
      batch.back().number = i;
    }
    if (batch.empty() || (batch.size() < forced_batch && i + 1 < lines.size())) continue;
    take(batch);
    batch.clear();
  }
}

Sequences sources_of(std::span<const ForcedLine> batch) {
  return side_of(batch, &ForcedLine::source);
}
Sequences targets_of(std::span<const ForcedLine> batch) {
  return side_of(batch, &ForcedLine::target);
}

std::vector<std::string> tokens_of(const Tokenizer& tokenizer, std::span<const Id> ids,
                                   std::span<const std::string> extra) {
  std::vector<std::string> tokens;
  for (Id id : ids)
    tokens.push_back(tokenizer.token(id, extra));
  return tokens;
}

}  // namespace heed
