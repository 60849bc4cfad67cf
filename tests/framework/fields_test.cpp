#include "framework/fields.h"

#include <cmath>

#include <gtest/gtest.h>

#include "framework/registry.h"
#include "tests/message_of.h"

namespace heed {
namespace {

enum class Colour { red, green };

struct Part {
  float rate = 0.1F;
  std::vector<std::string> names = {"a"};

  void list(Fields& f) {
    f("rate", rate, between(0.0, 1.0), "a share").absent(0.5);
    f("names", names, any_value(), "names").option("names", 1, 0);
  }
};

struct Options {
  Index d = 8;
  int layers = 2;
  bool tied = false;
  std::string kind = "adam";
  Colour colour = Colour::green;
  Part part;
  int changes = 0;

  void list(Fields& f) {
    f("d", d, even(2, 64), "width");
    f("layers", layers, between(Index{1}), "layers").resume(Resume::free).option("layers");
    f("tied", tied, any_value(), "whether weights are tied").without_effect_if(d < 4, "d");
    f("kind", kind, one_of({"adam", "sgd"}), "which").selects().then([this] { ++changes; });
    f("colour", colour, {{"red", Colour::red}, {"green", Colour::green}}, "the colour");
    f.section("part", part);
  }
  void check() const {
    if (layers > d) fail("layers are at most d");
  }
};

TEST(Fields, AreListedInOrderWithTheirSections) {
  Options o;
  const Fields fields = fields_of(o);
  EXPECT_EQ(fields.keys(), (std::vector<std::string>{"d", "layers", "tied", "kind", "colour",
                                                     "part.rate", "part.names"}));
  EXPECT_EQ(fields.find("none"), nullptr);
  EXPECT_TRUE(fields.find("layers")->value() == FieldValue(Index{2}));
  EXPECT_TRUE(fields.find("colour")->value() == FieldValue(std::string("green")));
  EXPECT_TRUE(fields.find("part.rate")->value() == FieldValue(0.1)) << "not 0.10000000149";
  EXPECT_EQ(fields.find("d")->resume(), Resume::fixed);
  EXPECT_EQ(fields.find("layers")->resume(), Resume::free);
  EXPECT_EQ(fields.find("layers")->option(), "layers");
  EXPECT_TRUE(*fields.find("part.rate")->absent() == FieldValue(0.5));
  EXPECT_EQ(fields.find("d")->absent(), nullptr);
}

TEST(Fields, SetWhatTheyReferTo) {
  Options o;
  const Fields fields = fields_of(o);
  fields.find("d")->set(Index{16});
  fields.find("layers")->set(Index{3});
  fields.find("colour")->set(std::string("red"));
  fields.find("part.rate")->set(Index{1});  // a whole number is a number too
  fields.find("kind")->set(std::string("sgd"));
  EXPECT_EQ(o.d, 16);
  EXPECT_EQ(o.layers, 3);
  EXPECT_EQ(o.colour, Colour::red);
  EXPECT_EQ(o.part.rate, 1.0F);
  EXPECT_EQ(o.changes, 1);
}

struct ParseRow {
  const char* key;
  const char* text;
  const char* message;  // "" where it parses
};

TEST(Fields, SayWhatTheyTake) {
  for (const ParseRow& row : std::vector<ParseRow>{
           {"d", "16", ""},
           {"d", "+16", ""},
           {"d", "3", "d: expected an even number from 2 to 64; got 3"},
           {"d", "66", "d: expected an even number from 2 to 64; got 66"},
           {"d", "1e1", "d: expected an even number from 2 to 64; got '1e1'"},
           {"d", "", "d: expected an even number from 2 to 64; got ''"},
           {"layers", "0", "layers: expected a whole number above 0; got 0"},
           {"layers", "99999999999999999999",
            "layers: expected a whole number from 1 to 9223372036854775807; got "
            "99999999999999999999"},
           {"tied", "yes", "tied: expected true or false; got 'yes'"},
           {"kind", "adm", "kind: expected one of adam, sgd; got 'adm'; did you mean adam?"},
           {"colour", "blue", "colour: expected one of red, green; got 'blue'"},
           {"part.rate", "nan", "part.rate: expected a number from 0 to 1; got 'nan'"},
           {"part.rate", "1.5", "part.rate: expected a number from 0 to 1; got 1.5"},
           {"part.rate", ".5", ""},
           {"part.names", "a,b", ""}}) {
    Options o;
    const Fields fields = fields_of(o);
    EXPECT_EQ(message_of([&] { fields.find(row.key)->parse(row.text); }), row.message) << row.key;
  }
  Options o;
  const Fields fields = fields_of(o);
  EXPECT_TRUE(fields.find("part.names")->parse("a,b c,") ==
              FieldValue(std::vector<std::string>{"a", "b c"}));
  EXPECT_EQ(message_of([&] { fields.find("tied")->set(Index{1}); }),
            "tied: expected true or false; got 1");
}

TEST(Fields, KnowWhatKeepsThemFromHavingAnEffect) {
  Options o;
  const Fields before = fields_of(o);
  EXPECT_EQ(before.find("tied")->without_effect_because(), "");
  o.d = 2;
  const Fields after = fields_of(o);
  EXPECT_EQ(after.find("tied")->without_effect_because(), "d");
}

TEST(Fields, AnyOptionsKeepTheirType) {
  AnyOptions any = Options{};
  AnyOptions copy = any;
  const Fields fields = fields_of(any);
  fields.find("layers")->set(Index{9});
  EXPECT_EQ(any.as<Options>().layers, 9);
  EXPECT_EQ(copy.as<Options>().layers, 2) << "a copy is its own";
  EXPECT_EQ(message_of([&] { any.check(); }), "layers are at most d");
  EXPECT_EQ(message_of([&] { copy.check(); }), "");
}

struct Row {
  std::string name;
  int value = 0;
};

TEST(Registry, FindsRowsByTheirNames) {
  Registry<Row> table("fruit", {{"apple", 1}, {"pear", 2}});
  const Row& apple = table.at("apple");
  for (int i = 0; i < 100; ++i)
    table.add({fmt::format("fruit {}", i), i});
  EXPECT_EQ(&apple, &table.at("apple")) << "references stay valid";
  EXPECT_EQ(table.find("plum"), nullptr);
  EXPECT_EQ(table.rows().size(), 102u);
  Registry<Row> small("fruit", {{"apple", 1}, {"pear", 2}});
  EXPECT_EQ(small.names(), (std::vector<std::string>{"apple", "pear"}));
  EXPECT_EQ(message_of([&] { small.at("aple"); }),
            "[fruit] expected a name of apple, pear; got 'aple'; did you mean apple?");
  EXPECT_EQ(message_of([&] {
              small.add({"pear", 3});
            }),
            "[fruit] there is one of the name pear already");
  EXPECT_EQ(message_of([&] { small.add({"", 3}); }), "[fruit] expected a name; got none");
}

}  // namespace
}  // namespace heed
