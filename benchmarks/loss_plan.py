"""What `benchmarks.loss` compares: the rules, the rates that are swept, the seeds, the sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from benchmarks.loss_sides import Peer
from psyche_client.model.presets import preset
from psyche_client.optim import Schedule, UpdateRule, rate_units

ADAMW: Final = "adamw"
WEIGHT_DECAY_MICRO: Final = 100_000
MICRO: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """An update rule by its numbers, and which other side it is compared with.

    Attributes:
        update: "sign" or "mean", which are the protocol's, or one of `loss_update.KINDS`. Local
            steps of "mean" have the schedule's rate, and sweep AdamW's rates, for they are AdamW's.
        overlap: rounds by which a gradient is older than the parameters that it moves.
        against: `adamw`, or the name of another variant.
        limit: part of the other side's loss that the difference may come to.
    """

    topk: int = 32
    beta_micro: int = 950_000
    local_steps: int = 1
    update: str = "sign"
    overlap: int = 0
    value_bits: int = 1
    value_exponent: int = 0
    gain_micro: int = MICRO
    local_state: str = "anew"
    embeddings: str = "block"
    vote_cap: int = 1
    against: str = ADAMW
    limit: float = 0.01

    @property
    def moves_as_adamw(self) -> bool:
        """Whether its rate is AdamW's, so that it sweeps the same ones."""
        return self.update == "mean"

    def rule(self, schedule: Schedule) -> UpdateRule:
        """The client's own rule with these numbers."""
        means = self.update == "mean"
        return UpdateRule(
            update="mean" if means else "sign",
            gain_micro=self.gain_micro,
            local_state=self.local_state,
            local_rate=0 if means else rate_units("0.001"),
            topk=self.topk,
            beta_micro=self.beta_micro,
            local_steps=self.local_steps,
            value_bits=self.value_bits,
            value_exponent=self.value_exponent,
            embeddings=self.embeddings,
            vote_cap=self.vote_cap,
            # A round of local steps decays once, at the rate of one of them.
            weight_decay_micro=WEIGHT_DECAY_MICRO * (self.local_steps if means else 1),
            schedule=schedule,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """All numbers that the trials of one version share.

    Attributes:
        steps: of AdamW; a rule with H local steps has that many rounds over H.
        worker_sequences: of one worker in one step; AdamW's batch is that of all workers.
        rates: of AdamW's sweep; `rule_rates` are as many, for each rule.
        tuning_seeds: on which the best rate is found; `seeds` are others, which are reported.
    """

    name: str
    model: str
    steps: int
    workers: int
    worker_sequences: int
    sequence_tokens: int
    text_bytes_max: int
    validation_sequences: int
    rates: tuple[str, ...]
    rule_rates: tuple[str, ...]
    tuning_seeds: tuple[int, ...]
    seeds: tuple[int, ...]
    variants: dict[str, Variant | Peer]

    def __post_init__(self) -> None:
        """Refuse what would compare unequal things."""
        if len(self.rates) != len(self.rule_rates):
            raise ValueError("the sweeps of both sides must be of equal size")
        if set(self.seeds) & set(self.tuning_seeds):
            raise ValueError("seeds that are reported must not be those tuned on")
        for name, variant in self.variants.items():
            if self.steps % variant.local_steps:
                raise ValueError(f"{self.steps} steps are no whole number of rounds of {name}")
            if variant.against not in (ADAMW, *self.variants):
                raise ValueError(f"{name} is compared with {variant.against}, which is not there")

    @property
    def tokens(self) -> int:
        """Tokens of one trial, the same for every side."""
        return self.steps * self.workers * self.worker_sequences * self.sequence_tokens

    @property
    def parameters(self) -> int:
        """Parameters of the model."""
        return preset(self.model).parameter_count()

    def schedule(self, rate: str, local_steps: int = 1) -> Schedule:
        """Cosine to 0 after a warm-up of a twentieth, in rounds."""
        rounds = self.steps // local_steps
        warmup = rounds // 20
        peak = rate_units(rate)
        return Schedule(kind="cosine", peak=peak, warmup_steps=warmup, total_steps=rounds)


BASE: Final = "signs, k = 32, beta .95"
INTEGERS: Final = "8-bit whole numbers, k = 32"


def _beside(**numbers: int | str) -> Variant:
    return Variant(against=BASE, limit=0.005, **numbers)  # type: ignore[arg-type]  # its own fields


SPARSE: Final = "signs, k = 8, beta .99"
MEANS: Final = "means of 5 AdamW steps, k = 88"
VARIANTS: Final = {
    MEANS: Variant(
        update="mean",
        topk=88,
        # All that is not said stays to be said.
        beta_micro=999_999,
        local_steps=5,
        local_state="kept",
        value_exponent=4,
        vote_cap=0,
    ),
    SPARSE: Variant(topk=8, beta_micro=990_000),
    BASE: Variant(),
    "signs, k = 64, beta .95": Variant(topk=64),
    "signs, k = 32, beta .99": Variant(beta_micro=990_000),
    "H = 10, k = 64": Variant(topk=64, local_steps=10),
    "H = 30, k = 128": Variant(topk=128, local_steps=30),
    "soft sign, k = 32": Variant(update="soft"),
    "AdamW on the update, k = 32": Variant(update="adam"),
    "overlap 1, k = 32": _beside(overlap=1),
    INTEGERS: _beside(value_bits=8, value_exponent=-9, vote_cap=0),
    "embeddings 1 x 64, k = 32": _beside(embeddings="row"),
    "vote cap 2, k = 32": _beside(vote_cap=2),
    "no vote cap, k = 32": _beside(vote_cap=0),
}

#: At most ten minutes on two cores. It says that the harness works, and little of long runs.
SMOKE: Final = Setup(
    name="smoke",
    model="tiny",
    steps=120,
    workers=4,
    worker_sequences=4,
    sequence_tokens=64,
    text_bytes_max=4_000_000,
    validation_sequences=256,
    rates=("0.004", "0.008", "0.016", "0.032"),
    rule_rates=("0.002", "0.004", "0.008", "0.016"),
    tuning_seeds=(0,),
    seeds=(1, 2, 3),
    variants={name: VARIANTS[name] for name in (MEANS, SPARSE, BASE, "overlap 1, k = 32")},
)
#: By hand, for hours: side after side, so that what is kept of a run that was ended says something.
LONG: Final = Setup(
    name="long",
    model="tiny",
    steps=3_600,
    workers=4,
    worker_sequences=4,
    sequence_tokens=64,
    text_bytes_max=32_000_000,
    validation_sequences=1_024,
    rates=("0.001", "0.002", "0.004", "0.008", "0.016"),
    rule_rates=("0.00025", "0.0005", "0.001", "0.002", "0.004"),
    tuning_seeds=(0,),
    seeds=(10, 11, 12),
    variants=VARIANTS,
)
