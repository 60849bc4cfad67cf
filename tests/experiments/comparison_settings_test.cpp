#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "experiments/comparison/internal/assignments.h"
#include "experiments/comparison/internal/matching.h"
#include "experiments/comparison/internal/settings_file.h"

namespace heed {
namespace {

using Json = nlohmann::ordered_json;

ComparisonSettings of_models(std::vector<std::string> models,
                             std::vector<std::string> assignments = {}) {
  return {.models = std::move(models), .data = {"toy:copy"}, .assignments = std::move(assignments)};
}

Index width(const Settings& s) { return s.value_or("model.d", Index{0}); }

TEST(ComparisonSettings, AreReadBackFromTheirFile) {
  const ComparisonSettings settings{.models = {"rnn", "conv"},
                                    .data = {"a", "b"},
                                    .assignments = {"model.d=4"},
                                    .match = "none",
                                    .time = "9s",
                                    .seeds = 4};
  const Json json = to_json(settings);
  EXPECT_EQ(json["train"], (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(json["set"], std::vector<std::string>{"model.d=4"});
  EXPECT_EQ(to_json(comparison_settings_from_json(json)), json);
  Json older = json;
  older.erase("exact_epochs");
  EXPECT_FALSE(comparison_settings_from_json(older).exact_epochs);
  older.erase("seeds");
  EXPECT_THROW(comparison_settings_from_json(older), Json::exception);
}

TEST(ComparisonSettings, MistakesAreNamedByTheirField) {
  struct Row {
    ComparisonSettings settings;
    std::string message;
  };
  const auto with = [](auto change) {
    ComparisonSettings settings = of_models({"rnn", "conv"});
    change(settings);
    return settings;
  };
  for (const Row& row : std::vector<Row>{
           {{.models = {"rnn"}},
            "train: nothing to train on; give files or a built-in corpus such as toy:translation"},
           {of_models({"rnn", "rnn"}),
            "models: rnn is named twice; give each a name of its own, as in a=rnn,b=rnn"},
           {of_models({"a=rnn", "a=conv"}),
            "models: a is named twice; give each a name of its own, as in a=conv,b=conv"},
           {of_models({"conv=rnn"}), "models: conv is a model, and cannot be the name of rnn"},
           {of_models({"../a=rnn"}),
            "models: '../a' is no name; expected 1 to 64 letters, digits, +, -, _ and ., with no . "
            "at its head"},
           {of_models({"=rnn"}),
            "models: '' is no name; expected 1 to 64 letters, digits, +, -, _ and ., with no . at "
            "its head"},
           {of_models({"a=rrn"}), "models: expected some of"},
           {of_models({"a=rnn", "b=rnn"}, {"rnn:model.d=4"}),
            "set rnn:model.d=4: rnn is not among the models"},
           {with([](auto& s) { s.match = "half"; }),
            "match: expected parameters, work, none or a number of parameters, at most 500000000; "
            "got 'half'"},
           {with([](auto& s) { s.seeds = 0; }),
            "seeds: expected a whole number from 1 to 1000; got 0"},
           {with([](auto& s) { s.time = "soon"; }),
            "time: expected a time such as 90s, 10m or 1.5h; got 'soon'"},
           {with([](auto& s) {
              s.time = "9s";
              s.steps = 3;
            }),
            "time, steps and epochs exclude each other; give one of them"},
           {of_models({"rnn", "conv"}, {"con:model.d=4"}),
            "set con:model.d=4: con is not among the models; did you mean conv?"},
           {of_models({"rnn"}, {"rnn:train.steps=3"}),
            "steps decides train.steps, which is the same for all models: give it instead of "
            "'rnn:train.steps=3'"},
           {of_models({"rnn"}, {"model.d"}),
            "set takes key=value or NAME:key=value; got 'model.d'"},
           {of_models({"rnn"}, {":model.d=4"}),
            "set :model.d=4: no model is named before the colon"}}) {
    try {
      check_comparison(row.settings);
      ADD_FAILURE() << row.message;
    } catch (const ComparisonError& error) {
      EXPECT_EQ(std::string(error.what()).substr(0, row.message.size()), row.message);
    }
  }
}

TEST(ComparisonSettings, VariantsOfOneModelHaveSettingsOfTheirOwn) {
  const auto models = compared_models(of_models({"pre=transformer", "post=transformer", "conv"},
                                                {"post:model.norm=post", "model.d=48"}));
  ASSERT_EQ(models.size(), 3u);
  EXPECT_EQ(models[0].name, "pre");
  EXPECT_EQ(models[1].name, "post");
  EXPECT_EQ(models[2].name, "conv");
  EXPECT_EQ(models[1].settings.model.name, "transformer");
  EXPECT_EQ(to_text(models[0].settings.value("model.norm")), "pre");
  EXPECT_EQ(to_text(models[1].settings.value("model.norm")), "post");
  for (const ComparedModel& model : models)
    EXPECT_EQ(width(model.settings), 48) << model.name;
}

TEST(ComparisonSettings, AssignmentsGoToTheModelsThatHaveTheSetting) {
  struct Row {
    std::vector<std::string> assignments;
    std::string key;
    std::string transformer;  // the value that it then has; "": it lacks the setting
    std::string conv;
  };
  for (const Row& row : std::vector<Row>{
           {{"model.kernel=5"}, "model.kernel", "", "5"},
           {{"model.heads=2"}, "model.heads", "2", ""},
           {{"model.d=48"}, "model.d", "48", "48"},
           {{"conv:model.d=48"}, "model.d", "128", "48"},
           {{"conv:model.d=48", "model.d=32"}, "model.d", "32", "48"},
           {{"model.d=32", "conv:model.d=48"}, "model.d", "32", "48"},
           {{"conv:optim.name=sgd", "optim.name=adamw"}, "optim.momentum", "", "0.9"},
           {{"optim.momentum=0.5", "optim.name=sgd"}, "optim.momentum", "0.5", "0.5"}}) {
    const auto models = compared_models(of_models({"transformer", "conv"}, row.assignments));
    const auto text = [&](const ComparedModel& m) {
      return m.settings.has(row.key) ? to_text(m.settings.value(row.key)) : "";
    };
    EXPECT_EQ(text(models[0]), row.transformer) << row.key;
    EXPECT_EQ(text(models[1]), row.conv) << row.key;
  }
}

TEST(ComparisonSettings, AssignmentsThatNoModelTakesAreErrors) {
  struct Row {
    std::string assignment;
    std::string message;  // its beginning
  };
  for (const Row& row : std::vector<Row>{
           {"transformer:model.kernel=5",
            "set transformer:model.kernel=5: transformer has no setting model.kernel: it is for "
            "conv"},
           {"model.cell=lstm",
            "set model.cell=lstm: transformer has no setting model.cell: it is for rnn"},
           {"model.e=3", "set model.e=3: unknown setting 'model.e'; did you mean 'model."},
           {"model.d=some",
            "set model.d=some: expected an even number from 2 to 1048576; got 'some'"}}) {
    try {
      compared_models(of_models({"transformer", "conv"}, {row.assignment}));
      ADD_FAILURE() << row.message;
    } catch (const ComparisonError& error) {
      EXPECT_EQ(std::string(error.what()).substr(0, row.message.size()), row.message);
    }
  }
}

TEST(ComparisonSettings, WarnsOfAssignmentsWithoutEffect) {
  struct Row {
    std::vector<std::string> assignments;
    std::vector<std::string> said;
  };
  for (const Row& row :
       std::vector<Row>{{{"model.kernel=5"}, {}},
                        {{"data.min_count=3"}, {}},
                        {{"data.tokenizer=bpe", "data.min_count=3"},
                         {"set data.min_count=3: data.min_count = 3 has no effect with "
                          "data.tokenizer = 'bpe'"}},
                        {{"conv:data.valid_fraction=0.2"},
                         {"set conv:data.valid_fraction=0.2: data.valid_fraction = 0.2 has no "
                          "effect with data.train = ['toy:copy']"}}}) {
    const ComparisonSettings settings = of_models({"transformer", "conv"}, row.assignments);
    EXPECT_EQ(unused_assignments(settings, compared_models(settings)), row.said);
  }
}

TEST(ComparisonSettings, ModelsMustReadTheSameBatches) {
  for (const char* key : {"data.min_count", "decode.beam"}) {
    const std::string assignment = fmt::format("conv:{}=7", key);
    const auto models = compared_models(of_models({"rnn", "conv"}, {assignment}));
    try {
      check_alike(models);
      ADD_FAILURE() << key;
    } catch (const ComparisonError& error) {
      EXPECT_NE(std::string(error.what()).find(fmt::format("{} differs between rnn and conv", key)),
                std::string::npos)
          << error.what();
    }
  }
}

TEST(ComparisonSettings, MatchesSizes) {
  ComparisonSettings settings = of_models({"transformer", "rnn"}, {"model.d=128", "model.heads=4"});
  const auto count = [](const Settings& s) {
    return s.model.name == "rnn" ? 50 * width(s) : width(s) * width(s) + 7;
  };
  struct Row {
    std::string match;
    Index first;
    Index second;
  };
  // The larger model has 16,391 parameters with its width of 128. 50 d is nearest to that at d =
  // 328 (16,400). Widths are multiples of four heads, or of two.
  for (const Row& row : std::vector<Row>{{"none", 128, 128},
                                         {"parameters", 128, 328},
                                         {"largest", 128, 328},
                                         {"work", 128, 328},
                                         {"10000", 100, 200},
                                         {"1000", 32, 20}}) {
    settings.match = row.match;
    std::vector<ComparedModel> models = compared_models(settings);
    match_sizes(settings, models, count);
    EXPECT_EQ(width(models[0].settings), row.first) << row.match;
    EXPECT_EQ(width(models[1].settings), row.second) << row.match;
  }
  settings.match = "290";
  std::vector<ComparedModel> models =
      compared_models(of_models({"transformer"}, {"model.heads=4"}));
  const auto linear = [](const Settings& s) { return 50 * width(s); };  // 200 or 400
  EXPECT_EQ(match_sizes(settings, models, linear),
            std::vector<std::string>{"transformer has 200 parameters, -31.0 % of the 290 wanted: "
                                     "model.d = 4 is the nearest of its widths"});
  EXPECT_EQ(width(models[0].settings), 4);
  settings.match = "work";
  models = compared_models(of_models({"transformer", "rnn"}, {"model.d=4", "model.heads=2"}));
  const auto steep = [](const Settings& s) {  // 1.2 or 4.8 Gflop, as against 3.1
    return s.model.name == "rnn" ? width(s) * width(s) * 75'000'000 : Index{3'100'000'000};
  };
  EXPECT_EQ(match_sizes(settings, models, steep),
            std::vector<std::string>{"rnn has 4.8 Gflop a step, +54.8 % of the 3.1 Gflop a step "
                                     "wanted: model.d = 8 is the nearest of its widths"});
}

TEST(ComparisonSettings, LowersTheLengthToWhatEveryModelTakes) {
  struct Row {
    Index max_length;
    std::string positions;
    Index expected;
    std::vector<std::string> said;
  };
  for (const Row& row : std::vector<Row>{
           {512, "1024", 512, {}},
           {0,
            "1024",
            1023,
            {"data.max_length = 1023 for all models: conv takes no more with model.positions = "
             "1024"}},
           {10,
            "10",
            9,
            {"data.max_length = 9 for all models: conv takes no more with model.positions = 10"}},
           {9, "10", 9, {}}}) {
    std::vector<ComparedModel> models{{"transformer", default_settings("transformer")},
                                      {"conv", default_settings("conv")}};
    models[1].settings.set("model.positions", row.positions);
    for (ComparedModel& m : models)
      m.settings.data.max_length = row.max_length;
    EXPECT_EQ(match_lengths(models), row.said);
    for (const ComparedModel& m : models)
      EXPECT_EQ(m.settings.data.max_length, row.expected);
  }
  std::vector<ComparedModel> others{{"transformer", default_settings("transformer")},
                                    {"rnn", default_settings("rnn")}};
  EXPECT_TRUE(match_lengths(others).empty());
}

}  // namespace
}  // namespace heed
