#include "cli/commands.h"

namespace heed::cli {

// To add a subcommand is to write its file, and its name here twice.

void add_train(CLI::App& app);
void add_distill(CLI::App& app);
void add_translate(CLI::App& app);
void add_summarize(CLI::App& app);
void add_predict(CLI::App& app);
void add_generate(CLI::App& app);
void add_evaluate(CLI::App& app);
void add_score(CLI::App& app);
void add_compare(CLI::App& app);
void add_inspect(CLI::App& app);
void add_report(CLI::App& app);
void add_serve(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_corpus(CLI::App& app);
void add_verify_resume(CLI::App& app);
void add_export(CLI::App& app);
void add_import(CLI::App& app);

std::span<const AddCommand> commands() {
  static constexpr AddCommand all[] = {
      add_train,    add_distill, add_translate,     add_summarize, add_predict, add_generate,
      add_evaluate, add_score,   add_compare,       add_inspect,   add_report,  add_serve,
      add_tokenize, add_corpus,  add_verify_resume, add_export,    add_import};
  return all;
}

}  // namespace heed::cli
