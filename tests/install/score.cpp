// Scores lines against references, and refuses an option that the metric lacks by its name.
#include <heed/heed.h>

int main() {
  const std::vector<std::string> outputs = {"the cat sat", "a dog ran"};
  const std::vector<std::string> references = {"the cat sat", "the dog ran"};
  if (heed::score("exact", outputs, {references}).at("score") != 0.5) return 1;  // 1 line of 2
  // Of the second line 2 words of 3 are found: F1 = 2/3. The mean with 1 is 5/6.
  const double rouge = heed::score("rouge", outputs, {references}).at("rouge1.fmeasure");
  if (rouge < 0.83333 || rouge > 0.83334) return 1;
  try {
    heed::score("bleu", outputs, {references}, {{"stem", true}});
  } catch (const heed::ArgumentError& error) {
    return error.value == "stem" ? 0 : 1;
  }
  return 1;
}
