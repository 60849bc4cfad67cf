// A page of pictures of attention, and a page with a chart. Neither loads another file.
#include <heed/heed.h>

int main() {
  const heed::Run run = heed::open_run("runs/copy");
  heed::report::AttentionWriter pictures("attention.html");
  for (const char* line : {"a b c", "d e f g"})
    pictures.add(run.attention(line));
  pictures.close();

  heed::report::Page page("A run");
  page.figure(
      heed::report::line_chart({.title = "Validation",
                                .x_label = "step",
                                .y_label = "loss",
                                .series = {{.name = "copy", .xs = {20, 40}, .ys = {3, 2}}}}));
  page.write("run.html");
  for (const char* name : {"attention.html", "run.html"}) {
    const std::string text = heed::read_file(name, 1 << 24);
    if (text.find("<svg") == std::string::npos) return 1;
    if (text.find("src=") != std::string::npos || text.find("href=") != std::string::npos) return 1;
  }
  return 0;
}
