#include "models/decoder.h"

#include "framework/error.h"

namespace heed {

std::unique_ptr<const Decoder> Model::decoder() const {
  fail("[decoder] this model writes no tokens");
}

std::unique_ptr<DecoderState> Decoder::start(const Encoded& /*encoded*/) const {
  fail("[start] this decoder reads ids alone, and no encoder's rows");
}

}  // namespace heed
