"""The workloads of spec.ts, each with its variants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .library import PyTorch, Spec, Variants
from .values import affine, gpt_starts, labels, numbers, token_stream
from .ways import NotOffered, Rule


def matmul(torch_on: PyTorch, spec: Spec) -> Variants:
    shape = (spec["size"], spec["size"])
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[spec.get("dtype", "float32")]
    a, b = (torch_on.place(numbers(shape, seed)).to(dtype) for seed in (1, 2))
    return torch_on.operation({"eager": lambda: torch.mm(a, b)}, read_back=not spec.get("onDevice", False))


def elementwise(torch_on: PyTorch, spec: Spec) -> Variants:
    x, b = (torch_on.place(numbers([spec["size"]], seed)) for seed in (1, 2))
    return torch_on.operation(
        {
            "eager": lambda: torch.tanh(1.5 * x + b) * torch.sigmoid(x) + x**2,
            "eager in place": lambda: torch.add(b, x, alpha=1.5).tanh_().mul_(torch.sigmoid(x)).addcmul_(x, x),
        }
    )


def softmax(torch_on: PyTorch, spec: Spec) -> Variants:
    x = torch_on.place(numbers((spec["rows"], spec["columns"]), 1, 4))
    return torch_on.operation({"eager": lambda: torch.softmax(x, dim=-1)})


def layer_norm(torch_on: PyTorch, spec: Spec) -> Variants:
    columns = spec["columns"]
    x = torch_on.place(numbers((spec["rows"], columns), 1))
    weight = torch_on.place(numbers([columns], 2, 0.5, 1))
    bias = torch_on.place(numbers([columns], 3, 0.5))
    return torch_on.operation({"eager": lambda: F.layer_norm(x, [columns], weight, bias, 1e-5)})


def joined(lists: Iterable[list[Tensor]]) -> list[Tensor]:
    return [tensor for tensors in lists for tensor in tensors]


def mlp(torch_on: PyTorch, spec: Spec) -> Variants:
    widths, batch = spec["widths"], spec["batch"]
    starts = joined(affine((widths[i + 1], widths[i]), 11 + 10 * i) for i in range(len(widths) - 1))
    x = torch_on.place(numbers((batch, widths[0]), 99, 0.5, 0.5))
    classes = torch_on.place(labels(batch, widths[-1]))

    def loss_of(parameters: Sequence[Tensor]) -> Tensor:
        values = F.linear(x, parameters[0], parameters[1])
        for weight, bias in zip(parameters[2::2], parameters[3::2], strict=True):
            values = F.linear(F.relu(values), weight, bias)
        return F.cross_entropy(values, classes)

    rule: Rule = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[spec["optimizer"]]
    return torch_on.training(starts, loss_of, rule, spec["readLoss"])


def cnn(torch_on: PyTorch, spec: Spec) -> Variants:
    batch = spec["batch"]
    shapes = ((32, 1, 5, 5), (64, 32, 5, 5), (256, 3136), (10, 256))
    starts = joined(affine(shape, 51 + 10 * i) for i, shape in enumerate(shapes))
    x = torch_on.place(numbers((batch, 1, 28, 28), 99, 0.5, 0.5))
    classes = torch_on.place(labels(batch, 10))

    def loss_of(parameters: Sequence[Tensor]) -> Tensor:
        conv1, bias1, conv2, bias2, hidden, hidden_bias, output, output_bias = parameters
        values = F.max_pool2d(F.relu(F.conv2d(x, conv1, bias1, padding=2)), 2)
        values = F.max_pool2d(F.relu(F.conv2d(values, conv2, bias2, padding=2)), 2)
        values = F.relu(F.linear(values.flatten(1), hidden, hidden_bias))
        return F.cross_entropy(F.linear(values, output, output_bias), classes)

    return torch_on.training(starts, loss_of, torch.optim.SGD)


def gpt(torch_on: PyTorch, spec: Spec) -> Variants:
    if spec.get("compileOnly", False):
        raise NotOffered("eager: nothing to compile")
    vocabulary, width, heads = spec["vocabulary"], spec["width"], spec["heads"]
    batch, context, tied = spec["batch"], spec["context"], spec.get("tied", False)
    mixed = spec.get("compute") == "bfloat16"
    starts = gpt_starts(vocabulary, width, spec["layers"], context, tied)
    stream = token_stream(batch * context, vocabulary)
    tokens = torch_on.place(stream[:-1].reshape(batch, context))
    targets = torch_on.place(stream[1:])

    def logits_of(parameters: Sequence[Tensor]) -> Tensor:
        head = parameters[0] if tied else parameters[-1]
        token_weight, position_weight, *blocks = parameters if tied else parameters[:-1]
        *blocks, norm_weight, norm_bias = blocks
        values = F.embedding(tokens, token_weight) + position_weight
        for at in range(0, len(blocks), 12):
            values = block(values, blocks[at : at + 12])
        values = F.layer_norm(values, [width], norm_weight, norm_bias)
        return F.linear(values, head).reshape(-1, vocabulary)

    def block(values: Tensor, parameters: Sequence[Tensor]) -> Tensor:
        norm1, norm1_bias, project, project_bias, out, out_bias = parameters[:6]
        norm2, norm2_bias, expand, expand_bias, contract, contract_bias = parameters[6:]
        normed = F.layer_norm(values, [width], norm1, norm1_bias)
        split = F.linear(normed, project, project_bias).reshape(batch, context, 3, heads, width // heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        values = values + F.linear(attended.transpose(1, 2).reshape(batch, context, width), out, out_bias)
        normed = F.layer_norm(values, [width], norm2, norm2_bias)
        hidden = F.gelu(F.linear(normed, expand, expand_bias), approximate="tanh")
        return values + F.linear(hidden, contract, contract_bias)

    def loss_of(parameters: Sequence[Tensor]) -> Tensor:
        if not mixed:
            return F.cross_entropy(logits_of(parameters), targets)
        # Every weight is rounded once in a step, so that a cache of rounded weights would save nothing; and a graph may
        # not be captured with one.
        with torch.autocast(torch_on.device.type, dtype=torch.bfloat16, cache_enabled=False):
            return F.cross_entropy(logits_of(parameters), targets)

    return torch_on.training(starts, loss_of, torch.optim.AdamW)


# By their names in Thalweg.
RULES: dict[str, Rule] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamW": torch.optim.AdamW,
    "asgd": torch.optim.ASGD,
    "rprop": torch.optim.Rprop,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
    "rmsprop": torch.optim.RMSprop,
    "adamax": torch.optim.Adamax,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "adafactor": torch.optim.Adafactor,
}


def optimizer_update(torch_on: PyTorch, spec: Spec) -> Variants:
    name, tensors = spec["optimizer"], spec["tensors"]
    if name == "muon":
        raise NotOffered("torch.optim.Muon takes matrices only")
    if name not in RULES:
        raise NotOffered(f"torch.optim has no {name}")
    shape = (tensors, spec["size"] // tensors)
    return torch_on.update(numbers(shape, 1, 0.5, 1), numbers(shape, 2), RULES[name])


WORKLOADS: dict[str, Callable[[PyTorch, Spec], Variants]] = {
    "matmul": matmul,
    "elementwise": elementwise,
    "softmax": softmax,
    "layerNorm": layer_norm,
    "mlp": mlp,
    "cnn": cnn,
    "gpt": gpt,
    "optimizer": optimizer_update,
}
