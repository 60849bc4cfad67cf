#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/text/pairs.h"
#include "framework/error.h"
#include "framework/types.h"

namespace heed {

/// A label is none of the classes.
struct UnknownLabel : Error {
  using Error::Error;
};

/// The names of the classes of a labelled corpus, sorted by their bytes. The class of name k has
/// the id k, so ids begin at 0.
class Labels {
 public:
  static constexpr Index most = 10'000;           // names
  static constexpr std::size_t most_bytes = 200;  // of a name

  /// Names in any order; equal ones count once.
  ///
  /// Throws Error when
  /// - there are fewer than two names or more than `most`;
  /// - a name is blank or longer than `most_bytes`, has blanks at its ends, or holds a tab or the
  ///   end of a line.
  explicit Labels(std::vector<std::string> names);

  /// The targets of all pairs; of an endless corpus, of the first 20,000.
  ///
  /// Throws Error, with the name of the corpus and the line of a name, as the constructor does; and
  /// when there are more than 20 names and as good as one for each pair, so that the targets are
  /// probably no labels.
  static Labels of(const PairSource& pairs);

  Index size() const { return static_cast<Index>(names_.size()); }
  const std::vector<std::string>& names() const { return names_; }
  /// Throws Error for an id outside [0, size()).
  const std::string& name(Id id) const;
  std::optional<Id> find(std::string_view name) const;
  /// Throws UnknownLabel, which lists at most ten names and the nearest one, where there is no such
  /// class.
  Id id_of(std::string_view name) const;

  /// A hash of all names.
  std::uint64_t fingerprint() const;

  /// A text file with one name a line, which is replaced as a whole (FileWriter).
  void save(const std::filesystem::path& path) const;
  /// Throws Error, with the name of the file, when it is unreadable or no file that save() writes.
  static Labels load(const std::filesystem::path& path);
  /// The same from the text of such a file. `name`: its name in messages.
  static Labels of_text(std::string_view text, const std::string& name);

  friend bool operator==(const Labels&, const Labels&) = default;

 private:
  std::vector<std::string> names_;
};

/// The class of pair i, whose target is `name`. Throws UnknownLabel, `FILE:LINE: ...`.
Id class_of(const PairSource& pairs, Index i, std::string_view name, const Labels& labels);

/// Throws UnknownLabel, `FILE:LINE: ...`, for the first target that is no class. Reads all pairs;
/// of an endless corpus, the first 20,000.
void check_labels(const PairSource& pairs, const Labels& labels);

}  // namespace heed
