#pragma once

#include <string>

#include <CLI/CLI.hpp>

// What is said of wrong usage, in plainer words than CLI11's.

namespace heed::cli {

/// Names the nearest command for an unknown one. CLI11 would only say that a subcommand is
/// required.
void check_subcommand(const CLI::App& app, int argc, char** argv);

/// The message of a CLI11 error, with the nearest option for a misspelt one.
std::string explain(const CLI::ParseError& error, const CLI::App& app);

}  // namespace heed::cli
