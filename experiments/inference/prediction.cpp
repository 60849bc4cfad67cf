#include "experiments/inference/prediction.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "datasets/images/picture_file.h"
#include "datasets/reader.h"
#include "datasets/text/labels.h"
#include "datasets/text/special_ids.h"
#include "datasets/text/utf8.h"
#include "experiments/inference/translation.h"
#include "framework/sequences.h"

namespace heed {

namespace {

// A batch ends at this number of texts, or of their tokens.
constexpr std::size_t most_texts = 64;
constexpr std::size_t most_tokens = 16384;

/// Texts that are read together: their places among all, and their tokens with </s>.
struct TextBatch {
  std::vector<std::size_t> places;
  std::vector<std::vector<Id>> ids;
  std::size_t tokens = 0;

  bool fits(std::size_t more) const {
    return ids.empty() || (ids.size() < most_texts && tokens + more <= most_tokens);
  }
  void add(std::size_t place, std::vector<Id> text) {
    places.push_back(place);
    tokens += text.size();
    ids.push_back(std::move(text));
  }
};

/// The tokens of a text with </s>, at most `longest`; none of a blank one.
std::vector<Id> encode_text(const Tokenizers& tokenizers, const std::string& text,
                            std::size_t longest) {
  std::vector<Id> ids = tokenizers.source->encode(text);
  ids.resize(std::min(ids.size(), longest - 1));
  if (!ids.empty()) ids.push_back(eos_id);
  return ids;
}

/// The probabilities of a row of logits, sorted.
std::vector<Prediction> ranked(std::span<const Real> logits, const Labels& labels) {
  const Real highest = *std::ranges::max_element(logits);
  std::vector<Prediction> all;
  double sum = 0;
  for (std::size_t c = 0; c < logits.size(); ++c) {
    const double odds = std::exp(static_cast<double>(logits[c]) - static_cast<double>(highest));
    all.push_back({labels.name(static_cast<Id>(c)), odds});
    sum += odds;
  }
  for (Prediction& p : all)
    p.probability /= sum;
  std::ranges::stable_sort(all, std::ranges::greater(), &Prediction::probability);
  return all;
}

/// The weights by which the rows of an item were pooled.
void attend(const std::vector<AttentionMap>& maps, std::size_t sequence, const std::string& label,
            AttendedLine& line) {
  line.target_text = label;
  line.target = {label};
  for (const AttentionMap& map : maps) {
    const Tensor& weights = map.weights[sequence];
    AttentionLayerMap& layer = line.layers.emplace_back(AttentionLayerMap{
        map.layer, weights.shape()[0], weights.shape()[1], weights.shape()[2], {}});
    for (const Real weight : weights.span())
      layer.weights.push_back(static_cast<float>(weight));
  }
}

/// The pixels of each part, "4-7,0-3".
std::vector<std::string> parts_of(const PictureGrid& grid) {
  std::vector<std::string> parts;
  const Index high = grid.part_height();
  const Index wide = grid.part_width();
  for (Index y = 0; y < grid.down * high; y += high)
    for (Index x = 0; x < grid.across * wide; x += wide)
      parts.push_back(fmt::format("{}-{},{}-{}", y, y + high - 1, x, x + wide - 1));
  return parts;
}

void show(const Reader& reader, const std::string& name, AttendedLine& line) {
  line.source_text = name;
  const std::optional<PictureGrid> grid = reader.shown(name);
  if (!grid) {
    for (Index row = 1; row <= reader.rows(); ++row)
      line.source.push_back(fmt::format("{}", row));
    return;
  }
  line.source = parts_of(*grid);
  line.picture = AttendedPicture{.png = png_of(grid->picture),
                                 .height = grid->picture.height,
                                 .width = grid->picture.width,
                                 .down = grid->down,
                                 .across = grid->across};
}

/// Of what a reader reads, such as pictures.
std::vector<std::vector<Prediction>> predict_items(const Classifier& model,
                                                   const Tokenizers& tokenizers,
                                                   std::span<const std::string> names,
                                                   std::vector<AttendedLine>* attended) {
  std::vector<std::vector<Prediction>> results(names.size());
  if (attended) attended->assign(names.size(), {});
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (!utf8::trim(names[i]).empty()) places.push_back(i);
  const auto classes = static_cast<std::size_t>(model.classes());
  for (std::size_t first = 0; first < places.size(); first += most_texts) {
    const std::span group =
        std::span(places).subspan(first, std::min(most_texts, places.size() - first));
    std::vector<std::string> some;
    for (const std::size_t place : group)
      some.push_back(names[place]);
    std::vector<AttentionMap> maps;
    const Input input = tokenizers.reader->read(some);
    const Tensor logits = model.logits(input, attended ? &maps : nullptr).value();
    for (std::size_t i = 0; i < group.size(); ++i) {
      const std::size_t place = group[i];
      results[place] = ranked(logits.span().subspan(i * classes, classes), *tokenizers.labels);
      if (!attended) continue;
      show(*tokenizers.reader, some[i], (*attended)[place]);
      attend(maps, i, results[place][0].label, (*attended)[place]);
    }
  }
  return results;
}

}  // namespace

std::vector<std::vector<Prediction>> predict(const Classifier& model, const Tokenizers& tokenizers,
                                             std::span<const std::string> texts,
                                             std::vector<AttendedLine>* attended) {
  if (tokenizers.reader) return predict_items(model, tokenizers, texts, attended);
  std::vector<std::vector<Prediction>> results(texts.size());
  if (attended) attended->assign(texts.size(), {});
  const auto predict_batch = [&](const TextBatch& batch) {
    std::vector<AttentionMap> maps;
    const Tensor logits = model.logits(pack(batch.ids), attended ? &maps : nullptr).value();
    const auto classes = static_cast<std::size_t>(model.classes());
    for (std::size_t i = 0; i < batch.ids.size(); ++i) {
      const std::size_t place = batch.places[i];
      results[place] = ranked(logits.span().subspan(i * classes, classes), *tokenizers.labels);
      if (!attended) continue;
      for (const Id id : batch.ids[i])
        (*attended)[place].source.push_back(tokenizers.source->token(id, {}));
      attend(maps, i, results[place][0].label, (*attended)[place]);
    }
  };
  TextBatch batch;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (attended) (*attended)[i].source_text = texts[i];
    std::vector<Id> ids = encode_text(tokenizers, texts[i], longest_source(model.longest()));
    if (ids.empty()) continue;
    if (!batch.fits(ids.size())) predict_batch(std::exchange(batch, {}));
    batch.add(i, std::move(ids));
  }
  if (!batch.ids.empty()) predict_batch(batch);
  return results;
}

PredictedLines predict_readable(const Classifier& model, const Tokenizers& tokenizers,
                                std::span<const std::string> texts,
                                std::vector<AttendedLine>* attended) {
  if (!tokenizers.reader) return {predict(model, tokenizers, texts, attended)};
  try {
    return {predict(model, tokenizers, texts, attended)};
  } catch (const Error&) {
    PredictedLines found;
    if (attended) attended->clear();
    for (const std::string& text : texts) {  // one by one, to find which one it is
      try {
        std::vector<AttendedLine> one;
        found.classes.push_back(
            predict(model, tokenizers, {&text, 1}, attended ? &one : nullptr).front());
        if (attended) attended->push_back(std::move(one.front()));
      } catch (const Error& error) {
        found.error = error.what();
        return found;
      }
    }
    return found;
  }
}

std::string to_lines(const std::vector<Prediction>& classes, std::optional<Index> nbest) {
  if (!nbest && classes.empty()) return "\n";
  std::string lines;
  const auto count = std::min(classes.size(), static_cast<std::size_t>(nbest.value_or(1)));
  for (std::size_t i = 0; i < count; ++i) {
    if (nbest) lines += fmt::format("{}\t", i + 1);
    lines += fmt::format("{}\t{:.6f}\n", classes[i].label, classes[i].probability);
  }
  return nbest ? lines + "\n" : lines;
}

std::vector<std::string> best_labels(const Classifier& model, const Tokenizers& tokenizers,
                                     std::span<const std::string> texts,
                                     const ShouldStop& should_stop) {
  constexpr std::size_t group = 1024;  // it may stop between groups
  std::vector<std::string> labels;
  for (std::size_t i = 0; i < texts.size(); i += group) {
    stop_if(should_stop);
    const auto some = texts.subspan(i, std::min(group, texts.size() - i));
    for (const std::vector<Prediction>& found : predict(model, tokenizers, some))
      labels.push_back(found.empty() ? "" : found[0].label);
  }
  return labels;
}

}  // namespace heed
