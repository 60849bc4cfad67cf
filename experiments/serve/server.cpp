#include "experiments/serve/server.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include <httplib.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "experiments/report/text.h"
#include "experiments/serve/internal/page_files.h"
#include "experiments/serve/internal/work_queue.h"

namespace heed {

namespace {

constexpr std::size_t threads = 256;      // each waits for one answer
constexpr std::size_t largest = 1 << 20;  // bytes of a request
constexpr int backlog = 1024;             // connections that wait to be accepted
constexpr auto question = std::chrono::milliseconds(50);

constexpr const char* policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

std::string error_json(const std::string& message) {
  return nlohmann::ordered_json{{"error", report::well_formed(message)}}.dump();
}

void refuse(httplib::Response& response, int status, const std::string& message) {
  response.status = status;
  response.set_content(error_json(message), "application/json");
}

/// The host of a Host header, without its port: "[::1]:8080" is "[::1]".
std::string host_of(const std::string& header) {
  const std::size_t colon = header.rfind(':');
  const bool in_brackets = header.rfind(']') != std::string::npos && header.rfind(']') > colon;
  return colon == std::string::npos || in_brackets ? header : header.substr(0, colon);
}

/// The socket of a request's connection, which the library does not tell: the one whose other end
/// is the client's. -1 where there is none.
int socket_of(const httplib::Request& request) {
  const auto last = static_cast<int>(sysconf(_SC_OPEN_MAX));
  for (int socket = 3; socket < std::min(last, 4096); ++socket) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    if (getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) continue;
    const int port = address.ss_family == AF_INET6
                         ? ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port)
                         : ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
    if (port == request.remote_port) return socket;
  }
  return -1;
}

/// Whether the other end has closed the connection.
bool is_closed(int socket) {
  pollfd asked{socket, POLLRDHUP, 0};
  return poll(&asked, 1, 0) > 0;
}

std::string problem_text(const httplib::Request& request, int status) {
  if (status == 413) return "the request has more than 1 MiB";
  if (status == 404) return fmt::format("there is no {} {}", request.method, request.path);
  return "the request cannot be read";
}

}  // namespace

struct Server::Parts {
  Service service;
  std::string host;
  httplib::Server http;
  int port = 0;

  Parts(std::vector<Run> runs, const ServerOptions& options)
      : service(std::move(runs), options.limits), host(options.host) {
    http.new_task_queue = [] { return new httplib::ThreadPool(threads); };
    // A connection that stays open would hold its thread.
    http.set_keep_alive_max_count(1);
    http.set_read_timeout(std::chrono::seconds(10));
    http.set_write_timeout(std::chrono::seconds(10));
    http.set_payload_max_length(largest);
    http.set_pre_routing_handler(
        [this](const auto& request, auto& response) { return check(request, response); });
    add_routes();
    listen(options.port);
  }

  void listen(int wanted) {
    int socket = -1;
    http.set_socket_options([&socket](int made) {
      const int yes = 1;
      setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
      socket = made;
    });
    errno = 0;
    if (wanted == 0)
      port = http.bind_to_any_port(host);
    else
      port = http.bind_to_port(host, wanted) ? wanted : -1;
    if (port < 0)
      fail("{}:{}: cannot listen{}; choose another port", host, wanted,
           errno == 0 ? std::string() : fmt::format(": {}", std::strerror(errno)));
    // The library lets five connections wait.
    ::listen(socket, backlog);
    http.set_socket_options([](int) {});
  }

  /// Whether a request comes from this machine's own page, or from a program. Another site's page
  /// names that site as Origin; one that has pointed its name to this machine, as Host.
  bool is_own(const httplib::Request& request) const {
    const std::string header = request.get_header_value("Host");
    const std::string name = host_of(header);
    if (name != host && name != "localhost" && name != "127.0.0.1" && name != "[::1]") return false;
    return !request.has_header("Origin") ||
           request.get_header_value("Origin") == "http://" + header;
  }

  httplib::Server::HandlerResponse check(const httplib::Request& request,
                                         httplib::Response& response) const {
    response.set_header("Content-Security-Policy", policy);
    response.set_header("X-Content-Type-Options", "nosniff");
    response.set_header("Cache-Control", "no-store");
    if (is_own(request)) return httplib::Server::HandlerResponse::Unhandled;
    refuse(response, 403, "requests of other sites are refused: Host or Origin is not this server");
    return httplib::Server::HandlerResponse::Handled;
  }

  void add_routes() {
    for (const PageFile& file : page_files())
      http.Get(file.path, [&file](const auto&, auto& response) {
        response.set_content(file.content.data(), file.content.size(), file.type);
      });
    http.Get("/api/run",
             [this](const auto& request, auto& response) { answer("run", request, response); });
    http.Post(R"(/api/([a-z]+))", [this](const auto& request, auto& response) {
      answer(request.matches[1], request, response);
    });
    http.set_error_handler([](const auto& request, auto& response) {
      if (!response.body.empty()) return;
      refuse(response, response.status, problem_text(request, response.status));
    });
    http.set_exception_handler([](const auto&, auto& response, std::exception_ptr error) {
      try {
        std::rethrow_exception(error);
      } catch (const std::exception& known) {
        refuse(response, 500, known.what());
      } catch (...) {
        refuse(response, 500, "the request failed");
      }
    });
  }

  void answer(const std::string& what, const httplib::Request& request,
              httplib::Response& response) {
    const int socket = socket_of(request);
    const ShouldStop abandoned = [socket] { return socket >= 0 && is_closed(socket); };
    try {
      response.set_content(service.answer(what, request.body, abandoned), "application/json");
    } catch (const Interrupted&) {  // nobody waits for an answer
    } catch (const QueueFull& error) {
      refuse(response, 503, error.what());
    } catch (const BadRequest& error) {
      refuse(response, 400, error.what());
    }
  }
};

Server::Server(std::vector<Run> runs, const ServerOptions& options)
    : parts_(std::make_unique<Parts>(std::move(runs), options)) {}
Server::~Server() = default;

int Server::port() const { return parts_->port; }

void Server::run(const ShouldStop& should_stop) {
  std::thread answering([this] { parts_->http.listen_after_bind(); });
  while (!should_stop())
    std::this_thread::sleep_for(question);
  parts_->http.stop();
  answering.join();
}

}  // namespace heed
