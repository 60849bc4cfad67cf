#include <iostream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/shared_options.h"
#include "experiments/exporting.h"

namespace heed::cli {

void add_export(CLI::App& app) {
  auto* command = app.add_subcommand(
      "export", "Write the weights of a run as a safetensors file, which PyTorch and others read");
  struct Options {
    std::string run;
    std::string checkpoint;
    std::string out;
  };
  auto o = std::make_shared<Options>();
  add_run_options(command, o->run, o->checkpoint);
  command->add_option("--out", o->out, "FILE.safetensors to write")->required();
  command->footer(
      "Example:\n  heed export --run runs/first --out first.safetensors\n\ndocs/pytorch.md says "
      "how to use the weights in Python.");
  command->callback([o] {
    const Exported written = export_run(o->run, o->out, o->checkpoint);
    std::cerr << fmt::format("wrote {}: {} tensors, {} parameters, from {}\n", o->out,
                             written.tensors, written.parameters, written.checkpoint.string());
  });
}

void add_import(CLI::App& app) {
  auto* command = app.add_subcommand("import", "Make a run from the weights in a safetensors file");
  struct Options {
    std::string file;
    std::string out;
    std::string like;
  };
  auto o = std::make_shared<Options>();
  command
      ->add_option("file", o->file, "FILE.safetensors that `heed export` or another program wrote")
      ->required();
  command->add_option("--out", o->out, "folder to keep the run in")->required();
  command->add_option(
      "--like", o->like,
      "take the configuration and the tokenizers of this run instead of those in the file");
  command->footer("Example:\n  heed import first.safetensors --out runs/again");
  command->callback([o] {
    const Imported imported = import_run(o->file, o->out, o->like);
    for (const std::string& note : imported.notes)
      std::cerr << "heed: note: " << note << '\n';
    for (const std::string& warning : imported.warnings)
      std::cerr << "heed: warning: " << warning << '\n';
    std::cerr << fmt::format("wrote {}: {} tensors\n", o->out, imported.tensors);
  });
}

}  // namespace heed::cli
