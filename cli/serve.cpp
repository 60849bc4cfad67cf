#include <iostream>
#include <optional>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/field_options.h"
#include "cli/shared_options.h"
#include "cli/signals.h"
#include "experiments/serve/server.h"
#include "experiments/trained_run.h"
#include "framework/threads.h"

namespace heed::cli {

namespace {

struct Options {
  std::vector<std::string> runs;
  std::string checkpoint;
  std::string host = "127.0.0.1";
  int port = 8080;
  int threads = 0;
};

void run_serve(const Options& o) {
  set_threads(o.threads);
  std::optional<InterruptAtOnce> nothing_served(std::in_place);
  std::vector<Run> runs;
  for (const std::string& folder : o.runs)
    runs.push_back(open_trained_run(folder, o.checkpoint));
  Server server(std::move(runs), {.host = o.host, .port = o.port});
  nothing_served.reset();
  const bool is_ipv6 = o.host.find(':') != std::string::npos;
  std::cerr << fmt::format("serving at http://{}:{}/; Ctrl-C ends it\n",
                           is_ipv6 ? "[" + o.host + "]" : o.host, server.port());
  server.run(interrupted);
}

}  // namespace

void add_serve(CLI::App& app) {
  auto* command = app.add_subcommand("serve",
                                     "Show a page on this machine to try a model on: its outputs, "
                                     "how sure it is of them, and what "
                                     "it looks at; and answer programs in JSON");
  auto o = std::make_shared<Options>();
  command
      ->add_option("--run", o->runs,
                   "folder that `heed train --out` wrote; may be repeated: the page shows their "
                   "answers one below the other")
      ->required()
      ->allow_extra_args(false)
      ->type_name("TEXT");
  command->add_option("--checkpoint", o->checkpoint,
                      "last, best or one such as step-000400 (default: best, else last)");
  command->add_option("--port", o->port, "port of the page (default: 8080; 0: any that is free)")
      ->transform(checked(between(Index{0}, Index{65535})))
      ->type_name("INT:0..65535");
  command->add_option("--host", o->host,
                      "address to listen on (default: 127.0.0.1, which only this machine reaches; "
                      "0.0.0.0 lets everybody on the network use the model)");
  add_threads(command, o->threads);
  command->footer(
      "Examples:\n  heed serve --run runs/first\n  heed serve --run runs/a --run runs/b --port 0\n"
      "  curl -d '{\"lines\": [\"The old sailor hides the keys.\"]}' "
      "http://127.0.0.1:8080/api/translate");
  command->callback([o] { run_serve(*o); });
}

}  // namespace heed::cli
