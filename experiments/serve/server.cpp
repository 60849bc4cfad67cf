#include "experiments/serve/server.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include <arpa/inet.h>
#include <httplib.h>
#include <netdb.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "experiments/report/text.h"
#include "experiments/serve/internal/page_files.h"
#include "experiments/serve/internal/work_queue.h"

namespace heed {

namespace {

// Each waits for one answer. More than ServiceLimits::waiting, so that pages are shown meanwhile.
constexpr std::size_t threads = 256;
constexpr std::size_t most_bytes = 1 << 20;  // of a request
constexpr int backlog = 1024;                // connections that wait to be accepted
constexpr auto poll_interval = std::chrono::milliseconds(20);

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

/// The host of a Host header in lower case, without its port and brackets: "[::1]:80" is "::1".
std::string host_of(std::string header) {
  const std::size_t colon = header.rfind(':');
  const std::size_t bracket = header.rfind(']');
  const bool has_port =
      header.find(':') == colon || (bracket != std::string::npos && bracket < colon);
  if (colon != std::string::npos && has_port) header.resize(colon);
  std::erase_if(header, [](char c) { return c == '[' || c == ']'; });
  for (char& c : header)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return header;
}

bool is_address(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

/// The socket of a request's connection, which the library does not tell: the one whose other end
/// is the client's. -1 where there is none.
int socket_of(const httplib::Request& request) {
  const auto last = static_cast<int>(sysconf(_SC_OPEN_MAX));
  for (int socket = 3; socket < std::min(last, 4096); ++socket) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    if (getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) continue;
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];
    constexpr int numbers = NI_NUMERICHOST | NI_NUMERICSERV;
    if (getnameinfo(reinterpret_cast<sockaddr*>(&address), size, host, sizeof(host), port,
                    sizeof(port), numbers) != 0)
      continue;
    if (request.remote_addr == host && std::to_string(request.remote_port) == port) return socket;
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
  std::atomic<bool> ends = false;  // requests that wait are given up

  Parts(std::vector<Run> runs, const ServerOptions& options)
      : service(std::move(runs), options.limits), host(options.host) {
    http.new_task_queue = [] { return new httplib::ThreadPool(threads); };
    // A connection that stays open would hold its thread.
    http.set_keep_alive_max_count(1);
    http.set_read_timeout(std::chrono::seconds(10));
    http.set_write_timeout(std::chrono::seconds(10));
    http.set_payload_max_length(most_bytes);
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
      fail("{}, port {}: cannot listen{}; choose another port, or another host", host, wanted,
           errno == 0 ? std::string() : fmt::format(": {}", std::strerror(errno)));
    // The library lets five connections wait.
    ::listen(socket, backlog);
    http.set_socket_options([](int) {});
  }

  /// Whether a request comes from this server's own page, or from a program. Another site's page
  /// names that site as Origin; one that has pointed its name to this machine, as Host. That is why
  /// a server for the whole network knows no name but localhost: it is asked by its address.
  bool is_own(const httplib::Request& request) const {
    const std::string header = request.get_header_value("Host");
    const std::string name = host_of(header);
    const bool everywhere = host == "0.0.0.0" || host == "::";
    const bool is_here = name == host_of(host) || name == "localhost" || name == "127.0.0.1" ||
                         name == "::1" || (everywhere && is_address(name));
    if (name.empty() || !is_here) return false;
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
             [this](const auto& request, auto& response) { answer("run", "", request, response); });
    // Read here: the library reads no more than 8 KiB of what `curl -d` sends without a type.
    http.Post(R"(/api/([a-z]+))", [this](const auto& request, auto& response, const auto& read) {
      std::string body;
      const bool whole = read([&body](const char* part, std::size_t count) {
        body.append(part, count);
        return body.size() <= most_bytes;
      });
      if (body.size() > most_bytes) return refuse(response, 413, problem_text(request, 413));
      if (!whole) return;  // an error, which the library reports
      answer(request.matches[1], body, request, response);
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

  void answer(const std::string& what, const std::string& body, const httplib::Request& request,
              httplib::Response& response) {
    const int socket = socket_of(request);
    const ShouldStop abandoned = [this, socket] {
      return ends || (socket >= 0 && is_closed(socket));
    };
    try {
      response.set_content(service.answer(what, body, abandoned), "application/json");
    } catch (const Interrupted&) {  // most often, nobody waits for an answer
      refuse(response, 503, "the server ends");
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
  std::atomic<bool> ended = false;
  std::thread answering([this, &ended] {
    parts_->http.listen_after_bind();
    ended = true;
  });
  // The library forgets a stop that comes before it listens.
  while (!parts_->http.is_running() && !ended)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  while (!should_stop() && !ended)
    std::this_thread::sleep_for(poll_interval);
  parts_->ends = true;
  parts_->http.stop();
  answering.join();
}

}  // namespace heed
