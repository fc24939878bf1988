# SPDX-License-Identifier: MIT
"""Writes the models with faulty weights files in errors/ (weights_*.yaml and their files)."""
import json
import os
import struct

import numpy as np

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "errors")


def path(name):
    return os.path.join(FOLDER, name)


def model(name, weights=None):
    """A GRU of one unit and two inputs."""
    with open(path(name + ".yaml"), "w") as file:
        file.write("model: m\ninputs: {x: [~, 2]}\nlayers:\n  - GRU: {name: g, units: 1}\n"
                   f"weights: {weights or name + '.safetensors'}\n")


def halves(*shape):
    return "F32", shape, np.full(shape, 0.5, "<f4").tobytes()


def tensors():
    return {"g/bias": halves(2, 3), "g/kernel": halves(2, 3),
            "g/recurrent_kernel": halves(1, 3)}


def safetensors(name, content, edit_header=None, tail=b"", header=None, length=None, cut=0):
    offset, described, data = 0, {}, b""
    for tensor, (dtype, shape, content_bytes) in content.items():
        end = offset + len(content_bytes)
        described[tensor] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, end]}
        offset, data = end, data + content_bytes
    if edit_header:
        edit_header(described)
    text = header or json.dumps(described, separators=(",", ":")).encode()
    content = struct.pack("<Q", length or len(text)) + text + data + tail
    with open(path(name + ".safetensors"), "wb") as file:
        file.write(content[:len(content) - cut])


def case(name, edit=None, **options):
    content = tensors()
    if edit:
        edit(content)
    model(name)
    safetensors(name, content, **options)


def main():
    twice = b'"g/bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
    case("weights_missing", lambda t: t.update({"g/kernels": t.pop("g/kernel")}))
    case("weights_shape", lambda t: t.update({"g/kernel": halves(3, 3)}))
    case("weights_bias_rank", lambda t: t.update({"g/bias": halves(3)}))
    case("weights_type", lambda t: t.update({"g/kernel": ("I8", (2, 3), bytes(6))}))
    case("weights_unused", lambda t: t.update({"h/kernel": halves(1)}))
    case("weights_overlap", edit_header=lambda h: h["g/kernel"].update(data_offsets=[20, 44]))
    case("weights_hole", tail=b"1234")
    case("weights_oversized", length=1 << 40)
    case("weights_json", header=b'{"g/bias": ')
    case("weights_duplicate", header=b"{" + twice + b"," + twice + b"}")
    case("weights_truncated", cut=10)
    model("weights_no_file", "nothing.safetensors")
    model("weights_outside", "../keras/cases/k2_gru_defaults.npz")
    model("weights_not_a_file", ".")
    model("weights_bad_npz", "weights_bad_npz.npz")
    with open(path("weights_bad_npz.npz"), "wb") as file:
        file.write(b"PK\x03\x04 this is no archive")


if __name__ == "__main__":
    main()
