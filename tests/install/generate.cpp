// Trains a language model on a text of two words, and draws text from it piece by piece.
#include <heed/heed.h>

int main() {
  std::string text;
  for (int i = 0; i < 400; ++i)
    text += "tick tock\n";
  heed::replace_file("clock.txt", text);
  heed::Settings settings = heed::default_settings("lm", {"clock.txt"});
  for (const auto& [key, value] :
       {std::pair("model.d", "32"), {"model.layers", "1"}, {"train.steps", "60"}})
    settings.set(key, value);
  heed::Training(settings, "runs/clock").run();

  const heed::Run run = heed::open_run("runs/clock");
  std::string heard;
  const std::string drawn = heed::generate_text(run, "tick tock\ntick", {.count = 30},
                                                [&](std::string_view piece) { heard += piece; });
  return drawn == heard && drawn.find("tock") != std::string::npos ? 0 : 1;
}
