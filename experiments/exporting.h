#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace heed {

/// What was written.
struct Exported {
  std::size_t tensors = 0;
  std::size_t parameters = 0;
  std::filesystem::path checkpoint;  // from which
};
/// Writes the weights of a run as a safetensors file, which PyTorch and others read. Its metadata
/// hold the run's configuration and tokenizers. `checkpoint`: as for open_run().
///
/// Throws Error where the folder is not a run, or `out` is a folder, no plain file, or lies within
/// the run.
Exported export_run(const std::string& folder, const std::string& out,
                    const std::string& checkpoint = {});

struct Imported {
  std::size_t tensors = 0;
  std::vector<std::string> notes;     // which types were converted
  std::vector<std::string> warnings;  // of weights that are not finite
};
/// Makes a run, in the new folder `out`, of the weights in a safetensors file. `like`: a run whose
/// configuration and tokenizers it gets; "": those in the file. The run can be used, and begin
/// another one, but not be resumed.
///
/// Throws Error where the file is damaged or does not fit, or `out` is not empty; nothing is left
/// then.
Imported import_run(const std::string& file, const std::string& out, const std::string& like = {});

}  // namespace heed
