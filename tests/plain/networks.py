"""Generators and critics, step by step, with torch's own layers."""

import math

import torch
from torch import nn
from torch.nn import functional

from tests.plain.neurons import PlainLeaky, PlainLif, plain_encode


class PlainGenerator(nn.Module):
    """family: sgan, swgan or sgad; shape: (C, H, W), two channels are events; scoring_mode for sgad."""

    #: Attention asks with the new frame, as the paper's figure draws it, instead of the image so far.
    asks_frame = False

    def __init__(self, family, shape, latent_dim, steps, scoring_mode="AttentionScoring_1", encoder="direct"):
        super().__init__()
        self.family, self.shape, self.steps, self.encoder = family, shape, steps, encoder
        self.mode, self.events = scoring_mode, shape[0] == 2
        channels, height, width = shape
        widths = [128, 64, 32, channels] if height >= 64 else [128, 64, channels]
        factor = 2 ** (len(widths) - 1)
        self.base = (height // factor, width // factor)
        features = 128 * self.base[0] * self.base[1]
        self.linear1, self.norm1 = nn.Linear(latent_dim, 1024), nn.BatchNorm1d(1024)
        self.linear2, self.norm2 = nn.Linear(1024, features), nn.BatchNorm1d(features)
        self.deconv1, self.norm3 = nn.ConvTranspose2d(128, 64, 4, 2, 1), nn.BatchNorm2d(64)
        self.large = len(widths) == 4
        if self.large:
            self.deconv2, self.norm4 = nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.BatchNorm2d(32)
            self.deconv3 = nn.ConvTranspose2d(32, channels, 4, 2, 1)
        else:
            self.deconv2 = nn.ConvTranspose2d(64, channels, 4, 2, 1)
        if family == "sgad":
            self._add_scoring(channels * height * width)
        self.lif1, self.lif2, self.lif3, self.lif4 = PlainLif(), PlainLif(), PlainLif(), PlainLif()
        self.spike_head, self.leaky_head = PlainLif(), PlainLeaky()

    def _add_scoring(self, size):
        if self.mode == "AttentionScoring_1":
            self.query, self.key = nn.Linear(size, 256), nn.Linear(size, 256)
        elif self.mode == "AttentionScoring_RGB":
            self.embed = nn.Linear(size, 1024)
            self.query, self.key = nn.Linear(1024, 256), nn.Linear(1024, 256)
        elif self.mode == "ScoringNet_1":
            self.score1, self.score2 = nn.Linear(size, 256), nn.Linear(256, 1)
        elif self.mode == "AttentionScoring_2":
            self.query1, self.query2 = nn.Linear(size, 256), nn.Linear(256, 128)
            self.key1, self.key2 = nn.Linear(size, 256), nn.Linear(256, 128)
            self.project_image, self.project_latent = nn.Linear(size, 64), nn.Linear(128, 64)

    def clear(self):
        for neuron in (self.lif1, self.lif2, self.lif3, self.lif4, self.spike_head, self.leaky_head):
            neuron.clear()

    def trunk(self, z):
        x = self.lif1(self.norm1(self.linear1(z)))
        x = self.lif2(self.norm2(self.linear2(x)))
        x = self.lif3(self.norm3(self.deconv1(x.reshape(len(z), 128, *self.base))))
        if self.large:
            x = self.lif4(self.norm4(self.deconv2(x)))
            return self.deconv3(x)
        return self.deconv2(x)

    def forward(self, z, random=None):
        """Return the frames (T, B, C, H, W) that the critic sees, and the images of all steps."""
        self.losses = []
        outputs, y = [], None
        for step in plain_encode(z, self.encoder, self.steps, random):
            current = self.trunk(step)
            if self.family == "sgan":
                outputs.append(self.spike_head(current))
            elif self.family == "swgan":
                m = self.leaky_head(current)
                outputs.append(torch.sigmoid(m) if self.events else torch.sigmoid(m / self.steps))
            else:
                y = self.mix(y, torch.sigmoid(current))
                outputs.append(y)
        images = torch.stack(outputs)
        if self.family == "sgan" or self.events:
            return images, images
        return torch.stack([images[-1]] * self.steps), images

    def mix(self, y, x):
        if y is None:
            return x
        a, b = self.weights(y.flatten(1), x.flatten(1))
        return a.reshape(-1, 1, 1, 1) * y + b.reshape(-1, 1, 1, 1) * x

    def weights(self, y, x):
        if self.mode == "AttentionScoring_RGB":
            y, x = torch.relu(self.embed(y)), torch.relu(self.embed(x))
        if self.mode in ("AttentionScoring_1", "AttentionScoring_RGB"):
            q, keys = self.query(x if self.asks_frame else y), torch.stack([self.key(y), self.key(x)], dim=1)
            both = torch.softmax((q[:, None] * keys).sum(-1) / math.sqrt(256), dim=1)
            return both[:, 0], both[:, 1]
        if self.mode == "ScoringNet_1":
            scores = [torch.sigmoid(self.score2(torch.relu(self.score1(v))))[:, 0] for v in (y, x)]
            return scores[0] / (scores[0] + scores[1]), scores[1] / (scores[0] + scores[1])
        if self.mode == "AttentionScoring_2":
            asked = x if self.asks_frame else y
            q = self.query2(torch.relu(self.query1(asked)))
            images = torch.stack([y, x], dim=1)
            keys = self.key2(torch.relu(self.key1(images)))
            self.losses.append((self.nce(asked[:, None], q[:, None]) + self.nce(images, keys)) / 2)
            both = torch.softmax((q[:, None] * keys).sum(-1) / math.sqrt(128), dim=1)
            return both[:, 0], both[:, 1]
        half = torch.full_like(y[:, 0], 0.5)
        return half, half

    def nce(self, images, latents):
        """Images (B, N, size), latents (B, N, 128): each latent must find its own image in the batch."""
        images, latents = self.project_image(images), self.project_latent(latents)
        losses = []
        for n in range(images.shape[1]):
            for i in range(len(images)):
                scores = torch.stack([latents[i, n] @ images[j, n] for j in range(len(images))])
                losses.append(torch.logsumexp(scores, 0) - scores[i])
        return torch.stack(losses).mean()


class PlainCritic(nn.Module):
    """kind: em (spiking), sgan, or analog (LeakyReLU, sigmoid, no time)."""

    def __init__(self, kind, shape, steps, encoder="direct"):
        super().__init__()
        self.kind, self.steps, self.encoder = kind, steps, encoder
        channels, height, width = shape
        if kind == "sgan":
            self.linear1, self.linear2 = nn.Linear(channels * height * width, 400), nn.Linear(400, 1)
        else:
            rows, columns = (((size - 4) // 2 - 4) // 2 for size in (height, width))
            hidden = 2048 if height >= 64 else 1024
            self.conv1, self.norm1 = nn.Conv2d(channels, 32, 5), nn.BatchNorm2d(32)
            self.conv2, self.norm2 = nn.Conv2d(32, 64, 5), nn.BatchNorm2d(64)
            self.linear1, self.linear2 = nn.Linear(64 * rows * columns, hidden), nn.Linear(hidden, 1)
        spiking = kind != "analog"
        self.lif1, self.lif2, self.lif3 = (PlainLif() if spiking else _leaky_relu for _ in range(3))
        self.leaky = PlainLeaky()

    def clear(self):
        for neuron in (self.lif1, self.lif2, self.lif3, self.leaky):
            if isinstance(neuron, PlainLif | PlainLeaky):
                neuron.clear()

    def step(self, x):
        if self.kind == "sgan":
            return self.linear2(self.lif1(self.linear1(x.flatten(1))))
        x = functional.avg_pool2d(self.lif1(self.norm1(self.conv1(x))), 2)
        x = functional.avg_pool2d(self.lif2(self.norm2(self.conv2(x))), 2)
        return self.linear2(self.lif3(self.linear1(x.flatten(1))))

    def forward(self, x, random=None):
        """Score images (B, C, H, W) or frames (T, B, C, H, W)."""
        if self.kind == "analog":
            frames = [x] if x.ndim == 4 else list(x)
            return torch.stack([torch.sigmoid(self.step(frame))[:, 0] for frame in frames]).mean(0)
        for frame in plain_encode(x, self.encoder, self.steps, random) if x.ndim == 4 else x:
            m = self.leaky(self.step(frame))
        score = m[:, 0] / self.steps
        return torch.sigmoid(score) if self.kind == "sgan" else score


def _leaky_relu(x):
    return functional.leaky_relu(x, 0.2)
