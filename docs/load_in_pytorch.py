#!/usr/bin/env python3
"""Reads weights that `heed export` wrote into PyTorch, and computes with them what Heed computes.

    python3 load_in_pytorch.py MODEL.safetensors [--batch BATCH.safetensors]
                               [--out FILE.safetensors]

As a library:

    model = Model("first.safetensors")
    logits = model.logits(source_ids, target_ids)  # (target, vocabulary)
    model.save("again.safetensors")                # for `heed import`

Row t of the logits is about the token that follows target_ids[:t + 1].

Needs Python 3.11, NumPy and PyTorch 1.12 or later. Sequences go through one at a time, so that
there are no masks; in each function x is (length, width). docs/pytorch.md explains.
"""
import argparse
import json
import math
import tomllib

import numpy as np
import torch
import torch.nn.functional as F

# The file ----------------------------------------------------------------------------------------

NUMPY_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}


def read_safetensors(path):
    """Eight bytes give the length of the header; the header, JSON, says where each tensor lies."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        elements = file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        numbers = np.frombuffer(elements[begin:end], NUMPY_TYPES[entry["dtype"]])
        tensors[name] = torch.from_numpy(numbers.reshape(entry["shape"]).copy())
    return tensors, metadata


def write_safetensors(path, tensors, metadata):
    header, elements = {"__metadata__": metadata}, b""
    for name, tensor in sorted(tensors.items()):
        numbers = tensor.detach().cpu().float().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape),
                        "data_offsets": [len(elements), len(elements) + len(numbers)]}
        elements += numbers
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + elements)


# The layers; w holds the weights by name ---------------------------------------------------------


def linear(w, name, x):
    return F.linear(x, w[name + ".weight"], w.get(name + ".bias"))


def layer_norm(w, name, x):
    """Layer norm; where there is no bias, RMS norm."""
    gain, bias = w[name + ".gain"], w.get(name + ".bias")
    if bias is None:
        return rms_norm(x, gain)
    return F.layer_norm(x, x.shape[-1:], gain, bias)


def rms_norm(x, gain):
    return x * (x.square().mean(-1, keepdim=True) + 1e-5).rsqrt() * gain


def attend(q, k, v, heads=1, causal=False, scale=None):
    """softmax(q k^T scale) v for each head, whose columns stand side by side."""
    # (length, heads * width) -> (heads, length, width)
    q, k, v = (x.view(len(x), heads, -1).transpose(0, 1) for x in (q, k, v))
    scores = q @ k.transpose(1, 2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if causal:
        scores += torch.full(scores.shape[1:], -math.inf).triu(1)
    return (scores.softmax(-1) @ v).transpose(0, 1).flatten(1)


def residual(w, name, x, pre, f):
    if pre:
        return x + f(layer_norm(w, name + ".norm", x))
    return layer_norm(w, name + ".norm", x + f(x))


# Attention of a Transformer, with all its settings -----------------------------


def rotate(x, base):
    """Turns columns c and c + width/2 of each head by position base^(-2c/width)."""
    half = x.shape[-1] // 2
    angles = torch.arange(x.shape[1])[:, None] * base ** (-torch.arange(half) / half)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()], -1)


def attend_as_set(w, name, model, q, k, v, causal, cross):
    """Of queries, keys and values whose heads stand side by side. No distances in `cross`."""
    heads, kind = model["heads"], model.get("attention", "multi_head")
    positions = "none" if cross else model.get("positions", "none")
    width = q.shape[-1] // heads
    # (heads, length, width); groups of neighbouring heads share keys and values
    q = q.view(len(q), heads, width).transpose(0, 1)
    k, v = (x.view(len(x), -1, width).transpose(0, 1) for x in (k, v))
    if name + ".query_norm.gain" in w:
        q = rms_norm(q, w[name + ".query_norm.gain"])
        k = rms_norm(k, w[name + ".key_norm.gain"])
    if positions == "rotary":
        q, k = rotate(q, model["base"]), rotate(k, model["base"])
    k, v = (x.repeat_interleave(heads // len(x), 0) for x in (k, v))
    distance = torch.arange(k.shape[1]) - torch.arange(q.shape[1])[:, None]
    seen = distance <= 0 if causal else torch.ones_like(distance).bool()
    if kind == "linear":
        f = lambda x: F.elu(x) + 1
        mass = f(q) @ f(k).transpose(1, 2) * seen
        return (mass / mass.sum(-1, keepdim=True) @ v).transpose(0, 1).flatten(1)
    scores = q @ k.transpose(1, 2)
    if positions == "relative":
        entry = distance.clamp(-model["reach"], model["reach"]) + model["reach"]
        scores = scores + (q[:, :, None] * w[name + ".key_distances"][entry]).sum(-1)
    scores = scores * width**-0.5
    if positions == "alibi":
        slopes = 2 ** (-8 * (torch.arange(heads) + 1) / heads)
        scores = scores - slopes[:, None, None] * distance.abs()
    if kind == "local" and not cross:
        seen = seen & (distance.abs() < (model["window"] or 16))
    if kind == "adaptive_span" and not cross:
        spans = w[name + ".span"].clamp(0, 1)[:, None, None] * model["longest"]
        share = ((model["ramp"] + spans - distance.abs()) / model["ramp"]).clamp(0, 1)
        scores = scores + share.log()
    weights = scores.masked_fill(~seen, -math.inf).softmax(-1)
    y = weights @ v
    if positions == "relative":
        y = y + (weights[..., None] * w[name + ".value_distances"][entry]).sum(2)
    return y.transpose(0, 1).flatten(1)


def self_attention(w, name, x, model, causal):
    joined = linear(w, name + ".input", x)
    d = x.shape[-1]
    e = (joined.shape[-1] - d) // 2
    q, k, v = joined.split([d, e, e], -1)
    return linear(w, name + ".output", attend_as_set(w, name, model, q, k, v, causal, False))


def cross_attention(w, name, x, memory, model):
    k, v = linear(w, name + ".memory", memory).chunk(2, -1)
    q = linear(w, name + ".query", x)
    return linear(w, name + ".output", attend_as_set(w, name, model, q, k, v, False, True))


ACTIVATIONS = {
    "relu": F.relu,
    "gelu": lambda x: F.gelu(x, approximate="tanh"),
    "swiglu": lambda x: F.silu(x.chunk(2, -1)[0]) * x.chunk(2, -1)[1],
    "relu_squared": lambda x: F.relu(x).square(),
}


def transformer_layer(w, name, x, model, pre, activation, causal=False, memory=None):
    def attention(z):
        return self_attention(w, name + ".attention", z, model, causal)

    def cross(z):
        return cross_attention(w, name + ".cross", z, memory, model)

    def feed_forward(z):
        return linear(w, name + ".feed_forward.down",
                      activation(linear(w, name + ".feed_forward.up", z)))

    x = residual(w, name + ".around_attention", x, pre, attention)
    if memory is not None:
        x = residual(w, name + ".around_cross", x, pre, cross)
    return residual(w, name + ".around_feed_forward", x, pre, feed_forward)


def layer_name(model, stack, i):
    """Layers that share their weights have those of the first."""
    return f"{stack}.{0 if model.get('tied_layers') else i}"


def placed(w, model, x, learned):
    """Rows with what a scheme of positions adds to them; `learned` names the trained vectors."""
    if model.get("positions") == "learned":
        return x + w[learned + ".weight"][: len(x)]
    return x + sinusoids(*x.shape) if model.get("positions") == "sinusoidal" else x


def output_logits(w, model, y):
    logits = y @ w.get("output.weight", w["embedding.weight"]).T
    cap = model.get("softcap", 0)
    return cap * torch.tanh(logits / cap) if cap > 0 else logits


def sinusoids(length, d):
    angles = torch.arange(length).double()[:, None] / 10000 ** (torch.arange(0, d, 2).double() / d)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1).float()


def normed(w, name):
    """A weight that may be kept as direction and length (weight normalisation)."""
    v, g = w[name + ".weight"], w.get(name + ".gain")
    return v if g is None else v * (g / v.flatten(1).norm(dim=1)).view(-1, *[1] * (v.dim() - 1))


def normed_linear(w, name, x):
    return F.linear(x, normed(w, name), w[name + ".bias"])


def gated_convolution(w, name, x, causal):
    weight = normed(w, name).permute(0, 2, 1)  # (2 d, kernel, d) as PyTorch has it
    before = weight.shape[2] - 1 if causal else (weight.shape[2] - 1) // 2
    x = F.pad(x.T[None], (before, weight.shape[2] - 1 - before))
    return F.glu(F.conv1d(x, weight, w[name + ".bias"])[0].T, -1)


def lightweight_convolution(w, name, x, causal):
    """Wu et al. 2019: one normalised filter for all columns of a head, between two products."""
    x = gated_convolution(w, name + ".input", x, causal)  # of one row
    taps = w[name + ".light.weight"].softmax(-1)  # (heads, kernel)
    (heads, kernel), d = taps.shape, x.shape[-1]
    before = kernel - 1 if causal else (kernel - 1) // 2
    weight = taps.repeat_interleave(d // heads, 0)[:, None]  # (d, 1, kernel)
    x = F.pad(x.T[None], (before, kernel - 1 - before))
    return normed_linear(w, name + ".output", F.conv1d(x, weight, groups=d)[0].T)


def cell_step(kind, w, name, share, h, c):
    """One step of a recurrent layer. share is W x + b; the gates stand in PyTorch's order."""
    if kind == "norm_lstm":  # (Ba et al. 2016)
        norm = lambda x: F.layer_norm(x, x.shape[-1:])
        u = w[name + ".gain"] * norm(F.linear(h, w[name + ".weight"]))
    else:
        u = F.linear(h, w[name + ".weight"], w[name + ".bias"])
    if kind == "elman":
        return torch.tanh(share + u), c
    if kind == "gru":
        (r, z, n), (ur, uz, un) = share.chunk(3, -1), u.chunk(3, -1)
        z = torch.sigmoid(z + uz)
        return (1 - z) * torch.tanh(n + torch.sigmoid(r + ur) * un) + z * h, c
    i, f, g, o = (share + u).chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    seen = w[name + ".cell_gain"] * norm(c) + w[name + ".cell_bias"] if kind == "norm_lstm" else c
    return torch.sigmoid(o) * torch.tanh(seen), c


def share_of_gates(kind, w, name, x):
    x = linear(w, name + ".input", x)
    if kind == "norm_lstm":
        return F.layer_norm(x, x.shape[-1:], w[name + ".input_gain"], w[name + ".input_bias"])
    return x


def recurrent_layer(kind, w, name, x):
    hidden = w[name + ".weight"].shape[1]
    h, c, states = torch.zeros(hidden), torch.zeros(hidden), []
    for share in share_of_gates(kind, w, name, x):
        h, c = cell_step(kind, w, name, share, h, c)
        states.append(h)
    return torch.stack(states)


# The models: (source ids, target ids) to logits --------------------------------------------------


def depth(model, side):
    """The layers of the encoder or of the decoder; 0, or none, stands for those of both."""
    return model.get(f"{side}_layers", 0) or model["layers"]


def transformer(w, model, source, target):
    """Vaswani et al. 2017; the embedding may be the output layer too."""
    # What a file from before these settings stands for.
    model = {"positions": "sinusoidal", "activation": "relu"} | model
    table, pre = w["embedding.weight"], model["norm"] == "pre"
    activation = ACTIVATIONS[model["activation"]]

    def embed(table, ids, side):
        return placed(w, model, table[ids] * math.sqrt(model["d"]), side + "_positions")

    x = embed(w.get("source_embedding.weight", table), source, "encoder")
    for i in range(depth(model, "encoder")):
        x = transformer_layer(w, layer_name(model, "encoder", i), x, model, pre, activation)
    memory = layer_norm(w, "encoder_norm", x)
    if model.get("decoder") == "rnn":  # it has no states of an encoder to start from
        ends = [memory.mean(0)] * depth(model, "decoder")
        return recurrent_decoder(w, model, model["decoder_attention"], memory, ends, target)
    y = embed(table, target, "decoder")
    for i in range(depth(model, "decoder")):
        y = transformer_layer(w, layer_name(model, "decoder", i), y, model, pre, activation,
                              causal=True, memory=memory)
    return output_logits(w, model, layer_norm(w, "decoder_norm", y))


def language_model(w, model, source, target):
    """A decoder as GPT-2's; it reads the target alone."""
    model = {"positions": "learned", "activation": "gelu"} | model
    scale = math.sqrt(model["d"]) if model["positions"] == "sinusoidal" else 1
    x = placed(w, model, w["embedding.weight"][target] * scale, "positions")
    for i in range(model["layers"]):
        x = transformer_layer(w, layer_name(model, "layers", i), x, model, True,
                              ACTIVATIONS[model["activation"]], causal=True)
    return output_logits(w, model, layer_norm(w, "norm", x))


def convolutional(w, model, source, target):
    """Gehring et al. 2017."""
    light = model.get("convolution", "full") == "lightweight"
    convolution = lightweight_convolution if light else gated_convolution
    sqrt_half, table = math.sqrt(0.5), w["embedding.weight"]
    embed = lambda table, ids: table[ids] + w["positions.weight"][: len(ids)]
    e = x = embed(w.get("source_embedding.weight", table), source)
    for i in range(depth(model, "encoder")):
        x = (convolution(w, f"encoder.{i}", x, causal=False) + x) * sqrt_half
    keys, values = x, (x + e) * sqrt_half
    e = y = embed(table, target)
    for i in range(depth(model, "decoder")):
        z = convolution(w, f"decoder.{i}.conv", y, causal=True)
        query = (normed_linear(w, f"decoder.{i}.query", z) + e) * sqrt_half
        context = attend(query, keys, values, scale=1)
        y = ((normed_linear(w, f"decoder.{i}.back", context) + z) * sqrt_half + y) * sqrt_half
    if model["tied"]:
        return F.linear(y, table, w["output.bias"])
    return normed_linear(w, "output", y)


def looking(kind, w, name, model, memory):
    """What a recurrent decoder's attention gives for its state, a vector."""
    if kind == "multi_head":
        k, v = linear(w, name + ".key", memory), linear(w, name + ".value", memory)
        q = lambda query: linear(w, name + ".query", query)[None]
        return lambda query: linear(w, name + ".output", attend(q(query), k, v, model["heads"])[0])
    return lambda query: scores(kind, w, name, query, memory).softmax(-1) @ memory


def scores(kind, w, name, query, memory):
    """The score of each row of the memory for the decoder's state, a vector."""
    if kind == "dot":
        return memory @ query
    if kind == "general":
        return linear(w, name + ".key", memory) @ query
    # additive, concat
    hidden = torch.tanh(linear(w, name + ".query", query) + linear(w, name + ".key", memory))
    return hidden @ w[name + ".energy"]


def recurrent(w, model, source, target):
    """Sutskever et al. 2014; with additive attention Bahdanau et al. 2015, else Luong et al."""
    kind, attention = model["cell"], model["name"].removeprefix("rnn").removeprefix("+")
    table = w.get("source_embedding.weight", w["embedding.weight"])
    x, ends_of_layers = table[source] * math.sqrt(model["d"]), []
    for i in range(depth(model, "encoder")):
        outputs = [recurrent_layer(kind, w, f"encoder.forward.{i}", x)]
        ends = [outputs[0][-1]]
        if model["bidirectional"]:
            outputs.append(recurrent_layer(kind, w, f"encoder.backward.{i}", x.flip(0)).flip(0))
            ends.append(outputs[1][0])
        x = torch.cat(outputs, -1)
        ends_of_layers.append(torch.cat(ends))
    if depth(model, "encoder") != depth(model, "decoder"):
        ends_of_layers = ends_of_layers[-1:] * depth(model, "decoder")
    return recurrent_decoder(w, model, attention, x, ends_of_layers, target)


def recurrent_decoder(w, model, attention, memory, ends, target):
    """Reads the encoder's rows; `ends`, of each layer, give its first states."""
    kind = model["cell"]
    shown = attention in ("", "additive", "dot", "general", "concat", "multi_head")
    if not shown or model.get("coverage", 0) > 0:
        raise SystemExit(f"the attention of {model['name']} is not shown here")
    table, states = w["embedding.weight"], []
    for i, end in enumerate(ends):
        h = torch.tanh(linear(w, f"bridge.{i}", end))
        states.append((h, torch.zeros_like(h)))

    look = looking(attention, w, "decoder.attention", model, memory)
    readout, fed = [], None
    for y in table[target] * math.sqrt(model["d"]):
        share = linear(w, "decoder.0.input", y)
        if attention == "additive":
            context = look(states[-1][0])
            fed = context
        if fed is not None:
            share = share + linear(w, "decoder.feed", fed)
        for i in range(len(states)):
            if i > 0:
                share = linear(w, f"decoder.{i}.input", states[i - 1][0])
            if kind == "norm_lstm":
                gain, bias = w[f"decoder.{i}.input_gain"], w[f"decoder.{i}.input_bias"]
                share = F.layer_norm(share, share.shape[-1:], gain, bias)
            states[i] = cell_step(kind, w, f"decoder.{i}", share, *states[i])
        h = states[-1][0]
        if attention == "additive":
            h = torch.cat([h, context, y])
        elif attention:
            h = fed = torch.tanh(linear(w, "decoder.combine", torch.cat([look(h), h])))
        readout.append(h)
    return F.linear(torch.stack(readout), w.get("output", table), w["output_bias"])


class Model:
    """What an exported file holds: weights, settings and, as text, the tokenizers."""

    def __init__(self, path):
        self.weights, self.metadata = read_safetensors(path)
        self.settings = tomllib.loads(self.metadata["heed.config.toml"])["model"]
        if self.settings.get("copy"):  # conv and lm have no such setting
            raise SystemExit("models that copy words are not shown here")

    def logits(self, source, target):
        families = {"transformer": transformer, "conv": convolutional, "lm": language_model}
        family = families.get(self.settings["name"], recurrent)
        with torch.no_grad():
            return family(self.weights, self.settings, source, target)

    def save(self, path):
        write_safetensors(path, self.weights, self.metadata)


def main():
    parser = argparse.ArgumentParser(description="Compute with weights that `heed export` wrote.")
    parser.add_argument("model")
    parser.add_argument("--batch", help="source.I, target.I and logits.I, to compare with")
    parser.add_argument("--out", help="write the weights to this file")
    options = parser.parse_args()
    model = Model(options.model)
    print(f"{model.settings['name']}: {sum(x.numel() for x in model.weights.values())} parameters")
    if options.batch:
        batch, _ = read_safetensors(options.batch)
        worst = 0.0
        for i in range(sum(name.startswith("logits.") for name in batch)):
            found = model.logits(batch[f"source.{i}"].long(), batch[f"target.{i}"].long())
            worst = max(worst, float((found - batch[f"logits.{i}"]).abs().max()))
        print(f"largest difference {worst:.3g}")
    if options.out:
        model.save(options.out)


if __name__ == "__main__":
    main()
