#pragma once

namespace CLI {
class App;
}

namespace heed::cli {

// Each function adds one subcommand with its options and its action.
void add_train(CLI::App& app);
void add_translate(CLI::App& app);
void add_summarize(CLI::App& app);
void add_compare(CLI::App& app);
void add_evaluate(CLI::App& app);
void add_score(CLI::App& app);
void add_inspect(CLI::App& app);
void add_generate(CLI::App& app);
void add_verify_resume(CLI::App& app);
void add_export(CLI::App& app);
void add_import(CLI::App& app);

}  // namespace heed::cli
