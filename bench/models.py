# SPDX-License-Identifier: MIT
"""One GRU in three forms: weights for gruc, the ONNX operator, and NumPy in float64."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ONNX_OPSET = 14
ONNX_IR_VERSION = 8


def uniform(rng, fan_in, fan_out, shape):
    bound = np.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-bound, bound, shape).astype(np.float32)


class Gru:
    """Weights in Keras's layout: gate order z, r, h; two rows of bias with reset_after."""

    def __init__(self, width, units, reset_after, seed):
        rng = np.random.default_rng(seed)
        self.width, self.units, self.reset_after = width, units, reset_after
        self.kernel = uniform(rng, width, 3 * units, (width, 3 * units))
        self.recurrent_kernel = uniform(rng, units, 3 * units, (units, 3 * units))
        bias_shape = (2, 3 * units) if reset_after else (3 * units,)
        self.bias = rng.uniform(-0.5, 0.5, bias_shape).astype(np.float32)

    def write_weights(self, path):
        np.savez(path, **{"g/kernel": self.kernel, "g/recurrent_kernel": self.recurrent_kernel,
                          "g/bias": self.bias})

    def write_yaml(self, path, weights_name, masked):
        mask_input = "  m: {shape: [~], dtype: bool}\n" if masked else ""
        mask = " mask: m," if masked else ""
        reset_after = "true" if self.reset_after else "false"
        path.write_text(
            f"inputs:\n  x: [~, {self.width}]\n{mask_input}"
            f"layers:\n  - GRU: {{name: g, inputs: x,{mask} units: {self.units},"
            f" reset_after: {reset_after}, return_sequences: true}}\n"
            f"weights: {weights_name}\n", encoding="utf-8")

    def write_onnx(self, path):
        """The gates have the same order there; matrices are transposed, both biases joined."""
        bias = self.bias if self.reset_after else np.stack([self.bias, np.zeros_like(self.bias)])
        tensors = {"w": self.kernel.T[None], "r": self.recurrent_kernel.T[None],
                   "b": bias.reshape(1, -1)}
        node = helper.make_node("GRU", ["x", "w", "r", "b"], ["y"], hidden_size=self.units,
                                linear_before_reset=int(self.reset_after))
        graph = helper.make_graph(
            [node], "gru",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["steps", 1, self.width])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["steps", 1, 1, self.units])],
            [numpy_helper.from_array(np.ascontiguousarray(array), name)
             for name, array in tensors.items()])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", ONNX_OPSET)],
                                  ir_version=ONNX_IR_VERSION)
        onnx.checker.check_model(model)
        onnx.save(model, path)

    def reference(self, x, mask=None):
        """All outputs (steps, units); a masked step keeps the state and repeats the output."""
        units = self.units
        kernel, recurrent = self.kernel.astype(float), self.recurrent_kernel.astype(float)
        bias = self.bias.astype(float).reshape(-1, 3 * units)
        projected = x.astype(float) @ kernel + bias[0]
        state, output = np.zeros(units), np.zeros(units)
        outputs = np.empty((len(x), units))
        for step, gates in enumerate(projected):
            if mask is None or mask[step]:
                state = output = self._advance(gates, state, recurrent, bias)
            outputs[step] = output
        return outputs

    def _advance(self, gates, state, recurrent, bias):
        units = self.units
        if self.reset_after:
            inner = state @ recurrent + bias[1]
            z, r = 1 / (1 + np.exp(-(gates + inner)[:2 * units].reshape(2, units)))
            candidate = np.tanh(gates[2 * units:] + r * inner[2 * units:])
        else:
            inner = state @ recurrent[:, :2 * units]
            z, r = 1 / (1 + np.exp(-(gates[:2 * units] + inner).reshape(2, units)))
            candidate = np.tanh(gates[2 * units:] + (r * state) @ recurrent[:, 2 * units:])
        return z * state + (1 - z) * candidate
