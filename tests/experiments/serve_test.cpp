// What `heed serve` answers: in JSON without a network, and over one.

#include <atomic>
#include <cmath>
#include <thread>

#include <gtest/gtest.h>
#include <httplib.h>
#include <nlohmann/json.hpp>

#include "experiments/inference/target_scores.h"
#include "experiments/serve/internal/work_queue.h"
#include "experiments/serve/server.h"
#include "tests/experiments/browser.h"
#include "tests/message_of.h"
#include "tests/text_files.h"

namespace heed {
namespace {

using Json = nlohmann::ordered_json;

std::string kept(const std::string& name) { return HEED_SOURCE_DIR "/tests/data/kept/" + name; }

std::vector<heed::Run> runs(const std::vector<std::string>& names) {
  std::vector<heed::Run> opened;
  for (const std::string& name : names)
    opened.push_back(open_run(kept(name)));
  return opened;
}

std::vector<std::string> some_lines() {
  std::vector<std::string> lines = lines_of(read_file(kept("train.src")));
  lines.resize(6);
  return lines;
}

TEST(Service, AnswersWhatTheLibraryComputes) {
  const heed::Run run = open_run(kept("transformer"));
  Service service(runs({"transformer"}));
  const std::vector<std::string> lines = some_lines();
  const std::vector<Translation> expected = run.translate(lines);
  const Json request{{"lines", lines}};
  const Json translated = Json::parse(service.answer("translate", request.dump()));
  ASSERT_EQ(translated["results"].size(), lines.size());
  std::vector<std::string> outputs;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Json& best = translated["results"][i].at(0);
    EXPECT_EQ(best["text"], expected[i].text);
    EXPECT_EQ(best["log_probability"].get<double>(), expected[i].log_probability);
    outputs.push_back(expected[i].text);
  }
  const Json scored =
      Json::parse(service.answer("score", Json{{"lines", lines}, {"targets", outputs}}.dump()));
  const TargetScores scores = target_scores(run, lines, outputs);
  for (std::size_t i = 0; i < lines.size(); ++i)
    EXPECT_EQ(scored["scores"][i]["log_probability"].get<double>(),
              scores.scores[i].log_probability);
  const Json tokens = Json::parse(service.answer("tokenize", request.dump()));
  EXPECT_EQ(tokens["tokens"][0].get<std::vector<std::string>>(),
            run.tokenizers.source->tokens(lines[0]));
}

TEST(Service, ShowsWhatAnOutputAttendedTo) {
  Service service(runs({"rnn-additive"}));
  const std::string line = some_lines()[0];
  const Json found = Json::parse(
      service.answer("attention", Json{{"line", line}, {"beam", 3}, {"nbest", 2}}.dump()));
  ASSERT_EQ(found["outputs"].size(), 2u);
  for (const Json& output : found["outputs"]) {
    EXPECT_EQ(output["target"].size(), output["tokens"]);
    EXPECT_EQ(output["confidence"].size(), output["tokens"]);
    double nats = 0;
    for (const Json& token : output["confidence"])
      nats += std::log(token["probability"].get<double>());
    EXPECT_NEAR(nats, output["log_probability"].get<double>(), 1e-3);
    for (const Json& row : output["layers"].at(0)["heads"].at(0)) {
      ASSERT_EQ(row.size(), output["source"].size());
      double sum = 0;
      for (const Json& weight : row)
        sum += weight.get<double>();
      EXPECT_NEAR(sum, 1, 1e-4);
    }
  }
}

TEST(Service, SaysWhatIsWrong) {
  Service service(runs({"transformer", "lm-words"}),
                  {.lines = 2, .bytes = 30, .decoding = 200, .weights = 20});
  struct Row {
    std::string what;
    std::string request;
    std::string message;
  };
  const std::vector<Row> rows = {
      {"translat", "{}", "did you mean translate"},
      {"translate", "[1]", "expected a JSON object"},
      {"translate", "{", "expected JSON in UTF-8"},
      {"translate", "{\"lines\": [\"\xff\"]}", "expected JSON in UTF-8"},
      {"translate", R"({"lines": ["a"], "bean": 2})",
       "there is no field 'bean'; did you mean beam?"},
      {"translate", "{}", "lines: expected a list of texts"},
      {"translate", R"({"lines": "x"})", "lines: expected a list of texts"},
      {"translate", R"({"lines": [1]})", "lines: expected a list of texts"},
      {"translate", R"({"lines": ["a", "b", "c"]})", "at most 2 texts; got 3"},
      {"translate", R"({"lines": ["0123456789012345678901234567890"]})", "at most 30 are read"},
      {"translate", R"({"lines": ["012345678901234567890123456789"], "beam": 7})",
       "30 bytes with a beam of 7 take too long"},
      {"attention", R"({"line": "red dog blue bird green", "beam": 2})", "more than 20 weights"},
      {"translate", R"({"lines": ["a"], "beam": 0})", "beam: expected a whole number from 1 to 64"},
      {"translate", R"({"lines": ["a"], "beam": 1.5})", "beam: expected a whole number"},
      {"translate", R"({"lines": ["a"], "beam": 2, "nbest": 3})", "nbest: expected"},
      {"translate", R"({"lines": ["a"], "run": 2})", "run: expected a whole number from 0 to 1"},
      {"translate", R"({"lines": ["a"], "run": 1})", "does not translate: its task is lm"},
      {"score", R"({"lines": ["a"], "targets": []})", "targets: expected 1 texts; got 0"},
      {"predict", R"({"lines": ["a"]})", "gives no labels"},
      {"generate", R"({"prompt": "a"})", "continues no text"},
      {"generate", R"({"run": 1})", "prompt: expected a text"},
      {"generate", R"({"run": 1, "prompt": "a", "tokens": 100000})", "tokens: expected"},
  };
  for (const Row& row : rows)
    EXPECT_NE(message_of([&] { service.answer(row.what, row.request); }).find(row.message),
              std::string::npos)
        << row.what << row.request << ": "
        << message_of([&] { service.answer(row.what, row.request); });
  EXPECT_EQ(Json::parse(service.answer("translate", R"({"lines": []})"))["results"].size(), 0u);
  EXPECT_EQ(Json::parse(service.answer("translate", R"({"lines": [""]})"))["results"][0].size(),
            0u);
  const Json text =
      Json::parse(service.answer("generate", R"({"run": 1, "prompt": "a", "tokens": 5})"));
  EXPECT_FALSE(text["text"].get<std::string>().empty());
}

TEST(WorkQueue, DropsWhatIsAbandonedAndRefusesTooMuch) {
  std::atomic<bool> begun = false;
  std::atomic<bool> blocked = true;
  std::atomic<int> done = 0;
  WorkQueue queue(1);
  std::thread first([&] {
    queue.run([&] {
      begun = true;
      while (blocked)
        std::this_thread::yield();
      ++done;
    });
  });
  while (!begun)
    std::this_thread::yield();
  EXPECT_THROW(queue.run([&] { ++done; }, [] { return true; }), Interrupted);
  // While this one waits, there is no place for another.
  std::atomic<bool> asked = false;
  std::thread second([&] {
    queue.run([&] { ++done; },
              [&] {
                asked = true;
                return false;
              });
  });
  while (!asked)
    std::this_thread::yield();
  EXPECT_THROW(queue.run([&] { ++done; }), QueueFull);
  blocked = false;
  first.join();
  second.join();
  EXPECT_EQ(done, 2);
  EXPECT_NE(message_of([&] { queue.run([] { fail("as expected"); }); }).find("as expected"),
            std::string::npos);
}

TEST(WorkQueue, GivesEachItsOwnOutputs) {
  const heed::Run run = open_run(kept("transformer"));
  const std::vector<std::string> lines = some_lines();
  const std::vector<Translation> expected = run.translate(lines);
  WorkQueue queue(100);
  std::vector<std::thread> clients;
  std::atomic<int> right = 0;
  constexpr int count = 24;
  for (int client = 0; client < count; ++client)
    clients.emplace_back([&, client] {
      const auto i = static_cast<std::size_t>(client) % lines.size();
      DecodeOptions options = run.decode_options();
      options.beam = client % 2 == 0 ? options.beam : 1;
      const auto found = queue.translate(run, {lines[i], lines[0]}, options);
      const bool both = found.size() == 2 && found[0].size() == 1 && found[1].size() == 1;
      right += both && (options.beam == 1 || (found[0][0].text == expected[i].text &&
                                              found[1][0].text == expected[0].text));
    });
  for (std::thread& client : clients)
    client.join();
  EXPECT_EQ(right, count);
}

/// A server on a free port, as long as the object exists.
class Serving {
 public:
  explicit Serving(std::vector<heed::Run> of, const std::string& host = "127.0.0.1")
      : server_(std::move(of), {.host = host, .port = 0}),
        thread_([this] { server_.run([this] { return stopped_.load(); }); }) {}
  ~Serving() {
    stopped_ = true;
    thread_.join();
  }
  httplib::Client client() const { return httplib::Client("127.0.0.1", server_.port()); }
  int port() const { return server_.port(); }

 private:
  Server server_;
  std::atomic<bool> stopped_ = false;
  std::thread thread_;
};

TEST(Server, AnswersThisMachineAlone) {
  const Serving serving(runs({"transformer"}));
  struct Row {
    const char* path;
    httplib::Headers headers;
    int status;
  };
  const std::string port = fmt::format(":{}", serving.port());
  const std::vector<Row> rows = {
      {"/", {}, 200},
      {"/page.js", {}, 200},
      {"/page.css", {}, 200},
      {"/api/run", {}, 200},
      {"/api/run", {{"Host", "localhost" + port}}, 200},
      {"/api/run", {{"Host", "[::1]" + port}}, 200},
      {"/api/run", {{"Host", "localhost" + port}, {"Origin", "http://localhost" + port}}, 200},
      {"/api/run", {{"Host", "evil.example"}}, 403},
      {"/", {{"Host", "evil.example" + port}}, 403},
      {"/api/run", {{"Host", "localhost" + port}, {"Origin", "http://evil.example"}}, 403},
      {"/api/run", {{"Host", "localhost" + port}, {"Origin", "null"}}, 403},
      {"/api/run", {{"Host", ""}}, 403},
      {"/config.toml", {}, 404},
      {"/../config.toml", {}, 404},
      {"/%2e%2e/config.toml", {}, 404},
      {"//etc/passwd", {}, 404},
  };
  for (const Row& row : rows) {
    const auto answer = serving.client().Get(row.path, row.headers);
    ASSERT_TRUE(answer) << row.path;
    EXPECT_EQ(answer->status, row.status) << row.path << " " << answer->body;
    EXPECT_NE(answer->get_header_value("Content-Security-Policy").find("default-src 'none'"),
              std::string::npos);
    if (answer->status == 200) continue;
    EXPECT_TRUE(Json::parse(answer->body).contains("error")) << row.path;
  }
}

TEST(Server, OfTheWholeNetworkIsAskedByItsAddress) {
  struct Row {
    const char* host;
    const char* asked;
    int status;
  };
  const std::vector<Row> rows = {
      {"127.0.0.1", "192.0.2.2", 403},
      {"0.0.0.0", "192.0.2.2", 200},
      {"0.0.0.0", "[2001:db8::2]", 200},
      {"0.0.0.0", "LOCALHOST", 200},
      {"0.0.0.0", "evil.example", 403},
      {"0.0.0.0", "192.0.2.2.evil.example", 403},
      {"0.0.0.0", "", 403},
  };
  for (const Row& row : rows) {
    const Serving serving(runs({"transformer"}), row.host);
    const std::string host = fmt::format("{}:{}", row.asked, serving.port());
    const auto answer = serving.client().Get("/api/run", {{"Host", host}});
    ASSERT_TRUE(answer) << row.host << " " << row.asked;
    EXPECT_EQ(answer->status, row.status) << row.host << " " << row.asked;
  }
}

TEST(Server, EndsWhenItIsToldToBeforeItHasBegun) {
  for (int i = 0; i < 10; ++i)
    Server(runs({"transformer"}), {.port = 0}).run([] { return true; });
}

TEST(Server, AnswersManyClientsAtOnce) {
  const heed::Run run = open_run(kept("transformer"));
  const Serving serving(runs({"transformer"}));
  const std::vector<std::string> lines = some_lines();
  const std::vector<Translation> expected = run.translate(lines);
  std::vector<std::thread> clients;
  std::atomic<int> right = 0;
  constexpr int count = 200;
  for (int i = 0; i < count; ++i)
    clients.emplace_back([&, i] {
      httplib::Client client = serving.client();
      client.set_read_timeout(60);
      const auto k = static_cast<std::size_t>(i) % lines.size();
      const auto answer =
          client.Post("/api/translate", Json{{"lines", {lines[k]}}}.dump(), "application/json");
      if (!answer || answer->status != 200) return;
      right += Json::parse(answer->body)["results"][0][0]["text"] == expected[k].text;
    });
  for (std::thread& client : clients)
    client.join();
  EXPECT_EQ(right, count);
}

TEST(Server, RefusesWhatItCannotAnswer) {
  const Serving serving(runs({"transformer"}));
  httplib::Client client = serving.client();
  const std::string large(2u << 20, 'x');
  const Json long_line{{"lines", {std::string(15'000, 'x')}}};
  const std::vector<std::pair<std::string, int>> rows = {
      {"{}", 400}, {large, 413}, {"", 400}, {long_line.dump(), 200}};
  // curl -d sends the second type.
  for (const char* type : {"application/json", "application/x-www-form-urlencoded"})
    for (const auto& [body, status] : rows) {
      const auto answer = client.Post("/api/tokenize", body, type);
      ASSERT_TRUE(answer) << type << " " << status;
      EXPECT_EQ(answer->status, status) << type << " " << answer->body.substr(0, 200);
      EXPECT_EQ(Json::parse(answer->body).contains("error"), status != 200);
    }
  EXPECT_NE(
      message_of([&] { Server(runs({"rnn"}), {.port = serving.port()}); }).find("cannot listen"),
      std::string::npos);
}

TEST(Server, ShowsAPage) {
  NEEDS_BROWSER;
  const heed::Run run = open_run(kept("transformer"));
  const Serving serving(runs({"transformer", "rnn-additive"}));
  const TemporaryFolder folder;
  std::string line = some_lines()[0];
  std::string address = fmt::format("http://127.0.0.1:{}/?line=", serving.port());
  for (const char byte : line)
    address += fmt::format("%{:02x}", static_cast<unsigned char>(byte));
  const std::string dom = open_address(folder, "page", address).dom;
  for (const char* part : {"<title>Heed: transformer, rnn", "second best", "1: transformer",
                           "2: rnn", "class=\"token\"", "decoder.0.cross, head 1", "<rect "})
    EXPECT_NE(dom.find(part), std::string::npos) << part << " in " << dom;
  for (const std::string& token : run.tokenizers.source->tokens(line))
    EXPECT_NE(dom.find("<bdi>" + token + "</bdi>"), std::string::npos) << token;
}

}  // namespace
}  // namespace heed
