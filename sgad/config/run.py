"""The configuration of one training run: every choice that moves a number, checked once, then frozen."""

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sgad.config.paths import config_folders
from sgad.config.plugins import BUILT_IN, CLASS_KEYS, MODELS, identity, is_in_file, is_known_class
from sgad.config.zoo import content_of

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$")]
#: Parts joined by "+", later ones win: names of files in configs/variants/, and `key=value`.
VariantName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+=-]{0,159}$")]

ScoringMode = Literal["AttentionScoring_1", "AttentionScoring_2", "AttentionScoring_RGB", "ScoringNet_1", "none"]


class Quirks(BaseModel):
    """What the authors' release does and a reader of the paper would not expect, each as a switch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep_discriminator_state: bool = Field(
        False, description="the SGAN critic's potentials are not cleared between the real and the fake pass"
    )
    generator_run_twice: bool = Field(
        False,
        description="running averages move as if the generator ran twice on the same z in one update pair",
    )
    nmnist_axes: bool = Field(False, description="real event frames are walked along the batch instead of time")


#: What `quirks: paper` stands for: the release's behaviour where it still trains a sane model.
PAPER_QUIRKS = Quirks(keep_discriminator_state=True, generator_run_twice=True)
QUIRK_PRESETS = {"paper": PAPER_QUIRKS, "none": Quirks()}


class RunConfig(BaseModel):
    """Everything that decides what a training run computes.

    Keys are flat, so that `--set key=value` needs no path; only `quirks` groups switches.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    # --- which run
    dataset: Name = Field(description="key of the data set, a file in configs/datasets/")
    model: Name = Field(description="key of the model, a file in configs/models/")
    variant: VariantName = Field(
        "paper",
        description="named overrides: files in configs/variants/ or key=value, joined by +, as in stable+tau=4",
    )
    seed: int = Field(0, ge=0, lt=2**31, description="seed from which every random stream of the run derives")
    family: Literal["snn", "hybrid", "ann"] = Field("snn", description="spiking, spiking with an analog critic, analog")

    # --- networks
    generator: str = Field(
        "sgad", description="sgan, swgan, sgad, file.py:Class, package.module:Class or an entry point"
    )
    discriminator: str = Field(
        "em", description="em, sgan, analog, file.py:Class, package.module:Class or an entry point"
    )
    latent_dim: int = Field(10, ge=1, le=65536, description="size of z")
    time_steps: int = Field(16, ge=1, le=1024, description="T, simulation steps")
    encoder: Literal["direct", "rate", "ttfs"] = Field("direct", description="how a static input becomes T steps")
    scoring_mode: ScoringMode = Field("AttentionScoring_1", description="how SGAD weighs a new step against the old")
    scoring_query: Literal["image", "frame"] = Field(
        "image",
        description="what attention asks with: the image so far (the release) or the new frame (paper's figure)",
    )
    info_nce_weight: float = Field(0.0, ge=0, description="weight of the InfoNCE term of AttentionScoring_2")
    batch_norm: Literal["per_step", "shared"] = Field(
        "per_step", description="statistics of every time step on its own (the paper), or of all steps together"
    )
    weight_init: Literal["default", "orthogonal", "normal"] = Field(
        "default", description="start of weights: torch's uniform, orthogonal, or normal with deviation 0.02 (DCGAN)"
    )
    first_pass: Literal["none", "lsuv"] = Field(
        "none",
        description="lsuv: scale the critic's last hidden layer so that its currents on the first real batch have deviation 1"
        " (Mishkin and Matas 2016)",
    )
    output_bias: float | None = Field(None, description="start of the last deconvolution's bias; null: torch's default")
    output_gain: Positive = Field(1.0, description="factor on the last deconvolution's initial weights")

    # --- neurons
    neuron: Literal["lif", "leaky_relu"] = Field("lif", description="leaky_relu: the analog control, no spikes")
    tau: float = Field(2.0, ge=1.0, description="membrane time constant in steps")
    threshold: Positive = Field(1.0, description="membrane potential above which a neuron fires")
    surrogate: Literal["arctan", "sigmoid", "rectangle"] = Field("arctan", description="derivative used for the spike")
    surrogate_width: Positive = Field(
        2.0, description="a of the surrogate derivative: how sharp arctan and sigmoid are, how wide the rectangle is"
    )

    # --- training
    epochs: int = Field(100, ge=1, description="passes through the training split")
    max_steps: int | None = Field(None, ge=1, description="stop after so many update pairs, if that is sooner")
    batch_size: int = Field(64, ge=2, le=65536, description="images a batch")
    drop_last: bool = Field(False, description="leave out the last, smaller batch of an epoch")
    objective: Literal["earth_mover", "bce", "hinge", "non_saturating", "least_squares"] = Field(
        "earth_mover", description="what critic and generator minimise"
    )
    optimizer: Literal["rmsprop", "adam"] = Field(
        "rmsprop", description="rmsprop: torch's defaults, as the release; adam: Kingma and Ba 2015"
    )
    betas: tuple[Probability, Probability] = Field((0.5, 0.99), description="Adam's decay rates")
    lr_discriminator: Positive = Field(
        2e-4, description="learning rate of the critic (apart from the other: Heusel et al. 2017)"
    )
    lr_generator: Positive = Field(2e-4, description="learning rate of the generator")
    schedule: Literal["none", "cosine", "linear"] = Field(
        "none",
        description="learning rate over time: cosine over cosine_epochs, or linear to 0 over the last half",
    )
    cosine_epochs: int = Field(20, ge=1, description="T_max of the cosine schedule, in epochs")
    warmup_steps: int = Field(
        0, ge=0, description="update pairs over which the learning rates rise from 0 (Goyal et al. 2017)"
    )
    critic_steps: int = Field(
        1, ge=1, le=100, description="critic updates per generator update (Arjovsky et al. 2017), all on one real batch"
    )
    constraint: Literal["none", "weight_clip", "gradient_penalty", "r1", "spectral_norm"] = Field(
        "none",
        description="what bounds the critic: clipped weights (Arjovsky et al. 2017), a penalty on its gradient (Gulrajani et al."
        " 2017; r1: Mescheder et al. 2018), or spectral norm (Miyato et al. 2018)",
    )
    constraint_weight: Positive = Field(
        10.0, description="weight of the penalty; with weight_clip the bound, at most 1"
    )
    constraint_interval: int = Field(
        1, ge=1, description="penalty every so many steps (lazy regularisation, Karras et al. 2020)"
    )
    drift_weight: float = Field(0.0, ge=0, description="weight of the mean squared score (Karras et al. 2018)")
    input_noise: float = Field(
        0.0, ge=0, description="standard deviation of noise on the critic's images (Soenderby et al. 2017)"
    )
    augment: tuple[Literal["brightness", "translation", "cutout"], ...] = Field(
        (), description="differentiable augmentations of the critic's images (Zhao et al. 2020)"
    )
    ema_decay: float = Field(
        0.0, ge=0, lt=1, description="moving average of the generator's weights (Yazici et al. 2019); 0: none"
    )
    quirks: Quirks = Field(Quirks(), description="`paper`, `none`, or switches one by one")

    # --- data
    pixel_range: Literal["unit", "symmetric"] = Field("unit", description="pixels in [0, 1] or in [-1, 1]")
    event_counts: Literal["raw", "clipped"] = Field(
        "raw", description="real event frames as they are (the release), or cut at 1, the most that a generator makes"
    )
    holdout: Literal["none", "valid"] = Field(
        "none",
        description="valid: 5,000 training images (a tenth of a small split) are not trained on, so that recipes can be chosen by"
        " fad_val, fad_eval_val and cfd_val",
    )
    flip: bool | None = Field(None, description="random horizontal flips; null: as the data set says")

    # --- sampling and measuring
    num_samples: int = Field(5000, ge=1, description="images drawn for the measures")
    sampling_statistics: Literal["running", "recalibrated", "batch"] = Field(
        "running",
        description="batch norm while sampling: running averages, re-estimated ones, or each batch's own",
    )
    grid_every: int = Field(500, ge=1, description="update pairs between sample grids")

    # --- how it is computed
    dtype: Literal["float32", "float64"] = Field("float32", description="floating point type")
    precision: Literal["float32", "tf32"] = Field(
        "float32",
        description="what goes into training's products: whole float32, or rounded to ten bits on a GPU (tf32); spikes are"
        " exact in both, and sums, potentials and statistics always whole",
    )
    engine: Literal["auto", "torch", "numba", "cuda"] = Field(
        "auto", description="kernels of the neuron scan; cuda also records update pairs as CUDA graphs"
    )
    memory: Literal["normal", "low"] = Field("normal", description="low: recompute instead of store")
    from_checkpoint: str | None = Field(
        None,
        description="start from these weights: a run or zoo folder, a zoo model, our .safetensors, the authors' .pth",
    )
    checkpoint_every: int = Field(500, ge=1, description="update pairs between checkpoints")
    checkpoint_epochs: int | None = Field(None, ge=1, description="a checkpoint every so many epochs, too")
    keep_checkpoints: int = Field(2, ge=1, le=100, description="newest checkpoints kept")
    log_every: int = Field(10, ge=1, description="update pairs between rows of history.csv")

    @field_validator("quirks", mode="before")
    @classmethod
    def _preset(cls, value: Any) -> Any:
        if isinstance(value, str):
            if value not in QUIRK_PRESETS:
                raise ValueError(f"must be one of {', '.join(QUIRK_PRESETS)} or a mapping of switches")
            return QUIRK_PRESETS[value]
        return value

    @model_validator(mode="after")
    def _agree(self) -> "RunConfig":
        for field, built_in in BUILT_IN.items():
            value = getattr(self, field)
            if not is_known_class(field, value):
                raise ValueError(
                    f"{field} must be one of {', '.join(built_in)}, file.py:Class, package.module:Class or the name of an"
                    f" installed entry point of {MODELS}, got {value!r}"
                )
        if self.constraint == "weight_clip" and self.constraint_weight > 1:
            raise ValueError("constraint_weight is the clipping bound of weight_clip and must be at most 1")
        if self.memory == "low" and (self.constraint == "spectral_norm" or self.batch_norm == "shared"):
            raise ValueError(
                "memory low computes steps again in parts, which spectral_norm and batch_norm shared forbid"
            )
        if self.first_pass != "none" and (self.constraint == "spectral_norm" or self.from_checkpoint):
            raise ValueError(
                f"first_pass {self.first_pass} scales fresh weights: spectral_norm undoes that, and from_checkpoint brings others"
            )
        if self.dtype == "float64" and self.precision != "float32":
            raise ValueError(f"precision {self.precision} is a rounding of float32 and does not go with dtype float64")
        if self.neuron == "leaky_relu" and self.time_steps != 1:
            raise ValueError("neuron leaky_relu is the analog control and needs time_steps 1")
        return self

    @property
    def network_family(self) -> str:
        """`family`, or what neurons and critic make of it where a variant changed them."""
        if self.neuron == "leaky_relu":
            return "ann"
        if self.family == "snn" and self.discriminator == "analog":
            return "hybrid"
        return "snn" if self.family == "hybrid" and self.discriminator in ("em", "sgan") else self.family

    def hash(self) -> str:
        """SHA-256 (16 hex digits) of the values that decide the result of training.

        A class in a file, and weights to start from, count by their content instead of their place.
        How often checkpoints are written and kept, and how samples are taken, does not count. How often a row is logged
        or a grid drawn does: both are results, too.
        """
        content = self.model_dump(mode="json", exclude=NOT_HASHED)
        for key, value in ADDED_LATER.items():
            if content[key] == value:
                del content[key]
        for key in CLASS_KEYS:
            if is_in_file(content[key]):
                content[key] = identity(content[key], config_folders())
        if self.from_checkpoint:
            content["from_checkpoint"] = content_of(self.from_checkpoint)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


#: Keys that a resumed training may change.
NOT_HASHED = {
    "checkpoint_every",
    "checkpoint_epochs",
    "keep_checkpoints",
    "num_samples",
    "sampling_statistics",
    "memory",
}

#: Keys younger than stored results, with the value that stands for how those were made: it does not change their hash.
ADDED_LATER = {
    "scoring_query": "image",
    "event_counts": "raw",
    "holdout": "none",
    "precision": "float32",
    "first_pass": "none",
}

#: Public keys with their order in files.
RUN_KEYS = tuple(RunConfig.model_fields)
