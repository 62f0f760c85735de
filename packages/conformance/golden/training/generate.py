"""Writes curves.json: how PyTorch trains the small models of src/training/models.ts, in float64.

    python generate.py            (needs torch 2.13 and nothing else; writes beside itself)

Models, starting weights and batches follow the formulas of src/training/numbers.ts and models.ts to the letter; the
optimizers are torch.optim's.
"""

import json
import math
import re
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

STEPS = 24
BATCHES = 3  # step t trains on batch t mod 3

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def numbers(count, seed):
    """Numbers in [-1, 1), exact in float32: the upper 24 bits of a linear congruential generator."""
    state = seed * 2654435761 % 2**32
    values = []
    for _ in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        values.append((state >> 8) / 2**23 - 1)
    return torch.tensor(values)


def floats(shape, seed):
    return numbers(math.prod(shape), seed).reshape(shape)


def classes(shape, count, seed):
    return ((floats(shape, seed) + 1) / 2 * count).floor().long()


def fill(model):
    """Parameter k starts as numbers of the seed k + 1: halved; around 1 where it is a scale."""
    for k, (name, parameter) in enumerate(model.named_parameters()):
        values = floats(parameter.shape, k + 1)
        scale = name.endswith("weight") and parameter.dim() == 1
        parameter.data = 1 + values / 4 if scale else values / 2


class Mlp(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 6), nn.GELU(), nn.Linear(6, 3))

    def loss(self, x, y):
        return F.cross_entropy(self(x), y)

    def batch(self, seed):
        return floats([7, 5], seed), classes([7], 3, seed + 1)


class Cnn(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(2, 4, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 4, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16, 3),
        )

    def loss(self, x, y):
        return F.cross_entropy(self(x), y)

    def batch(self, seed):
        return floats([4, 2, 6, 6], seed), classes([4], 3, seed + 1)


class Recurrent(nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.cell = cell
        self.out = nn.Linear(5, 2)

    def loss(self, x, y):
        state = None
        for t in range(4):
            state = self.cell(x[t], state)
        return F.mse_loss(self.out(state[0] if isinstance(state, tuple) else state), y)

    def batch(self, seed):
        return floats([4, 3, 3], seed), floats([3, 2], seed + 1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1 = nn.LayerNorm(8)
        # Without bias: the loss does not depend on that of the keys, and Adam would follow the rounding errors.
        self.attention = nn.MultiheadAttention(8, 2, bias=False, batch_first=True)
        self.norm2 = nn.LayerNorm(8)
        self.widen = nn.Linear(8, 16)
        self.narrow = nn.Linear(16, 8)

    def forward(self, x):
        h = self.norm1(x)
        mask = torch.ones(6, 6, dtype=torch.bool).triu(1)
        x = x + self.attention(h, h, h, attn_mask=mask, need_weights=False)[0]
        return x + self.narrow(F.gelu(self.widen(self.norm2(x))))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(11, 8)
        self.positions = nn.Embedding(6, 8)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.norm = nn.LayerNorm(8)

    def loss(self, x, y):
        h = self.tokens(x) + self.positions.weight
        for block in self.blocks:
            h = block(h)
        logits = F.linear(self.norm(h), self.tokens.weight)
        return F.cross_entropy(logits.reshape(-1, 11), y.reshape(-1))

    def batch(self, seed):
        return classes([2, 6], 11, seed), classes([2, 6], 11, seed + 1)


class BatchNormNet(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(2, 4, 3, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64, 6, bias=False),
            nn.BatchNorm1d(6),
            nn.Tanh(),
            nn.Linear(6, 2),
        )

    def loss(self, x, y):
        return F.mse_loss(self(x), y)

    def batch(self, seed):
        return floats([5, 2, 6, 6], seed), floats([5, 2], seed + 1)


MODELS = {
    "mlp": Mlp,
    "cnn": Cnn,
    "lstm": lambda: Recurrent(nn.LSTMCell(3, 5)),
    "gru": lambda: Recurrent(nn.GRUCell(3, 5)),
    "gpt": Gpt,
    "batchNorm": BatchNormNet,
}

OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamW": torch.optim.AdamW}


def constant(rate):
    return [rate] * STEPS


def warmup_cosine(peak, warmup):
    return [
        peak * (t + 1) / warmup if t < warmup else peak * (1 + math.cos(math.pi * (t - warmup) / (STEPS - warmup))) / 2
        for t in range(STEPS)
    ]


CURVES = [
    ("mlp", "sgd", "plain", {}, constant(0.2)),
    ("mlp", "sgd", "momentum", {"momentum": 0.9}, constant(0.05)),
    ("mlp", "sgd", "nesterov", {"momentum": 0.8, "nesterov": True}, constant(0.05)),
    ("mlp", "sgd", "weight decay", {"momentum": 0.9, "dampening": 0.5, "weightDecay": 0.1}, constant(0.1)),
    ("mlp", "adam", "defaults", {}, constant(0.01)),
    ("mlp", "adam", "L2 and amsgrad", {"betas": [0.8, 0.95], "weightDecay": 0.1, "amsgrad": True}, constant(0.02)),
    ("mlp", "adamW", "weight decay", {"weightDecay": 0.3}, constant(0.02)),
    ("cnn", "sgd", "momentum", {"momentum": 0.9}, constant(0.02)),
    ("cnn", "adam", "decay by steps", {}, [0.02 * 0.5 ** (t // 8) for t in range(STEPS)]),
    ("lstm", "sgd", "nesterov", {"momentum": 0.9, "nesterov": True}, constant(0.05)),
    ("gru", "adamW", "defaults", {}, constant(0.02)),
    ("gpt", "adamW", "warm-up and cosine", {"betas": [0.9, 0.95], "weightDecay": 0.1}, warmup_cosine(0.02, 5)),
    ("batchNorm", "sgd", "momentum and weight decay", {"momentum": 0.9, "weightDecay": 0.01}, constant(0.02)),
    ("batchNorm", "adam", "defaults", {}, constant(0.01)),
]


def camel(name):
    name = name.replace("_ih", "IH").replace("_hh", "HH")
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def curve(model_name, optimizer_name, what, options, rates):
    model = MODELS[model_name]()
    fill(model)
    arguments = {re.sub(r"[A-Z]", lambda match: "_" + match[0].lower(), key): value for key, value in options.items()}
    optimizer = OPTIMIZERS[optimizer_name](model.parameters(), lr=rates[0], **arguments)
    losses = []
    for t, rate in enumerate(rates):
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        loss = model.loss(*model.batch(1000 + 10 * (t % BATCHES)))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    values = {**dict(model.named_parameters()), **{k: v for k, v in model.named_buffers() if v.is_floating_point()}}
    final = []
    for k, (name, value) in enumerate(values.items()):
        element = (7 * k + 3) % value.numel()
        final.append({"name": camel(name), "element": element, "value": value.detach().flatten()[element].item()})
    return {
        "name": f"{model_name}, {optimizer_name}, {what}",
        "model": model_name,
        "optimizer": optimizer_name,
        "options": options,
        "learningRates": rates,
        "losses": losses,
        "final": final,
    }


content = {
    "schema": "thalweg/training-curves/1",
    "source": f"torch {torch.__version__.split('+')[0]}, float64, generate.py",
    "batches": BATCHES,
    "curves": [curve(*each) for each in CURVES],
}
path = Path(__file__).parent / "curves.json"
path.write_text(json.dumps(content, indent=1) + "\n")
for each in content["curves"]:
    print(f"{each['name']}: {each['losses'][0]:.4f} -> {each['losses'][-1]:.4f}")
