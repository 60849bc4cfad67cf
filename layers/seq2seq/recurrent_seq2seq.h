#pragma once

#include <memory>
#include <optional>
#include <string>

#include "layers/attention/attention_layer.h"
#include "layers/embedding.h"
#include "layers/recurrent.h"
#include "layers/seq2seq/model.h"
#include "layers/seq2seq/pointer.h"

namespace heed {

struct RecurrentSeq2SeqOptions {
  Index vocabulary = 0;
  Index source_vocabulary = 0;  // 0: one vocabulary and one embedding for both sides
  Index d = 256;                // width of the embeddings
  Index hidden = 0;             // of the decoder; 0: d
  int layers = 1;               // of the encoder, and as many of the decoder
  CellKind cell = CellKind::lstm;
  std::string attention = {};  // a name make_attention() knows; empty: none
  int heads = 4;               // of attention that has them
  bool bidirectional = true;   // the encoder
  // of each of its directions; 0: what makes its output as wide as `hidden`
  Index encoder_hidden = 0;
  // h_0 = tanh(W [last forward; last backward] + b), c_0 = 0; else the encoder's final states as
  // they are
  bool bridge = true;
  Real dropout = Real(0.1);    // on embeddings and between layers
  Real recurrent_dropout = 0;  // on h_{t-1}, one mask a sequence
  // a pointer-generator: words the vocabulary lacks can be copied from the source
  bool copy = false;
  // weight of the coverage loss (See et al. 2017, equation 13); 0: no coverage
  Real coverage = 0;
  // the output layer is the embedding matrix where what it reads is as wide
  bool tied = true;

  bool operator==(const RecurrentSeq2SeqOptions&) const = default;
};

/// Recurrent encoder and decoder. One embedding serves source and target where the vocabulary is
/// joint. The decoder is one of
///  * no attention (Sutskever et al. 2014): it starts from the encoder's final states; logits from
///  its top state h_t;
///  * additive (Bahdanau et al. 2015): the context c_t of the query h_{t-1} is an input of the cell
///  beside y_t; logits from [h_t; c_t; y_t];
///  * every other (Luong et al. 2015, sections 3 and 3.3): the context of the query h_t gives a_t =
///  tanh(W [c_t; h_t]), from which come the
///    logits, and which is an input of the next step beside y_{t+1}.
/// With `copy`, attention that points (additive, dot, general, concat) makes it a pointer-generator
/// (See et al. 2017, section 2.2): its weights are the distribution copied from, and the gate reads
/// what the output layer reads. `coverage` (section 2.3), of additive attention, sums those weights
/// over the steps, lets the score see the sum, and in training adds coverage sum_i min(a_i, c_i) a
/// step.
class RecurrentSeq2Seq : public Seq2Seq {
 public:
  RecurrentSeq2Seq(const RecurrentSeq2SeqOptions& options, Random& random);
  RecurrentSeq2Seq(const RecurrentSeq2Seq& other);
  RecurrentSeq2Seq(RecurrentSeq2Seq&&) noexcept = default;
  RecurrentSeq2Seq& operator=(const RecurrentSeq2Seq& other);
  RecurrentSeq2Seq& operator=(RecurrentSeq2Seq&&) noexcept = default;

  void visit(Visitor& visitor) override;
  Index vocabulary() const override { return options_.vocabulary; }
  VocabularyParameters vocabulary_parameters() const override;
  bool copies() const override { return options_.copy; }
  Variable loss(const Batch& batch, const CrossEntropy& options) const override;
  Variable logits(const Batch& batch,
                  std::vector<AttentionMap>* attention = nullptr) const override;
  std::unique_ptr<DecoderState> start(const Sequences& source) const override;
  Tensor step(DecoderState& state, std::span<const Id> tokens) const override;

 private:
  enum class Feeding { nothing, context, attentional };
  /// What the encoder leaves to the decoder.
  struct Source {
    Memory memory;
    Spans spans;
    std::vector<CellState> states;  // the decoder's first, a layer each
  };
  struct Running {  // n outputs under way
    std::vector<CellState> states;
    Variable attentional;  // a_{t-1}, where that is fed
    // where there is coverage: the sum of the weights so far, as ops on pairs have them
    Variable covered;
  };
  /// What a decoder that attends has done over whole targets, in the order of time.
  struct Walk {
    Variable features;  // (target tokens, ...)
    Variable weights;   // of attention that points, (pairing.size())
    Variable repeated;  // the coverage loss, summed
    Pairing pairing;    // every target token by itself, and its source
  };
  RecurrentSeq2Seq(const RecurrentSeq2Seq& other, Random blank);
  Source read(const Sequences& source) const;
  Variable embed(const Embedding& table, const Ids& ids) const;
  /// The top states of a decoder without attention, over whole targets: (target rows, hidden).
  Variable run(const Variable& y, const Spans& spans, const Source& source) const;
  /// The next position of n outputs: from its embedding's share of the gates (n, gates hidden) what
  /// the output layer reads, but for y_t.
  Variable advance(const Variable& share, Running& running, const Source& source, const Spans& keys,
                   std::span<const Tensor> masks, const AttendOptions& attend) const;
  /// advance() over whole targets. `weights`, where asked for, gets each token's (heads, 1,
  /// source).
  Walk walk(const Variable& y, const TimeOrder& order, const Source& source,
            std::vector<Tensor>* weights) const;
  /// The gate of each row of what the output layer reads, (n).
  Variable open(const Variable& readout) const;
  /// Ids as the embeddings know them.
  Ids known(const Ids& ids) const {
    return options_.copy ? known_ids(ids, options_.vocabulary) : ids;
  }
  Variable readout_input(const Variable& features, const Variable& y) const;

  RecurrentSeq2SeqOptions options_;
  Feeding feeding_;
  Embedding embedding_;
  std::optional<Embedding> source_embedding_;
  Dropout dropout_;
  Recurrent encoder_;
  std::vector<Linear> bridge_;  // one for each layer of the decoder
  std::vector<RecurrentLayer> decoder_;
  std::unique_ptr<AttentionLayer> attention_;
  std::optional<Linear> feed_;     // the fed vector's share of the gates
  std::optional<Linear> combine_;  // W of a_t
  std::optional<Linear> gate_;     // of copying
  Parameter output_;
  Parameter output_bias_;
};

}  // namespace heed
