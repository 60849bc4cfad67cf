// Linked to Heed::inference alone. Opens a run from its folder and from memory, and translates with
// both alike. run.cmake checks that the program holds no training.
#include <iostream>

#include <heed/experiments/inference/run.h>
#include <heed/framework/files.h>

int main() {
  heed::RunFiles memory;
  for (const char* name : {"config.toml", "tokenizer.json", "checkpoints/best.heed"})
    memory.files[name] = heed::read_file(std::string("runs/copy/") + name, 1 << 24);
  const heed::Run from_folder = heed::open_run("runs/copy");
  const heed::Run from_memory = heed::open_run(memory);
  for (const char* line : {"a b c d e", "z y x", "m"}) {
    const heed::Translation one = from_folder.translate(line);
    const heed::Translation other = from_memory.translate(line);
    std::cout << line << " -> " << one.text << '\n';
    if (one.text.empty() || one.text != other.text) return 1;
    if (one.log_probability != other.log_probability) return 1;
  }
}
