#include "experiments/inference/text_generation.h"

#include "datasets/text/utf8.h"

namespace heed {

namespace {

/// The text of tokens that come one by one. A piece is handed over when its characters are whole.
class TextStream {
 public:
  TextStream(const Tokenizer& tokenizer, std::vector<Id> before)
      : tokenizer_(tokenizer), ids_(std::move(before)), handed_over_(text().size()) {}

  /// The text that this token adds; "" where its last character is not whole yet.
  std::string add(Id id) {
    ids_.push_back(id);
    std::string all = text();
    if (all.size() <= handed_over_ || utf8::find_invalid(all) != std::string::npos) return "";
    std::string piece = all.substr(handed_over_);
    handed_over_ = all.size();
    forget();
    return piece;
  }

 private:
  // Only the last tokens are decoded, so that a long text costs no more than a short one.
  static constexpr std::size_t most = 256;
  static constexpr std::size_t kept = 64;

  std::string text() const { return tokenizer_.decode(ids_); }
  void forget() {
    if (ids_.size() < most) return;
    ids_.erase(ids_.begin(), ids_.end() - kept);
    handed_over_ = text().size();
  }

  const Tokenizer& tokenizer_;
  std::vector<Id> ids_;
  std::size_t handed_over_;  // bytes of text()
};

std::vector<Id> prompt_ids(const Tokenizer& tokenizer, const std::string& prompt) {
  if (!prompt.empty()) {
    std::vector<Id> ids = tokenizer.encode(prompt);
    if (ids.empty()) fail("the prompt '{}' has no tokens; give another", prompt);
    return ids;
  }
  for (const char* usual : {"\n", "."})
    if (std::vector<Id> ids = tokenizer.encode(usual); !ids.empty()) return ids;
  fail("expected a prompt; got none");
}

}  // namespace

std::string generate_text(const Run& run, const std::string& prompt, const GenerateOptions& options,
                          const std::function<void(std::string_view)>& on_text) {
  if (!run.decoder().continues())
    fail("{} is no language model: it translates lines, and continues no text",
         run.settings.model.name);
  const Tokenizer& tokenizer = *run.tokenizers.target;
  const std::vector<Id> before = prompt_ids(tokenizer, prompt);
  TextStream stream(tokenizer, before);
  std::string text;
  GenerateOptions with = options;
  with.special = special_ids();
  with.on_token = [&](Id id) {
    const std::string piece = stream.add(id);
    text += piece;
    if (on_text && !piece.empty()) on_text(piece);
    if (options.on_token) options.on_token(id);
  };
  generate(run.decoder(), before, with);
  return text;
}

}  // namespace heed
