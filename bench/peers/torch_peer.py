# SPDX-License-Identifier: MIT
"""PyTorch: torch.nn.GRU, packed sequences for lengths, dynamic int8 on request."""

import os
import sys
import warnings

import numpy as np

# What it never calls of CUDA's libraries may be older than it asks for.
sys.setdlopenflags(os.RTLD_LAZY | os.RTLD_GLOBAL)
import torch  # noqa: E402

VERSION = torch.__version__
torch.set_grad_enabled(False)


def reorder(array, units):
    """Keras's gates z, r, h to PyTorch's r, z, h, transposed."""
    z, r, h = array[..., :units], array[..., units:2 * units], array[..., 2 * units:]
    return torch.from_numpy(np.ascontiguousarray(np.concatenate([r, z, h], -1).T))


class Torch:
    def __init__(self, words):
        torch.set_num_threads(words.number("threads"))
        units = words.number("units")
        kernel, recurrent, bias = words.weights()
        gru = torch.nn.GRU(words.number("width"), units)
        gru.weight_ih_l0.copy_(reorder(kernel, units))
        gru.weight_hh_l0.copy_(reorder(recurrent, units))
        gru.bias_ih_l0.copy_(reorder(bias[0], units))
        gru.bias_hh_l0.copy_(reorder(bias[1], units))
        if words.get("weights_type") == "int8":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # Only what lies inside a module is replaced.
                gru = torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(gru),
                                                             {torch.nn.GRU}, dtype=torch.qint8)[0]
        self.gru = gru.eval()
        self.x = torch.from_numpy(words.input())
        self.steps = list(self.x.split(1)) if words.number("streaming") else None
        self.state = torch.zeros(1, words.number("batch"), units)
        self.y = None
        if "lengths" in words:
            lengths = torch.from_numpy(words.array("lengths", -1, np.int32).astype(np.int64))
            self.x = torch.nn.utils.rnn.pack_padded_sequence(self.x, lengths,
                                                             enforce_sorted=False)
        self.total = words.number("steps") if "lengths" in words else None

    def call(self):
        if self.steps is None:
            self.y = self.gru(self.x)[0]
            return
        outputs = []
        for x in self.steps:
            y, self.state = self.gru(x, self.state)
            outputs.append(y)
        self.y = outputs

    def output(self):
        if self.steps is not None:
            return torch.cat(self.y).numpy()
        if self.total is not None:
            return torch.nn.utils.rnn.pad_packed_sequence(self.y,
                                                          total_length=self.total)[0].numpy()
        return self.y.numpy()


def open_subject(words):
    return Torch(words)
