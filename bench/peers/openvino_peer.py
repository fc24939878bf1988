# SPDX-License-Identifier: MIT
"""OpenVINO: the ONNX model on its CPU plug-in, in float32."""

import numpy as np
import openvino

VERSION = openvino.__version__.split("-")[0]


class OpenVino:
    def __init__(self, words):
        core = openvino.Core()
        options = {"INFERENCE_NUM_THREADS": words.number("threads"), "NUM_STREAMS": 1,
                   "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        self.request = core.compile_model(words["model"], "CPU", options).create_infer_request()
        self.x = words.input()
        self.streaming = words.number("streaming")
        if self.streaming:
            self.input = np.zeros((1, *self.x.shape[1:]), np.float32)
            self.state = np.zeros((1, 1, words.number("units")), np.float32)
            self.y = np.zeros((len(self.x), words.number("units")), np.float32)
            self.request.set_tensor("extra", openvino.Tensor(self.state, shared_memory=True))
        else:
            self.input = self.x
        self.request.set_tensor("x", openvino.Tensor(self.input, shared_memory=True))
        if "lengths" in words:
            lengths = words.array("lengths", -1, np.int32)
            self.request.set_tensor("extra", openvino.Tensor(lengths))

    def call(self):
        if not self.streaming:
            self.request.infer()
            return
        state = self.request.get_tensor("y").data
        for step, x in enumerate(self.x):
            self.input[0] = x
            self.request.infer()
            self.state[:] = state
            self.y[step] = state[0]

    def output(self):
        return self.y if self.streaming else self.request.get_tensor("y").data


def open_subject(words):
    return OpenVino(words)
