# SPDX-License-Identifier: MIT
"""JAX: a scan under jit, or a step under jit."""

import os

# Its products take every processor the process may run on, whatever its flags say.
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

VERSION = jax.__version__


def gru_step(weights, state, projected):
    _, recurrent, bias = weights
    units = state.shape[-1]
    if bias.ndim == 2:
        inner = state @ recurrent + bias[1]
        gates = jax.nn.sigmoid(projected[:, :2 * units] + inner[:, :2 * units])
        z, r = gates[:, :units], gates[:, units:]
        candidate = jnp.tanh(projected[:, 2 * units:] + r * inner[:, 2 * units:])
    else:
        gates = jax.nn.sigmoid(projected[:, :2 * units] + state @ recurrent[:, :2 * units])
        z, r = gates[:, :units], gates[:, units:]
        candidate = jnp.tanh(projected[:, 2 * units:] + (r * state) @ recurrent[:, 2 * units:])
    return z * state + (1 - z) * candidate


def project(weights, x):
    kernel, _, bias = weights
    return x @ kernel + bias.reshape(-1, bias.shape[-1])[0]


@jax.jit
def run_sequence(weights, x, mask):
    def step(state, inputs):
        projected, valid = inputs
        new = gru_step(weights, state, projected)
        state = new if valid is None else jnp.where(valid[:, None], new, state)
        return state, state
    zeros = jnp.zeros((x.shape[1], weights[1].shape[0]))
    return jax.lax.scan(step, zeros, (project(weights, x), mask))[1]


@jax.jit
def run_step(weights, state, x):
    return gru_step(weights, state, project(weights, x))


class Sequence:
    def __init__(self, words):
        self.weights = tuple(map(jnp.asarray, words.weights()))
        self.x = jnp.asarray(words.input())
        self.mask = None
        if "mask" in words:
            shape = (words.number("batch"), words.number("steps"))
            self.mask = jnp.asarray(words.array("mask", shape, np.uint8).T != 0)
        self.y = None

    def call(self):
        self.y = run_sequence(self.weights, self.x, self.mask).block_until_ready()

    def output(self):
        return np.asarray(self.y)


class Steps:
    def __init__(self, words):
        self.weights = tuple(map(jnp.asarray, words.weights()))
        self.x = [jnp.asarray(step) for step in words.input()]
        self.state = jnp.zeros((1, words.number("units")))
        self.y = []

    def call(self):
        self.y = []
        for x in self.x:
            self.state = run_step(self.weights, self.state, x).block_until_ready()
            self.y.append(self.state)

    def output(self):
        return np.stack(self.y)


def open_subject(words):
    return Steps(words) if words.number("streaming") else Sequence(words)
