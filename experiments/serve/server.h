#pragma once

#include <memory>
#include <string>
#include <vector>

#include "experiments/serve/service.h"

namespace heed {

struct ServerOptions {
  std::string host = "127.0.0.1";  // the address to listen on: this machine alone
  int port = 8080;                 // 0: any that is free
  ServiceLimits limits = {};
};

/// A web server that answers by runs: a page at /, and requests in JSON below /api
/// (docs/serving.md).
///
///     Server server(std::move(runs), {.port = 0});
///     fmt::print("http://127.0.0.1:{}\n", server.port());
///     server.run(should_stop);
///
/// Refuses requests that a page of another site sends through the reader's browser: by their Host
/// and Origin.
class Server {
 public:
  /// Listens from now on. Throws Error where it cannot, such as where the port is taken.
  Server(std::vector<Run> runs, const ServerOptions& options = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const;
  /// Answers until should_stop, which is asked several times a second. What is being computed then
  /// is still answered; requests that wait are refused.
  void run(const ShouldStop& should_stop);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace heed
