"""What the owner does in a test of both sides, and who would like to be it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import rule
from solders.pubkey import Pubkey

from psyche_sdk import instructions as build
from support.actors import ALICE, MALLORY, Actor
from support.knowing import CHANGES, FIELDS, LARGEST, Knowing, flags, seldom, words
from support.model import checkpoint_acts, owner, settings
from support.model.words import Phase, sha

OWNERS = (ALICE, MALLORY)


class Owning(Knowing):
    """Pauses, settings, another owner, another checkpoint."""

    @rule(
        name=st.sampled_from(["pause", "resume", "resume", "resume", "abort"]),
        stranger=seldom,
    )
    def own(self, name: str, stranger: bool) -> None:
        self.owner_does(name, self.stranger if stranger else self.owner)

    @rule(really=seldom, short=seldom)
    def abort_late(self, really: bool, short: bool) -> None:
        """A phase is long over, and the owner gives its rounds up."""
        config = self.state.config
        seconds = {
            Phase.WARMUP: config.warmup_seconds,
            Phase.TRAIN: config.train_seconds,
            Phase.WITNESS: config.witness_seconds,
            Phase.COOLDOWN: config.cooldown_seconds,
        }.get(self.state.phase)
        if really and seconds is not None:
            self.pair.pass_time(seconds=11 * seconds - short, slots=11 * seconds)
            self.owner_does("abort")

    @rule(change=CHANGES, bounds=st.integers(0, 3), odd=st.sampled_from(FIELDS), reset=seldom)
    def configure(self, change: tuple[str, int], bounds: int, odd: str, reset: bool) -> None:
        """Another value of a field; sometimes one at its bounds or beyond."""
        if self.state.phase is not Phase.PAUSED and bounds:
            return  # it would only be refused
        name, value = change
        if not bounds:
            low, high = settings.RANGES[odd]
            name, value = odd, (low - 1 if low else 0, low, high, high + 1)[value % 4]
        config = replace(self.state.config, **{name: min(value, LARGEST[name])})
        args = build.UpdateConfigArgs(config=config, reset_positions=reset)
        given = (bytes(self.owner.wallet), config, reset, self.pair.now)
        self.pair.act("update_config", self.owner, args, owner.update_config, *given)

    @rule(rate=st.integers(0, 2**32 - 1), stranger=seldom)
    def set_rates(self, rate: int, stranger: bool) -> None:
        signer = self.stranger if stranger else self.owner
        args = build.SetRatesArgs(
            points_per_sequence=rate, points_per_attestation=1, points_per_verdict=2
        )
        given = (bytes(signer.wallet), (rate, 1, 2), self.pair.now)
        self.pair.act("set_rates", signer, args, owner.set_rates, *given)

    @rule(to=st.sampled_from([ALICE, MALLORY, None]), stranger=seldom)
    def propose(self, to: Actor | None, stranger: bool) -> None:
        signer = self.stranger if stranger else self.owner
        key = to.wallet if to else Pubkey.default()
        args = build.SetAuthorityArgs(proposed=key)
        given = (bytes(signer.wallet), bytes(key))
        self.pair.act("set_authority", signer, args, owner.propose, *given)

    @rule(actor=st.sampled_from(OWNERS))
    def accept(self, actor: Actor) -> None:
        self.pair.act("accept_authority", actor, None, owner.accept, bytes(actor.wallet))

    @rule(length=st.sampled_from([0, 1, 127, 128, 129]), model=flags, stranger=seldom)
    def describe(self, length: int, model: bool, stranger: bool) -> None:
        """Another model.json, or another text about the run."""
        signer = self.stranger if stranger else self.owner
        wallet = bytes(signer.wallet)
        if model:
            digest, uri = sha(bytes([length])), "u" * length
            told = build.UpdateModelArgs(model_hash=digest, model_uri=uri)
            self.pair.act("update_model", signer, told, owner.update_model, wallet, digest, uri)
        else:
            text = "\u00e9" * length
            args = build.UpdateMetadataArgs(metadata=text)
            change = owner.update_metadata
            self.pair.act("update_metadata", signer, args, change, wallet, text)

    @rule(uri=st.sampled_from(["", "file:///x", "a b"]), digest=words, wrong=seldom, really=flags)
    def set_checkpoint(self, uri: str, digest: bytes, wrong: bool, really: bool) -> None:
        if self.state.phase is not Phase.PAUSED and not (wrong and really):
            return  # it would only be refused
        signer = self.stranger if wrong and not really else self.owner
        args = build.SetCheckpointArgs(digest=bytes(32) if wrong else digest, uri=uri)
        given = (bytes(signer.wallet), args, self.pair.now)
        self.pair.act("set_checkpoint", signer, args, checkpoint_acts.set_checkpoint, *given)
