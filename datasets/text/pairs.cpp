#include "datasets/text/pairs.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <string_view>

#include <fmt/format.h>
#include <xxhash.h>

#include "datasets/corpora/corpora.h"
#include "datasets/text/internal/data_names.h"
#include "datasets/text/internal/file_pairs.h"
#include "framework/error.h"
#include "framework/nearest.h"
#include "framework/random.h"

namespace heed {

const std::vector<Choice<Split>>& splits() {
  static const std::vector<Choice<Split>> table = {
      {"train", Split::train}, {"valid", Split::valid}, {"test", Split::test}};
  return table;
}

namespace {

constexpr const char* accepted =
    "expected two line-aligned files, one .tsv, one .jsonl or toy:NAME";

// All pairs of a source except those held out, whose numbers are given in ascending order.
class Rest final : public PairSource {
 public:
  Rest(std::shared_ptr<const PairSource> all, const std::vector<Index>& held_out)
      : all_(std::move(all)), before_(held_out) {
    for (std::size_t k = 0; k < before_.size(); ++k)
      before_[k] -= static_cast<Index>(k);
  }
  Index size() const override { return all_->size() - static_cast<Index>(before_.size()); }
  Pair at(Index i) const override { return all_->at(number(i)); }
  std::string name() const override { return all_->name(); }
  Index skipped() const override { return all_->skipped(); }
  Index line(Index i) const override { return all_->line(number(i)); }
  std::string place(Index i) const override { return all_->place(number(i)); }
  std::string identity(Index i) const override { return all_->identity(number(i)); }
  Index block() const override { return all_->block(); }
  // Combines the hash of all pairs with the choice of those held out, so that the remaining pairs
  // need not be read again.
  std::uint64_t fingerprint() const override {
    std::uint64_t hash = mix(all_->fingerprint(), static_cast<std::uint64_t>(before_.size()));
    for (const Index n : before_)
      hash = mix(hash, static_cast<std::uint64_t>(n));
    return hash;
  }
  void will_need(Index first, Index count) const override {
    const Index last = std::min(first + count, size()) - 1;
    if (first <= last) all_->will_need(number(first), number(last) - number(first) + 1);
  }

 private:
  // The number of pair i in the whole source.
  Index number(Index i) const {
    return i + (std::upper_bound(before_.begin(), before_.end(), i) - before_.begin());
  }

  std::shared_ptr<const PairSource> all_;
  std::vector<Index> before_;  // for each pair held out: the number of remaining pairs before it
};

// Some pairs of a source, in memory.
class Picked final : public PairSource {
 public:
  Picked(const PairSource& all, Index skipped) : name_(all.name()), skipped_(skipped) {}
  // Pair i of `all`.
  void add(const PairSource& all, Index i) {
    pairs_.push_back(all.at(i));
    identities_.push_back(all.identity(i));
    lines_.push_back(all.line(i));
    places_.push_back(all.place(i));
  }
  Index size() const override { return std::ssize(pairs_); }
  Pair at(Index i) const override { return pairs_.at(static_cast<std::size_t>(i)); }
  std::string name() const override { return name_; }
  Index skipped() const override { return skipped_; }
  Index line(Index i) const override { return lines_.at(static_cast<std::size_t>(i)); }
  std::string place(Index i) const override { return places_.at(static_cast<std::size_t>(i)); }
  std::string identity(Index i) const override {
    return identities_.at(static_cast<std::size_t>(i));
  }

 private:
  std::vector<Pair> pairs_;
  std::vector<std::string> identities_;
  std::vector<Index> lines_;
  std::vector<std::string> places_;
  std::string name_;
  Index skipped_;
};

void check_no_fields(const std::vector<std::string>& data, const std::vector<std::string>& fields) {
  if (!fields.empty())
    throw FieldsError(
        fmt::format("fields belong to a .tsv or a .jsonl; got '{}'", fmt::join(data, " ")));
}

void check_aligned_files(const std::vector<std::string>& data,
                         const std::vector<std::string>& fields) {
  for (const std::string& path : data) {
    const std::string end = extension(path);
    if (path.starts_with(toy_prefix) || end == ".tsv" || end == ".jsonl")
      fail("{}: holds both sides, so it stands alone; got '{}'", path, fmt::join(data, " "));
  }
  check_no_fields(data, fields);
  std::error_code ignored;
  for (const std::string& path : data)
    if (std::filesystem::is_directory(path, ignored)) fail("{}: is a folder; name a file", path);
  if (data[0] == data[1] && std::filesystem::exists(data[0], ignored) &&
      !std::filesystem::is_regular_file(data[0], ignored))
    fail("{}: is no plain file, so it can be read only once; name a file for each side", data[0]);
}

void check_labelled_corpus(const std::string& path) {
  const CorpusKind* corpus = corpora().find(path.substr(toy_prefix.size()));
  if (!corpus || corpus->labelled) return;
  std::vector<std::string> labelled;
  for (const CorpusKind& kind : corpora().rows())
    if (kind.labelled && !kind.pictures) labelled.push_back("toy:" + kind.name);
  fail("{}: its pairs have no labels; expected {}, or files of texts and labels", path,
       fmt::join(labelled, ", "));
}

}  // namespace

std::uint64_t hash_of(std::string_view source, std::string_view target, std::uint64_t before) {
  return mix(before ^ XXH3_64bits(source.data(), source.size()),
             XXH3_64bits(target.data(), target.size()));
}

std::uint64_t Fingerprint::of(Index size) const {
  return mix(hash_, static_cast<std::uint64_t>(size));
}

std::uint64_t PairSource::fingerprint() const {
  constexpr Index pairs_of_endless = 256;
  Fingerprint all;
  if (size() < 0) all.add(name(), "");
  const Index end = size() < 0 ? pairs_of_endless : size();
  for (Index i = 0; i < end; ++i) {
    all.add(identity(i), at(i).target);
  }
  return all.of(size());
}

std::unique_ptr<PairSource> first_pairs(const PairSource& source, Index n) {
  auto first = std::make_unique<Picked>(source, source.skipped());
  const Index end = source.size() < 0 ? n : std::min(n, source.size());
  for (Index i = 0; i < end; ++i)
    first->add(source, i);
  return first;
}

std::pair<std::unique_ptr<PairSource>, std::unique_ptr<PairSource>> hold_out(
    std::unique_ptr<PairSource> source, Index n, std::uint64_t seed) {
  const Index size = source->size();
  check(size >= 0 && n >= 0 && n <= size, "pairs", "expected to hold out at most {} pairs; got {}",
        std::max<Index>(size, 0), n);
  Random random(seed, 0x4e1d);
  // Floyd's sampling (Bentley and Floyd 1987): n numbers below `size`, every set equally likely.
  std::set<Index> chosen;
  for (Index i = size - n; i < size; ++i)
    if (!chosen.insert(static_cast<Index>(random.below(static_cast<std::uint64_t>(i) + 1))).second)
      chosen.insert(i);
  const std::shared_ptr<const PairSource> all = std::move(source);
  auto held = std::make_unique<Picked>(*all, /*skipped=*/0);
  for (const Index i : chosen)
    held->add(*all, i);
  return {std::make_unique<Rest>(all, std::vector<Index>(chosen.begin(), chosen.end())),
          std::move(held)};
}

std::unique_ptr<PairSource> open_pairs(const std::vector<std::string>& data,
                                       const std::vector<std::string>& fields, Split split,
                                       std::uint64_t seed, const ReadOptions& options) {
  if (data.empty() || data.size() > 2) fail("{}; got {} names", accepted, data.size());
  if (!fields.empty() && fields.size() != 2)
    throw FieldsError(
        fmt::format("expected two fields, the source and the target; got {}", fields.size()));
  if (data.size() == 2) {
    check_aligned_files(data, fields);
    return std::make_unique<FilePairs>(data, aligned_format(), options);
  }
  const std::string& path = data[0];
  if (path.starts_with(toy_prefix)) {
    check_no_fields(data, fields);
    if (options.labelled) check_labelled_corpus(path);
    return toy::open(path.substr(toy_prefix.size()), split, seed);
  }
  const std::string end = extension(path);
  if (end == ".tsv")
    return std::make_unique<FilePairs>(data, tsv_format(fields, options.labelled), options);
  if (end == ".jsonl")
    return std::make_unique<FilePairs>(data, jsonl_format(fields, options.labelled), options);
  std::error_code ignored;
  if (end.empty() && !std::filesystem::exists(path, ignored))
    fail("{}: no such file or folder; {}", path, accepted);
  if (end == ".txt") fail("{}: a single .txt is for a language model; {}", path, accepted);
  fail("{}: cannot tell what is in it; {}{}", path, accepted,
       end.empty() ? "" : did_you_mean(end, {".tsv", ".jsonl"}));
}

}  // namespace heed
