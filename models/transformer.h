#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "framework/fields.h"
#include "layers/embedding.h"
#include "layers/recurrent.h"
#include "layers/transformer_layers.h"
#include "models/blocks.h"
#include "models/encoders.h"
#include "models/pointer.h"
#include "models/seq2seq.h"
#include "models/special_ids.h"

namespace heed {

/// What writes the target.
enum class DecoderKind : std::uint8_t { transformer, rnn };

struct TransformerOptions {
  Index vocabulary = 0;
  Index source_vocabulary = 0;  // 0: one vocabulary and one embedding for both sides
  Index d = 128;
  int layers = 3;          // of the encoder, and as many of the decoder
  int encoder_layers = 0;  // 0: as many as `layers`
  int decoder_layers = 0;  // the same
  int heads = 4;
  Index ff = 0;  // width of the feed-forward layers; 0: 4 d
  Real dropout = Real(0.1);
  NormPlace norm = NormPlace::pre;
  Index max_positions = 1024;  // of a source and of an output, where positions are learned
  Blocks blocks = {};
  bool copy = false;              // a pointer-generator: copies words that the vocabulary lacks
  Id unknown = SpecialIds{}.unk;  // what the embedding reads of such a word
  DecoderKind decoder = DecoderKind::transformer;
  CellKind cell = CellKind::lstm;                // of a recurrent decoder
  std::string decoder_attention = "multi_head";  // its own, to the encoder's output

  void list(Fields& f);
  int encoder_depth() const { return encoder_layers > 0 ? encoder_layers : layers; }
  int decoder_depth() const { return decoder_layers > 0 ? decoder_layers : layers; }
  void check() const;  // what several fields must satisfy together
};

/// The encoder-decoder of Vaswani et al. 2017.
/// - TransformerOptions::blocks choose its attention, how it tells positions apart (as in the paper
///   sinusoidal), and what its layers are made of.
/// - One matrix is source embedding (where both sides share a vocabulary), target embedding and,
///   where blocks.tied says so, output layer (section 3.4).
/// - A norm ends both stacks.
/// - It computes on packed rows, so padding costs nothing.
/// - With `copy`, a pointer-generator (See et al. 2017, section 2.2) reads the decoder's output;
///   models/pointer.h has its equations.
///
/// The constructor throws Error when
/// - the vocabulary is empty, there is no layer, or ff is negative;
/// - the heads cannot share d evenly, or d is odd and positions are sinusoidal;
/// - attention and positions do not go together (Blocks::check);
/// - `copy` is set with two vocabularies, or with softcap;
/// - the decoder is to be recurrent: RecurrentSeq2Seq has that one.
class Transformer : public Seq2Seq {
 public:
  Transformer(const TransformerOptions& options, Random& random);

  void visit(Visitor& visitor) override;
  Index vocabulary() const override { return options_.vocabulary; }
  VocabularyParameters vocabulary_parameters() const override;
  bool copies() const override { return options_.copy; }
  Index longest() const override { return encoder_.longest(); }
  Variable penalty() const override;
  Variable loss(const Sequences& sources, const Sequences& targets, const Ids& gold,
                const CrossEntropy& options) const override;
  Variable logits(const Sequences& sources, const Sequences& targets,
                  std::vector<AttentionMap>* attention = nullptr) const override;
  std::unique_ptr<const Decoder> decoder() const override;

  /// The encoder's output.
  Encoded encode(const Sequences& source) const;
  /// The decoder's output, (target rows, d). `attention`, where given, gets a map of each layer.
  Variable decode(const Sequences& target, const Encoded& source,
                  std::vector<AttentionMap>* attention = nullptr) const;

 private:
  class Packed;

  /// The ids that embeddings read.
  Ids known(const Ids& ids) const {
    return options_.copy ? known_ids(ids, options_.vocabulary, options_.unknown) : ids;
  }
  const Embedding& source_embedding() const {
    return source_embedding_ ? *source_embedding_ : embedding_;
  }
  /// The embeddings of a text, scaled, (rows, d).
  Variable embed(const Embedding& table, const Ids& ids) const;
  Variable embed_target(const Ids& ids, const Spans& spans, Index offset = 0) const;

  TransformerOptions options_;
  Embedding embedding_;
  std::optional<Embedding> source_embedding_;
  Dropout dropout_;
  TransformerEncoder encoder_;
  std::vector<DecoderLayer> decoder_;
  AddedPositions decoder_positions_;
  Norm decoder_norm_;
  OutputLayer output_;
  std::optional<Pointer> pointer_;
};

/// Those of the model that its encoder has. Throws Error where one of them is out of its range.
TransformerEncoderOptions encoder_options(const TransformerOptions& options);
/// The encoder of such a model alone: it reads rows, and no vocabulary. Throws Error where an
/// option that it reads is out of its range.
std::unique_ptr<Encoder> make_encoder(const TransformerOptions& options, Random& random);

}  // namespace heed
