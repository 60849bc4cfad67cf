#pragma once

#include <memory>
#include <optional>
#include <string>

#include "framework/fields.h"
#include "layers/attention/attention_layer.h"
#include "layers/embedding.h"
#include "layers/recurrent.h"
#include "models/encoders.h"
#include "models/pointer.h"
#include "models/seq2seq.h"
#include "models/special_ids.h"

namespace heed {

struct RecurrentSeq2SeqOptions {
  Index vocabulary = 0;
  Index source_vocabulary = 0;  // 0: one vocabulary and one embedding for both sides
  Index d = 128;                // width of the embeddings
  Index hidden = 0;             // width of the decoder; 0: d
  int layers = 1;               // of the encoder, and as many of the decoder
  int encoder_layers = 0;       // 0: as many as `layers`
  int decoder_layers = 0;       // the same
  CellKind cell = CellKind::lstm;
  std::string attention = {};  // one of attentions(); empty: none
  int heads = 4;               // of an attention with heads
  bool bidirectional = true;   // the encoder
  // width of each direction of the encoder; 0: such that its output is as wide as `hidden`
  Index encoder_hidden = 0;
  // true: h_0 = tanh(W [last forward; last backward] + b) and c_0 = 0. A layer of the decoder takes
  // the states of the encoder's layer of the same height; where the depths differ, those of its top
  // layer
  // false: the decoder starts from the encoder's final states
  bool bridge = true;
  Real dropout = Real(0.1);       // on embeddings and between layers
  Real recurrent_dropout = 0;     // on h_{t-1}, one mask a sequence
  bool copy = false;              // a pointer-generator: copies words that the vocabulary lacks
  Id unknown = SpecialIds{}.unk;  // what the embedding reads of such a word
  // weight of the coverage loss (See et al. 2017, equation 13); 0: no coverage
  Real coverage = 0;
  // the output layer is the embedding matrix, where the features it reads have width d
  bool tied = true;
  // What reads the source in place of a recurrent encoder. Not a setting of the family
  std::optional<TransformerEncoderOptions> transformer = {};

  bool operator==(const RecurrentSeq2SeqOptions&) const = default;
  /// Lists what the attention allows: heads, copying, coverage.
  void list(Fields& f);
  int encoder_depth() const { return encoder_layers > 0 ? encoder_layers : layers; }
  int decoder_depth() const { return decoder_layers > 0 ? decoder_layers : layers; }
};

/// Recurrent encoder and decoder. One embedding serves source and target where they share a
/// vocabulary. y_t: the embedding of the t-th token; h_t: the decoder's top state; c_t: the
/// context, what attention gives.
///
/// | attention | query | inputs of the cell | logits from | source |
/// |---|---|---|---|---|
/// | none | | y_t | h_t | Sutskever et al. 2014 |
/// | additive | h_{t-1} | y_t, c_t | [h_t; c_t; y_t] | Bahdanau et al. 2015 |
/// | any other | h_t | y_t, a_{t-1} | a_t = tanh(W [c_t; h_t]) | Luong et al. 2015 |
///
/// The last row follows sections 3 and 3.3 of its paper.
///
/// With `copy`, an attention that points (additive, dot, general, concat) makes a pointer-generator
/// (See et al. 2017, section 2.2). Its weights are the distribution that words are copied from. Its
/// gate reads what the output layer reads.
///
/// `coverage` (section 2.3) needs additive attention. Coverage c_i is the sum of the weights of
/// source token i over the steps before. The score reads it, and in training each step adds
/// coverage * sum_i min(a_i, c_i) to the loss.
///
/// With `transformer` the encoder is that of a Transformer (as Chen et al. 2018 join the two). It
/// has no final states: the mean of its rows takes their place (Sennrich et al. 2017, section 2).
///
/// The constructor throws Error when
/// - the vocabulary is empty, there is no layer, or `hidden` is odd and two directions
///   are to share it;
/// - `transformer` is not as wide as the embeddings, or there is no bridge after it;
/// - there is no bridge and encoder and decoder differ in width or depth;
/// - make_attention() refuses the attention;
/// - `copy` is set without an attention that points, or with two vocabularies;
/// - `coverage` is set without additive attention.
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
  Index longest() const override { return encoder_->longest(); }
  Variable penalty() const override { return encoder_->penalty(); }
  Variable loss(const Sequences& sources, const Sequences& targets, const Ids& gold,
                const CrossEntropy& options) const override;
  Variable logits(const Sequences& sources, const Sequences& targets,
                  std::vector<AttentionMap>* attention = nullptr) const override;
  std::unique_ptr<const Decoder> decoder() const override;

  Encoded encode(const Sequences& source) const;

 private:
  class Steps;
  /// Which vector is an input of the cell besides y_t.
  enum class Feeding { nothing, context, attentional };
  static Feeding feeding_of(const std::string& attention);

  /// What the decoder makes of the encoder's output.
  struct Source {
    Memory memory;
    Spans spans;
    std::vector<CellState> states;  // the decoder's first, one a layer
  };
  /// What the decoder remembers of n outputs from step to step.
  struct StepState {
    std::vector<CellState> states;  // one a layer
    Variable attentional;           // a_{t-1} (n, hidden), where it is an input
    Variable covered;  // with coverage: the sum of the weights so far, (pairing.size())
  };
  /// What each step over whole targets gave.
  struct TargetSteps {
    std::vector<Operand> features;
    std::vector<Operand> weights;  // of attention that points
    std::vector<Operand> coverage_losses;
    std::vector<Index> sources;  // of each token
  };
  /// What a decoder that attends gives for whole targets, in the order of time.
  struct Decoded {
    Variable features;       // (target tokens, ...)
    Variable weights;        // of attention that points, (pairing.size())
    Variable coverage_loss;  // summed
    Pairing pairing;         // each target token by itself, and its source
  };
  RecurrentSeq2Seq(const RecurrentSeq2Seq& other, Random blank);
  void make_decoder(Random& random);
  void make_decoder_attention(Random& random);
  void check_copying() const;

  Source prepared(const Encoded& encoded) const;
  std::vector<CellState> first_states(const Encoded& encoded) const;
  /// Of each layer of the encoder; of one without states one, the mean of its rows.
  std::vector<CellState> final_states(const Encoded& encoded) const;
  /// The embeddings of ids, scaled, (ids, d).
  Variable rows_of(const Embedding& table, const Ids& ids) const;
  /// The same of the target, as the decoder reads them.
  Variable embed(const Ids& ids) const { return dropout_(rows_of(embedding_, ids)); }
  /// The top states of a decoder without attention, over whole targets: (target rows, hidden).
  Variable decode_without_attention(const Variable& y, const Spans& spans,
                                    const Source& source) const;
  /// The next position of n outputs. Reads what y_t adds to the sums of the gates, (n, gates
  /// hidden). Returns what the output layer reads, without y_t.
  Variable decode_step(const Variable& input_sums, StepState& state, const Source& source,
                       const Spans& keys, std::span<const Tensor> masks,
                       const AttendOptions& attend) const;
  void step_layers(const Variable& sums, StepState& state, std::span<const Tensor> masks) const;
  /// The state before the first step over whole targets. `masks` gets those of the recurrent
  /// dropout, one a layer: (sequences, hidden); none where nothing drops.
  StepState start_targets(const Source& source, std::span<const Index> sequences,
                          std::vector<Tensor>& masks) const;
  /// decode_step() over whole targets. `weights`, where given, gets for each token (heads, 1,
  /// source).
  Decoded decode_targets(const Variable& y, const TimeOrder& order, const Source& source,
                         std::vector<Tensor>* weights) const;
  /// Keeps the first n outputs, whose sources have that many tokens.
  static void keep_first(StepState& state, Index n, Index source_tokens);
  Decoded joined(const TargetSteps& steps, const Spans& sources) const;
  /// The gate of copying for each row of what the output layer reads, (n).
  Variable copy_gate(const Variable& readout) const;
  /// The ids that embeddings read.
  Ids known(const Ids& ids) const {
    return options_.copy ? known_ids(ids, options_.vocabulary, options_.unknown) : ids;
  }
  Variable readout_input(const Variable& features, const Variable& y) const;
  Variable answer_loss(const Decoded& decoded, const Variable& readout, const Ids& source,
                       const Ids& gold, const CrossEntropy& options) const;

  RecurrentSeq2SeqOptions options_;
  Feeding feeding_;
  Embedding embedding_;
  std::optional<Embedding> source_embedding_;
  Dropout dropout_;
  std::unique_ptr<Encoder> encoder_;
  std::vector<Linear> bridge_;  // one for each layer of the decoder
  std::vector<RecurrentLayer> decoder_;
  std::unique_ptr<AttentionLayer> attention_;
  std::optional<Linear> feed_;     // of c_t or a_{t-1}, to the sums of the gates
  std::optional<Linear> combine_;  // W of a_t
  std::optional<Linear> gate_;     // of copying
  Parameter output_;
  Parameter output_bias_;
};

/// The encoder of such a model alone: it reads rows, and no vocabulary. Throws Error where an
/// option that it reads is out of its range.
std::unique_ptr<Encoder> make_encoder(const RecurrentSeq2SeqOptions& options, Random& random);

}  // namespace heed
