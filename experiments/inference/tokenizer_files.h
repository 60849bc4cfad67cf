#pragma once

#include <filesystem>
#include <string>

#include "datasets/text/tokenizer.h"
#include "experiments/inference/run_files.h"

namespace heed {

/// The tokenizers of a run: tokenizer.json, or tokenizer.source.json and tokenizer.target.json,
/// each with its .model where it cuts into subwords; and labels.txt of a run that gives labels. A
/// run that reads no texts has labels.txt alone. The reader is not among them: the settings make
/// it. What is missing is undefined; check_complete() in run.h knows what a run needs.
Tokenizers load_tokenizers(const std::filesystem::path& folder);
Tokenizers load_tokenizers(const RunFiles& files);
void save_tokenizers(const Tokenizers& tokenizers, const std::filesystem::path& folder);
/// Whether the folder holds tokenizers.
bool has_tokenizers(const std::filesystem::path& folder);

/// A hash of the tokenizer; "SOURCE TARGET" where there are two; "TOKENIZER labels LABELS" with
/// labels, where the tokenizer is "none" of a run that reads no texts.
std::string fingerprint_of(const Tokenizers& tokenizers);
/// Throws Error where the tokenizers are not those with this fingerprint. `where`: the run.
void check_same_tokenizers(const std::string& where, const Tokenizers& tokenizers,
                           const std::string& fingerprint);

}  // namespace heed
