// Writes the weights of a run for other programs, makes a run of them again, and translates alike.
#include <heed/heed.h>

int main() {
  const heed::Exported exported = heed::export_run("runs/copy", "copy.safetensors");
  const heed::Imported imported = heed::import_run("copy.safetensors", "runs/again");
  const heed::Run run = heed::open_run("runs/copy");
  if (exported.parameters != static_cast<std::size_t>(heed::parameter_count(*run.model))) return 1;
  if (imported.tensors != exported.tensors) return 1;
  const heed::Run again = heed::open_run("runs/again");
  return again.translate("a b c").text == run.translate("a b c").text ? 0 : 1;
}
