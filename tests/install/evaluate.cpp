// Evaluates the run on lines of the built-in corpus: the loss and every metric.
#include <iostream>
#include <map>

#include <heed/heed.h>

int main() {
  const heed::Run run = heed::open_run("runs/copy");
  std::map<std::string, heed::FieldValue> figures;
  for (const heed::EvaluationFigure& figure :
       heed::evaluate(run, {.data = {"toy:copy"}, .lines = 50})) {
    std::cout << figure.name << ' ' << heed::to_text(figure.value) << '\n';
    figures[figure.name] = figure.value;
  }
  const double bleu = std::get<double>(figures.at("bleu"));
  const bool has_all = figures.contains("chrf") && figures.contains("rouge1");
  return std::get<heed::Index>(figures.at("lines")) == 50 && bleu >= 0 && bleu < 100 && has_all ? 0
                                                                                                : 1;
}
