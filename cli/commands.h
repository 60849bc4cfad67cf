#pragma once

#include <span>

namespace CLI {
class App;
}

namespace heed::cli {

/// Adds one subcommand with its options and its action.
using AddCommand = void (*)(CLI::App& app);
/// All subcommands, in the order of the help.
std::span<const AddCommand> commands();

}  // namespace heed::cli
