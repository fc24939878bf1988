# SPDX-License-Identifier: MIT
"""GRUs in the forms that are compared: files for gruc and its peers, and NumPy in float64."""

import numpy as np

ONNX_OPSET = 14
ONNX_IR_VERSION = 8


def uniform(rng, fan_in, fan_out, shape):
    bound = np.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-bound, bound, shape).astype(np.float32)


class Gru:
    """Weights in Keras's layout: gate order z, r, h; two rows of bias with reset_after."""

    def __init__(self, width, units, reset_after, rng):
        self.width, self.units, self.reset_after = width, units, reset_after
        self.kernel = uniform(rng, width, 3 * units, (width, 3 * units))
        self.recurrent_kernel = uniform(rng, units, 3 * units, (units, 3 * units))
        bias_shape = (2, 3 * units) if reset_after else (3 * units,)
        self.bias = rng.uniform(-0.5, 0.5, bias_shape).astype(np.float32)

    def tensors(self):
        return {"kernel": self.kernel, "recurrent_kernel": self.recurrent_kernel,
                "bias": self.bias}

    def reference(self, x, mask=None):
        """All outputs (batch, steps, units); a masked step keeps state and output."""
        units = self.units
        kernel, recurrent = self.kernel.astype(float), self.recurrent_kernel.astype(float)
        bias = self.bias.astype(float).reshape(-1, 3 * units)
        projected = x.astype(float) @ kernel + bias[0]
        state = np.zeros((len(x), units))
        outputs = np.empty((*x.shape[:2], units))
        for step in range(x.shape[1]):
            new = self._advance(projected[:, step], state, recurrent, bias)
            state = new if mask is None else np.where(mask[:, step, None], new, state)
            outputs[:, step] = state
        return outputs

    def _advance(self, gates, state, recurrent, bias):
        units = self.units
        if self.reset_after:
            inner = state @ recurrent + bias[1]
            both = 1 / (1 + np.exp(-(gates + inner)[:, :2 * units]))
            z, r = both[:, :units], both[:, units:]
            candidate = np.tanh(gates[:, 2 * units:] + r * inner[:, 2 * units:])
        else:
            both = 1 / (1 + np.exp(-(gates[:, :2 * units] + state @ recurrent[:, :2 * units])))
            z, r = both[:, :units], both[:, units:]
            candidate = np.tanh(gates[:, 2 * units:] + (r * state) @ recurrent[:, 2 * units:])
        return z * state + (1 - z) * candidate


def onnx_tensors(grus, index):
    """Of a layer with its directions. Gates have the same order there; matrices are transposed,
    both biases joined."""
    biases = [gru.bias if gru.reset_after else np.stack([gru.bias, np.zeros_like(gru.bias)])
              for gru in grus]
    return {f"w{index}": np.stack([gru.kernel.T for gru in grus]),
            f"r{index}": np.stack([gru.recurrent_kernel.T for gru in grus]),
            f"b{index}": np.stack([bias.reshape(-1) for bias in biases])}


class Model:
    """A stack of GRUs that give all their steps, each one or two directions joined by concat."""

    def __init__(self, units, width=None, reset_after=True, layers=1, bidirectional=False, seed=1):
        rng = np.random.default_rng(seed)
        self.units, self.width, self.reset_after = units, width or units, reset_after
        self.bidirectional = bidirectional
        self.outputs = units * (2 if bidirectional else 1)
        self.layers = []
        for index in range(layers):
            inputs = self.outputs if index else self.width
            self.layers.append([Gru(inputs, units, reset_after, rng)
                                for _ in range(2 if bidirectional else 1)])

    @property
    def plain(self):
        """The only GRU, or None."""
        return self.layers[0][0] if len(self.layers) == 1 and not self.bidirectional else None

    def write_gruc(self, folder, masked, steps="~"):
        """model.yaml and weights.npz."""
        mask = "  m: {shape: [~], dtype: bool}\n" if masked else ""
        text = f"model: bench\ninputs:\n  x: [{steps}, {self.width}]\n{mask}layers:\n"
        weights = {}
        for index, grus in enumerate(self.layers):
            first = "inputs: x, " + ("mask: m, " if masked else "") if index == 0 else ""
            cell = (f"units: {self.units}, reset_after: {str(self.reset_after).lower()},"
                    " return_sequences: true")
            if self.bidirectional:
                text += (f"  - Bidirectional: {{name: g{index}, {first}merge_mode: concat,"
                         f" layer: {{GRU: {{{cell}}}}}}}\n")
            else:
                text += f"  - GRU: {{name: g{index}, {first}{cell}}}\n"
            places = ("/forward", "/backward") if self.bidirectional else ("",)
            for place, gru in zip(places, grus):
                for name, tensor in gru.tensors().items():
                    weights[f"g{index}{place}/{name}"] = tensor
        (folder / "model.yaml").write_text(text + "weights: weights.npz\n", encoding="utf-8")
        np.savez(folder / "weights.npz", **weights)

    def write_onnx(self, path, steps, batch, lengths=False, streaming=False):
        """Operators GRU, one a layer. Inputs are x and, when there is one, extra: the lengths or
        the state, of a model of one layer. The output y is (steps, directions, batch, units), or
        when streaming the state."""
        import onnx
        from onnx import TensorProto, helper, numpy_helper
        directions = len(self.layers[0])
        inputs = [("x", TensorProto.FLOAT, [steps, batch, self.width])]
        output = ("y", TensorProto.FLOAT, [steps, directions, batch, self.units])
        extra = []
        if lengths:
            extra = ["extra"]
            inputs += [("extra", TensorProto.INT32, [batch])]
        if streaming:
            extra = ["", "extra"]
            inputs += [("extra", TensorProto.FLOAT, [1, batch, self.units])]
            output = ("y", TensorProto.FLOAT, [1, batch, self.units])
        nodes, tensors, x = [], {"joined": np.array([steps, batch, self.outputs])}, "x"
        for index, grus in enumerate(self.layers):
            tensors.update(onnx_tensors(grus, index))
            names = [x, *(f"{name}{index}" for name in "wrb"), *extra]
            y = "y" if index == len(self.layers) - 1 else f"y{index}"
            nodes.append(helper.make_node(
                "GRU", names, ["", y] if streaming else [y], hidden_size=self.units,
                direction="bidirectional" if self.bidirectional else "forward",
                linear_before_reset=int(self.reset_after)))
            if y != "y":
                x = f"x{index}"
                nodes += [helper.make_node("Transpose", [y], [f"t{index}"], perm=[0, 2, 1, 3]),
                          helper.make_node("Reshape", [f"t{index}", "joined"], [x])]
        graph = helper.make_graph(
            nodes, "gru", [helper.make_tensor_value_info(*info) for info in inputs],
            [helper.make_tensor_value_info(*output)],
            [numpy_helper.from_array(np.ascontiguousarray(array), name)
             for name, array in tensors.items()])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", ONNX_OPSET)],
                                    ir_version=ONNX_IR_VERSION), path)

    def reference(self, x, mask=None):
        """All outputs (batch, steps, outputs). A mask only for one plain layer."""
        for grus in self.layers:
            parts = [grus[0].reference(x, mask)]
            if self.bidirectional:
                parts.append(grus[1].reference(x[:, ::-1])[:, ::-1])
            x = np.concatenate(parts, axis=-1)
        return x


class Problem:
    """A model on an input, under a mask or not, step by step or not."""

    def __init__(self, model, batch, steps, mask=None, streaming=False, seed=2):
        self.model, self.batch, self.steps = model, batch, steps
        self.mask, self.streaming = mask, streaming
        rng = np.random.default_rng(seed)
        self.x = rng.standard_normal((batch, steps, model.width)).astype(np.float32)
        self._reference = None

    @property
    def lengths(self):
        """Of right-padded rows, None when the mask is another."""
        if self.mask is None:
            return None
        lengths = self.mask.sum(1)
        padded = np.arange(self.steps) < lengths[:, None]
        return lengths.astype(np.int32) if (padded == self.mask).all() else None

    @property
    def needs(self):
        """What a peer must be able to do."""
        conditions = {"streaming": self.streaming, "reset_before": not self.model.reset_after,
                      "lengths": self.mask is not None and self.lengths is not None,
                      "mask": self.mask is not None and self.lengths is None,
                      "structure": self.model.plain is None}
        return {name for name, needed in conditions.items() if needed}

    def reference(self):
        if self._reference is None:
            self._reference = self.model.reference(self.x, self.mask)
        return self._reference

    def write(self, folder):
        """All files that workers read."""
        folder.mkdir(parents=True)
        self.x.tofile(folder / "x_rows.f32")
        np.ascontiguousarray(self.x.transpose(1, 0, 2)).tofile(folder / "x_steps.f32")
        if self.mask is not None:
            self.mask.astype(np.uint8).tofile(folder / "mask.u8")
        if self.lengths is not None:
            self.lengths.tofile(folder / "lengths.i32")
        self.model.write_gruc(folder, self.mask is not None)
        if self.model.plain:
            for name, tensor in self.model.plain.tensors().items():
                tensor.tofile(folder / f"{name}.f32")

    def write_onnx(self, folder):
        steps = 1 if self.streaming else self.steps
        self.model.write_onnx(folder / "model.onnx", steps, self.batch,
                              self.lengths is not None, self.streaming)

    def words(self, folder):
        """What a worker is told, but for the input, which it takes by rows or by steps."""
        words = {"steps": self.steps, "batch": self.batch, "width": self.model.width,
                 "units": self.model.units, "outputs": self.model.outputs,
                 "reset_after": int(self.model.reset_after), "streaming": int(self.streaming)}
        for key, name in (("mask", "mask.u8"), ("lengths", "lengths.i32"),
                          ("kernel", "kernel.f32"), ("recurrent_kernel", "recurrent_kernel.f32"),
                          ("bias", "bias.f32")):
            if (folder / name).exists():
                words[key] = folder / name
        return words
